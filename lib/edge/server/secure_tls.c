/* SPDX-License-Identifier: MIT */
/* TLS on connections: OpenSSL is below this file. */
#include "../tls/tls_pool.h"
#include "../tls/tls_transport.h"
#include "conn.h"

/* Threads that get no CPU for this long, while steps of handshakes wait, are relieved of one. */
#define RELIEF_US 20000

/* ---- threads ---- */

static void on_pooled(void *ctx)
{
    const struct herd_server *server = ctx;
    if (!evtimer_pending(server->relief_event, NULL))
        event_add(server->relief_event, &(struct timeval){0, RELIEF_US});
}

static void on_computed(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct herd_server *server = arg;
    herd_log_set_time(server->log, herd_clock().wall_ns);
    herd_tls_loop_computed(&server->tls_loop);
}

static void on_relief(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct herd_server *server = arg;
    herd_log_set_time(server->log, herd_clock().wall_ns);
    herd_tls_loop_relieve(&server->tls_loop);
    if (herd_tls_pool_behind(server->tls_loop.pool))
        on_pooled(server);
}

static void close_events(struct herd_server *server)
{
    if (server->computed_event)
        event_free(server->computed_event);
    if (server->relief_event)
        event_free(server->relief_event);
    server->computed_event = server->relief_event = NULL;
}

/* With the first handshake: who has no TLS pays for no thread. Without any of it the loop computes them itself. */
static void open_pool(struct herd_server *server)
{
    struct herd_tls_pool *pool = server->tls_loop.pool ? NULL : herd_tls_pool_new();
    if (!pool)
        return;
    server->computed_event =
        event_new(server->base, herd_tls_pool_fd(pool), EV_READ | EV_PERSIST, on_computed, server);
    server->relief_event = evtimer_new(server->base, on_relief, server);
    if (server->computed_event && server->relief_event && event_add(server->computed_event, NULL) == 0) {
        server->tls_loop.pool = pool;
        return;
    }
    herd_tls_pool_free(pool);
    close_events(server);
}

static bool on_opened(void *ctx, struct herd_tls_stream *stream)
{
    struct herd_conn *conn = ctx;
    struct herd_span name;
    enum herd_tls_proof proof = herd_tls_stream_peer(stream, &name);
    struct herd_buf described = {0};
    herd_tls_stream_describe(stream, &described);
    if (described.len > 0 && herd_buf_add(&described, "", 1) == 0)
        herd_conn_log(conn, HERD_LOG_DEBUG, "tls_opened", described.at);
    herd_buf_fini(&described);
    return conn->server->secure_opened(conn, proof, name);
}

static void on_wake(void *ctx)
{
    struct herd_server *server = ctx;
    event_add(server->next_turn_event, &(struct timeval){0, 0});
}

void herd_secure_init(struct herd_server *server, herd_secure_opened_fn *opened)
{
    server->secure_opened = opened;
    herd_tls_loop_init(&server->tls_loop, on_wake, server);
    server->tls_loop.pooled = on_pooled;
}

/* ---- connections ---- */

void herd_secure_fini(struct herd_server *server)
{
    close_events(server);
    herd_tls_pool_free(server->tls_loop.pool);
    herd_tls_loop_fini(&server->tls_loop);
}

void herd_secure_iteration(struct herd_server *server)
{
    herd_tls_loop_iteration(&server->tls_loop);
}

int herd_secure_start(struct herd_conn *conn, enum herd_tls_role role, struct herd_span name)
{
    struct herd_server *server = conn->server;
    const struct herd_tls_expect expect = {.server = name};
    open_pool(server);
    struct herd_tls_stream *stream;
    struct herd_transport *transport;
    int err = herd_tls_stream_new(&stream, server->trust->tls, role, role == HERD_TLS_CLIENT ? &expect : NULL);
    if (err < 0)
        return err;
    err = herd_tls_transport_new(&transport, conn->transport, stream, &server->tls_loop, on_opened,
                                 server->transport_events, conn);
    if (err < 0) {
        herd_tls_stream_free(stream);
        return err;
    }
    conn->transport = transport;
    return 0;
}

bool herd_secure_busy(const struct herd_conn *conn)
{
    return herd_tls_transport_busy(conn->transport);
}

void herd_secure_started(struct herd_conn *conn)
{
    herd_tls_transport_start(conn->transport);
}

const struct herd_tls_stream *herd_secure_stream(const struct herd_conn *conn)
{
    return herd_tls_transport_stream(conn->transport);
}

const struct herd_tls_fault *herd_secure_tls_fault(const struct herd_conn *conn)
{
    const struct herd_tls_stream *stream = herd_tls_transport_stream(conn->transport);
    return stream && herd_tls_stream_state(stream) == HERD_TLS_FAILED ? herd_tls_stream_fault(stream) : NULL;
}

bool herd_secure_truncated(const struct herd_conn *conn)
{
    return herd_tls_transport_truncated(conn->transport);
}
