/* SPDX-License-Identifier: MIT */
/* The events of a server that no socket causes: the end of a loop iteration, the node's clock, housekeeping, stopping. */
#include "../../core/base/histogram.h"
#include "conn.h"
#include "listen.h"
#include "neighbours.h"
#include "search.h"
#include "watch_line.h"

/* Log lines and stalled writers are looked after this often. */
#define HOUSEKEEPING_US 500000

void herd_timers_tick(struct herd_server *server)
{
    struct herd_now now = herd_clock();
    server->tick_ns = INT64_MAX;
    herd_log_set_time(server->log, now.wall_ns);
    herd_node_tick(server->node, now);
    herd_server_effects(server);
    herd_server_schedule_flush(server);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    herd_timers_tick(arg);
}

/* Who had to prove to be somebody, and may have done so. */
static void refuse_nameless(struct herd_conn *conn, int64_t now_ns)
{
    conn->nameless = conn->session && !conn->link && !herd_session_identity(conn->session);
    if (!conn->nameless) {
        herd_list_remove(&conn->deadline_link);
        conn->progress_ns = now_ns;
        if (herd_conn_unsent(conn) > 0)
            herd_list_append(&conn->server->deadline_list, &conn->deadline_link);
    } else if (now_ns >= conn->progress_ns) {
        herd_conn_log_refused(conn->server, conn, "identity_connections");
        herd_conn_close(conn, "identity_connections");
    }
}

/* A connection that took no byte for too long, or has had its time to read our last words, is closed. What the
 * kernel holds counts: it asks for more only after it has got rid of a good part of that, and on a slow link
 * this takes long. */
static void close_stalled(struct herd_server *server)
{
    int64_t now_ns = herd_clock().steady_ns;
    int64_t stall_ns = server->limits->write_stall_ms * 1000000;
    size_t unacked;
    struct herd_list *next;
    for (struct herd_list *at = server->deadline_list.next; at != &server->deadline_list; at = next) {
        struct herd_conn *conn = HERD_CONTAINER_OF(at, struct herd_conn, deadline_link);
        next = at->next;
        if (conn->over_limit) {
            if (now_ns >= conn->progress_ns)
                herd_conn_close(conn, "clients_max");
        } else if (conn->state == HERD_CONN_LINGERING) {
            if (now_ns >= conn->progress_ns)
                herd_conn_close(conn, "lingered");
        } else if (conn->nameless) {
            refuse_nameless(conn, now_ns);
        } else if (conn->undecided) {
            if (now_ns < conn->progress_ns)
                continue;
            if (conn->admission)
                herd_conn_log_refused(server, conn, "tls_half_open");
            herd_conn_close(conn, conn->admission ? "tls_half_open" : "tls_handshake_deadline");
        } else if (herd_conn_unsent(conn) == 0 && conn->state != HERD_CONN_DRAINING) {
            herd_list_remove(&conn->deadline_link); /* for a deadline that was met */
        } else if ((unacked = herd_conn_unacked(conn)) != conn->unacked_seen) {
            conn->unacked_seen = unacked;
            conn->progress_ns = now_ns;
        } else if (now_ns - conn->progress_ns >= stall_ns) {
            herd_conn_close(conn, "write_stall");
        }
    }
}

/* How late the timer is says how long the loop was held. */
static void measure_lag(struct herd_server *server, int64_t now_ns)
{
    const int64_t period_ns = HOUSEKEEPING_US * INT64_C(1000);
    if (server->housekeeping_ns) {
        const int64_t late_ns = now_ns - server->housekeeping_ns;
        herd_histogram_add(&server->lag, late_ns);
        if (late_ns > server->lag_max_ns)
            server->lag_max_ns = late_ns;
    }
    server->housekeeping_ns = now_ns + period_ns;
}

/* Wrong tokens whose time has come. */
static void answer_late(struct herd_server *server)
{
    while ((server->input_conn = herd_secure_answer_late(server)))
        herd_server_effects(server); /* what the node notices is about this connection */
}

static void on_housekeeping(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct herd_server *server = arg;
    const struct herd_now now = herd_clock();
    measure_lag(server, now.steady_ns);
    herd_log_set_time(server->log, now.wall_ns);
    herd_summary_log(server, now.steady_ns);
    close_stalled(server);
    herd_secure_housekeeping(server);
    herd_server_effects(server);
    answer_late(server);
    herd_log_flush(server->log);
    herd_plain_names_check(server);
    /* Memory may have been short when a timer was to be set: without this nobody would ask again. */
    herd_accept_resume(server);
    herd_plain_ask(server);
    herd_reload_housekeeping(server);
    herd_searches_resume(server);
    herd_watch_lines_tell_lost(server);
    herd_server_schedule_flush(server);
}

int herd_timers_new(struct herd_server *server)
{
    server->flush_event = event_new(server->base, -1, 0, herd_flush_event, server);
    server->next_turn_event = evtimer_new(server->base, herd_flush_event, server);
    server->tick_event = evtimer_new(server->base, on_tick, server);
    server->stop_event = evtimer_new(server->base, herd_stop_event, server);
    server->plain_event = evtimer_new(server->base, herd_plain_event, server);
    server->housekeeping_event = event_new(server->base, -1, EV_PERSIST, on_housekeeping, server);
    if (!server->plain_event || !server->flush_event || !server->next_turn_event || !server->tick_event ||
        !server->stop_event || !server->housekeeping_event ||
        event_add(server->housekeeping_event, &(struct timeval){0, HOUSEKEEPING_US}) < 0)
        return HERD_E_NOMEM;
    return 0;
}
