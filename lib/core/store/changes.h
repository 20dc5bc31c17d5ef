/* SPDX-License-Identifier: MIT */
/* The stream of accepted updates, and its subscribers.
 *
 *      ring   [ 7 | 2 | 9 | 2 | 4 ]          slots in the order they changed, one entry a change
 *                   ^cursor      ^next
 *      reader  bits  . . 1 . 1 . . . . 1     slots this reader still has to see
 *
 * A change sets the slot's bit at every reader (but the one it came from) and is written to the ring
 * once. A reader follows the ring and takes only slots whose bit is set, clearing it: a slot that changed
 * again while it waited keeps its place and is seen once, with its newest value. A reader so slow that
 * the ring went round past its cursor loses only the order: it finds what it missed by sweeping its bits,
 * one slot of the sweep to three of the ring, so that neither starves the other. A slot that changes while a
 * reader sweeps is in the ring too: a comparison may have marked all there are, and news go before that.
 *
 * Links are readers; so is whatever else must see each update: a journal, a viewer, a database.
 */
#ifndef HERD_CORE_CHANGES_H
#define HERD_CORE_CHANGES_H

#include <herd/types.h>

#define HERD_SUBSCRIBER_AHEAD 20

struct herd_subscriber {
    struct herd_subscriber *next;
    uint64_t *bits;
    uint64_t cursor;
    uint64_t ahead;      /* what was fetched ahead comes before it */
    uint64_t place;      /* of the slot that was taken last: in the ring, or of a sweep the slot itself */
    size_t pending;      /* bits set */
    uint32_t sweep_at;   /* next slot the sweep looks at */
    uint32_t sweep_left; /* slots the sweep still has to look at; 0: no sweep */
    unsigned turn;
    /* NULL, or called where a slot is emptied, while its record is still there. */
    void (*forgotten)(struct herd_subscriber *subscriber, uint32_t slot);
};

struct herd_changes {
    uint32_t *ring;
    uint32_t size; /* a power of two */
    uint64_t next;
    uint32_t cap; /* slots that every reader has bits for, a multiple of 64 */
    struct herd_subscriber *subscribers;
    uint64_t steps; /* work done by takes, in the measure of herd_store.steps */
};

/* `ring_size` must be a power of two. HERD_E_NOMEM. */
int herd_changes_init(struct herd_changes *changes, uint32_t ring_size);
/* Readers must have left. */
void herd_changes_fini(struct herd_changes *changes);

/* A reader joins; it sees what changes from now on. HERD_E_NOMEM. */
int herd_changes_subscribe(struct herd_changes *changes, struct herd_subscriber *subscriber);
/* Leaves and frees its bits; fine for a zeroed reader that never joined. */
void herd_changes_unsubscribe(struct herd_changes *changes, struct herd_subscriber *subscriber);

/* Room for slots 0 .. slots - 1 at every reader. HERD_E_NOMEM. */
int herd_changes_reserve(struct herd_changes *changes, uint32_t slots);

/* The slot changed; `except` (or NULL) is where the change came from. Slots must be reserved. */
void herd_changes_publish(struct herd_changes *changes, uint32_t slot, const struct herd_subscriber *except);

/* The reader has to see this slot (outside the order), or all slots below `slots`. */
void herd_subscriber_mark_dirty(struct herd_changes *changes, struct herd_subscriber *subscriber, uint32_t slot);
void herd_subscriber_mark_all_dirty(struct herd_changes *changes, struct herd_subscriber *subscriber,
                                    uint32_t slots);
/* The reader no longer has to see this slot. */
void herd_subscriber_clear(struct herd_subscriber *subscriber, uint32_t slot);
/* The slot is about to be emptied: no reader has to see it any more. */
void herd_changes_forget(struct herd_changes *changes, uint32_t slot);
bool herd_subscriber_has(const struct herd_subscriber *subscriber, uint32_t slot);

/* Slots that will be taken soon, most likely, to be fetched ahead: each once; or HERD_NO_SLOT. */
static inline uint32_t herd_subscriber_ahead(const struct herd_changes *changes, struct herd_subscriber *subscriber)
{
    if (subscriber->ahead < subscriber->cursor)
        subscriber->ahead = subscriber->cursor;
    if (subscriber->ahead >= changes->next || subscriber->ahead >= subscriber->cursor + HERD_SUBSCRIBER_AHEAD)
        return UINT32_MAX;
    return changes->ring[subscriber->ahead++ & (changes->size - 1)];
}

/* Whether the slot's change is the last that was published to anybody, and its place in the ring. */
static inline bool herd_changes_newest(const struct herd_changes *changes, uint32_t slot, uint64_t *ret_place)
{
    *ret_place = changes->next - 1;
    return changes->next > 0 && changes->ring[*ret_place & (changes->size - 1)] == slot;
}

/* Takes the next slot to see, or HERD_NO_SLOT. */
uint32_t herd_subscriber_next(struct herd_changes *changes, struct herd_subscriber *subscriber);

#endif
