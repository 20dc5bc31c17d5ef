/* SPDX-License-Identifier: MIT */
/* What a connection sends, and what follows when it has left. */
#include "conn.h"

void herd_conn_sent(struct herd_conn *conn, int err)
{
    struct herd_server *server = conn->server;
    if (err < 0) {
        herd_conn_close(conn, "send_failed");
        return;
    }
    size_t unsent = herd_conn_unsent(conn);
    if (unsent == 0)
        return;
    if (!herd_list_linked(&conn->deadline_link)) {
        conn->progress_ns = herd_clock().steady_ns;
        herd_list_append(&server->deadline_list, &conn->deadline_link);
    }
    if (!conn->link && unsent > (size_t)server->limits->output_max_bytes)
        herd_conn_close(conn, "output_max_bytes");
}

/* Small replies to clients leave together: see batch.c. What is batched goes before what follows it. */
static void put(struct herd_conn *conn, struct herd_span bytes)
{
    int err;
    conn->answered = true;
    if (herd_batch_wanted(conn, bytes.len) && herd_batch_add(conn, bytes) == 0)
        return;
    if (herd_batch_required(conn))
        err = HERD_E_NOMEM;
    else if (conn->batched_bytes > 0)
        err = herd_batch_add(conn, bytes);
    else
        err = herd_transport_send(conn->transport, bytes);
    herd_conn_sent(conn, err);
}

void herd_conn_send_logged(struct herd_conn *conn, struct herd_span bytes)
{
    if (bytes.len > 0 && conn->state != HERD_CONN_CLOSED)
        put(conn, bytes);
}

void herd_conn_send(struct herd_conn *conn, struct herd_span bytes)
{
    if (bytes.len == 0 || conn->state == HERD_CONN_CLOSED)
        return;
    herd_conn_log_sent(conn, bytes);
    put(conn, bytes);
}

void herd_conn_send_answer(struct herd_conn *conn, struct herd_span bytes)
{
    if (bytes.len == 0 || conn->state == HERD_CONN_CLOSED)
        return;
    herd_conn_log_answer(conn, bytes);
    put(conn, bytes);
}

void herd_conn_send_block(struct herd_conn *conn, struct herd_block *block)
{
    if (conn->state == HERD_CONN_CLOSED)
        return;
    conn->answered = true;
    int err = conn->batched_bytes > 0 ? herd_batch_add(conn, herd_block_bytes(block))
                                      : herd_transport_send_block(conn->transport, block);
    herd_conn_sent(conn, err);
}

bool herd_conn_output_full(const struct herd_conn *conn)
{
    return !conn->link && herd_conn_unsent(conn) > (size_t)conn->server->limits->output_pause_bytes;
}

void herd_conn_drained(struct herd_conn *conn)
{
    assert(conn->state != HERD_CONN_CLOSED && conn->state != HERD_CONN_LINGERING);
    const bool has_deadline = conn->nameless || conn->over_limit; /* which stands, whatever it takes */
    size_t unsent = herd_conn_unsent(conn);
    if (!has_deadline)
        conn->progress_ns = herd_clock().steady_ns;
    if (unsent == 0) {
        if (!has_deadline)
            herd_list_remove(&conn->deadline_link);
        if (conn->state == HERD_CONN_DRAINING) {
            herd_conn_drain_done(conn);
            return;
        }
    }
    if (conn->session && conn->protocol->writable)
        conn->protocol->writable(conn);
    if (unsent <= (size_t)conn->server->limits->output_pause_bytes / 2)
        herd_conn_ready(conn);
}
