/* SPDX-License-Identifier: MIT */
/* The line protocol on a connection: a session of the node. */
#include "../../core/node/session.h"
#include "conn.h"
#include "neighbours.h"

#include <string.h>

static bool may_begin(struct herd_span bytes, struct herd_span word)
{
    return memcmp(bytes.at, word.at, bytes.len < word.len ? bytes.len : word.len) == 0;
}

/* Beyond clients_max only an introduction is listened to; beyond the connections of the anonymous a proof too. */
static bool reject_over_limit(struct herd_conn *conn, struct herd_span bytes)
{
    const char *why = "clients_max";
    if (!conn->over_limit && !conn->nameless)
        return false;
    conn->nameless = conn->nameless && !conn->link && !herd_session_identity(conn->session);
    if (may_begin(bytes, herd_span_of("HELLO ")))
        return false;
    if (!conn->over_limit) {
        if (!conn->nameless || may_begin(bytes, herd_span_of("AUTH ")))
            return false;
        why = "identity_connections";
    }
    herd_conn_log_refused(conn->server, conn, why);
    herd_conn_close(conn, why);
    return true;
}

static void log_input(struct herd_conn *conn, struct herd_span received, const struct herd_buf *out)
{
    herd_conn_log_exchange(conn, received, (struct herd_span){out->at, out->len});
    herd_plain_log_received(conn);
}

static int line_input(struct herd_conn *conn, struct herd_span bytes, struct herd_now now, struct herd_buf *out,
                      struct herd_input_result *ret_result)
{
    if (reject_over_limit(conn, bytes))
        return 0;
    int err = herd_session_input(conn->session, bytes, now, out, ret_result);
    if (err >= 0)
        log_input(conn, (struct herd_span){bytes.at, ret_result->consumed}, out);
    return err;
}

static int line_eof(struct herd_conn *conn, struct herd_span rest, struct herd_now now, struct herd_buf *out,
                    struct herd_input_result *ret_result)
{
    int err = herd_session_eof(conn->session, rest, now, out, ret_result);
    if (err >= 0)
        log_input(conn, (struct herd_span){rest.at, ret_result->consumed}, out);
    return err;
}

static void line_suspended(struct herd_conn *conn)
{
    herd_session_suspend_timeouts(conn->session);
}

/* A link is filled at the end of the loop iteration. */
static void line_writable(struct herd_conn *conn)
{
    if (conn->link)
        herd_server_schedule_flush(conn->server);
    else if (herd_conn_unsent(conn) == 0)
        herd_session_resume_timeouts(conn->session, herd_clock());
}

static bool line_pending(const struct herd_conn *conn)
{
    return conn->link && herd_session_want_write(conn->session);
}

static void line_close(struct herd_conn *conn, const char *why)
{
    struct herd_server *server = conn->server;
    (void)why;
    herd_session_close(conn->session);
    if (conn->link && conn->peer >= 0 && server->links[conn->peer] == conn)
        server->links[conn->peer] = NULL;
}

static const struct herd_conn_protocol line_protocol = {
    .input = line_input,
    .eof = line_eof,
    .suspended = line_suspended,
    .writable = line_writable,
    .pending = line_pending,
    .close = line_close,
};

int herd_line_begin_client(struct herd_conn *conn)
{
    struct herd_session *session = NULL;
    int err = herd_session_open(conn->server->node, &session, conn, herd_clock());
    if (err >= 0 && conn->unnamed)
        herd_session_begin_message(session, herd_clock());
    conn->protocol = &line_protocol;
    conn->session = session;
    herd_server_schedule_flush(conn->server);
    return err;
}

int herd_line_begin_link(struct herd_conn *conn, size_t peer)
{
    struct herd_server *server = conn->server;
    struct herd_session *session = NULL;
    herd_conn_set_peer(conn, peer);
    server->out.len = 0;
    int err = herd_session_connected(server->node, &session, conn, peer, herd_clock(), &server->out);
    conn->protocol = &line_protocol;
    conn->session = err < 0 ? NULL : session;
    return err;
}

void herd_line_timeout(struct herd_conn *conn)
{
    struct herd_input_result result = {0};
    struct herd_span kept;
    if (conn->state != HERD_CONN_OPEN || conn->undecided || herd_transport_peek(conn->transport, &kept) < 0)
        return;
    assert(conn->protocol == &line_protocol);
    (void)herd_session_line_timeout(conn->session, kept, herd_clock(), &result);
    herd_conn_log_received(conn, (struct herd_span){kept.at, result.consumed});
    herd_plain_log_received(conn);
    if (result.consumed > 0 && herd_transport_consume(conn->transport, result.consumed) < 0)
        herd_conn_close(conn, "out_of_memory");
    herd_server_schedule_flush(conn->server);
}
