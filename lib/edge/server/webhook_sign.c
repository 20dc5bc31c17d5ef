/* SPDX-License-Identifier: MIT */
/* HMAC-SHA256 of what is posted (RFC 2104). */
#include "webhook.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

bool herd_webhook_can_sign(void)
{
    return true;
}

int herd_webhook_sign(struct herd_span secret, struct herd_span body, char ret_hex[HERD_WEBHOOK_SIGNATURE_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    if (!HMAC(EVP_sha256(), secret.at, (int)secret.len, (const unsigned char *)body.at, body.len, mac, &len) ||
        len != 32)
        return HERD_E_NOMEM;
    for (unsigned i = 0; i < len; i++) {
        ret_hex[2 * i] = digits[mac[i] >> 4];
        ret_hex[2 * i + 1] = digits[mac[i] & 15];
    }
    ret_hex[2 * len] = '\0';
    return 0;
}
