/* SPDX-License-Identifier: MIT */
/* What the log says of connections from and to plain neighbours. */
#include "neighbours.h"

/* Each message is a connection: they are news only where each message is. */
static void log_plain(struct herd_conn *conn, const char *event, const char *direction)
{
    struct herd_log *log = conn->server->log;
    enum herd_log_level level = herd_log_traffic_enabled(log) ? HERD_LOG_INFO : HERD_LOG_DEBUG;
    int peer = conn->plain ? conn->peer : conn->plain_from;
    if (!herd_log_enabled(log, level))
        return;
    struct herd_log_field fields[] = {
        herd_log_span("peer", peer >= 0 ? herd_node_peer_name(conn->server->node, (size_t)peer)
                                        : herd_span_of("one of several")),
        herd_log_text("direction", direction),
    };
    herd_log_event(log, level, event, fields, 2);
}

void herd_plain_log_received(struct herd_conn *conn)
{
    if (!conn->plain_home || conn->gained || !conn->session || !herd_session_plain(conn->session))
        return;
    conn->gained = true;
    log_plain(conn, "plain_connected", "in");
}

void herd_plain_log_closed(struct herd_conn *conn)
{
    if (conn->plain || conn->gained)
        log_plain(conn, "plain_disconnected", conn->plain ? "out" : "in");
}

void herd_plain_log_opened(struct herd_conn *conn)
{
    log_plain(conn, "plain_connected", "out");
}
