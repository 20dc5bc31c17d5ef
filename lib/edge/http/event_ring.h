/* SPDX-License-Identifier: MIT */
/* Which clients changed last, in order: what a viewer that was away for a moment has missed. */
#ifndef HERD_EDGE_EVENT_RING_H
#define HERD_EDGE_EVENT_RING_H

#include <herd/types.h>

#define HERD_EVENT_RING_ENTRIES   4096
#define HERD_EVENT_RING_MAX_BYTES (1u << 20) /* of ids */

struct herd_event_ring {
    struct herd_event_entry {
        char *id;
        size_t len;
    } entries[HERD_EVENT_RING_ENTRIES]; /* of change n at n modulo their number */
    uint64_t first, next;               /* changes first .. next - 1 are there */
    size_t bytes;
};

/* Notes a change; the oldest make room. HERD_E_NOMEM: all are forgotten, for one would be missing. */
int herd_event_ring_add(struct herd_event_ring *ring, struct herd_span id);
/* The client of a change that is there. */
struct herd_span herd_event_ring_id(const struct herd_event_ring *ring, uint64_t change);
/* Whether all that came after `change` is there. */
bool herd_event_ring_has_all_after(const struct herd_event_ring *ring, uint64_t change);
/* Some changes were missed. */
void herd_event_ring_forget(struct herd_event_ring *ring);

#endif
