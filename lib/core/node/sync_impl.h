/* SPDX-License-Identifier: MIT */
/* What the files of a comparison share. */
#ifndef HERD_CORE_SYNC_IMPL_H
#define HERD_CORE_SYNC_IMPL_H

#include "node_impl.h"
#include "sync.h"

#define HERD_SYNC_DEPTH_MAX HERD_DIGEST_BITS_MAX
/* A list speaks of a leaf of the sender's digest, and none has fewer bits. */
#define HERD_SYNC_LIST_DEPTH_MIN HERD_DIGEST_BITS_FIRST
#define HERD_SYNC_ENTRY_TEXT     34 /* 16 hex digits, a colon, 16 hex digits, a space */

static inline bool herd_sync_is_initiator(const struct herd_node *node, const struct herd_peer *peer)
{
    return herd_span_compare(node->name, peer->name) < 0;
}

/* AT lines both ways. */
static inline uint64_t herd_sync_at_lines(const struct herd_peer *peer)
{
    return peer->at_received + peer->at_sent;
}

/* The number of a prefix among all: see HERD_SYNC_PREFIXES. */
static inline size_t herd_sync_number(unsigned depth, size_t prefix)
{
    static const size_t first[] = {0, 1, 1 + 16, 1 + 16 + 256, 1 + 16 + 256 + 4096};
    return first[depth / HERD_SYNC_FAN_BITS] + prefix;
}

/* ---- sync_due.c ---- */
/* HERD_E_NOMEM. */
int herd_sync_queue(struct herd_peer *peer, enum herd_sync_answer answer, unsigned depth, uint32_t prefix);
/* Takes the next prefix with an answer queued: the deepest first. */
bool herd_sync_next_answer(struct herd_sync_due *due, enum herd_sync_answer *ret_answer, unsigned *ret_depth,
                           uint32_t *ret_prefix);

/* ---- sync_walk.c ---- */
/* Records are found through the lists of leaves, each a miss of the cache: some are fetched ahead. */
#define HERD_SYNC_AHEAD 16

/* A way through the records whose id hash begins with a prefix. Begin with a zeroed walk. */
struct herd_sync_walk {
    uint32_t slot; /* where it is */
    uint32_t slots[HERD_SYNC_AHEAD];
    unsigned count, at; /* in `slots` */
    uint32_t next;      /* the one behind those */
    size_t leaf, leaf_end;
    size_t steps; /* records fetched */
    bool begun;
    bool exhausted; /* there are more than one frame looks at: it ended early */
};
/* False: there are no more. */
bool herd_sync_walk_next(struct herd_store *store, unsigned depth, uint32_t prefix, struct herd_sync_walk *walk,
                         uint64_t *ret_id_hash);
/* Has all slots looked at, in slices, for records under this prefix too. HERD_E_NOMEM. */
int herd_sync_scan_prefix(struct herd_node *node, struct herd_peer *peer, unsigned depth, uint32_t prefix);
/* Looks at some slots of a scan. */
void herd_sync_scan_some(struct herd_node *node, struct herd_peer *peer, uint32_t slots);
/* Owes the link all records under a prefix: at once, or by a scan if there are many. HERD_E_NOMEM. */
int herd_sync_mark_prefix(struct herd_node *node, struct herd_peer *peer, unsigned depth, uint32_t prefix);

#endif
