/* SPDX-License-Identifier: MIT */
/* Bufferevents handed to us: whatever carries bytes (a pair, a filter, TLS) can carry a session. */
#include "server_impl.h"

#include <string.h>

void herd_bev_redeliver(struct herd_conn *conn)
{
    struct evbuffer *input = bufferevent_get_input(conn->bev);
    size_t len = evbuffer_get_length(input);
    const char *at = len ? (const char *)evbuffer_pullup(input, -1) : "";
    if (!at) {
        herd_conn_close(conn, "out_of_memory");
        return;
    }
    struct herd_span bytes = {at, len};
    size_t used = conn->eof ? herd_conn_eof(conn, bytes) : herd_conn_input(conn, bytes);
    if (!conn->closed)
        evbuffer_drain(input, used);
}

static void on_read(struct bufferevent *bev, void *arg)
{
    (void)bev;
    struct herd_conn *conn = arg;
    if (!conn->busy && !conn->blocked)
        herd_bev_redeliver(conn);
}

static void on_write(struct bufferevent *bev, void *arg)
{
    (void)bev;
    struct herd_conn *conn = arg;
    if (herd_list_linked(&conn->deadline_link) && !conn->lingering)
        herd_conn_drained(conn);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    (void)bev;
    struct herd_conn *conn = arg;
    if (what & BEV_EVENT_EOF) {
        conn->eof = true;
        if (!conn->blocked)
            herd_bev_redeliver(conn);
    } else if (what & (BEV_EVENT_ERROR | BEV_EVENT_TIMEOUT)) {
        herd_conn_close(conn, "transport_failed");
    }
}

int herd_bev_attach(struct herd_conn *conn, struct bufferevent *bev)
{
    bufferevent_setcb(bev, on_read, on_write, on_event, conn);
    if (bufferevent_enable(bev, EV_READ | EV_WRITE) < 0) {
        bufferevent_setcb(bev, NULL, NULL, NULL, NULL);
        return HERD_E_NOMEM;
    }
    conn->bev = bev;
    return 0;
}
