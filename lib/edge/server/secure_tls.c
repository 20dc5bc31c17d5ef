/* SPDX-License-Identifier: MIT */
/* TLS on connections: OpenSSL is below this file. */
#include "../tls/tls_transport.h"
#include "server_impl.h"

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
}

void herd_secure_fini(struct herd_server *server)
{
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
