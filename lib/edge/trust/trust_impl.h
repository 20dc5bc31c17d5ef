/* SPDX-License-Identifier: MIT */
/* What needs OpenSSL: trust_openssl.c has it, trust_without_openssl.c says so. */
#ifndef HERD_EDGE_TRUST_IMPL_H
#define HERD_EDGE_TRUST_IMPL_H

#include "trust.h"

#define HERD_SECRET_BYTES 32

/* The keys that are made of a secret (HKDF-SHA256). */
struct herd_trust_keys {
    uint64_t digest, check, bucket;
};
/* HERD_E_NOMEM; HERD_E_UNSUPPORTED. */
int herd_trust_derive(const unsigned char secret[HERD_SECRET_BYTES], struct herd_trust_keys *ret_keys);
/* Overwrites memory that held a secret. */
void herd_trust_wipe(void *memory, size_t size);
/* Whether tokens can be hashed. */
bool herd_trust_has_tokens(void);
int herd_trust_hash_token(struct herd_span token, unsigned char ret_hash[HERD_TOKEN_HASH_BYTES]);
/* The context of a configuration, and its ends. HERD_E_UNSUPPORTED with *reterr_diagnostic. */
int herd_trust_open_tls(struct herd_trust *trust, const struct herd_tls_options *options,
                        struct herd_tls_fault *reterr_diagnostic);
/* The context of an SSL_CTX, and its ends. HERD_E_NOMEM; HERD_E_UNSUPPORTED with *reterr_diagnostic. */
int herd_trust_wrap_tls(struct herd_trust *trust, struct ssl_ctx_st *ssl_ctx, struct herd_span herd,
                        struct herd_tls_fault *reterr_diagnostic);
void herd_trust_close_tls(struct herd_trust *trust);
bool herd_trust_has_key(const struct herd_trust *trust, const char *name);
bool herd_trust_stream_accepted(const struct herd_trust *trust, const struct herd_tls_stream *stream,
                                struct herd_tls_fault *reterr_diagnostic);
enum herd_tls_proof herd_trust_stream_peer(const struct herd_tls_stream *stream, struct herd_span *ret_name);

#endif
