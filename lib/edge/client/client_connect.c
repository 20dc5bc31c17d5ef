/* SPDX-License-Identifier: MIT */
/* Connects to a server, leaves it for the next, and waits after all have failed. */
#include "client_connect.h"

#include "client_reply.h"
#include "client_request.h"
#include "client_tls.h"
#include "client_transport.h"

#include <assert.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>

void herd_client_disconnect(struct herd_client *client)
{
    herd_connect_cancel(client->connector);
    client->connector = NULL;
    herd_client_retire(client);
    client->searched = 0;
}

/* Returns a random wait between half of the back-off and all of it, and doubles the back-off. */
static int64_t wait_ns(struct herd_client *client)
{
    uint64_t random = 0;
    int64_t half = client->backoff_ns / 2, max_ns = client->options.retry_max_ms * NS_PER_MS;
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
        random = 0; /* less jitter */
    client->backoff_ns = client->backoff_ns < max_ns / 2 ? client->backoff_ns * 2 : max_ns;
    return half + (int64_t)(random % ((uint64_t)half + 1));
}

void herd_client_wake(struct herd_client *client)
{
    assert(client->state == HERD_CLIENT_IDLE && !client->transport && !client->connector);
    client->state = HERD_CLIENT_WAITING;
    client->state_deadline_ns = herd_clock().steady_ns;
    if (client->failures >= client->options.server_count) {
        client->failures = 0;
        client->state_deadline_ns += wait_ns(client);
    }
    herd_client_arm(client);
}

void herd_client_lost(struct herd_client *client, const char *why)
{
    size_t server = client->server_index;
    herd_client_enter(client);
    herd_client_disconnect(client);
    herd_client_forget_ended(client);
    client->state = HERD_CLIENT_IDLE;
    client->server_index = (client->server_index + 1) % client->options.server_count;
    /* That an idle connection ends is no failure. But a server that died and one that was tired of waiting look the
     * same, and a dead machine costs connect_ms: the others are tried first. */
    if (client->pending > 0) {
        client->failures++;
        herd_client_wake(client);
    }
    if (client->options.on_disconnect)
        client->options.on_disconnect(client->options.ctx, server, why);
    herd_client_leave(client);
}

/* ---- callbacks of the connection ---- */

/* Sends the token and every request of the list. Returns NULL or why to leave the server. */
static const char *begin(struct herd_client *client)
{
    assert(client->transport && !client->connector);
    if (client->token && !client->security && !client->to_loopback)
        return "the token was not sent: a server that is not on this machine needs TLS";
    if (herd_client_write_all(client) < 0)
        return "out of memory";
    client->state_since_ns = herd_clock().steady_ns;
    client->state = HERD_CLIENT_AUTH;
    client->state_deadline_ns = client->state_since_ns + client->options.reply_ms * NS_PER_MS;
    if (!client->token)
        herd_client_up(client);
    return NULL;
}

/* Goes as far as what has come allows. Returns NULL or why to leave the server. */
static const char *proceed(struct herd_client *client)
{
    const char *why = NULL;
    if (client->state == HERD_CLIENT_HANDSHAKE && client->opened) {
        why = herd_client_tls_refusal(client);
        if (!why)
            why = begin(client);
    }
    if (!why && !client->freed && herd_client_sends(client))
        why = herd_client_read_replies(client);
    if (why || client->freed || !client->transport)
        return why;
    if (!client->ended)
        herd_client_flush(client);
    return client->ended ? client->why : NULL;
}

void herd_client_work(evutil_socket_t fd, short what, void *arg)
{
    struct herd_client *client = arg;
    (void)fd;
    (void)what;
    herd_client_enter(client);
    herd_client_tls_iteration(client);
    const char *why = proceed(client);
    if (why && !client->freed)
        herd_client_lost(client, why);
    herd_client_arm(client);
    herd_client_leave(client);
}

/* ---- connecting ---- */

/* A TCP connection is there. Returns NULL or why to leave the server. */
static const char *connected(struct herd_client *client, const struct herd_connect_result *result)
{
    int on = 1;
    setsockopt(result->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    client->preferred[client->server_index] = result->address;
    if (herd_client_attach(client, result) < 0)
        return "out of memory";
    client->state = HERD_CLIENT_HANDSHAKE;
    client->state_deadline_ns = herd_clock().steady_ns + client->options.connect_ms * NS_PER_MS;
    if (!client->security)
        return begin(client);
    return herd_client_tls_start(client) < 0 ? "out of memory" : NULL;
}

static void on_connected(void *ctx, const struct herd_connect_result *result)
{
    struct herd_client *client = ctx;
    client->connector = NULL;
    herd_client_enter(client);
    const char *why;
    if (result->fd < 0)
        why = result->unresolved ? "the host is not known" : "cannot connect";
    else
        why = connected(client, result);
    if (why && !client->freed)
        herd_client_lost(client, why);
    herd_client_arm(client);
    herd_client_leave(client);
}

void herd_client_connect(struct herd_client *client)
{
    assert(client->state == HERD_CLIENT_WAITING);
    if (client->pending == 0) {
        client->state = HERD_CLIENT_IDLE;
        return;
    }
    const struct herd_client_address *server = &client->servers[client->server_index];
    const struct herd_sockaddr *preferred = &client->preferred[client->server_index];
    const struct herd_connect_options options = {
        .host = server->host,
        .port = server->port,
        .resolve_ms = client->options.connect_ms,
        .connect_ms = client->options.connect_ms,
        .prefer = preferred->len ? preferred : NULL,
        .done = on_connected,
        .ctx = client,
    };
    client->state = HERD_CLIENT_CONNECTING;
    client->state_deadline_ns = herd_clock().steady_ns + client->options.connect_ms * NS_PER_MS;
    if (herd_connect_start(&client->connector, client->base, &client->resolver, &options) < 0)
        herd_client_lost(client, "out of memory");
}
