/* SPDX-License-Identifier: MIT */
/* Connects to a server, leaves it for the next, and waits after all have failed. */
#include "client_connect.h"

#include "client_queue.h"
#include "client_reply.h"
#include "client_request.h"
#include "client_route.h"
#include "client_tls.h"
#include "client_transport.h"

#include <assert.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>

/* What a followed server did not answer is asked again where the program's own servers are: which know where else, or that
 * it is here all the same. */
static void give_back(struct herd_client *client)
{
    herd_client_route_forget(client);
    while (!client->freed && client->pending > 0) {
        struct herd_request *request = HERD_CONTAINER_OF(client->requests.next, struct herd_request, link);
        request->hops = 0;
        if (herd_client_append(client->root, request) < 0)
            herd_client_end(client, request, HERD_E_NOMEM, NULL);
    }
}

void herd_client_lost(struct herd_client *client, const char *why)
{
    size_t server = herd_client_server(client);
    herd_client_enter(client);
    herd_client_disconnect(client);
    herd_client_forget_ended(client);
    client->state = HERD_CLIENT_IDLE;
    client->server_index = (client->server_index + 1) % client->options.server_count;
    /* That an idle connection ends is no failure. But a server that died and one that was tired of waiting look the
     * same, and a dead machine costs connect_ms: the others are tried first. */
    if (client->pending > 0) {
        client->failures++;
        if (client == client->root)
            herd_client_wake(client);
        else
            give_back(client);
    }
    if (!client->freed && client->options.on_disconnect)
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
    if (herd_connect_start(&client->connector, client->base, &client->root->resolver, &options) < 0)
        herd_client_lost(client, "out of memory");
}
