/* SPDX-License-Identifier: MIT */
/* Viewers of events, and iterations of the loop one by one. */
#ifndef TEST_EDGE_VIEWERS_WORLD_H
#define TEST_EDGE_VIEWERS_WORLD_H

#include "http_world.h"

#include "conn.h"
#include "events.h"

static inline struct herd_events *events_of(const struct http_world *w)
{
    for (size_t i = 0; i < w->server->http->part_count; i++)
        if (w->server->http->parts[i].module == &herd_http_events)
            return w->server->http->parts[i].state;
    fail();
    return NULL;
}

static inline void look_on(struct http_world *w, struct http_client *viewer, const char *path)
{
    char request[200];
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\n" HOST "\r\n", path);
    client_open(viewer, w);
    client_say(viewer, request);
}

/* A fence around 0,0. */
static inline void put_ring(struct http_world *w)
{
    static const char ring[] = "{\"type\":\"Feature\",\"geometry\":{\"type\":\"Point\",\"coordinates\":[0,0]},"
                               "\"properties\":{\"radius\":1000}}";
    struct http_client c;
    char request[400];
    snprintf(request, sizeof request,
             "PUT /v1/fences/ring HTTP/1.1\r\n" HOST
             "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
             sizeof ring - 1, ring);
    client_open(&c, w);
    client_say(&c, request);
    client_expect(&c, " 201 ");
    client_close(&c);
}

/* The kernel keeps next to nothing for the newest connection. */
static inline void narrow(const struct http_world *w, int client_fd)
{
    const int least = 1;
    setsockopt(client_fd, SOL_SOCKET, SO_RCVBUF, &least, sizeof least);
    if (herd_list_empty(&w->server->conns))
        return;
    const struct herd_conn *conn = HERD_CONTAINER_OF(w->server->conns.prev, struct herd_conn, all);
    setsockopt(herd_transport_fd(conn->transport), SOL_SOCKET, SO_SNDBUF, &least, sizeof least);
}

/* What has come, without a turn of the loop. */
static inline void take(struct http_client *c)
{
    char bytes[65536];
    ssize_t n;
    while ((n = recv(c->fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
        assert_int_equal(herd_buf_add(&c->got, bytes, (size_t)n), 0);
}

/* One iteration of the loop, which else goes round for as long as there is work; how many messages it sent. */
static inline uint64_t iterate(struct http_world *w)
{
    const uint64_t before = w->server->http->stream_writes;
    event_base_loop(w->base, EVLOOP_NONBLOCK | EVLOOP_ONCE);
    return w->server->http->stream_writes - before;
}

static inline size_t count(const char *text, const char *word)
{
    size_t n = 0;
    for (const char *at = text; (at = strstr(at, word)); at += strlen(word))
        n++;
    return n;
}

#endif
