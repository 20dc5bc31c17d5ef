/* SPDX-License-Identifier: MIT */
/* Which server a client uses: connecting, leaving it for the next, waiting when none is of use. */
#include "client_impl.h"

#include <event2/util.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>

#define NS_PER_MS INT64_C(1000000)

void herd_client_disconnect(struct herd_client *client)
{
    herd_connect_cancel(client->connector);
    client->connector = NULL;
    if (client->bev)
        bufferevent_free(client->bev);
    client->bev = NULL;
    client->searched = 0;
}

/* Nothing of the list is on its way any more; replies nobody waits for will not come. */
static void drop_ended(struct herd_client *client)
{
    struct herd_list *next;
    for (struct herd_list *at = client->requests.next; at != &client->requests; at = next) {
        struct herd_request *request = HERD_CONTAINER_OF(at, struct herd_request, link);
        next = at->next;
        if (request->ended)
            herd_client_forget(client, request);
    }
}

/* Half of the back-off at least, all of it at most, and twice as long next time. */
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
    client->state = HERD_CLIENT_WAITING;
    client->state_ns = herd_clock().steady_ns;
    if (client->failures >= client->options.server_count) {
        client->failures = 0;
        client->state_ns += wait_ns(client);
    }
    herd_client_arm(client);
}

void herd_client_lost(struct herd_client *client, const char *why)
{
    size_t server = client->server_index;
    herd_client_enter(client);
    herd_client_disconnect(client);
    drop_ended(client);
    client->state = HERD_CLIENT_IDLE;
    /* A server that closes a connection nobody uses is not to blame. */
    if (client->pending > 0) {
        client->failures++;
        client->server_index = (client->server_index + 1) % client->options.server_count;
        herd_client_wake(client);
    }
    if (client->options.on_disconnect)
        client->options.on_disconnect(client->options.ctx, server, why);
    herd_client_leave(client);
}

/* ---- callbacks of the connection ---- */

static void connected(struct herd_client *client)
{
    int on = 1;
    client->state = HERD_CLIENT_UP;
    client->state_ns = herd_clock().steady_ns;
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
    herd_client_read_replies(client);
    herd_client_arm(client);
    herd_client_leave(client);
}

/* ---- connecting ---- */

/* The bufferevent owns the socket, also if this fails. */
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
    client->state_ns = herd_clock().steady_ns + client->options.connect_ms * NS_PER_MS;
    if (herd_connect_start(&client->connector, client->base, &client->resolver, &options) < 0)
        herd_client_lost(client, "out of memory");
}
