/* SPDX-License-Identifier: MIT */
/* Which server a client uses: connecting, leaving it for the next, waiting when none is of use. */
#include "client_impl.h"

#include <event2/dns.h>
#include <event2/util.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>

#define NS_PER_MS INT64_C(1000000)

void herd_client_disconnect(struct herd_client *client)
{
    if (client->resolve) {
        struct herd_client_resolve *resolve = client->resolve;
        client->resolve = NULL;
        resolve->client = NULL; /* its callback frees it */
        evdns_getaddrinfo_cancel(resolve->request);
    }
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
        struct herd_request *request = HERD_ITEM(at, struct herd_request, link);
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
    client->turn_ns = herd_clock().steady_ns;
    if (client->failures >= client->options.server_count) {
        client->failures = 0;
        client->turn_ns += wait_ns(client);
    }
    herd_client_arm(client);
}

void herd_client_lost(struct herd_client *client, const char *why)
{
    size_t server = client->at;
    herd_client_enter(client);
    herd_client_disconnect(client);
    drop_ended(client);
    client->state = HERD_CLIENT_IDLE;
    /* A server that closes a connection nobody uses is not to blame. */
    if (client->pending > 0) {
        client->failures++;
        client->at = (client->at + 1) % client->options.server_count;
        herd_client_wake(client);
    }
    if (client->options.down)
        client->options.down(client->options.ctx, server, why);
    herd_client_leave(client);
}

/* ---- callbacks of the connection ---- */

static void connected(struct herd_client *client)
{
    int on = 1;
    client->state = HERD_CLIENT_UP;
    client->turn_ns = herd_clock().steady_ns;
    setsockopt(bufferevent_getfd(client->bev), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    for (struct herd_list *at = client->requests.next; at != &client->requests; at = at->next) {
        const struct herd_request *request = HERD_ITEM(at, struct herd_request, link);
        if (bufferevent_write(client->bev, request->line.at, request->line.len) < 0) {
            herd_client_lost(client, "out of memory");
            return;
        }
    }
    if (client->options.up)
        client->options.up(client->options.ctx, client->at);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    (void)bev;
    struct herd_client *client = arg;
    herd_client_enter(client);
    if (what & BEV_EVENT_CONNECTED)
        connected(client);
    else if (client->state == HERD_CLIENT_CONNECTING)
        herd_client_lost(client, "cannot connect");
    else
        herd_client_lost(client, what & BEV_EVENT_EOF ? "closed by the server" : "connection broken");
    herd_client_arm(client);
    herd_client_leave(client);
}

static void on_read(struct bufferevent *bev, void *arg)
{
    (void)bev;
    struct herd_client *client = arg;
    herd_client_enter(client);
    herd_client_take(client);
    herd_client_arm(client);
    herd_client_leave(client);
}

/* ---- connecting ---- */

static void connect_to(struct herd_client *client, const struct sockaddr *to, int len)
{
    client->bev = bufferevent_socket_new(client->base, -1, BEV_OPT_CLOSE_ON_FREE);
    if (!client->bev) {
        herd_client_lost(client, "out of memory");
        return;
    }
    bufferevent_setcb(client->bev, on_read, NULL, on_event, client);
    if (bufferevent_enable(client->bev, EV_READ | EV_WRITE) < 0 ||
        bufferevent_socket_connect(client->bev, to, len) < 0) {
        /* It may have told on_event already. */
        if (client->state == HERD_CLIENT_CONNECTING)
            herd_client_lost(client, "cannot connect");
    }
}

static void on_resolved(int code, struct evutil_addrinfo *found, void *arg)
{
    struct herd_client_resolve *resolve = arg;
    struct herd_client *client = resolve->client;
    free(resolve);
    if (client) {
        client->resolve = NULL;
        herd_client_enter(client);
        if (code == 0 && found)
            connect_to(client, found->ai_addr, (int)found->ai_addrlen);
        else
            herd_client_lost(client, "the host is not known");
        herd_client_arm(client);
        herd_client_leave(client);
    }
    if (found)
        evutil_freeaddrinfo(found);
}

static void resolve_host(struct herd_client *client, const char *host, const char *port)
{
    struct evutil_addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = EVUTIL_AI_NUMERICSERV};
    struct herd_client_resolve *resolve = calloc(1, sizeof *resolve);
    if (!client->dns)
        client->dns =
            evdns_base_new(client->base, EVDNS_BASE_INITIALIZE_NAMESERVERS | EVDNS_BASE_DISABLE_WHEN_INACTIVE);
    if (!resolve || !client->dns) {
        free(resolve);
        herd_client_lost(client, "cannot resolve names");
        return;
    }
    resolve->client = client;
    client->resolve = resolve;
    /* May call on_resolved before it returns: then it gives NULL, and `resolve` is gone. */
    struct evdns_getaddrinfo_request *request =
        evdns_getaddrinfo(client->dns, host, port, &hints, on_resolved, resolve);
    if (request)
        resolve->request = request;
}

void herd_client_connect(struct herd_client *client)
{
    const struct herd_client_address *server = &client->servers[client->at];
    struct evutil_addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                    .ai_flags = EVUTIL_AI_NUMERICHOST | EVUTIL_AI_NUMERICSERV};
    struct evutil_addrinfo *found = NULL;
    char port[8];
    if (client->pending == 0) {
        client->state = HERD_CLIENT_IDLE;
        return;
    }
    client->state = HERD_CLIENT_CONNECTING;
    client->turn_ns = herd_clock().steady_ns + client->options.connect_ms * NS_PER_MS;
    snprintf(port, sizeof port, "%u", (unsigned)server->port);
    if (evutil_getaddrinfo(server->host, port, &hints, &found) == 0) {
        connect_to(client, found->ai_addr, (int)found->ai_addrlen);
        evutil_freeaddrinfo(found);
    } else {
        resolve_host(client, server->host, port);
    }
}
