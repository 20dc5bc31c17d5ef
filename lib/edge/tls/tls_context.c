/* SPDX-License-Identifier: MIT */
/*
 * What files say, read together and judged together: a reload takes all of it or nothing.
 *
 * No tickets and no cache of sessions: a session that is resumed is not verified anew, so what ended or was revoked would
 * go on being accepted. No early data, no renegotiation, no compression.
 */
#include "tls_file.h"
#include "tls_impl.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

/* What a peer may send as its chain: some certificates. It bounds what a stranger's handshake costs. */
#define CHAIN_BYTES_MAX 16384

struct reader {
    struct herd_tls_context *context;
    const struct herd_tls_options *options;
    struct herd_tls_fault *fault;
    struct herd_buf file;
    struct herd_tls_fault first;
    X509 *leaf; /* our certificate; the SSL_CTX owns it */
};

/* ---- ends ---- */

enum end { END_CERTIFICATE, END_CA, END_CRL };

static void note_end(struct herd_tls_context *context, const ASN1_TIME *time, enum end what)
{
    struct tm tm;
    if (!time || ASN1_TIME_to_tm(time, &tm) != 1)
        return;
    int64_t at_s = (int64_t)timegm(&tm);
    if (at_s < context->ends_s[what])
        context->ends_s[what] = at_s;
}

void herd_tls_context_ends(const struct herd_tls_context *context, struct herd_tls_end ret_ends[HERD_TLS_ENDS])
{
    static const char *const names[HERD_TLS_ENDS] = {"certificate", "ca", "crl"};
    for (size_t i = 0; i < HERD_TLS_ENDS; i++)
        ret_ends[i] = (struct herd_tls_end){context->ends_s[i], names[i]};
}

struct herd_tls_end herd_tls_context_end(const struct herd_tls_context *context)
{
    struct herd_tls_end ends[HERD_TLS_ENDS];
    size_t first = 0;
    herd_tls_context_ends(context, ends);
    for (size_t i = 1; i < HERD_TLS_ENDS; i++)
        if (ends[i].at_s < ends[first].at_s)
            first = i;
    return ends[first];
}

/* ---- reading ---- */

static int fail_ssl(struct reader *reader, const char *event, const char *path)
{
    char text[200];
    if (herd_tls_error_is_memory()) {
        ERR_clear_error();
        return HERD_E_NOMEM;
    }
    herd_tls_fail(reader->fault, event, "%s: %s", path, herd_tls_error_text(text, sizeof text));
    return HERD_E_SYNTAX;
}

static int no_password(char *to, int size, int writing, void *arg)
{
    (void)to;
    (void)size;
    (void)writing;
    (void)arg;
    return 0; /* asking on the terminal would stop the program */
}

/* Whether the queue holds nothing but the end of the file. */
static bool ended_well(void)
{
    unsigned long code = ERR_peek_last_error();
    bool good = code == 0 || (ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE);
    if (good)
        ERR_clear_error();
    return good;
}

static int read_certificate(struct reader *reader)
{
    const char *path = reader->options->certificate;
    SSL_CTX *ssl_ctx = reader->context->ssl_ctx;
    int err = herd_tls_file_read(path, false, &reader->file, reader->fault);
    if (err < 0)
        return err;
    BIO *bio = BIO_new_mem_buf(reader->file.at, (int)reader->file.len);
    X509 *one = bio ? PEM_read_bio_X509_AUX(bio, NULL, no_password, NULL) : NULL;
    bool good = one && SSL_CTX_use_certificate(ssl_ctx, one) == 1;
    if (good)
        reader->leaf = one;
    X509_free(one); /* the SSL_CTX has a reference */
    while (good && (one = PEM_read_bio_X509(bio, NULL, no_password, NULL))) {
        note_end(reader->context, X509_get0_notAfter(one), END_CERTIFICATE);
        good = SSL_CTX_add0_chain_cert(ssl_ctx, one) == 1;
        if (!good)
            X509_free(one);
    }
    BIO_free(bio);
    return good && ended_well() ? 0 : fail_ssl(reader, "tls_certificate_bad", path);
}

static int read_key(struct reader *reader)
{
    const char *path = reader->options->key;
    int err = herd_tls_file_read(path, true, &reader->file, reader->fault);
    if (err < 0)
        return err;
    BIO *bio = BIO_new_mem_buf(reader->file.at, (int)reader->file.len);
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;
    bool read = key != NULL, fits = read && SSL_CTX_use_PrivateKey(reader->context->ssl_ctx, key) == 1 &&
                                    SSL_CTX_check_private_key(reader->context->ssl_ctx) == 1;
    EVP_PKEY_free(key);
    BIO_free(bio);
    if (read && fits)
        return 0;
    return fail_ssl(reader, read ? "tls_key_differs" : "tls_key_bad", path);
}

/* The roots that peers' certificates lead to, and what clients are told of them. */
static int read_roots(struct reader *reader)
{
    const char *path = reader->options->ca;
    SSL_CTX *ssl_ctx = reader->context->ssl_ctx;
    int err = herd_tls_file_read(path, false, &reader->file, reader->fault);
    if (err < 0)
        return err;
    BIO *bio = BIO_new_mem_buf(reader->file.at, (int)reader->file.len);
    size_t count = 0;
    bool good = bio != NULL;
    for (X509 *one; good && (one = PEM_read_bio_X509_AUX(bio, NULL, no_password, NULL)); count++) {
        good = X509_STORE_add_cert(SSL_CTX_get_cert_store(ssl_ctx), one) == 1 &&
               SSL_CTX_add_client_CA(ssl_ctx, one) == 1;
        note_end(reader->context, X509_get0_notAfter(one), END_CA);
        X509_free(one);
    }
    BIO_free(bio);
    if (good && count == 0 && ended_well()) {
        herd_tls_fail(reader->fault, "tls_ca_bad", "%s: no certificate in it", path);
        ERR_clear_error();
        return HERD_E_SYNTAX;
    }
    return good && ended_well() ? 0 : fail_ssl(reader, "tls_ca_bad", path);
}

/* With a list that has ended OpenSSL refuses everybody: so a list that has is refused when it is read. */
static int read_crl(struct reader *reader)
{
    const char *path = reader->options->crl;
    X509_STORE *store = SSL_CTX_get_cert_store(reader->context->ssl_ctx);
    int err = herd_tls_file_read(path, false, &reader->file, reader->fault);
    if (err < 0)
        return err;
    BIO *bio = BIO_new_mem_buf(reader->file.at, (int)reader->file.len);
    size_t count = 0;
    bool good = bio != NULL, ended = false;
    for (X509_CRL *one; good && (one = PEM_read_bio_X509_CRL(bio, NULL, no_password, NULL)); count++) {
        good = X509_STORE_add_crl(store, one) == 1;
        ended |= X509_CRL_get0_nextUpdate(one) && X509_cmp_current_time(X509_CRL_get0_nextUpdate(one)) < 0;
        note_end(reader->context, X509_CRL_get0_nextUpdate(one), END_CRL);
        X509_CRL_free(one);
    }
    BIO_free(bio);
    if (good && (ended || count == 0) && ended_well()) {
        herd_tls_fail(reader->fault, "tls_crl_unusable",
                      ended ? "%s: its next update is overdue" : "%s: no list in it", path);
        ERR_clear_error();
        return HERD_E_SYNTAX;
    }
    if (!good || !ended_well())
        return fail_ssl(reader, "tls_crl_unusable", path);
    X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
    return 0;
}

static int read_psks(struct reader *reader)
{
    const char *path = reader->options->psk_file;
    int err = herd_tls_file_read(path, true, &reader->file, reader->fault);
    if (err >= 0)
        err = herd_psks_parse(&reader->context->psks, (struct herd_span){reader->file.at, reader->file.len}, path,
                              reader->fault);
    if (err >= 0)
        herd_psk_install(reader->context->ssl_ctx);
    return err;
}

/* ---- judging ---- */

/* Finds the intermediates that stand among the roots, once: OpenSSL would look for them, and verify our own certificate, in
 * each handshake, which is a quarter of what that costs. The root is not sent: a peer has it, or does not believe it. */
static int complete_chain(SSL_CTX *ssl_ctx)
{
    bool built =
        SSL_CTX_build_cert_chain(ssl_ctx, SSL_BUILD_CHAIN_FLAG_UNTRUSTED | SSL_BUILD_CHAIN_FLAG_NO_ROOT |
                                              SSL_BUILD_CHAIN_FLAG_IGNORE_ERROR | SSL_BUILD_CHAIN_FLAG_CLEAR_ERROR);
    bool no_memory = !built && herd_tls_error_is_memory();
    ERR_clear_error();
    return no_memory ? HERD_E_NOMEM : 0; /* what the file has is sent as it is */
}

/* What a peer would find out at its first handshake with us. */
static int judge_certificate(struct reader *reader)
{
    struct herd_tls_context *context = reader->context;
    char name[HERD_PSK_NAME_MAX], found[200];
    size_t len = 0;
    note_end(context, X509_get0_notAfter(reader->leaf), END_CERTIFICATE);
    if (context->self.len > 0) {
        enum herd_tls_proof proof = herd_tls_certificate_name(reader->leaf, context->herd, name, &len);
        if (proof != HERD_TLS_PROOF_SERVER || !herd_span_equal((struct herd_span){name, len}, context->self)) {
            herd_tls_certificate_describe(reader->leaf, found, sizeof found);
            herd_tls_fail(reader->fault, "tls_name_differs", "%s: expected=herd://%.*s/server/%.*s found=%s",
                          reader->options->certificate, (int)context->herd.len, context->herd.at,
                          (int)context->self.len, context->self.at, found);
            return HERD_E_SYNTAX;
        }
        if (X509_check_purpose(reader->leaf, X509_PURPOSE_SSL_SERVER, 0) != 1 ||
            X509_check_purpose(reader->leaf, X509_PURPOSE_SSL_CLIENT, 0) != 1) {
            herd_tls_fail(
                reader->fault, "tls_certificate_bad",
                "%s: its extended key usage must be both serverAuth and clientAuth: servers dial each other",
                reader->options->certificate);
            return HERD_E_SYNTAX;
        }
    }
    if (!reader->options->ca)
        return 0;
    STACK_OF(X509) *chain = NULL;
    SSL_CTX_get0_chain_certs(context->ssl_ctx, &chain);
    X509_STORE_CTX *store_ctx = X509_STORE_CTX_new();
    if (!store_ctx ||
        X509_STORE_CTX_init(store_ctx, SSL_CTX_get_cert_store(context->ssl_ctx), reader->leaf, chain) != 1) {
        X509_STORE_CTX_free(store_ctx);
        return HERD_E_NOMEM;
    }
    int err = 0;
    if (X509_verify_cert(store_ctx) != 1) {
        herd_tls_verify_fault(store_ctx, reader->fault);
        err = X509_STORE_CTX_get_error(store_ctx) == X509_V_ERR_OUT_OF_MEM ? HERD_E_NOMEM : HERD_E_SYNTAX;
    }
    X509_STORE_CTX_free(store_ctx);
    ERR_clear_error();
    return err < 0 ? err : complete_chain(context->ssl_ctx);
}

/* Keeps the first fault, and tells each where all are wanted. True: the reading goes on. */
static bool goes_on(struct reader *reader, enum herd_tls_file file, int err, int *io_first)
{
    if (err >= 0)
        return true;
    const struct herd_tls_options *o = reader->options;
    if (o->report && err != HERD_E_NOMEM)
        o->report(o->report_ctx, file, err, reader->fault);
    if (*io_first >= 0) {
        *io_first = err;
        reader->first = *reader->fault;
    }
    return o->report && err != HERD_E_NOMEM;
}

static int read_files(struct reader *reader)
{
    static int (*const readers[])(struct reader *) = {
        [HERD_TLS_FILE_CERTIFICATE] = read_certificate,
        [HERD_TLS_FILE_KEY] = read_key,
        [HERD_TLS_FILE_CA] = read_roots,
        [HERD_TLS_FILE_CRL] = read_crl,
        [HERD_TLS_FILE_PSK] = read_psks,
    };
    const struct herd_tls_options *o = reader->options;
    const char *const paths[] = {o->certificate, o->certificate ? o->key : NULL, o->ca, o->crl, o->psk_file};
    int first = 0;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        if (!paths[i])
            continue;
        ERR_clear_error();
        if (!goes_on(reader, (enum herd_tls_file)i, readers[i](reader), &first))
            return first;
        if (i == HERD_TLS_FILE_CERTIFICATE && first < 0)
            i = HERD_TLS_FILE_KEY; /* of an unreadable certificate no key is the right one */
    }
    if (first >= 0 && o->certificate)
        (void)goes_on(reader, HERD_TLS_FILE_CERTIFICATE, judge_certificate(reader), &first);
    if (first < 0)
        *reader->fault = reader->first;
    return first;
}

/* ---- life ---- */

static bool set_up(SSL_CTX *ssl_ctx, bool tls_1_2)
{
    static int groups[] = {NID_X25519, NID_X9_62_prime256v1};
    SSL_CTX_set_options(ssl_ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_session_cache_mode(ssl_ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(ssl_ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN); /* see complete_chain */
    SSL_CTX_set_max_cert_list(ssl_ctx, CHAIN_BYTES_MAX);
    SSL_CTX_set_default_passwd_cb(ssl_ctx, no_password);
    /* A certificate is asked for and judged, but who has none may prove itself in another way. */
    SSL_CTX_set_verify(ssl_ctx, SSL_VERIFY_PEER, NULL);
    return SSL_CTX_set_num_tickets(ssl_ctx, 0) == 1 &&
           SSL_CTX_set_min_proto_version(ssl_ctx, tls_1_2 ? TLS1_2_VERSION : TLS1_3_VERSION) == 1 &&
           /* Suites with SHA-256 first: a key of a pair is of that hash, and AES-128 is the cheapest. */
           SSL_CTX_set_ciphersuites(
               ssl_ctx, "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384") == 1 &&
           SSL_CTX_set_cipher_list(ssl_ctx, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1 &&
           SSL_CTX_set1_groups(ssl_ctx, groups, sizeof groups / sizeof *groups) == 1 &&
           SSL_CTX_set_session_id_context(ssl_ctx, (const unsigned char *)HERD_TLS_ID_CONTEXT,
                                          sizeof HERD_TLS_ID_CONTEXT - 1) == 1;
}

static int keep_names(struct herd_tls_context *context, struct herd_span herd, struct herd_span self)
{
    int err = herd_buf_add(&context->names, herd.at, herd.len);
    if (err >= 0)
        err = herd_buf_add(&context->names, self.at, self.len);
    if (err >= 0)
        err = herd_buf_reserve(&context->names, 1);
    if (err < 0)
        return err;
    context->herd = (struct herd_span){context->names.at, herd.len};
    context->self = (struct herd_span){context->names.at + herd.len, self.len};
    return err;
}

static struct herd_tls_context *context_new(void)
{
    struct herd_tls_context *context = calloc(1, sizeof *context);
    if (!context)
        return NULL;
    context->references = 1;
    for (size_t i = 0; i < HERD_TLS_ENDS; i++)
        context->ends_s[i] = INT64_MAX;
    context->bio_method = herd_tls_bio_method();
    if (!context->bio_method) {
        free(context);
        return NULL;
    }
    return context;
}

int herd_tls_context_new(struct herd_tls_context **ret_context, const struct herd_tls_options *options,
                         struct herd_tls_fault *reterr_diagnostic)
{
    struct herd_tls_context *context = context_new();
    struct reader reader = {.context = context, .options = options, .fault = reterr_diagnostic};
    if (!context)
        return HERD_E_NOMEM;
    ERR_clear_error();
    context->tls_1_2 = options->tls_1_2;
    context->ssl_ctx = SSL_CTX_new(TLS_method());
    int err = HERD_E_NOMEM;
    if (context->ssl_ctx && set_up(context->ssl_ctx, options->tls_1_2))
        err = keep_names(context, options->herd, options->self);
    if (err >= 0)
        err = read_files(&reader);
    ERR_clear_error();
    if (reader.file.at)
        OPENSSL_cleanse(reader.file.at, reader.file.cap);
    herd_buf_fini(&reader.file);
    if (err < 0) {
        herd_tls_context_unref(context);
        return err;
    }
    *ret_context = context;
    return 0;
}

int herd_tls_context_adopt(struct herd_tls_context **ret_context, SSL_CTX *ssl_ctx, struct herd_span herd)
{
    struct herd_tls_context *context = context_new();
    if (!context)
        return HERD_E_NOMEM;
    if (keep_names(context, herd, (struct herd_span){"", 0}) < 0 || SSL_CTX_up_ref(ssl_ctx) != 1) {
        herd_tls_context_unref(context);
        return HERD_E_NOMEM;
    }
    context->ssl_ctx = ssl_ctx;
    context->adopted = true;
    const X509 *certificate = SSL_CTX_get0_certificate(ssl_ctx);
    if (certificate)
        note_end(context, X509_get0_notAfter(certificate), END_CERTIFICATE);
    *ret_context = context;
    return 0;
}

struct herd_tls_context *herd_tls_context_ref(struct herd_tls_context *context)
{
    context->references++;
    return context;
}

void herd_tls_context_unref(struct herd_tls_context *context)
{
    if (!context || --context->references > 0)
        return;
    SSL_CTX_free(context->ssl_ctx);
    BIO_meth_free(context->bio_method);
    herd_psks_fini(&context->psks);
    herd_buf_fini(&context->names);
    free(context);
}
