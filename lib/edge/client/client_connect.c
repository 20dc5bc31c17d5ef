/* SPDX-License-Identifier: MIT */
/* Connects to a server, leaves it for the next, and waits after all have failed. */
#include "client_connect.h"

#include "client_reply.h"
#include "client_request.h"

#include <assert.h>
#include <event2/util.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>

void herd_client_disconnect(struct herd_client *client)
{
    herd_connect_cancel(client->connector);
    client->connector = NULL;
    if (client->bev)
        bufferevent_free(client->bev);
    client->bev = NULL;
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
    assert(client->state == HERD_CLIENT_IDLE && !client->bev && !client->connector);
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

/* Sends every request of the list over the new connection. */
static void connected(struct herd_client *client)
{
    int on = 1;
    assert(client->state == HERD_CLIENT_CONNECTING && client->bev && !client->connector);
    client->state = HERD_CLIENT_UP;
    client->state_since_ns = herd_clock().steady_ns;
    setsockopt(bufferevent_getfd(client->bev), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    for (struct herd_list *at = client->requests.next; at != &client->requests; at = at->next) {
        const struct herd_request *request = HERD_CONTAINER_OF(at, struct herd_request, link);
        if (bufferevent_write(client->bev, request->line.at, request->line.len) < 0) {
            herd_client_lost(client, "out of memory");
            return;
        }
    }
    if (client->options.on_connect)
        client->options.on_connect(client->options.ctx, client->server_index);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    (void)bev;
    struct herd_client *client = arg;
    herd_client_enter(client);
    if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
        herd_client_lost(client, what & BEV_EVENT_EOF ? "closed by the server" : "connection broken");
    herd_client_arm(client);
    herd_client_leave(client);
}

static void on_read(struct bufferevent *bev, void *arg)
{
    (void)bev;
    struct herd_client *client = arg;
    herd_client_enter(client);
    const char *why = herd_client_read_replies(client);
    if (why)
        herd_client_lost(client, why);
    herd_client_arm(client);
    herd_client_leave(client);
}

/* ---- connecting ---- */

/* Makes the bufferevent, which owns `fd`, also after a failure. HERD_E_NOMEM. */
static int attach(struct herd_client *client, int fd)
{
    client->bev = bufferevent_socket_new(client->base, fd, BEV_OPT_CLOSE_ON_FREE);
    if (!client->bev) {
        evutil_closesocket(fd);
        return HERD_E_NOMEM;
    }
    bufferevent_setcb(client->bev, on_read, NULL, on_event, client);
    return bufferevent_enable(client->bev, EV_READ | EV_WRITE) < 0 ? HERD_E_NOMEM : 0;
}

static void on_connected(void *ctx, const struct herd_connect_result *result)
{
    struct herd_client *client = ctx;
    client->connector = NULL;
    herd_client_enter(client);
    if (result->fd < 0) {
        herd_client_lost(client, result->unresolved ? "the host is not known" : "cannot connect");
    } else {
        client->preferred[client->server_index] = result->address;
        if (attach(client, result->fd) < 0)
            herd_client_lost(client, "out of memory");
        else
            connected(client);
    }
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
