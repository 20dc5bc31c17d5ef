/* SPDX-License-Identifier: MIT */
/* What a test of the client needs around it: a real server in this process, listeners that refuse, hang, lie
 * and talk too much, and what came of requests. Everything on one loop, on ports the kernel chose. */
#ifndef TEST_EDGE_CLIENT_WORLD_H
#define TEST_EDGE_CLIENT_WORLD_H

#include "../unit/cm.h"

#include <herd/client.h>
#include <herd/server.h>

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KIWI     "+34.068930-118.445127"
#define ENDS_MAX 512

/* A listener that says `text` to whoever connects, or nothing. */
struct fake {
    struct evconnlistener *listener;
    const char *text;
    bool close_at_once;
    struct bufferevent *bevs[32];
    size_t count;
};

struct world {
    struct event_base *base;
    struct herd_config *config;
    struct herd_server *server;
    struct herd_client *client;
    struct herd_client_address addresses[3];
    struct fake fakes[2];
    int errs[ENDS_MAX];
    char id[ENDS_MAX][32];
    char json[4096];
    size_t ended, wanted, last_server;
    unsigned ups, downs;
    const char *why;
    bool free_in_done;
};

static inline uint16_t port_of(evutil_socket_t fd)
{
    struct sockaddr_in in;
    socklen_t len = sizeof in;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
    return ntohs(in.sin_port);
}

static inline void on_fake_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from,
                                  int len, void *arg)
{
    (void)from;
    (void)len;
    struct fake *fake = arg;
    struct bufferevent *bev = bufferevent_socket_new(evconnlistener_get_base(listener), fd, BEV_OPT_CLOSE_ON_FREE);
    assert_true(fake->count < 32);
    if (fake->close_at_once) {
        bufferevent_free(bev);
        return;
    }
    fake->bevs[fake->count++] = bev;
    bufferevent_enable(bev, EV_READ | EV_WRITE);
    if (fake->text)
        bufferevent_write(bev, fake->text, strlen(fake->text));
}

static inline struct herd_client_address fake_open(struct world *w, struct fake *fake)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    fake->listener = evconnlistener_new_bind(w->base, on_fake_accept, fake, LEV_OPT_CLOSE_ON_FREE, -1,
                                             (struct sockaddr *)&in, sizeof in);
    assert_non_null(fake->listener);
    return (struct herd_client_address){"127.0.0.1", port_of(evconnlistener_get_fd(fake->listener))};
}

static inline void fake_close(struct fake *fake)
{
    if (fake->listener)
        evconnlistener_free(fake->listener);
    for (size_t i = 0; i < fake->count; i++)
        bufferevent_free(fake->bevs[i]);
    *fake = (struct fake){0};
}

/* A port on which no socket listens any more. */
static inline struct herd_client_address unused_address(struct world *w)
{
    struct fake fake = {0};
    struct herd_client_address address = fake_open(w, &fake);
    fake_close(&fake);
    return address;
}

static inline struct herd_client_address serve(struct world *w)
{
    struct herd_diagnostic diagnostic;
    const struct herd_server_options options = {.name = "Riley", .config = w->config, .dont_dial = true};
    if (herd_server_new(&w->server, w->base, &options, &diagnostic) < 0)
        fail_msg("%s", diagnostic.message);
    return (struct herd_client_address){"127.0.0.1", herd_server_port(w->server)};
}

static inline int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    signal(SIGPIPE, SIG_IGN);
    assert_non_null(w->base = event_base_new());
    assert_int_equal(herd_config_default(&w->config), 0);
    w->config->servers[0].port = 0; /* any */
    *state = w;
    return 0;
}

static inline int teardown(void **state)
{
    struct world *w = *state;
    herd_client_free(w->client);
    herd_server_free(w->server);
    herd_config_free(w->config);
    fake_close(&w->fakes[0]);
    fake_close(&w->fakes[1]);
    event_base_loop(w->base, EVLOOP_NONBLOCK);
    event_base_free(w->base);
    free(w);
    return 0;
}

static inline void on_up(void *ctx, size_t server)
{
    struct world *w = ctx;
    (void)server;
    w->ups++;
}

static inline void on_down(void *ctx, size_t server, const char *why)
{
    struct world *w = ctx;
    (void)server;
    w->downs++;
    w->why = why;
}

static inline void connect_client(struct world *w, size_t count, struct herd_client_options options)
{
    options.servers = w->addresses;
    options.server_count = count;
    options.ctx = w;
    options.on_connect = on_up;
    options.on_disconnect = on_down;
    assert_int_equal(herd_client_new(&w->client, w->base, &options), 0);
}

static inline void on_done(void *ctx, int err, const struct herd_client_reply *reply)
{
    struct world *w = ctx;
    assert_true(w->ended < ENDS_MAX);
    assert_int_equal(err == 0, reply != NULL);
    w->errs[w->ended] = err;
    if (reply) {
        snprintf(w->id[w->ended], sizeof w->id[0], "%.*s", (int)reply->record.id.len, reply->record.id.at);
        snprintf(w->json, sizeof w->json, "%.*s", (int)reply->json.len, reply->json.at);
        w->last_server = reply->server;
    }
    if (w->free_in_done) {
        herd_client_free(w->client);
        w->client = NULL;
    }
    if (++w->ended == w->wanted)
        event_base_loopbreak(w->base);
}

static inline void run(struct world *w, size_t wanted)
{
    w->wanted = wanted;
    if (w->ended >= wanted)
        return;
    event_base_loopexit(w->base, &(struct timeval){20, 0});
    event_base_dispatch(w->base);
    assert_int_equal(w->ended, wanted);
    event_base_loopexit(w->base, NULL); /* the old one must not end a later run */
    event_base_loop(w->base, EVLOOP_NONBLOCK);
}

static inline int report(struct world *w, const char *id)
{
    return herd_client_report(w->client, herd_span_of(id), herd_span_of(KIWI), herd_span_of(""), on_done, w);
}

static inline int whatsat(struct world *w, const char *id)
{
    return herd_client_whatsat(w->client, herd_span_of(id), herd_span_of("10"), 3, on_done, w);
}

#endif
