/* SPDX-License-Identifier: MIT */
/*
 * Keys of pairs: neighbours prove themselves without certificates (TLS 1.3, external PSK with ECDHE).
 *
 * A key belongs to two servers that never change roles (RFC 9257, 4.1), but ours dial each other. So what is in the file
 * is never used itself: each direction has a key derived from it (HKDF, "from>to"), and the identity on the wire is
 * "from>to" too. It is accepted only if `to` is us and `from` is the neighbour whose key it is: a message that comes
 * back to where it was sent from proves nothing.
 */
#include "../../core/base/hex_digit.h"
#include "../../core/protocol/fields.h"
#include "tls_impl.h"

#include <herd/protocol.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the file ---- */

void herd_psks_fini(struct herd_psks *psks)
{
    if (psks->list)
        OPENSSL_cleanse(psks->list, psks->count * sizeof *psks->list);
    free(psks->list);
    *psks = (struct herd_psks){0};
}

const struct herd_psk *herd_psks_find(const struct herd_psks *psks, struct herd_span name)
{
    for (size_t i = 0; i < psks->count; i++)
        if (herd_span_equal((struct herd_span){psks->list[i].name, psks->list[i].name_len}, name))
            return &psks->list[i];
    return NULL;
}

bool herd_tls_context_has_key(const struct herd_tls_context *context, struct herd_span name)
{
    return herd_psks_find(&context->psks, name) != NULL;
}

static bool read_key(struct herd_span text, unsigned char key[HERD_PSK_BYTES])
{
    if (text.len != 2 * HERD_PSK_BYTES)
        return false;
    for (size_t i = 0; i < HERD_PSK_BYTES; i++) {
        int high = herd_hex_digit(text.at[2 * i]), low = herd_hex_digit(text.at[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        key[i] = (unsigned char)(high * 16 + low);
    }
    return true;
}

static int read_line(struct herd_psks *psks, struct herd_span line, unsigned number, const char *path,
                     struct herd_tls_fault *fault)
{
    struct herd_span fields[2];
    size_t count = herd_fields(line, line.at + line.len, fields, 2);
    if (count == 0 || fields[0].at[0] == '#')
        return 0;
    struct herd_psk *psk = &psks->list[psks->count];
    if (count != 2 || !herd_name_valid(fields[0]) || !read_key(fields[1], psk->key)) {
        herd_tls_fail(fault, "psk_file_bad", "%s:%u: expected the name of a server and 64 hexadecimal digits", path,
                      number);
        return HERD_E_SYNTAX;
    }
    if (herd_psks_find(psks, fields[0])) {
        herd_tls_fail(fault, "psk_file_bad", "%s:%u: a second key for the same server", path, number);
        return HERD_E_EXISTS;
    }
    memcpy(psk->name, fields[0].at, fields[0].len);
    psk->name_len = fields[0].len;
    psks->count++;
    return 0;
}

int herd_psks_parse(struct herd_psks *ret_psks, struct herd_span text, const char *path,
                    struct herd_tls_fault *reterr_diagnostic)
{
    size_t lines = 1;
    for (size_t i = 0; i < text.len; i++)
        lines += text.at[i] == '\n';
    struct herd_psks psks = {.list = calloc(lines, sizeof *psks.list)};
    if (!psks.list)
        return HERD_E_NOMEM;
    unsigned number = 0;
    int err = 0;
    while (text.len > 0 && err >= 0) {
        const char *lf = memchr(text.at, '\n', text.len);
        struct herd_span line = {text.at, lf ? (size_t)(lf - text.at) : text.len};
        size_t used = line.len + (lf != NULL);
        err = read_line(&psks, line, ++number, path, reterr_diagnostic);
        text = (struct herd_span){text.at + used, text.len - used};
    }
    if (err >= 0)
        *ret_psks = psks;
    else
        psks.count = lines, herd_psks_fini(&psks);
    return err;
}

/* ---- one direction ---- */

/* A session that stands for the key: TLS_AES_128_GCM_SHA256, the suite whose hash an external key has by default. */
static SSL_SESSION *session_for(SSL *ssl, const struct herd_psk *psk, const char *direction)
{
    static const unsigned char suite[2] = {0x13, 0x01};
    unsigned char key[HERD_PSK_BYTES];
    const SSL_CIPHER *cipher = SSL_CIPHER_find(ssl, suite);
    SSL_SESSION *session = SSL_SESSION_new();
    bool good = session && cipher &&
                herd_tls_derive((struct herd_span){(const char *)psk->key, HERD_PSK_BYTES},
                                herd_span_of("herd pair key 1"), herd_span_of(direction), key, sizeof key) &&
                SSL_SESSION_set1_master_key(session, key, sizeof key) == 1 &&
                SSL_SESSION_set_cipher(session, cipher) == 1 &&
                SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION) == 1 &&
                SSL_SESSION_set1_id_context(session, (const unsigned char *)HERD_TLS_ID_CONTEXT,
                                            sizeof HERD_TLS_ID_CONTEXT - 1) == 1;
    OPENSSL_cleanse(key, sizeof key);
    if (good)
        return session;
    SSL_SESSION_free(session);
    return NULL;
}

/* Keeps who speaks to whom by which key. */
static bool keep_identity(struct herd_tls_stream *stream, const char *identity, size_t len)
{
    free(stream->psk_identity); /* of a first try */
    stream->psk_identity = strndup(identity, len);
    return stream->psk_identity != NULL;
}

/* 1 in any case: without a session the handshake goes on without a key. */
static int use_key(SSL *ssl, const EVP_MD *md, const unsigned char **ret_id, size_t *ret_len,
                   SSL_SESSION **ret_session)
{
    struct herd_tls_stream *stream = herd_tls_stream_of(ssl);
    *ret_session = NULL;
    if (!stream->expects_server || (md && !EVP_MD_is_a(md, "SHA256")))
        return 1;
    const struct herd_psk *psk =
        herd_psks_find(&stream->context->psks, (struct herd_span){stream->peer, stream->peer_len});
    if (!psk)
        return 1;
    char identity[HERD_PSK_IDENTITY_MAX];
    int len = snprintf(identity, sizeof identity, "%.*s>%.*s", (int)stream->context->self.len,
                       stream->context->self.at, (int)psk->name_len, psk->name);
    if (len < 0 || !keep_identity(stream, identity, (size_t)len))
        return 0;
    *ret_session = session_for(ssl, psk, stream->psk_identity);
    *ret_id = (const unsigned char *)stream->psk_identity;
    *ret_len = strlen(stream->psk_identity);
    return *ret_session != NULL;
}

static int find_key(SSL *ssl, const unsigned char *identity, size_t len, SSL_SESSION **ret_session)
{
    struct herd_tls_stream *stream = herd_tls_stream_of(ssl);
    const struct herd_tls_context *context = stream->context;
    const char *sign = memchr(identity, '>', len);
    *ret_session = NULL;
    if (!sign || len >= HERD_PSK_IDENTITY_MAX)
        return 1;
    struct herd_span from = {(const char *)identity, (size_t)(sign - (const char *)identity)};
    struct herd_span to = {sign + 1, len - from.len - 1};
    const struct herd_psk *psk = herd_psks_find(&context->psks, from);
    if (!psk || !herd_span_equal(to, context->self) || herd_span_equal(from, context->self))
        return 1;
    if (!keep_identity(stream, (const char *)identity, len))
        return 0;
    *ret_session = session_for(ssl, psk, stream->psk_identity);
    return *ret_session != NULL;
}

void herd_psk_install(SSL_CTX *ssl_ctx)
{
    SSL_CTX_set_psk_use_session_callback(ssl_ctx, use_key);
    SSL_CTX_set_psk_find_session_callback(ssl_ctx, find_key);
}
