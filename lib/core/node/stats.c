/* SPDX-License-Identifier: MIT */
/* What a node counted, and what it knows of its neighbours, for those who look from outside. */
#include "node_impl.h"

struct herd_node_stats herd_node_stats(const struct herd_node *node)
{
    return node->stats;
}

const struct herd_histogram *herd_node_propagation(const struct herd_node *node)
{
    return &node->propagation;
}

static bool agrees(const struct herd_peer *peer, const struct herd_peer_stats *stats)
{
    if (!stats->up || stats->comparing)
        return false;
    return peer->plain ? stats->unsent == 0 : peer->sync.differed == 0 && peer->sync.pauses == 0;
}

int herd_node_peer_stats(const struct herd_node *node, size_t number, struct herd_peer_stats *ret_stats)
{
    if (number >= node->peer_count || node->peers[number]->removed)
        return HERD_E_NOTFOUND;
    const struct herd_peer *peer = node->peers[number];
    struct herd_peer_stats stats = {
        .plain = peer->plain,
        .up = peer->plain ? peer->told_up : peer->session != NULL,
        .comparing = herd_sync_comparing(peer),
        .links = peer->links,
        .at_received = peer->at_received,
        .at_sent = peer->at_sent,
        .unsent = peer->subscriber.pending,
        .since_ns = peer->changed_ns,
    };
    if (peer->plain && peer->needs_full_send)
        stats.unsent = node->store->count;
    for (size_t i = 0; i < HERD_REFUSALS; i++)
        stats.refused += peer->refused[i];
    stats.agrees = agrees(peer, &stats);
    stats.down_why = stats.up ? NULL : peer->down_why;
    *ret_stats = stats;
    return 0;
}
