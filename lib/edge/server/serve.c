/* SPDX-License-Identifier: MIT */
/*
 * The top of what a transport's events cause: the protocol gets bytes, then the node's effects are carried out, then
 * connections that became ready go on. This is the only loop over commands, and it is bounded: what one iteration of the
 * event loop does not allow waits for the next, so that others' reads come first.
 */
#include "conn.h"
#include "listen.h"

/* Of connections that go on, all together; each pass takes lookups_per_client_max questions at least. */
#define PASSES_AN_ITERATION 64
/* Of connections whose protocol is posted, all together; one pass at least. */
#define POSTED_NS_AN_ITERATION 20000
/* How many of these are answered: a reply is sent at the end of the iteration, and that takes ten times as long as a report. */
#define POSTED_REPLIES_AN_ITERATION 2
/* Where lines have much of an iteration, these have a reply more, and its time, for so many bytes of lines: about a fourth. */
#define LINE_BYTES_A_REPLY 12800

/* Gives an OPEN connection's bytes to its protocol, and carries out what follows. */
static void pass(struct herd_conn *conn)
{
    struct herd_server *server = conn->server;
    server->input_conn = conn; /* what the node notices is about this connection */
    size_t used = herd_conn_feed(conn);
    herd_server_effects(server);
    server->input_conn = NULL;
    if (!conn->protocol->posted)
        server->line_bytes += used;
    if (used > 0 && conn->over_limit && herd_conn_active(conn))
        herd_conn_close(conn, "clients_max"); /* it said HELLO and is no neighbour */
}

static void resume(struct herd_conn *conn)
{
    assert(conn->state == HERD_CONN_BLOCKED);
    herd_list_remove(&conn->ready_link);
    if (herd_conn_output_full(conn))
        return; /* ready again when drained */
    conn->state = HERD_CONN_OPEN;
    pass(conn);
    if (conn->state != HERD_CONN_OPEN)
        return;
    if (conn->server->stopping && !conn->link)
        herd_conn_end(conn);
    else
        herd_conn_set_read(conn, true);
}

static bool may_serve_posted(const struct herd_server *server)
{
    return server->posted_left_ns > 0 && server->posted_replies_left > 0;
}

void herd_serve_ready(struct herd_server *server)
{
    for (; server->passes > 0 && !herd_list_empty(&server->ready); server->passes--)
        resume(HERD_CONTAINER_OF(server->ready.next, struct herd_conn, ready_link));
    if (!may_serve_posted(server) || herd_list_empty(&server->posted))
        return;
    const int64_t end_ns = herd_clock().steady_ns + server->posted_left_ns;
    do {
        struct herd_conn *conn = HERD_CONTAINER_OF(server->posted.next, struct herd_conn, ready_link);
        resume(conn);
        if (conn->batched_bytes > 0)
            server->posted_replies_left--;
        server->posted_left_ns = end_ns - herd_clock().steady_ns;
    } while (may_serve_posted(server) && !herd_list_empty(&server->posted));
}

void herd_serve_share(struct herd_server *server)
{
    const size_t replies = server->line_bytes / LINE_BYTES_A_REPLY;
    server->posted_replies_left += replies;
    server->posted_left_ns += (int64_t)replies * (POSTED_NS_AN_ITERATION / POSTED_REPLIES_AN_ITERATION);
    server->more_replies = replies;
    server->line_bytes = 0;
}

void herd_serve_iteration(struct herd_server *server)
{
    server->passes = PASSES_AN_ITERATION;
    server->posted_left_ns = POSTED_NS_AN_ITERATION;
    server->posted_replies_left = POSTED_REPLIES_AN_ITERATION;
}

static void serve(struct herd_conn *conn)
{
    struct herd_server *server = conn->server;
    if (conn->protocol->posted) {
        conn->state = HERD_CONN_BLOCKED;
        conn->attends = true;
        herd_conn_ready(conn);
    } else {
        pass(conn);
    }
    herd_serve_ready(server);
    herd_batch_flush_full(server);
}

/* Nobody listens any more. */
static void drop_input(struct herd_conn *conn)
{
    struct herd_span bytes;
    if (herd_transport_peek(conn->transport, &bytes) < 0 || herd_transport_consume(conn->transport, bytes.len) < 0)
        herd_conn_close(conn, "out_of_memory");
}

static void on_input(void *ctx)
{
    struct herd_conn *conn = ctx;
    switch (conn->state) {
    case HERD_CONN_OPEN:
        if ((!conn->unnamed || !herd_proxied_first(conn)) && (!conn->undecided || !herd_secure_first(conn)))
            serve(conn);
        break;
    case HERD_CONN_BLOCKED: herd_conn_attend(conn); break;
    case HERD_CONN_ENDING: break;
    case HERD_CONN_DRAINING:
    case HERD_CONN_LINGERING: drop_input(conn); break;
    case HERD_CONN_CLOSED: assert(false);
    }
}

static void on_eof(void *ctx)
{
    struct herd_conn *conn = ctx;
    conn->eof = true;
    if (herd_secure_truncated(conn))
        herd_conn_log(conn, HERD_LOG_WARN, "tls_truncated", NULL);
    herd_conn_set_read(conn, false);
    switch (conn->state) {
    case HERD_CONN_OPEN:
        if (conn->unnamed)
            herd_conn_close(conn, "proxy_header_cut_off");
        else if (!conn->undecided || !herd_secure_first(conn))
            serve(conn);
        break;
    case HERD_CONN_BLOCKED:
    case HERD_CONN_ENDING: break;
    case HERD_CONN_DRAINING:
        if (herd_conn_unsent(conn) == 0)
            herd_conn_close(conn, NULL);
        break;
    case HERD_CONN_LINGERING: herd_conn_close(conn, NULL); break;
    case HERD_CONN_CLOSED: break;
    }
}

static void on_drained(void *ctx)
{
    struct herd_conn *conn = ctx;
    /* A bufferevent says so too where nothing was waiting. */
    if (herd_list_linked(&conn->deadline_link) && conn->state != HERD_CONN_LINGERING)
        herd_conn_drained(conn);
}

static void on_failed(void *ctx, const char *why)
{
    herd_secure_fault(ctx);
    herd_conn_close(ctx, why);
}

const struct herd_transport_events herd_serve_events = {on_input, on_eof, on_drained, on_failed};
