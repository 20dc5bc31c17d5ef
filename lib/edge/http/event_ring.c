/* SPDX-License-Identifier: MIT */
/* A ring of ids, bounded in number and bytes. */
#include "event_ring.h"

#include <stdlib.h>
#include <string.h>

static void drop_first(struct herd_event_ring *ring)
{
    struct herd_event_entry *entry = &ring->entries[ring->first++ % HERD_EVENT_RING_ENTRIES];
    ring->bytes -= entry->len;
    free(entry->id);
    *entry = (struct herd_event_entry){0};
}

void herd_event_ring_forget(struct herd_event_ring *ring)
{
    while (ring->first < ring->next)
        drop_first(ring);
    ring->first = ++ring->next; /* a gap: what was missed has a number that is not there */
}

int herd_event_ring_add(struct herd_event_ring *ring, struct herd_span id)
{
    char *copy = malloc(id.len ? id.len : 1);
    if (!copy) {
        herd_event_ring_forget(ring);
        return HERD_E_NOMEM;
    }
    memcpy(copy, id.at, id.len);
    while (ring->first < ring->next && (ring->next - ring->first == HERD_EVENT_RING_ENTRIES ||
                                        ring->bytes + id.len > HERD_EVENT_RING_MAX_BYTES))
        drop_first(ring);
    ring->entries[ring->next++ % HERD_EVENT_RING_ENTRIES] = (struct herd_event_entry){copy, id.len};
    ring->bytes += id.len;
    return 0;
}

struct herd_span herd_event_ring_id(const struct herd_event_ring *ring, uint64_t change)
{
    const struct herd_event_entry *entry = &ring->entries[change % HERD_EVENT_RING_ENTRIES];
    return (struct herd_span){entry->id, entry->len};
}

bool herd_event_ring_has_all_after(const struct herd_event_ring *ring, uint64_t change)
{
    return change < ring->next && change + 1 >= ring->first;
}
