/* SPDX-License-Identifier: MIT */
/*
 * TLS without sockets: bytes of the wire go in and out of buffers, OpenSSL between them.
 *
 *     context   certificate, key, trust roots, revocations, keys of pairs: what files say, read together. Counted by
 *               reference: a stream keeps the one it began with, so that files can be read anew while streams live
 *     stream    one connection: herd_tls_input for what arrived, herd_tls_output for what is to leave
 *     peer      who is at the other end, as far as it proved that
 *
 * A BIO of our own hands OpenSSL the bytes that arrived and collects what it writes, so that it never has to wait for a
 * socket: no partial write, no write that waits for a read or a read for a write, and the unit of sending stays what the
 * server joins in a batch. A record is the unit of cost: join before herd_tls_output.
 */
#ifndef HERD_EDGE_TLS_H
#define HERD_EDGE_TLS_H

#include <herd/types.h>

#include <time.h>

struct ssl_ctx_st;
struct ssl_st;

struct herd_tls_context;
struct herd_tls_stream;

/* ---- context ---- */

/* One sentence, and what it is about: "tls_certificate_expired" "/etc/herd/x.pem: ...". */
struct herd_tls_fault {
    const char *event; /* static, one_word_like_this */
    char text[400];
};

enum herd_tls_file {
    HERD_TLS_FILE_CERTIFICATE,
    HERD_TLS_FILE_KEY,
    HERD_TLS_FILE_CA,
    HERD_TLS_FILE_CRL,
    HERD_TLS_FILE_PSK,
};
/* Is told each fault, where all are wanted. `fault` is borrowed for the call. */
typedef void herd_tls_report(void *ctx, enum herd_tls_file file, int err, const struct herd_tls_fault *fault);

/* Strings and spans are borrowed for the call; a NULL path: not given. */
struct herd_tls_options {
    const char *certificate; /* PEM: ours, then intermediates */
    const char *key;         /* PEM; nobody else may read it */
    const char *ca;          /* PEM: the roots that peers' certificates lead to */
    const char *crl;         /* PEM: certificates that are revoked; without it none is looked for */
    const char *psk_file;    /* lines "NAME 64-hex-digits": a key for the pair of us and NAME */
    bool tls_1_2;            /* accept TLS 1.2 too */
    struct herd_span herd;   /* name of the herd: herd://HERD/... */
    struct herd_span self;   /* our own name, or {NULL, 0}: a client */
    herd_tls_report *report; /* NULL: the first fault is the end */
    void *report_ctx;
};

/* Reads all files and judges them together: that the key belongs to the certificate, that its chain leads to the roots,
 * that it is valid now and bears our own name, and that a server may use it to accept and to dial. HERD_E_NOMEM; HERD_E_IO,
 * HERD_E_ACCESS, HERD_E_SYNTAX with the first fault in *reterr_diagnostic; with `report` the others are told too. */
int herd_tls_context_new(struct herd_tls_context **ret_context, const struct herd_tls_options *options,
                         struct herd_tls_fault *reterr_diagnostic);
/* A context around an SSL_CTX of the program's own, which keeps its settings; a reference is taken. */
int herd_tls_context_adopt(struct herd_tls_context **ret_context, struct ssl_ctx_st *ssl_ctx,
                           struct herd_span herd);
struct herd_tls_context *herd_tls_context_ref(struct herd_tls_context *context);
void herd_tls_context_unref(struct herd_tls_context *context); /* NULL is fine */

/* When something of a context ends, in POSIX seconds. INT64_MAX: it does not. */
struct herd_tls_end {
    int64_t at_s;
    const char *what; /* static: "certificate", "ca", "crl" */
};
enum { HERD_TLS_ENDS = 3 };
/* The first end of our certificate (or one sent with it), of the roots, and of the revocation lists. */
void herd_tls_context_ends(const struct herd_tls_context *context, struct herd_tls_end ret_ends[HERD_TLS_ENDS]);
/* The first of all. */
struct herd_tls_end herd_tls_context_end(const struct herd_tls_context *context);

/* Whether it has a key for the pair of us and `name`. */
bool herd_tls_context_has_key(const struct herd_tls_context *context, struct herd_span name);

/* ---- stream ---- */

enum herd_tls_role { HERD_TLS_SERVER, HERD_TLS_CLIENT };

/* Whom a client expects: compared with the certificate before a byte of ours leaves. */
struct herd_tls_expect {
    struct herd_span server; /* herd://HERD/server/NAME, or the pair key of NAME; {NULL, 0}: not looked for */
    const char *dns_name;    /* else the DNS name of a certificate of public roots; NULL: not looked for */
};

/* HERD_E_NOMEM; HERD_E_ARG: no server can have the expected name, it is too long. `expect` (borrowed for the call, clients
 * only) may be NULL: any certificate of the roots. */
int herd_tls_stream_new(struct herd_tls_stream **ret_stream, struct herd_tls_context *context,
                        enum herd_tls_role role, const struct herd_tls_expect *expect);
void herd_tls_stream_free(struct herd_tls_stream *stream); /* NULL is fine */
/* Frees what OpenSSL keeps, after which the stream can only be freed: this half of it any thread may do. */
void herd_tls_stream_release(struct herd_tls_stream *stream);

enum herd_tls_state {
    HERD_TLS_HANDSHAKE,
    HERD_TLS_OPEN,
    HERD_TLS_EOF,    /* the peer said close_notify: the only end that is one. Bytes may still go to it */
    HERD_TLS_FAILED, /* herd_tls_stream_fault says why; what `out` got (an alert) is to be sent, then close */
};

/* Whether another thread may take the stream's handshake on, one at a time: not with a context that was adopted, whose
 * callbacks may be for the program's thread alone. */
bool herd_tls_stream_may_move(const struct herd_tls_stream *stream);
/* Whether a server has said all of its handshake (TLS 1.3): what is to come is the client's certificate, if it shows one, and
 * its Finished. */
bool herd_tls_stream_awaits_finished(const struct herd_tls_stream *stream);
/* Takes the bytes that arrived, all of them, and appends what they say to `plain` and what the peer is to be sent to
 * `out`. Begins a client's handshake with no bytes at all. Returns the state. HERD_E_NOMEM: the stream is FAILED. */
int herd_tls_input(struct herd_tls_stream *stream, struct herd_span bytes, struct herd_buf *plain,
                   struct herd_buf *out);
/* Appends `plain`, made into records, to `out`. HERD_E_STATE before it is OPEN or when it failed; HERD_E_NOMEM. */
int herd_tls_output(struct herd_tls_stream *stream, struct herd_span plain, struct herd_buf *out);
/* Appends close_notify to `out`: nothing more is written. Nothing is appended before OPEN. */
int herd_tls_close(struct herd_tls_stream *stream, struct herd_buf *out);

enum herd_tls_role herd_tls_stream_role(const struct herd_tls_stream *stream);
enum herd_tls_state herd_tls_stream_state(const struct herd_tls_stream *stream);
const struct herd_tls_fault *herd_tls_stream_fault(const struct herd_tls_stream *stream);
/* "TLSv1.3 TLS_AES_128_GCM_SHA256", for the log. */
void herd_tls_stream_describe(const struct herd_tls_stream *stream, struct herd_buf *out);

/* ---- peer ---- */

enum herd_tls_proof {
    HERD_TLS_PROOF_NONE,
    HERD_TLS_PROOF_SERVER, /* a certificate herd://HERD/server/NAME, or a key of a pair */
    HERD_TLS_PROOF_CLIENT, /* a certificate herd://HERD/client/NAME */
};

/* Who is at the other end. *ret_name is borrowed for the stream's life. */
enum herd_tls_proof herd_tls_stream_peer(const struct herd_tls_stream *stream, struct herd_span *ret_name);
/* Whether `context`, read later than the one of the stream, would still accept the peer, and by the same name. False with
 * *reterr_diagnostic. */
bool herd_tls_stream_accepted_by(const struct herd_tls_stream *stream, const struct herd_tls_context *context,
                                 struct herd_tls_fault *reterr_diagnostic);

/* ---- keys and tokens ---- */

/* `len` bytes of HKDF with SHA-256 (RFC 5869) of a secret; `info` says what for, so that no key says anything of another.
 * False: out of memory, or OpenSSL has none. */
bool herd_tls_derive(struct herd_span secret, struct herd_span salt, struct herd_span info, unsigned char *ret_key,
                     size_t len);

#define HERD_TOKEN_TEXT_MAX 64
/* A new token, "herd_" and 43 characters, and its SHA-256. HERD_E_IO: no random bytes. */
int herd_token_make(char ret_token[HERD_TOKEN_TEXT_MAX], unsigned char ret_hash[32]);
/* HERD_E_NOMEM. */
int herd_token_hash(struct herd_span token, unsigned char ret_hash[32]);

#endif
