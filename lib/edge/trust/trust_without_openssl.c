/* SPDX-License-Identifier: MIT */
/* A library without OpenSSL has no SHA-256 and no TLS, and says so where a configuration asks for them. */
#include "../tls/tls_file.h"
#include "trust_impl.h"

#include <herd/server.h>

int herd_trust_derive(const unsigned char secret[HERD_SECRET_BYTES], struct herd_trust_keys *ret_keys)
{
    (void)secret;
    (void)ret_keys;
    return HERD_E_UNSUPPORTED;
}

void herd_trust_wipe(void *memory, size_t size)
{
    for (volatile unsigned char *at = memory; size > 0; size--)
        *at++ = 0;
}

bool herd_trust_has_tokens(void)
{
    return false;
}

int herd_trust_hash_token(struct herd_span token, unsigned char ret_hash[HERD_TOKEN_HASH_BYTES])
{
    (void)token;
    (void)ret_hash;
    return HERD_E_UNSUPPORTED;
}

int herd_token_new(char ret_token[HERD_TOKEN_SIZE], char ret_proof[HERD_TOKEN_PROOF_SIZE])
{
    (void)ret_token;
    (void)ret_proof;
    return HERD_E_UNSUPPORTED;
}

int herd_trust_open_tls(struct herd_trust *trust, const struct herd_tls_options *options,
                        struct herd_tls_fault *reterr_diagnostic)
{
    (void)trust;
    (void)options;
    herd_tls_fail(reterr_diagnostic, "tls_not_built", "TLS is not built into this library: it needs OpenSSL 3");
    return HERD_E_UNSUPPORTED;
}

int herd_trust_wrap_tls(struct herd_trust *trust, struct ssl_ctx_st *ssl_ctx, struct herd_span herd,
                        struct herd_tls_fault *reterr_diagnostic)
{
    (void)ssl_ctx;
    (void)herd;
    return herd_trust_open_tls(trust, NULL, reterr_diagnostic);
}

void herd_trust_close_tls(struct herd_trust *trust)
{
    (void)trust;
}

bool herd_trust_has_key(const struct herd_trust *trust, const char *name)
{
    (void)trust;
    (void)name;
    return false;
}

bool herd_trust_stream_accepted(const struct herd_trust *trust, const struct herd_tls_stream *stream,
                                struct herd_tls_fault *reterr_diagnostic)
{
    (void)trust;
    (void)stream;
    herd_tls_fail(reterr_diagnostic, "tls_not_built", "TLS is not built into this library");
    return false;
}

enum herd_tls_proof herd_trust_stream_peer(const struct herd_tls_stream *stream, struct herd_span *ret_name)
{
    (void)stream;
    *ret_name = (struct herd_span){"", 0};
    return HERD_TLS_PROOF_NONE;
}
