/* SPDX-License-Identifier: MIT */
/* Ending gracefully: nobody new, what was asked is answered, what is known is passed on. */
#include "server_impl.h"

void herd_server_stop(struct herd_server *server, int64_t patience_ms)
{
    if (server->stopping)
        return;
    server->stopping = true;
    struct herd_now now = herd_clock();
    herd_log_time(server->log, now.wall_ns);
    herd_log_event(server->log, HERD_LOG_INFO, "stopping", NULL, 0);
    herd_listener_close(server);
    for (size_t i = 0; i < herd_node_peer_count(server->node); i++)
        herd_dial_cancel(&server->dials[i]);

    /* To the session it is as if its client had said all it wanted to. */
    struct herd_list *next;
    for (struct herd_list *at = server->conns.next; at != &server->conns; at = next) {
        struct herd_conn *conn = HERD_ITEM(at, struct herd_conn, all);
        next = at->next;
        if (!conn->session || conn->link)
            continue;
        struct herd_turn turn;
        server->out.len = 0;
        int err = herd_session_end(conn->session, (struct herd_span){"", 0}, now, &server->out, &turn);
        if (err < 0)
            herd_conn_close(conn, herd_strerror(err));
        else if (turn.close)
            herd_conn_finish(conn, NULL);
        else
            herd_transport_read(conn, false);
    }
    struct timeval patience = {patience_ms / 1000, patience_ms % 1000 * 1000};
    if (evtimer_add(server->stop_event, &patience) < 0)
        herd_stop_event(-1, 0, server);
    herd_server_turn(server);
}

static void tell(struct herd_server *server)
{
    if (server->stopped_told)
        return;
    server->stopped_told = true;
    evtimer_del(server->stop_event);
    if (server->journal)
        herd_journal_flush(server->journal, herd_clock());
    herd_log_event(server->log, HERD_LOG_INFO, "stopped", NULL, 0);
    herd_log_flush(server->log);
    if (server->options.hooks.stopped)
        server->options.hooks.stopped(server->options.hooks.ctx);
}

static void close_all(struct herd_server *server)
{
    while (!herd_list_empty(&server->conns))
        herd_conn_close(HERD_ITEM(server->conns.next, struct herd_conn, all), NULL);
}

void herd_stop_check(struct herd_server *server)
{
    for (struct herd_list *at = server->conns.next; at != &server->conns; at = at->next) {
        const struct herd_conn *conn = HERD_ITEM(at, struct herd_conn, all);
        bool quiet_link = conn->link && !(conn->session && herd_session_wants(conn->session)) &&
                          herd_transport_unsent(conn) == 0;
        if (!quiet_link && !conn->lingering)
            return;
    }
    close_all(server);
    tell(server);
}

void herd_stop_event(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    close_all(arg);
    tell(arg);
}
