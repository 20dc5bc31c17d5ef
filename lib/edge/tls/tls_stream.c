/* SPDX-License-Identifier: MIT */
/*
 * One connection. OpenSSL's queue of errors is emptied before each call and after each failure: it is the thread's, and
 * what one connection left there would be read as the end of another.
 *
 * Only close_notify is an end. Without it the peer may have been cut off by anybody who can forge a FIN, and what stands
 * behind the last whole line may be half of it: the caller drops that.
 *
 * OpenSSL never changes keys by itself; AES-GCM wants it long before 2^24.5 records.
 */
#include "tls_impl.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

/* One read of plain text: the largest record. */
#define RECORD_BYTES 16384
/* Keys change after so many records, both directions together. */
#define REKEY_RECORDS (UINT64_C(1) << 20)
/* Messages that are no data, such as key updates, between two records of data: a peer that sends more costs us work that
 * it does not pay for. */
#define MESSAGES_MAX 32

/* Emptying costs a hundred stores, also where there is nothing. */
static void clear_errors(void)
{
    if (ERR_peek_error() != 0)
        ERR_clear_error();
}

static int expect(struct herd_tls_stream *stream, const struct herd_tls_expect *whom)
{
    if (!whom)
        return 0;
    if (whom->server.len > sizeof stream->peer)
        return HERD_E_ARG; /* nobody is called that, and no check at all would be worse */
    if (whom->server.len > 0) {
        memcpy(stream->peer, whom->server.at, whom->server.len);
        stream->peer_len = whom->server.len;
        stream->expects_server = true;
    } else if (whom->dns_name) {
        stream->dns_name = strdup(whom->dns_name);
        if (!stream->dns_name || SSL_set_tlsext_host_name(stream->ssl, stream->dns_name) != 1)
            return HERD_E_NOMEM;
    }
    return 0;
}

/* Which certificate is refused and why: OpenSSL's own error says no more than "certificate verify failed". */
static int note_verify_fault(int good, X509_STORE_CTX *store_ctx)
{
    const SSL *ssl = X509_STORE_CTX_get_ex_data(store_ctx, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct herd_tls_stream *stream = herd_tls_stream_of(ssl);
    if (!good && !stream->fault && herd_tls_stream_note(stream))
        herd_tls_verify_fault(store_ctx, stream->fault);
    return good;
}

/* Called for each message of a handshake, and for those behind it. */
static void count_messages(const SSL *ssl, int where, int result)
{
    struct herd_tls_stream *stream = herd_tls_stream_of(ssl);
    (void)result;
    if ((where & SSL_CB_LOOP) && stream->state != HERD_TLS_HANDSHAKE && ++stream->messages > MESSAGES_MAX)
        stream->flooded = true;
}

/* What OpenSSL keeps, 9 KB of it. HERD_E_NOMEM. */
static int open_ssl(struct herd_tls_stream *stream)
{
    const struct herd_tls_context *context = stream->context;
    ERR_clear_error();
    stream->ssl = SSL_new(context->ssl_ctx);
    BIO *bio = stream->ssl ? herd_tls_bio_new(context->bio_method, stream) : NULL;
    if (!bio || SSL_set_app_data(stream->ssl, stream) != 1) {
        BIO_free(bio);
        ERR_clear_error();
        return HERD_E_NOMEM;
    }
    SSL_set_bio(stream->ssl, bio, bio);
    if (!SSL_get_verify_callback(stream->ssl)) /* a program's own context may have one */
        SSL_set_verify(stream->ssl, SSL_get_verify_mode(stream->ssl), note_verify_fault);
    if (!SSL_CTX_get_info_callback(context->ssl_ctx))
        SSL_set_info_callback(stream->ssl, count_messages);
    if (stream->role == HERD_TLS_SERVER)
        SSL_set_accept_state(stream->ssl);
    else
        SSL_set_connect_state(stream->ssl);
    return 0;
}

/* A server's has nothing to say before the peer's first bytes: what OpenSSL keeps is made with these, by a thread if there is
 * one. */
int herd_tls_stream_new(struct herd_tls_stream **ret_stream, struct herd_tls_context *context,
                        enum herd_tls_role role, const struct herd_tls_expect *expected)
{
    struct herd_tls_stream *stream = calloc(1, sizeof *stream);
    if (!stream)
        return HERD_E_NOMEM;
    stream->role = role;
    stream->context = herd_tls_context_ref(context);
    int err = role == HERD_TLS_CLIENT ? open_ssl(stream) : 0;
    if (err >= 0)
        err = expect(stream, expected);
    if (err < 0) {
        herd_tls_stream_free(stream);
        return err;
    }
    *ret_stream = stream;
    return 0;
}

void herd_tls_stream_release(struct herd_tls_stream *stream)
{
    SSL_free(stream->ssl);
    stream->ssl = NULL;
}

void herd_tls_stream_free(struct herd_tls_stream *stream)
{
    if (!stream)
        return;
    herd_tls_stream_release(stream);
    herd_tls_context_unref(stream->context);
    free(stream->dns_name);
    free(stream->fault);
    free(stream->psk_identity);
    free(stream);
}

/* ---- failing ---- */

static const char *event_of(unsigned long code)
{
    switch (ERR_GET_REASON(code)) {
    case SSL_R_HTTP_REQUEST:
    case SSL_R_WRONG_VERSION_NUMBER: return "tls_expected";
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION: return "tls_version";
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: return "peer_no_certificate";
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM: return "tls_nothing_in_common";
    default: return "tls_failed";
    }
}

/* What the log says beside OpenSSL's own words. */
static void describe_failure(struct herd_tls_stream *stream, const char *event, char *more, size_t size)
{
    size_t used = 0;
    more[0] = '\0';
    if (strcmp(event, "tls_version") == 0 && stream->role == HERD_TLS_SERVER)
        snprintf(more, size, "; expected TLS %s", stream->context->tls_1_2 ? "1.2 or 1.3" : "1.3");
    if (strcmp(event, "tls_expected") != 0)
        return;
    used = (size_t)snprintf(more, size, "; first_bytes=");
    for (size_t i = 0; i < stream->first_len; i++) {
        unsigned char c = stream->first[i];
        used += (size_t)snprintf(more + used, size - used, c > 0x20 && c < 0x7f && c != '\\' ? "%c" : "\\x%02x", c);
    }
}

static int failed(struct herd_tls_stream *stream)
{
    char text[200], more[64];
    unsigned long code = ERR_peek_error();
    stream->no_memory |= herd_tls_error_is_memory();
    stream->state = HERD_TLS_FAILED;
    stream->out = NULL;
    bool told = stream->fault != NULL;
    struct herd_tls_fault *fault = stream->no_memory ? NULL : herd_tls_stream_note(stream);
    if (!fault) {
        ERR_clear_error();
        return HERD_E_NOMEM;
    }
    if (stream->flooded) {
        herd_tls_fail(fault, "tls_flood", "more than %d messages without data", MESSAGES_MAX);
    } else if (!told) {
        describe_failure(stream, event_of(code), more, sizeof more);
        herd_tls_fail(fault, event_of(code), "%s%s", herd_tls_error_text(text, sizeof text), more);
    }
    ERR_clear_error();
    return HERD_TLS_FAILED;
}

/* ---- bytes in ---- */

/* One step of a handshake that is not over. True: it is over now. */
static int shake(struct herd_tls_stream *stream)
{
    int result = SSL_do_handshake(stream->ssl);
    if (result == 1) {
        if (herd_tls_peer_prove(stream) < 0)
            return failed(stream);
        stream->state = HERD_TLS_OPEN;
        return HERD_TLS_OPEN;
    }
    int error = SSL_get_error(stream->ssl, result);
    if (!stream->no_memory && (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE))
        return HERD_TLS_HANDSHAKE;
    return failed(stream);
}

static int read_records(struct herd_tls_stream *stream, struct herd_buf *plain)
{
    for (;;) {
        size_t got;
        if (herd_buf_reserve(plain, RECORD_BYTES) < 0) {
            stream->no_memory = true;
            return failed(stream);
        }
        clear_errors();
        int result = SSL_read_ex(stream->ssl, plain->at + plain->len, plain->cap - plain->len, &got);
        if (result == 1) {
            plain->len += got;
            stream->records++;
            stream->messages = 0;
            if (stream->in.len == 0 && !SSL_has_pending(stream->ssl))
                return HERD_TLS_OPEN; /* asking costs as much as some requests */
            continue;
        }
        switch (SSL_get_error(stream->ssl, result)) {
        case SSL_ERROR_WANT_READ:
        case SSL_ERROR_WANT_WRITE: return stream->no_memory ? failed(stream) : HERD_TLS_OPEN;
        case SSL_ERROR_ZERO_RETURN: stream->state = HERD_TLS_EOF; return HERD_TLS_EOF;
        default: return failed(stream);
        }
    }
}

int herd_tls_input(struct herd_tls_stream *stream, struct herd_span bytes, struct herd_buf *plain,
                   struct herd_buf *out)
{
    int state = (int)stream->state;
    if (state == HERD_TLS_EOF || state == HERD_TLS_FAILED || (!stream->ssl && bytes.len == 0))
        return state;
    stream->in = bytes;
    stream->out = out;
    clear_errors();
    for (size_t i = 0; i < bytes.len && stream->first_len < sizeof stream->first; i++)
        stream->first[stream->first_len++] = (unsigned char)bytes.at[i];
    if (!stream->ssl && open_ssl(stream) < 0) {
        stream->no_memory = true;
        state = failed(stream);
    } else if (state == HERD_TLS_HANDSHAKE) {
        state = shake(stream);
    }
    /* Most peers send nothing with the end of their handshake, and need no buffer. */
    if (state == HERD_TLS_OPEN && (stream->in.len > 0 || SSL_has_pending(stream->ssl)))
        state = read_records(stream, plain);
    stream->in = (struct herd_span){NULL, 0};
    stream->out = NULL;
    return state;
}

/* ---- bytes out ---- */

int herd_tls_output(struct herd_tls_stream *stream, struct herd_span plain, struct herd_buf *out)
{
    size_t written;
    if (stream->state != HERD_TLS_OPEN && stream->state != HERD_TLS_EOF)
        return HERD_E_STATE;
    if (plain.len == 0)
        return 0;
    clear_errors();
    stream->out = out;
    stream->records += 1 + plain.len / RECORD_BYTES;
    if (stream->records >= REKEY_RECORDS && SSL_version(stream->ssl) == TLS1_3_VERSION) {
        stream->records = 0;
        /* Who said close_notify answers nothing. */
        if (SSL_key_update(stream->ssl, stream->state == HERD_TLS_OPEN ? SSL_KEY_UPDATE_REQUESTED
                                                                       : SSL_KEY_UPDATE_NOT_REQUESTED) != 1)
            ERR_clear_error(); /* one is under way */
    }
    int result = SSL_write_ex(stream->ssl, plain.at, plain.len, &written);
    if (result != 1 || written != plain.len) {
        int err = failed(stream);
        return err < 0 ? err : HERD_E_IO;
    }
    stream->out = NULL;
    return 0;
}

int herd_tls_close(struct herd_tls_stream *stream, struct herd_buf *out)
{
    if (stream->state != HERD_TLS_OPEN && stream->state != HERD_TLS_EOF)
        return 0;
    ERR_clear_error();
    stream->out = out;
    SSL_shutdown(stream->ssl);
    if (stream->no_memory)
        return failed(stream);
    ERR_clear_error();
    stream->out = NULL;
    return 0;
}

/* ---- what it is ---- */

enum herd_tls_role herd_tls_stream_role(const struct herd_tls_stream *stream)
{
    return stream->role;
}

enum herd_tls_state herd_tls_stream_state(const struct herd_tls_stream *stream)
{
    return stream->state;
}

bool herd_tls_stream_may_move(const struct herd_tls_stream *stream)
{
    return !stream->context->adopted;
}

bool herd_tls_stream_awaits_finished(const struct herd_tls_stream *stream)
{
    /* OpenSSL's state behind its own Finished, whether or not there is to be early data. */
    return stream->ssl && stream->role == HERD_TLS_SERVER && stream->state == HERD_TLS_HANDSHAKE &&
           SSL_get_state(stream->ssl) == TLS_ST_EARLY_DATA;
}

const struct herd_tls_fault *herd_tls_stream_fault(const struct herd_tls_stream *stream)
{
    static const struct herd_tls_fault none = {0}, no_memory = {"out_of_memory", "out of memory"};
    return stream->no_memory ? &no_memory : stream->fault ? stream->fault : &none;
}

void herd_tls_stream_describe(const struct herd_tls_stream *stream, struct herd_buf *out)
{
    size_t start = out->len;
    if (herd_buf_add_text(out, SSL_get_version(stream->ssl)) < 0 || herd_buf_add_text(out, " ") < 0 ||
        herd_buf_add_text(out, SSL_get_cipher_name(stream->ssl)) < 0)
        out->len = start;
}
