/* SPDX-License-Identifier: MIT */
/* The records under a prefix: one after the other through the lists of leaves, or all slots in slices where they are many. */
#include "sync_impl.h"

#include "node_impl.h"

#include <stdlib.h>

/* Records that one frame looks at; where there are more, it is answered as if all of them differed. */
#define WALK_MAX 4096

static bool walk_fetch(struct herd_store *store, struct herd_sync_walk *walk)
{
    walk->count = walk->at = 0;
    if (walk->steps >= WALK_MAX) {
        walk->exhausted = true;
        return false;
    }
    while (walk->count < HERD_SYNC_AHEAD) {
        while (walk->next == HERD_NO_SLOT) {
            if (walk->leaf + 1 >= walk->leaf_end)
                return walk->count > 0;
            walk->next = store->digest.heads[++walk->leaf];
            store->steps += walk->leaf % 128 == 0;
        }
        walk->steps++;
        store->steps++;
        walk->slots[walk->count++] = walk->next;
        __builtin_prefetch(herd_store_packed(store, walk->next));
        walk->next = *herd_store_next(store, walk->next);
    }
    return true;
}

bool herd_sync_walk_next(struct herd_store *store, unsigned depth, uint32_t prefix, struct herd_sync_walk *walk,
                         uint64_t *ret_id_hash)
{
    unsigned bits = store->digest.bits;
    if (!walk->begun) {
        /* All leaves below the prefix, or the one leaf that it is a part of. */
        walk->leaf = depth <= bits ? (size_t)prefix << (bits - depth) : prefix >> (depth - bits);
        walk->leaf_end = walk->leaf + (depth <= bits ? (size_t)1 << (bits - depth) : 1);
        walk->next = store->digest.heads[walk->leaf];
        walk->begun = true;
    }
    while (walk->at < walk->count || walk_fetch(store, walk)) {
        walk->slot = walk->slots[walk->at++];
        uint64_t id_hash = herd_store_id_hash(store, herd_packed_record_id(herd_store_packed(store, walk->slot)));
        if (depth == 0 || id_hash >> (64 - depth) == prefix) {
            *ret_id_hash = id_hash;
            return true;
        }
    }
    return false;
}

int herd_sync_scan_prefix(struct herd_node *node, struct herd_peer *peer, unsigned depth, uint32_t prefix)
{
    struct herd_sync_scan *scan = peer->sync.scan;
    if (!scan && !(scan = peer->sync.scan = calloc(1, sizeof *scan)))
        return HERD_E_NOMEM;
    size_t number = herd_sync_number(depth, prefix);
    scan->bits[number / 64] |= UINT64_C(1) << (number % 64);
    scan->end = scan->left = node->store->slots; /* from where it is, once round */
    return 0;
}

static bool scan_wants(const struct herd_sync_scan *scan, uint64_t id_hash)
{
    for (unsigned depth = HERD_SYNC_LIST_DEPTH_MIN; depth <= HERD_SYNC_DEPTH_MAX; depth += HERD_SYNC_FAN_BITS) {
        size_t number = herd_sync_number(depth, (size_t)(id_hash >> (64 - depth)));
        if (scan->bits[number / 64] >> (number % 64) & 1)
            return true;
    }
    return false;
}

void herd_sync_scan_some(struct herd_node *node, struct herd_peer *peer, uint32_t slots)
{
    struct herd_store *store = node->store;
    struct herd_sync_scan *scan = peer->sync.scan;
    for (; slots > 0 && scan->left > 0; slots--, scan->left--) {
        uint32_t slot = scan->at;
        scan->at = slot + 1 < scan->end ? slot + 1 : 0;
        store->steps++;
        const struct herd_packed_record *packed = herd_store_packed(store, slot);
        if (!herd_packed_record_empty(packed) &&
            scan_wants(scan, herd_store_id_hash(store, herd_packed_record_id(packed))))
            herd_subscriber_mark_dirty(&node->changes, &peer->subscriber, slot);
    }
    if (scan->left > 0)
        return;
    free(scan);
    peer->sync.scan = NULL;
}

int herd_sync_mark_prefix(struct herd_node *node, struct herd_peer *peer, unsigned depth, uint32_t prefix)
{
    const struct herd_sync_scan *scan = peer->sync.scan;
    size_t number = herd_sync_number(depth, prefix);
    if (scan && scan->bits[number / 64] >> (number % 64) & 1)
        return herd_sync_scan_prefix(node, peer, depth, prefix);
    struct herd_sync_walk walk = {0};
    uint64_t id_hash;
    while (herd_sync_walk_next(node->store, depth, prefix, &walk, &id_hash))
        herd_subscriber_mark_dirty(&node->changes, &peer->subscriber, walk.slot);
    return walk.exhausted ? herd_sync_scan_prefix(node, peer, depth, prefix) : 0;
}
