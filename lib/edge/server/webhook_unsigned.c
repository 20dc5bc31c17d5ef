/* SPDX-License-Identifier: MIT */
/* Without OpenSSL nothing is signed: a secret is refused where it is configured. */
#include "webhook.h"

bool herd_webhook_can_sign(void)
{
    return false;
}

int herd_webhook_sign(struct herd_span secret, struct herd_span body, char ret_hex[HERD_WEBHOOK_SIGNATURE_SIZE])
{
    (void)secret;
    (void)body;
    (void)ret_hex;
    return HERD_E_UNSUPPORTED;
}
