/* SPDX-License-Identifier: MIT */
/* Tokens: 256 random bits as text, of which only the SHA-256 is kept. So many bits need no slow hash and no salt. */
#include "tls.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <sys/random.h>

int herd_token_hash(struct herd_span token, unsigned char ret_hash[32])
{
    unsigned len = 0;
    return EVP_Digest(token.at, token.len, ret_hash, &len, EVP_sha256(), NULL) == 1 && len == 32 ? 0 : HERD_E_NOMEM;
}

int herd_token_make(char ret_token[HERD_TOKEN_TEXT_MAX], unsigned char ret_hash[32])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned char bits[33] = {0}; /* 32 and a zero: 43 characters of six bits, the last with two bits of padding */
    for (size_t got = 0; got < 32;) {
        ssize_t more = getrandom(bits + got, 32 - got, 0);
        if (more < 0 && errno != EINTR)
            return HERD_E_IO;
        got += more > 0 ? (size_t)more : 0;
    }
    int at = snprintf(ret_token, HERD_TOKEN_TEXT_MAX, "herd_");
    for (size_t bit = 0; bit < 256; bit += 6) {
        unsigned pair = (unsigned)bits[bit / 8] << 8 | bits[bit / 8 + 1];
        ret_token[at++] = digits[pair >> (10 - bit % 8) & 63];
    }
    ret_token[at] = '\0';
    OPENSSL_cleanse(bits, sizeof bits);
    return herd_token_hash(herd_span_of(ret_token), ret_hash);
}
