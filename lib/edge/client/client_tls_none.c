/* SPDX-License-Identifier: MIT */
/* A library without OpenSSL says so to a client that wants TLS. */
#include "client_tls.h"

#include <herd/config.h>

#include <stdio.h>

int herd_client_tls_new(struct herd_client *client, const struct herd_client_tls *tls,
                        struct herd_diagnostic *reterr_diagnostic)
{
    (void)client;
    (void)tls;
    snprintf(reterr_diagnostic->message, sizeof reterr_diagnostic->message,
             "tls_not_built: TLS is not built into this library: it needs OpenSSL 3");
    return HERD_E_UNSUPPORTED;
}

void herd_client_tls_free(struct herd_client *client)
{
    (void)client;
}

bool herd_client_tls_may_follow(const struct herd_client *root, const char *host)
{
    (void)root;
    (void)host;
    return true;
}

int herd_client_tls_start(struct herd_client *client)
{
    (void)client;
    return HERD_E_UNSUPPORTED;
}

const char *herd_client_tls_refusal(const struct herd_client *client)
{
    (void)client;
    return NULL;
}

bool herd_client_tls_fault(const struct herd_client *client, char *text, size_t size)
{
    (void)client;
    (void)text;
    (void)size;
    return false;
}

bool herd_client_tls_truncated(const struct herd_client *client)
{
    (void)client;
    return false;
}

void herd_client_tls_iteration(struct herd_client *client)
{
    (void)client;
}
