/* SPDX-License-Identifier: MIT */
/*
 * What plain neighbours need of sockets: whether a connection comes from an address of theirs, and how many
 * of ours to them are open, for not all of them hang up.
 */
#include "server_impl.h"

#include <event2/util.h>
#include <stdio.h>
#include <stdlib.h>

/* So many connections to one plain neighbour wait for it to hang up before the next is made. */
#define OPEN_MAX_PLAIN 16

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

void herd_plain_found(struct herd_server *server, size_t peer, const struct evutil_addrinfo *found)
{
    if (!herd_node_peer_plain(server->node, peer))
        return;
    for (; found; found = found->ai_next) {
        uint64_t address[2];
        uint16_t port;
        herd_address_of(found->ai_addr, address, &port);
        if (address[0] || address[1])
            keep(&server->plains[peer], address);
    }
}

void herd_plain_look(struct herd_server *server, size_t peer)
{
    struct evutil_addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = EVUTIL_AI_NUMERICHOST};
    struct evutil_addrinfo *found = NULL;
    server->plains[peer].address_count = 0;
    /* Numeric addresses are known at once, names when they are dialled. */
    if (!herd_node_peer_plain(server->node, peer) ||
        evutil_getaddrinfo(server->config->servers[server->peer_servers[peer]].host, NULL, &hints, &found) != 0)
        return;
    herd_plain_found(server, peer, found);
    evutil_freeaddrinfo(found);
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
    if (matches > 0)
        herd_session_allow_plain(conn->session, matches == 1 ? match : -1);
}

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
}

/* A machine that vanished takes nothing, and nobody says so: what its kernel did not acknowledge was not told. Our
 * end of the connection counts for a byte there too, and may be under way. */
bool herd_plain_told(const struct herd_conn *conn)
{
    return herd_transport_untaken(conn) <= (conn->lingering ? 1u : 0u);
}

void herd_plain_closed(struct herd_conn *conn, bool told)
{
    struct herd_server *server = conn->server;
    size_t peer = (size_t)conn->peer;
    struct herd_plain *plain = &server->plains[peer];
    plain->open--;
    if (server->freeing)
        return;
    if (!told)
        herd_node_dial_failed(server->node, peer, herd_clock()); /* who knows what it has got */
    else if (plain->waiting)
        herd_dial_start(server, peer);
    plain->waiting = false;
}
