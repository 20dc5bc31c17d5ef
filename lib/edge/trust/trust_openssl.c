/* SPDX-License-Identifier: MIT */
/* The part of trust that needs OpenSSL: SHA-256 and TLS. */
#include "trust_impl.h"

#include <herd/server.h>

#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

/* 64 bits; `info` says what for, so that no result says anything of another. */
static bool derive(const unsigned char *secret, const char *info, uint64_t *ret_bits)
{
    unsigned char bytes[8];
    bool good = herd_tls_derive((struct herd_span){(const char *)secret, HERD_SECRET_BYTES},
                                herd_span_of("herd secret 1"), herd_span_of(info), bytes, sizeof bytes);
    *ret_bits = 0;
    for (size_t i = 0; good && i < sizeof bytes; i++)
        *ret_bits = *ret_bits << 8 | bytes[i];
    OPENSSL_cleanse(bytes, sizeof bytes);
    return good;
}

int herd_trust_derive(const unsigned char secret[HERD_SECRET_BYTES], struct herd_trust_keys *ret_keys)
{
    return derive(secret, "digest key", &ret_keys->digest) && derive(secret, "key check", &ret_keys->check) &&
                   derive(secret, "bucket key", &ret_keys->bucket)
               ? 0
               : HERD_E_NOMEM;
}

void herd_trust_wipe(void *memory, size_t size)
{
    OPENSSL_cleanse(memory, size);
}

bool herd_trust_has_tokens(void)
{
    return true;
}

int herd_trust_hash_token(struct herd_span token, unsigned char ret_hash[HERD_TOKEN_HASH_BYTES])
{
    return herd_token_hash(token, ret_hash);
}

int herd_token_new(char ret_token[HERD_TOKEN_SIZE], char ret_proof[HERD_TOKEN_PROOF_SIZE])
{
    _Static_assert(HERD_TOKEN_SIZE >= HERD_TOKEN_TEXT_MAX, "a token fits");
    unsigned char hash[HERD_TOKEN_HASH_BYTES];
    int err = herd_token_make(ret_token, hash);
    if (err < 0)
        return err;
    int at = snprintf(ret_proof, HERD_TOKEN_PROOF_SIZE, "sha256:");
    for (size_t i = 0; i < sizeof hash; i++)
        at += snprintf(ret_proof + at, HERD_TOKEN_PROOF_SIZE - (size_t)at, "%02x", hash[i]);
    return 0;
}

int herd_trust_open_tls(struct herd_trust *trust, const struct herd_tls_options *options,
                        struct herd_tls_fault *reterr_diagnostic)
{
    int err = herd_tls_context_new(&trust->tls, options, reterr_diagnostic);
    if (err >= 0)
        herd_tls_context_ends(trust->tls, trust->ends);
    return err;
}

int herd_trust_wrap_tls(struct herd_trust *trust, struct ssl_ctx_st *ssl_ctx, struct herd_span herd,
                        struct herd_tls_fault *reterr_diagnostic)
{
    (void)reterr_diagnostic;
    int err = herd_tls_context_adopt(&trust->tls, ssl_ctx, herd);
    if (err >= 0)
        herd_tls_context_ends(trust->tls, trust->ends);
    return err;
}

void herd_trust_close_tls(struct herd_trust *trust)
{
    herd_tls_context_unref(trust->tls);
}

bool herd_trust_has_key(const struct herd_trust *trust, const char *name)
{
    return trust->tls && herd_tls_context_has_key(trust->tls, herd_span_of(name));
}

bool herd_trust_stream_accepted(const struct herd_trust *trust, const struct herd_tls_stream *stream,
                                struct herd_tls_fault *reterr_diagnostic)
{
    return herd_tls_stream_accepted_by(stream, trust->tls, reterr_diagnostic);
}

enum herd_tls_proof herd_trust_stream_peer(const struct herd_tls_stream *stream, struct herd_span *ret_name)
{
    return herd_tls_stream_peer(stream, ret_name);
}
