/* SPDX-License-Identifier: MIT */
/*
 * What plain neighbours need of sockets: whether a connection comes from an address of theirs, and how many
 * of ours to them are open, for not all of them hang up.
 */
#include "server_impl.h"

#include <stdio.h>
#include <stdlib.h>

/* So many connections to one plain neighbour wait for it to hang up before the next is made. */
#define OPEN_MAX_PLAIN 16
/* On most of them nothing more happens: whether the other side's kernel has all is asked this often, and after a
 * while, when it is away or slow, less often. */
#define ASK_FAST_US     10000
#define ASK_SLOW_US     250000
#define ASK_FAST_FOR_NS INT64_C(500000000)

static void keep(struct herd_plain *plain, const uint64_t address[2])
{
    for (size_t i = 0; i < plain->address_count; i++)
        if (plain->addresses[i][0] == address[0] && plain->addresses[i][1] == address[1])
            return;
    if (plain->address_count == HERD_PLAIN_ADDRESSES)
        return;
    plain->addresses[plain->address_count][0] = address[0];
    plain->addresses[plain->address_count++][1] = address[1];
}

void herd_plain_found(struct herd_server *server, size_t peer, const struct herd_sockaddr_list *found)
{
    if (!herd_node_peer_plain(server->node, peer))
        return;
    for (size_t i = 0; i < found->count; i++) {
        uint64_t address[2];
        uint16_t port;
        herd_address_of(&found->at[i].u.any, address, &port);
        if (address[0] || address[1])
            keep(&server->plains[peer], address);
    }
}

void herd_plain_look(struct herd_server *server, size_t peer)
{
    const struct herd_config_server *to = &server->config->servers[server->peer_servers[peer]];
    struct herd_sockaddr_list found;
    server->plains[peer].address_count = 0;
    herd_plain_names_cancel(server, peer);
    if (!herd_node_peer_plain(server->node, peer))
        return;
    if (herd_sockaddr_list_numeric(&found, to->host, to->port))
        herd_plain_found(server, peer, &found);
    else
        server->plain_names_due_ns = 0; /* it is looked up soon */
}

static bool has(const struct herd_plain *plain, const uint64_t address[2])
{
    for (size_t i = 0; i < plain->address_count; i++)
        if (plain->addresses[i][0] == address[0] && plain->addresses[i][1] == address[1])
            return true;
    return false;
}

void herd_plain_admit(struct herd_conn *conn)
{
    const struct herd_server *server = conn->server;
    size_t count = herd_node_peer_count(server->node), matches = 0;
    int match = -1;
    for (size_t i = 0; i < count; i++) {
        if (!has(&server->plains[i], conn->address))
            continue;
        matches++;
        match = (int)i;
    }
    conn->plain_home = matches > 0;
    conn->plain_from = matches == 1 ? match : -1;
    if (matches > 0)
        herd_session_allow_plain(conn->session, matches == 1 ? match : -1);
}

/* ---- for the log ---- */

/* Each message is a connection: they are news only where each message is. */
static void notify_stopped(struct herd_conn *conn, const char *event, const char *direction)
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

void herd_plain_received(struct herd_conn *conn)
{
    if (!conn->plain_home || conn->gained || !conn->session || !herd_session_plain(conn->session))
        return;
    conn->gained = true;
    notify_stopped(conn, "plain_connected", "in");
}

void herd_plain_lost(struct herd_conn *conn)
{
    if (conn->plain || conn->gained)
        notify_stopped(conn, "plain_disconnected", conn->plain ? "out" : "in");
}

/* ---- connections to them ---- */

bool herd_plain_may_dial(struct herd_server *server, size_t peer)
{
    struct herd_plain *plain = &server->plains[peer];
    plain->waiting = plain->open >= OPEN_MAX_PLAIN;
    return !plain->waiting;
}

void herd_plain_opened(struct herd_conn *conn)
{
    conn->plain = true;
    conn->server->plains[conn->peer].open++;
    notify_stopped(conn, "plain_connected", "out");
}

/* A peer that lost power sends no RST: data counts as delivered only when TCP acknowledged it. A FIN that was sent
 * adds one to TIOCOUTQ until it is acknowledged. */
bool herd_plain_delivered(const struct herd_conn *conn)
{
    return herd_transport_unacked(conn) <= (conn->lingering ? 1u : 0u);
}

void herd_plain_closed(struct herd_conn *conn, bool delivered)
{
    struct herd_server *server = conn->server;
    size_t peer = (size_t)conn->peer;
    struct herd_plain *plain = &server->plains[peer];
    plain->open--;
    if (server->freeing)
        return;
    if (!delivered)
        herd_node_dial_failed(server->node, peer, herd_clock()); /* who knows what it has got */
    else if (plain->waiting)
        herd_dial_start(server, peer);
    plain->waiting = false;
}

/* Closes connections whose other side has all, and those whose other side has not taken the rest for too long. */
void herd_plain_event(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct herd_server *server = arg;
    int64_t now_ns = herd_clock().steady_ns, stall_ns = server->limits->write_stall_ms * 1000000;
    const struct timeval soon = {0, ASK_FAST_US}, late = {0, ASK_SLOW_US};
    bool young = false;
    struct herd_list *next;
    herd_log_set_time(server->log, herd_clock().wall_ns);
    for (struct herd_list *at = server->plain_lingering.next; at != &server->plain_lingering; at = next) {
        struct herd_conn *conn = HERD_CONTAINER_OF(at, struct herd_conn, deadline_link);
        next = at->next;
        if (herd_plain_delivered(conn) || now_ns - conn->progress_ns >= stall_ns)
            herd_conn_close(conn, "lingered");
        else
            young |= now_ns - conn->progress_ns < ASK_FAST_FOR_NS;
    }
    if (!herd_list_empty(&server->plain_lingering))
        event_add(server->plain_event, young ? &soon : &late);
}

void herd_plain_linger(struct herd_conn *conn)
{
    herd_list_append(&conn->server->plain_lingering, &conn->deadline_link);
    herd_plain_ask(conn->server);
}

void herd_plain_ask(struct herd_server *server)
{
    struct timeval soon = {0, ASK_FAST_US};
    if (!herd_list_empty(&server->plain_lingering) && !evtimer_pending(server->plain_event, NULL))
        event_add(server->plain_event, &soon);
}
