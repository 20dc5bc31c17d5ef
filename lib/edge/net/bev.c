/* SPDX-License-Identifier: MIT */
/* Bufferevents that a program made: whatever carries bytes (a pair, a filter, TLS) can carry a connection. */
#include "sockaddr.h"
#include "transport.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/socket.h>

struct ssl_st;
/* Of libevent_openssl, which this library does not link: NULL unless the program does. */
struct ssl_st *bufferevent_openssl_get_ssl(struct bufferevent *bev) __attribute__((weak));

struct bev {
    struct herd_transport base;
    struct bufferevent *bev; /* NULL: closed, or given back */
};

static struct bev *bev_of(struct herd_transport *transport)
{
    return (struct bev *)(void *)transport;
}

static struct bufferevent *inner(const struct herd_transport *transport)
{
    return ((const struct bev *)(const void *)transport)->bev;
}

/* Whether a bufferevent is a socket and nothing more, so that the socket's end is the stream's end. */
static bool is_bare_socket(struct bufferevent *bev)
{
    if (bufferevent_getfd(bev) < 0 || bufferevent_get_underlying(bev))
        return false;
    return !bufferevent_openssl_get_ssl || !bufferevent_openssl_get_ssl(bev);
}

bool herd_bev_is_private(struct bufferevent *bev)
{
    struct sockaddr_storage peer = {0};
    socklen_t len = sizeof peer;
    if (bufferevent_openssl_get_ssl && bufferevent_openssl_get_ssl(bev))
        return true;
    if (bufferevent_pair_get_partner(bev))
        return true;
    if (!is_bare_socket(bev) || getpeername(bufferevent_getfd(bev), (struct sockaddr *)&peer, &len) < 0)
        return false;
    return peer.ss_family == AF_UNIX || herd_sockaddr_is_loopback((struct sockaddr *)&peer);
}

static void on_read(struct bufferevent *bev, void *arg)
{
    (void)bev;
    struct bev *b = arg;
    b->base.events->input(b->base.ctx);
}

static void on_write(struct bufferevent *bev, void *arg)
{
    (void)bev;
    struct bev *b = arg;
    b->base.events->drained(b->base.ctx);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    (void)bev;
    struct bev *b = arg;
    if (what & BEV_EVENT_EOF)
        b->base.events->eof(b->base.ctx);
    else if (what & (BEV_EVENT_ERROR | BEV_EVENT_TIMEOUT))
        b->base.events->failed(b->base.ctx, "transport_failed");
}

static int bev_send(struct herd_transport *transport, struct herd_span bytes)
{
    return bufferevent_write(inner(transport), bytes.at, bytes.len) < 0 ? HERD_E_NOMEM : 0;
}

static int bev_set_read(struct herd_transport *transport, bool enable)
{
    if (enable)
        bufferevent_enable(inner(transport), EV_READ);
    else
        bufferevent_disable(inner(transport), EV_READ);
    return 0;
}

static int bev_peek(struct herd_transport *transport, struct herd_span *ret_bytes)
{
    struct evbuffer *input = bufferevent_get_input(inner(transport));
    size_t len = evbuffer_get_length(input);
    const char *at = len ? (const char *)evbuffer_pullup(input, -1) : "";
    if (!at)
        return HERD_E_NOMEM;
    *ret_bytes = (struct herd_span){at, len};
    return 0;
}

static int bev_consume(struct herd_transport *transport, size_t len)
{
    evbuffer_drain(bufferevent_get_input(inner(transport)), len);
    return 0;
}

/* What is under way to the peer nobody can ask a bufferevent. */
static size_t bev_unsent(const struct herd_transport *transport)
{
    return evbuffer_get_length(bufferevent_get_output(inner(transport)));
}

static void bev_shutdown(struct herd_transport *transport)
{
    struct bufferevent *bev = inner(transport);
    /* Does nothing for a socket. TLS says its end when the bufferevent is freed: without that, a shut down socket
     * would look like an attack. */
    bufferevent_flush(bev, EV_WRITE, BEV_FINISHED);
    if (is_bare_socket(bev))
        shutdown(bufferevent_getfd(bev), SHUT_WR);
}

void herd_bev_release(struct herd_transport *transport)
{
    struct bev *b = bev_of(transport);
    bufferevent_setcb(b->bev, NULL, NULL, NULL, NULL);
    b->bev = NULL;
}

static void bev_close(struct herd_transport *transport)
{
    struct bufferevent *bev = inner(transport);
    if (!bev)
        return; /* given back */
    /* Callbacks of this bufferevent may be on the stack: libevent keeps it alive until they return. */
    herd_bev_release(transport);
    bufferevent_free(bev);
}

static void bev_free(struct herd_transport *transport)
{
    assert(!inner(transport));
    free(bev_of(transport));
}

static int bev_fd(const struct herd_transport *transport)
{
    (void)transport;
    return -1;
}

static const struct herd_transport_ops bev_ops = {
    .send = bev_send,
    .set_read = bev_set_read,
    .peek = bev_peek,
    .consume = bev_consume,
    .unsent = bev_unsent,
    .unacked = bev_unsent,
    .shutdown = bev_shutdown,
    .close = bev_close,
    .free = bev_free,
    .fd = bev_fd,
    .joins = false,
};

int herd_bev_new(struct herd_transport **ret_transport, struct bufferevent *bev,
                 const struct herd_transport_events *events, void *ctx)
{
    struct bev *b = calloc(1, sizeof *b);
    if (!b)
        return HERD_E_NOMEM;
    *b = (struct bev){.base = {&bev_ops, events, ctx}, .bev = bev};
    bufferevent_setcb(bev, on_read, on_write, on_event, b);
    if (bufferevent_enable(bev, EV_READ | EV_WRITE) < 0) {
        bufferevent_setcb(bev, NULL, NULL, NULL, NULL);
        free(b);
        return HERD_E_NOMEM;
    }
    *ret_transport = &b->base;
    return 0;
}
