/* SPDX-License-Identifier: MIT */
/*
 * What plain neighbours need of sockets: whether a connection comes from an address of theirs, and how many
 * of ours to them are open, for not all of them hang up.
 */
#include "conn.h"
#include "listen.h"
#include "neighbours.h"

/* So many connections to one plain neighbour wait for it to hang up before the next is made. */
#define OPEN_MAX_PLAIN 16
/* On most of them nothing more happens: whether the other side's kernel has all is asked this often, and after a
 * while, when it is away or slow, less often. */
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
    herd_plain_log_opened(conn);
}

/* Closes connections whose other side has all, and those whose other side has not taken the rest for too long. */
void herd_plain_event(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct herd_server *server = arg;
    int64_t now_ns = herd_clock().steady_ns, stall_ns = server->limits->write_stall_ms * 1000000;
    const struct timeval soon = {0, HERD_PLAIN_ASK_US}, late = {0, ASK_SLOW_US};
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
