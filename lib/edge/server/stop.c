/* SPDX-License-Identifier: MIT */
/* Graceful stop: closes the listener, finishes pending requests, flushes links, closes them and calls
 * hooks.stopped; at the time-out it closes everything. */
#include "conn.h"
#include "listen.h"
#include "memory.h"
#include "neighbours.h"

#define TAKEN_POLL_US 10000
/* Patience may have ended over a client: a journal that is even has this moment all the same. */
#define JOURNAL_MS 500

void herd_server_stop(struct herd_server *server, int64_t timeout_ms)
{
    if (server->stopping)
        return;
    server->stopping = true;
    struct herd_now now = herd_clock();
    server->stop_until_ns = now.steady_ns + timeout_ms * 1000000;
    herd_log_set_time(server->log, now.wall_ns);
    herd_log_event(server->log, HERD_LOG_INFO, "stopping", NULL, 0);
    herd_listener_close(server);
    for (size_t i = 0; i < herd_node_peer_count(server->node); i++)
        if (!herd_node_peer_plain(server->node, i))
            herd_dial_cancel(server->dials[i]);

    server->service->stop(server);
    /* One that has commands waiting ends when these are answered: see serve.c. */
    struct herd_list *next;
    for (struct herd_list *at = server->conns.next; at != &server->conns; at = next) {
        struct herd_conn *conn = HERD_CONTAINER_OF(at, struct herd_conn, all);
        next = at->next;
        if (conn->state == HERD_CONN_OPEN && !conn->link)
            herd_conn_end(conn);
    }
    struct timeval timeout = herd_timeval_ms(timeout_ms);
    if (evtimer_add(server->stop_event, &timeout) < 0)
        herd_stop_event(-1, 0, server);
    herd_server_schedule_flush(server);
}

static void flush_journal(struct herd_server *server)
{
    struct herd_now now = herd_clock();
    int64_t left_ms = (server->stop_until_ns - now.steady_ns) / 1000000;
    if (left_ms < JOURNAL_MS)
        left_ms = herd_journal_is_behind(server->journal) ? 0 : JOURNAL_MS;
    herd_journal_flush(server->journal, now, left_ms);
}

static void notify_stopped(struct herd_server *server)
{
    if (server->stopped_notified)
        return;
    server->stopped_notified = true;
    evtimer_del(server->stop_event);
    if (server->journal)
        flush_journal(server);
    herd_log_event(server->log, HERD_LOG_INFO, "stopped", NULL, 0);
    herd_log_flush(server->log);
    if (server->options.hooks.stopped)
        server->options.hooks.stopped(server->options.hooks.ctx);
}

static void close_all(struct herd_server *server)
{
    while (!herd_list_empty(&server->conns))
        herd_conn_close(HERD_CONTAINER_OF(server->conns.next, struct herd_conn, all), NULL);
}

/* A link is when it has nothing to say, a client when its side has all that we said. */
static bool settled(const struct herd_conn *conn)
{
    if (!conn->link)
        return conn->state == HERD_CONN_LINGERING && herd_conn_unacked(conn) == 0;
    return herd_conn_unsent(conn) == 0 && !(conn->session && conn->protocol->pending(conn));
}

/* Clients first: what they still say is passed on. Then each neighbour hears that nothing more comes, and
 * ends the connection when it has read all; ended by us, it might lose what it has not read yet. */
void herd_stop_check(struct herd_server *server)
{
    struct herd_list *next;
    if (herd_node_plain_pending(server->node))
        return; /* messages to plain neighbours are on their way, or patience ends */
    for (struct herd_list *at = server->conns.next; at != &server->conns; at = at->next) {
        const struct herd_conn *conn = HERD_CONTAINER_OF(at, struct herd_conn, all);
        if (settled(conn))
            continue;
        if (conn->state == HERD_CONN_LINGERING) /* nobody tells us when it is taken */
            event_add(server->next_turn_event, &(struct timeval){0, TAKEN_POLL_US});
        return;
    }
    if (!herd_server_memory_stopped(server))
        return; /* its answers call again, or patience ends */
    for (struct herd_list *at = server->conns.next; at != &server->conns; at = next) {
        struct herd_conn *conn = HERD_CONTAINER_OF(at, struct herd_conn, all);
        next = at->next;
        if (conn->link)
            herd_conn_finish(conn, NULL);
    }
    for (struct herd_list *at = server->conns.next; at != &server->conns; at = at->next)
        if (HERD_CONTAINER_OF(at, struct herd_conn, all)->link)
            return;
    close_all(server);
    notify_stopped(server);
}

void herd_stop_event(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    close_all(arg);
    notify_stopped(arg);
}
