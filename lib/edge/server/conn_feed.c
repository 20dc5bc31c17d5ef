/* SPDX-License-Identifier: MIT */
/* From what arrived to the protocol of a connection, and its replies back. */
#include "conn.h"

/* Of a peer that is to be noticed when it goes so much is kept unread at most, and what one read brings. */
#define ATTEND_BYTES 4096

void herd_conn_attend(struct herd_conn *conn)
{
    struct herd_span kept = {"", 0};
    assert(conn->state == HERD_CONN_BLOCKED);
    if (conn->attends && herd_transport_peek(conn->transport, &kept) < 0)
        herd_conn_close(conn, "out_of_memory");
    else
        herd_conn_set_read(conn, conn->attends && !conn->eof && kept.len <= ATTEND_BYTES);
}

/* The state that follows from what the protocol said. */
static void settle(struct herd_conn *conn, const struct herd_input_result *result)
{
    if (conn->state != HERD_CONN_OPEN)
        return; /* closed meanwhile */
    if (result->close) {
        herd_conn_finish(conn, NULL);
    } else if (result->blocked) {
        conn->state = HERD_CONN_BLOCKED;
        if (conn->again)
            herd_conn_ready(conn);
        conn->again = false;
        herd_conn_attend(conn);
    } else if (conn->eof) {
        conn->state = HERD_CONN_ENDING;
    } else if (herd_conn_output_full(conn)) {
        conn->state = HERD_CONN_BLOCKED;
        conn->attends = false; /* its output says when it is gone */
        if (conn->protocol->suspended)
            conn->protocol->suspended(conn);
        herd_conn_set_read(conn, false);
    }
}

size_t herd_conn_feed(struct herd_conn *conn)
{
    struct herd_server *server = conn->server;
    struct herd_input_result result = {0};
    struct herd_span bytes;
    assert(conn->state == HERD_CONN_OPEN && conn->session);
    if (herd_transport_peek(conn->transport, &bytes) < 0) {
        herd_conn_close(conn, "out_of_memory");
        return 0;
    }
    if (bytes.len == 0 && !conn->eof)
        return 0;
    struct herd_now now = herd_clock();
    herd_log_set_time(server->log, now.wall_ns);
    server->out.len = 0;
    int err = (conn->eof ? conn->protocol->eof : conn->protocol->input)(conn, bytes, now, &server->out, &result);
    if (conn->state == HERD_CONN_CLOSED)
        return 0; /* the protocol saw to that */
    if (err < 0) {
        herd_conn_close(conn, herd_strerror(err));
        return 0;
    }
    if (herd_transport_consume(conn->transport, result.consumed) < 0) {
        herd_conn_close(conn, "out_of_memory");
        return 0;
    }
    herd_conn_send_logged(conn, (struct herd_span){server->out.at, server->out.len});
    settle(conn, &result);
    herd_server_schedule_flush(server);
    return result.consumed;
}

void herd_conn_end(struct herd_conn *conn)
{
    struct herd_server *server = conn->server;
    struct herd_input_result result = {0};
    assert(conn->state == HERD_CONN_OPEN && conn->session);
    server->out.len = 0;
    int err = conn->protocol->eof(conn, (struct herd_span){"", 0}, herd_clock(), &server->out, &result);
    if (err < 0) {
        herd_conn_close(conn, herd_strerror(err));
    } else if (result.close) {
        herd_conn_finish(conn, NULL);
    } else {
        conn->state = HERD_CONN_ENDING;
        herd_conn_set_read(conn, false);
    }
}
