/* SPDX-License-Identifier: MIT */
/*
 * The addresses of plain neighbours that are given by name. They must be known before the neighbour's first connection,
 * which is told from a client's by nothing else: so names are looked up at the start and from time to time, not only
 * when there is something to send, and nobody is accepted before the first look-up of each has ended or has taken
 * long. Numeric ones need none of this.
 */
#include "listen.h"
#include "neighbours.h"

#define AGAIN_NS   INT64_C(30000000000) /* a machine that moved is recognised after this */
#define UNKNOWN_NS INT64_C(1000000000)  /* a name that is not known yet is asked for again */

static void due_soon(struct herd_server *server)
{
    int64_t soon_ns = herd_clock().steady_ns + UNKNOWN_NS;
    if (soon_ns < server->plain_names_due_ns)
        server->plain_names_due_ns = soon_ns;
}

/* Accepts again if no neighbour waits for its first look-up. */
static void release(struct herd_server *server)
{
    for (size_t i = 0; i < server->dial_count; i++)
        if (server->dials[i]->naming && !server->dials[i]->named)
            return;
    herd_accept_release(server);
}

static void on_resolved(void *ctx, const struct herd_sockaddr_list *found, const char *why, bool local)
{
    struct herd_dial *dial = ctx;
    (void)local;
    dial->naming = NULL;
    dial->named = true;
    if (why)
        due_soon(dial->server);
    else
        herd_plain_found(dial->server, dial->peer, found);
    release(dial->server);
}

void herd_plain_names_check(struct herd_server *server)
{
    int64_t now_ns = herd_clock().steady_ns;
    struct herd_sockaddr_list numeric;
    bool first = false;
    if (now_ns < server->plain_names_due_ns)
        return;
    server->plain_names_due_ns = now_ns + AGAIN_NS;
    for (size_t i = 0; i < herd_node_peer_count(server->node); i++) {
        struct herd_dial *dial = server->dials[i];
        const struct herd_config_server *to = &server->config->servers[server->peer_servers[i]];
        if (!herd_node_peer_name(server->node, i).len || !herd_node_peer_plain(server->node, i) || dial->naming ||
            herd_sockaddr_list_numeric(&numeric, to->host, to->port))
            continue;
        if (herd_resolver_lookup(server->resolver, to->host, to->port, on_resolved, dial, &dial->naming) < 0)
            due_soon(server);
        else
            first = first || !dial->named;
    }
    if (first)
        herd_accept_hold(server);
}

void herd_plain_names_cancel(struct herd_server *server, size_t peer)
{
    herd_resolver_cancel(server->dials[peer]->naming);
    server->dials[peer]->naming = NULL;
}

void herd_plain_look(struct herd_server *server, size_t peer)
{
    const struct herd_config_server *to = &server->config->servers[server->peer_servers[peer]];
    struct herd_sockaddr_list found;
    server->plains[peer].address_count = 0;
    herd_plain_names_cancel(server, peer);
    server->dials[peer]->named = false;
    if (!herd_node_peer_plain(server->node, peer))
        return;
    if (herd_sockaddr_list_numeric(&found, to->host, to->port))
        herd_plain_found(server, peer, &found);
    else
        server->plain_names_due_ns = 0; /* it is looked up soon */
}
