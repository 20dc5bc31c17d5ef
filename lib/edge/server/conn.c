/* SPDX-License-Identifier: MIT */
/* One connection: what it is, and how it ends. */
#include "conn.h"
#include "listen.h"
#include "neighbours.h"
#include "watch_line.h"

#include <stdlib.h>

/* How long the peer has to read our last words before the connection is closed under it. */
#define LINGER_NS INT64_C(2000000000)
/* Connections whose peer is gone and that are given back in an iteration: with TLS each takes as long as some requests. */
#define CLOSES_AN_ITERATION 4

struct herd_conn *herd_conn_new(struct herd_server *server)
{
    struct herd_conn *conn = calloc(1, sizeof *conn);
    if (!conn)
        return NULL;
    conn->server = server;
    conn->peer = conn->plain_from = -1;
    herd_list_append(&server->conns, &conn->all);
    return conn;
}

void herd_conn_ready(struct herd_conn *conn)
{
    if (conn->state != HERD_CONN_BLOCKED || herd_list_linked(&conn->ready_link))
        return;
    herd_list_append(conn->protocol->posted ? &conn->server->posted : &conn->server->ready, &conn->ready_link);
    herd_server_schedule_flush(conn->server);
}

void herd_conn_set_read(struct herd_conn *conn, bool enable)
{
    if (conn->state != HERD_CONN_CLOSED && herd_transport_set_read(conn->transport, enable) < 0)
        herd_conn_close(conn, "out_of_memory");
}

void herd_conn_unwatch(struct herd_conn *conn)
{
    struct herd_line_watch *watch = conn->watch;
    if (!watch)
        return;
    conn->watch = NULL;
    herd_list_remove(&watch->link);
    herd_buf_fini(&watch->names);
    free(watch);
    if (--conn->server->line_watch_count == 0)
        herd_server_fence_sink_remove(&conn->server->line_sink);
}

static void leave_session(struct herd_conn *conn, const char *why)
{
    herd_conn_unwatch(conn);
    if (!conn->session)
        return;
    conn->protocol->close(conn, why);
    conn->session = NULL;
    if (conn->owner && conn->owner->ended)
        conn->owner->ended(conn, why);
}

/* Nothing comes any more, and nothing is left to be sent: the peer does not care when the descriptor is closed. */
static bool may_wait(const struct herd_conn *conn)
{
    return conn->eof && herd_conn_unsent(conn) == 0 && !conn->server->stopping && !conn->server->freeing;
}

void herd_conn_close(struct herd_conn *conn, const char *why)
{
    struct herd_server *server = conn->server;
    if (conn->state == HERD_CONN_CLOSED)
        return;
    bool delivered = conn->plain && herd_plain_delivered(conn);
    conn->state = HERD_CONN_CLOSED;
    if (why)
        herd_conn_log(conn, HERD_LOG_DEBUG, "closed", why);
    herd_plain_log_closed(conn);
    leave_session(conn, why);
    herd_batch_drop(conn);
    conn->close_later = conn->transport && may_wait(conn);
    if (conn->transport && !conn->close_later)
        herd_transport_close(conn->transport);
    herd_list_remove(&conn->deadline_link);
    herd_list_remove(&conn->ready_link);
    herd_admission_leave(conn);
    if (conn->owner && conn->owner->closed)
        conn->owner->closed(conn, delivered);
    herd_list_remove(&conn->all);
    herd_list_append(&server->closed_conns, &conn->all);
    herd_server_schedule_flush(server);
}

static void free_closed(struct herd_conn *conn)
{
    assert(conn->state == HERD_CONN_CLOSED && !conn->session && conn->batched_bytes == 0);
    if (conn->close_later)
        herd_transport_close(conn->transport);
    herd_list_remove(&conn->all);
    herd_transport_free(conn->transport);
    free(conn->token_hash);
    free(conn);
}

bool herd_conn_free_some_closed(struct herd_server *server)
{
    unsigned left = CLOSES_AN_ITERATION;
    while (!herd_list_empty(&server->closed_conns)) {
        struct herd_conn *conn = HERD_CONTAINER_OF(server->closed_conns.next, struct herd_conn, all);
        if (conn->close_later && left-- == 0)
            return true;
        free_closed(conn);
    }
    return false;
}

bool herd_conn_free_closed(struct herd_server *server)
{
    const bool any = !herd_list_empty(&server->closed_conns);
    while (!herd_list_empty(&server->closed_conns))
        free_closed(HERD_CONTAINER_OF(server->closed_conns.next, struct herd_conn, all));
    return any;
}

/* Closing with bytes unread would make the kernel reset the connection and perhaps take our last words with it: the
 * peer is told that no more comes, and has a moment to be done too. */
void herd_conn_drain_done(struct herd_conn *conn)
{
    assert(conn->state == HERD_CONN_DRAINING && !conn->session);
    /* There are no last words to who brought nothing but AT lines. */
    if (conn->eof || conn->server->freeing || (conn->plain_home && conn->gained && !conn->answered)) {
        herd_conn_close(conn, NULL);
        return;
    }
    conn->state = HERD_CONN_LINGERING;
    conn->progress_ns = herd_clock().steady_ns;
    herd_list_remove(&conn->deadline_link);
    herd_transport_shutdown(conn->transport);
    if (conn->plain) {
        herd_plain_linger(conn);
    } else {
        conn->progress_ns += LINGER_NS;
        herd_list_append(&conn->server->deadline_list, &conn->deadline_link);
    }
    herd_conn_set_read(conn, true);
}

void herd_conn_finish(struct herd_conn *conn, const char *why)
{
    if (!herd_conn_active(conn))
        return;
    if (why)
        herd_conn_log(conn, HERD_LOG_DEBUG, "closing", why);
    conn->state = HERD_CONN_DRAINING;
    herd_list_remove(&conn->ready_link);
    leave_session(conn, why);
    if (herd_conn_unsent(conn) == 0)
        herd_conn_drain_done(conn);
    herd_server_schedule_flush(conn->server);
}
