/* SPDX-License-Identifier: MIT */
/* The inside of contexts and streams. */
#ifndef HERD_EDGE_TLS_IMPL_H
#define HERD_EDGE_TLS_IMPL_H

#include "tls.h"
#include "tls_file.h"

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

/* Sessions of another context are refused by OpenSSL, those made from keys of pairs too. */
#define HERD_TLS_ID_CONTEXT "herd"

#define HERD_PSK_BYTES    32
#define HERD_PSK_NAME_MAX 64
/* Of "from>to", with its NUL. */
#define HERD_PSK_IDENTITY_MAX (2 * HERD_PSK_NAME_MAX + 2)

/* A key for the pair of us and one neighbour. */
struct herd_psk {
    unsigned char key[HERD_PSK_BYTES];
    char name[HERD_PSK_NAME_MAX];
    size_t name_len;
};

struct herd_psks {
    struct herd_psk *list;
    size_t count;
};

struct herd_tls_context {
    size_t references;
    SSL_CTX *ssl_ctx;
    BIO_METHOD *bio_method;
    struct herd_psks psks;
    struct herd_buf names; /* the herd's, then our own */
    struct herd_span herd, self;
    bool tls_1_2, adopted;
    int64_t ends_s[HERD_TLS_ENDS]; /* certificate, ca, crl */
};

struct herd_tls_stream {
    struct herd_tls_context *context;
    SSL *ssl;
    struct herd_span in;  /* what arrived and OpenSSL has not taken */
    struct herd_buf *out; /* where it writes; NULL: between calls */
    enum herd_tls_state state;
    enum herd_tls_role role;
    enum herd_tls_proof proof;
    bool no_memory;      /* `out` could not grow */
    bool expects_server; /* `peer` is whom a client expects */
    bool flooded;        /* too many messages that are no data */
    unsigned messages;   /* of those since the last data */
    uint64_t records;    /* written and read since the last change of keys */
    char *dns_name;      /* whom a client expects otherwise */
    char peer[HERD_PSK_NAME_MAX];
    size_t peer_len;
    char *psk_identity;     /* "from>to"; NULL: no key was used */
    unsigned char first[8]; /* what the peer began with, for the log */
    size_t first_len;
    struct herd_tls_fault *fault; /* NULL: none yet */
};

/* ---- tls_fault.c ---- */
/* Where a stream's fault is to be written. NULL: no memory, which is what the stream fails of then. */
struct herd_tls_fault *herd_tls_stream_note(struct herd_tls_stream *stream);
/* Whether OpenSSL's queue says that memory ran out. */
bool herd_tls_error_is_memory(void);
/* The text of OpenSSL's oldest error, which empties its queue. */
const char *herd_tls_error_text(char *text, size_t size);

/* ---- tls_bio.c ---- */
BIO_METHOD *herd_tls_bio_method(void);
/* A BIO over a stream's `in` and `out`. NULL: no memory. */
BIO *herd_tls_bio_new(const BIO_METHOD *method, struct herd_tls_stream *stream);

/* ---- psk.c ---- */
/* Parses the text of a file of keys. HERD_E_NOMEM; HERD_E_SYNTAX, HERD_E_EXISTS with *reterr_diagnostic. */
int herd_psks_parse(struct herd_psks *ret_psks, struct herd_span text, const char *path,
                    struct herd_tls_fault *reterr_diagnostic);
void herd_psks_fini(struct herd_psks *psks);
const struct herd_psk *herd_psks_find(const struct herd_psks *psks, struct herd_span name);
/* Makes `ssl_ctx` ask the streams' contexts for keys. */
void herd_psk_install(SSL_CTX *ssl_ctx);

/* ---- tls_peer.c ---- */
/* The one herd:// name of a certificate. HERD_TLS_PROOF_NONE: it has none for this herd, or more than one. */
enum herd_tls_proof herd_tls_certificate_name(const X509 *certificate, struct herd_span herd,
                                              char ret_name[HERD_PSK_NAME_MAX], size_t *ret_len);
/* All alternative names of a certificate as text, for the log; bytes that are not printable as \xNN; cut off where `size`
 * ends. */
void herd_tls_certificate_describe(const X509 *certificate, char *text, size_t size);
/* Finds out who the peer is when the handshake is over. 0, or HERD_E_ACCESS with the stream's fault. */
int herd_tls_peer_prove(struct herd_tls_stream *stream);
/* What a certificate's names say. The one fuzz targets and tests call with names that no authority signs. */
enum herd_tls_proof herd_tls_names_read(const GENERAL_NAMES *names, struct herd_span herd,
                                        char ret_name[HERD_PSK_NAME_MAX], size_t *ret_len);
/* Turns the result of a failed verification into a fault. */
void herd_tls_verify_fault(X509_STORE_CTX *store_ctx, struct herd_tls_fault *fault);

/* The stream an SSL belongs to. */
static inline struct herd_tls_stream *herd_tls_stream_of(const SSL *ssl)
{
    return SSL_get_app_data(ssl);
}

#endif
