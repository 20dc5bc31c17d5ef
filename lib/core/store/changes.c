/* SPDX-License-Identifier: MIT */
/* Dirty sets: which slots each reader still has to see, in the order they changed. */
#include "changes.h"

#include "index.h"

#include <stdlib.h>
#include <string.h>

#define CAP_FIRST  1024
#define RING_TURNS 3 /* slots from the ring for one from the sweep */

int herd_changes_init(struct herd_changes *changes, uint32_t ring_size)
{
    *changes = (struct herd_changes){.size = ring_size, .cap = CAP_FIRST};
    changes->ring = malloc(ring_size * sizeof *changes->ring);
    return changes->ring ? 0 : HERD_E_NOMEM;
}

void herd_changes_fini(struct herd_changes *changes)
{
    free(changes->ring);
    *changes = (struct herd_changes){0};
}

int herd_changes_subscribe(struct herd_changes *changes, struct herd_subscriber *subscriber)
{
    uint64_t *bits = calloc(changes->cap / 64, sizeof *bits);
    if (!bits)
        return HERD_E_NOMEM;
    *subscriber = (struct herd_subscriber){.next = changes->subscribers, .bits = bits, .cursor = changes->next};
    changes->subscribers = subscriber;
    return 0;
}

void herd_changes_unsubscribe(struct herd_changes *changes, struct herd_subscriber *subscriber)
{
    for (struct herd_subscriber **at = &changes->subscribers; *at; at = &(*at)->next) {
        if (*at == subscriber) {
            *at = subscriber->next;
            break;
        }
    }
    free(subscriber->bits);
    *subscriber = (struct herd_subscriber){0};
}

int herd_changes_reserve(struct herd_changes *changes, uint32_t slots)
{
    if (slots <= changes->cap)
        return 0;
    uint32_t cap = changes->cap;
    while (cap < slots)
        cap = cap > UINT32_MAX / 2 ? UINT32_MAX / 64 * 64 : cap * 2;
    size_t old_words = changes->cap / 64, words = cap / 64;
    /* Readers already enlarged when a later one fails just have room to spare. */
    for (struct herd_subscriber *subscriber = changes->subscribers; subscriber; subscriber = subscriber->next) {
        uint64_t *bits = realloc(subscriber->bits, words * sizeof *bits);
        if (!bits)
            return HERD_E_NOMEM;
        memset(bits + old_words, 0, (words - old_words) * sizeof *bits);
        subscriber->bits = bits;
    }
    for (struct herd_subscriber *subscriber = changes->subscribers; subscriber; subscriber = subscriber->next)
        if (subscriber->sweep_left > 0)
            subscriber->sweep_left += cap - changes->cap; /* the sweep goes round a larger circle */
    changes->cap = cap;
    return 0;
}

bool herd_subscriber_has(const struct herd_subscriber *subscriber, uint32_t slot)
{
    return subscriber->bits[slot / 64] >> (slot % 64) & 1;
}

/* Sets a bit; true if it was clear. A reader with nothing to see begins where the ring is now. */
static bool set(struct herd_changes *changes, struct herd_subscriber *subscriber, uint32_t slot)
{
    if (subscriber->pending == 0)
        subscriber->cursor = changes->next;
    uint64_t bit = UINT64_C(1) << (slot % 64);
    uint64_t *word = &subscriber->bits[slot / 64];
    bool was_clear = !(*word & bit);
    *word |= bit;
    subscriber->pending += was_clear;
    return was_clear;
}

void herd_subscriber_clear(struct herd_subscriber *subscriber, uint32_t slot)
{
    uint64_t bit = UINT64_C(1) << (slot % 64);
    uint64_t *word = &subscriber->bits[slot / 64];
    subscriber->pending -= (*word & bit) != 0;
    *word &= ~bit;
}

void herd_changes_forget(struct herd_changes *changes, uint32_t slot)
{
    for (struct herd_subscriber *subscriber = changes->subscribers; subscriber; subscriber = subscriber->next) {
        herd_subscriber_clear(subscriber, slot);
        if (subscriber->forgotten)
            subscriber->forgotten(subscriber, slot);
    }
}

void herd_changes_publish(struct herd_changes *changes, uint32_t slot, const struct herd_subscriber *except)
{
    bool anyone = false;
    for (struct herd_subscriber *subscriber = changes->subscribers; subscriber; subscriber = subscriber->next)
        if (subscriber != except) /* one that sweeps may come to this slot late: its news go before that */
            anyone |= set(changes, subscriber, slot) || subscriber->sweep_left > 0;
    if (anyone)
        changes->ring[changes->next++ & (changes->size - 1)] = slot;
}

static void start_sweep(const struct herd_changes *changes, struct herd_subscriber *subscriber)
{
    subscriber->sweep_left = changes->cap;
}

void herd_subscriber_mark_dirty(struct herd_changes *changes, struct herd_subscriber *subscriber, uint32_t slot)
{
    if (set(changes, subscriber, slot))
        start_sweep(changes, subscriber);
}

void herd_subscriber_mark_all_dirty(struct herd_changes *changes, struct herd_subscriber *subscriber,
                                    uint32_t slots)
{
    memset(subscriber->bits, 0xff, slots / 64 * sizeof *subscriber->bits);
    if (slots % 64)
        subscriber->bits[slots / 64] |= (UINT64_C(1) << (slots % 64)) - 1;
    subscriber->pending = slots; /* no slot beyond these exists, so none was marked */
    if (slots > 0)
        start_sweep(changes, subscriber);
}

static uint32_t take_from_ring(struct herd_changes *changes, struct herd_subscriber *subscriber)
{
    if (changes->next - subscriber->cursor > changes->size) {
        subscriber->cursor = changes->next - changes->size;
        start_sweep(changes, subscriber);
    }
    while (subscriber->cursor != changes->next) {
        subscriber->place = subscriber->cursor++;
        uint32_t slot = changes->ring[subscriber->place & (changes->size - 1)];
        changes->steps += subscriber->cursor % 16 == 0;
        if (herd_subscriber_has(subscriber, slot)) {
            herd_subscriber_clear(subscriber, slot);
            return slot;
        }
    }
    return HERD_NO_SLOT;
}

static uint32_t take_from_sweep(struct herd_changes *changes, struct herd_subscriber *subscriber)
{
    while (subscriber->sweep_left > 0) {
        uint32_t offset = subscriber->sweep_at % 64;
        uint64_t word = subscriber->bits[subscriber->sweep_at / 64] >> offset;
        uint32_t skip = word ? (uint32_t)__builtin_ctzll(word) : 64 - offset;
        if (skip >= subscriber->sweep_left) {
            subscriber->sweep_left = 0; /* once round: what was set behind the sweep is in the ring */
            break;
        }
        uint32_t slot = subscriber->sweep_at + skip;
        uint32_t looked_at = skip + (word != 0);
        changes->steps += subscriber->sweep_at % 4096 == 0;
        subscriber->sweep_left -= looked_at;
        subscriber->sweep_at = (subscriber->sweep_at + looked_at) % changes->cap;
        if (word) {
            herd_subscriber_clear(subscriber, slot);
            subscriber->place = slot;
            return slot;
        }
    }
    return HERD_NO_SLOT;
}

uint32_t herd_subscriber_next(struct herd_changes *changes, struct herd_subscriber *subscriber)
{
    if (subscriber->pending == 0) {
        subscriber->cursor = changes->next;
        subscriber->sweep_left = 0;
        return HERD_NO_SLOT;
    }
    if (subscriber->sweep_left > 0 && subscriber->turn++ % (RING_TURNS + 1) == RING_TURNS) {
        uint32_t slot = take_from_sweep(changes, subscriber);
        if (slot != HERD_NO_SLOT)
            return slot;
    }
    uint32_t slot = take_from_ring(changes, subscriber);
    return slot != HERD_NO_SLOT ? slot : take_from_sweep(changes, subscriber);
}
