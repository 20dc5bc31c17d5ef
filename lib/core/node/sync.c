/* SPDX-License-Identifier: MIT */
/* Comparing states with a neighbour: when a link comes up, and now and then. sync_send.c and sync_receive.c have the frames. */
#include "sync_impl.h"

#include "node_impl.h"
#include "random.h"

#include <stdlib.h>

static void schedule_check(struct herd_node *node, struct herd_peer *peer)
{
    int64_t fifth = node->options.digest_ns / 5;
    peer->sync.next_check_ns =
        node->now.steady_ns + 4 * fifth + (int64_t)herd_node_random(node, (uint64_t)(2 * fifth) + 1);
}

void herd_sync_begin(struct herd_node *node, struct herd_peer *peer)
{
    peer->sync = (struct herd_sync){
        .root_due = herd_sync_is_initiator(node, peer), .at_link_up = true, .apart_ns = INT64_MAX};
    schedule_check(node, peer);
}

void herd_sync_end(struct herd_peer *peer)
{
    free(peer->sync.due);
    free(peer->sync.scan);
    peer->sync = (struct herd_sync){0};
}

int64_t herd_sync_next_ns(const struct herd_node *node, const struct herd_peer *peer)
{
    if (peer->sync.scan)
        return node->now.steady_ns;
    return herd_sync_is_initiator(node, peer) ? peer->sync.next_check_ns : INT64_MAX;
}

void herd_sync_tick(struct herd_node *node, struct herd_peer *peer)
{
    struct herd_sync *sync = &peer->sync;
    if (sync->scan) /* links share the turn */
        herd_sync_scan_some(node, peer, (uint32_t)(HERD_TURN_STEPS / node->peer_count) + 1);
    if (!herd_sync_is_initiator(node, peer) || node->now.steady_ns < sync->next_check_ns)
        return;
    schedule_check(node, peer);
    if (sync->root_sent || herd_sync_want_write(peer))
        return; /* one is under way */
    sync->quiet_mark = herd_sync_at_lines(peer);
    sync->root_due = true;
}
