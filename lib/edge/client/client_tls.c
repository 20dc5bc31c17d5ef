/* SPDX-License-Identifier: MIT */
/*
 * TLS of a client, by the streams and the transport that servers use. What a server has to prove:
 *
 *     herd, and a name      URI:herd://HERD/server/NAME
 *     herd, and no name     URI:herd://HERD/server/ and any name: a client's certificate is none of a server
 *     no herd               a DNS name, of the list or the host
 */
#include "client_tls.h"

#include "../tls/tls_transport.h"

#include <herd/config.h>
#include <herd/protocol.h>

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct herd_client_security {
    struct herd_tls_context *context;
    struct herd_tls_loop loop;
    bool by_herd;
    char **names; /* of each server; NULL: any of the herd */
    size_t name_count;
};

/* ---- the options ---- */

HERD_PRINTF(3, 4)
static int fail(struct herd_diagnostic *diagnostic, int err, const char *form, ...)
{
    va_list args;
    va_start(args, form);
    vsnprintf(diagnostic->message, sizeof diagnostic->message, form, args);
    va_end(args);
    return err;
}

static bool is_numeric(const char *host)
{
    unsigned char address[16];
    return strchr(host, ':') || inet_pton(AF_INET, host, address) == 1;
}

static int check_options(const struct herd_client_tls *tls, struct herd_diagnostic *diagnostic)
{
    bool files = tls->ca || tls->crl || tls->certificate || tls->key || tls->tls_1_2;
    const char *why = NULL;
    if (tls->ssl_ctx && files)
        why = "ssl_ctx takes the place of ca, crl, certificate, key and tls_1_2";
    else if (!tls->ssl_ctx && !tls->ca)
        why = "expected ca, the roots that certificates of servers lead to";
    else if (!tls->certificate != !tls->key)
        why = tls->key ? "a key without a certificate" : "a certificate without a key";
    else if (tls->herd && !herd_name_valid(herd_span_of(tls->herd)))
        why = "the name of the herd: expected 1 to 64 bytes of A-Z a-z 0-9 . _ -";
    return why ? fail(diagnostic, HERD_E_ARG, "tls: %s", why) : 0;
}

/* The name that server `i` proves: copied, or NULL where any of the herd will do. */
static int take_name(struct herd_client *client, const struct herd_client_tls *tls, size_t i,
                     struct herd_diagnostic *diagnostic)
{
    const char *name = tls->names ? tls->names[i] : NULL, *host = client->servers[i].host;
    if (tls->herd && !name)
        return 0;
    if (tls->herd && !herd_name_valid(herd_span_of(name)))
        return fail(diagnostic, HERD_E_ARG, "tls: server %zu: \"%.70s\" is no name of a server", i, name);
    if (!name && is_numeric(host))
        return fail(diagnostic, HERD_E_ARG, "tls: server %zu: %.70s is an address: expected its name", i, host);
    if (name && (!name[0] || strlen(name) > 255))
        return fail(diagnostic, HERD_E_ARG, "tls: server %zu: its name is empty or too long", i);
    client->security->names[i] = strdup(name ? name : host);
    return client->security->names[i] ? 0 : HERD_E_NOMEM;
}

static int open_context(struct herd_client_security *security, const struct herd_client_tls *tls,
                        struct herd_diagnostic *diagnostic)
{
    struct herd_tls_fault fault = {0};
    const struct herd_tls_options options = {
        .certificate = tls->certificate,
        .key = tls->key,
        .ca = tls->ca,
        .crl = tls->crl,
        .tls_1_2 = tls->tls_1_2,
        .herd = herd_span_of(tls->herd ? tls->herd : ""),
        .self = {"", 0},
    };
    if (tls->ssl_ctx)
        return herd_tls_context_adopt(&security->context, tls->ssl_ctx, options.herd);
    int err = herd_tls_context_new(&security->context, &options, &fault);
    if (err < 0 && fault.event)
        fail(diagnostic, err, "%s: %.200s", fault.event, fault.text);
    return err;
}

static void on_wake(void *ctx)
{
    const struct herd_client *client = ctx;
    event_active(client->work, EV_TIMEOUT, 0);
}

int herd_client_tls_new(struct herd_client *client, const struct herd_client_tls *tls,
                        struct herd_diagnostic *reterr_diagnostic)
{
    int err = check_options(tls, reterr_diagnostic);
    if (err < 0)
        return err;
    struct herd_client_security *security = calloc(1, sizeof *security);
    if (!security)
        return HERD_E_NOMEM;
    client->security = security;
    security->by_herd = tls->herd != NULL;
    herd_tls_loop_init(&security->loop, on_wake, client);
    security->name_count = client->options.server_count;
    security->names = calloc(security->name_count, sizeof *security->names);
    if (!security->names)
        return HERD_E_NOMEM;
    for (size_t i = 0; i < security->name_count && err >= 0; i++)
        err = take_name(client, tls, i, reterr_diagnostic);
    return err < 0 ? err : open_context(security, tls, reterr_diagnostic);
}

void herd_client_tls_free(struct herd_client *client)
{
    struct herd_client_security *security = client->security;
    if (!security)
        return;
    for (size_t i = 0; security->names && i < security->name_count; i++)
        free(security->names[i]);
    free(security->names);
    herd_tls_loop_fini(&security->loop);
    herd_tls_context_unref(security->context);
    free(security);
    client->security = NULL;
}

bool herd_client_tls_may_follow(const struct herd_client *root, const char *host)
{
    return !root->security || root->security->by_herd || !is_numeric(host);
}

/* ---- the connection ---- */

/* No byte of the server was handed on: what it is may be judged when the transport is off the stack. */
static bool on_opened(void *ctx, struct herd_tls_stream *stream)
{
    struct herd_client *client = ctx;
    (void)stream;
    client->opened = true;
    event_active(client->work, EV_TIMEOUT, 0);
    return true;
}

int herd_client_tls_start(struct herd_client *client)
{
    struct herd_client_security *security = client->security;
    /* Of one that was followed to: any server of the herd, or its host. */
    const char *name = client == client->root ? security->names[client->server_index]
                       : security->by_herd    ? NULL
                                              : client->servers[0].host;
    struct herd_tls_expect expect = {0};
    struct herd_tls_stream *stream;
    struct herd_transport *transport;
    if (security->by_herd)
        expect.server = name ? herd_span_of(name) : expect.server;
    else
        expect.dns_name = name;
    int err = herd_tls_stream_new(&stream, security->context, HERD_TLS_CLIENT, &expect);
    if (err < 0)
        return err;
    err = herd_tls_transport_new(&transport, client->transport, stream, &security->loop, on_opened,
                                 client->transport->events, client);
    if (err < 0) {
        herd_tls_stream_free(stream);
        return err;
    }
    client->transport = transport;
    return 0;
}

const char *herd_client_tls_refusal(const struct herd_client *client)
{
    struct herd_span name;
    if (!client->security->by_herd ||
        herd_tls_stream_peer(herd_tls_transport_stream(client->transport), &name) == HERD_TLS_PROOF_SERVER)
        return NULL;
    return "peer_name_differs: its certificate is not one of a server of the herd";
}

bool herd_client_tls_fault(const struct herd_client *client, char *text, size_t size)
{
    const struct herd_tls_stream *stream = herd_tls_transport_stream(client->transport);
    if (!stream || herd_tls_stream_state(stream) != HERD_TLS_FAILED)
        return false;
    const struct herd_tls_fault *fault = herd_tls_stream_fault(stream);
    snprintf(text, size, "%s: %s", fault->event ? fault->event : "tls_failed", fault->text);
    return true;
}

bool herd_client_tls_truncated(const struct herd_client *client)
{
    return herd_tls_transport_truncated(client->transport);
}

void herd_client_tls_iteration(struct herd_client *client)
{
    if (client->security)
        herd_tls_loop_iteration(&client->security->loop);
}
