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

int herd_changes_join(struct herd_changes *changes, struct herd_reader *reader)
{
    uint64_t *bits = calloc(changes->cap / 64, sizeof *bits);
    if (!bits)
        return HERD_E_NOMEM;
    *reader = (struct herd_reader){.next = changes->readers, .bits = bits, .cursor = changes->next};
    changes->readers = reader;
    return 0;
}

void herd_changes_leave(struct herd_changes *changes, struct herd_reader *reader)
{
    for (struct herd_reader **at = &changes->readers; *at; at = &(*at)->next) {
        if (*at == reader) {
            *at = reader->next;
            break;
        }
    }
    free(reader->bits);
    *reader = (struct herd_reader){0};
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
    for (struct herd_reader *reader = changes->readers; reader; reader = reader->next) {
        uint64_t *bits = realloc(reader->bits, words * sizeof *bits);
        if (!bits)
            return HERD_E_NOMEM;
        memset(bits + old_words, 0, (words - old_words) * sizeof *bits);
        reader->bits = bits;
    }
    for (struct herd_reader *reader = changes->readers; reader; reader = reader->next)
        if (reader->sweep_left > 0)
            reader->sweep_left += cap - changes->cap; /* the sweep goes round a larger circle */
    changes->cap = cap;
    return 0;
}

bool herd_reader_has(const struct herd_reader *reader, uint32_t slot)
{
    return reader->bits[slot / 64] >> (slot % 64) & 1;
}

/* Sets a bit; true if it was clear. A reader with nothing to see begins where the ring is now. */
static bool set(struct herd_changes *changes, struct herd_reader *reader, uint32_t slot)
{
    if (reader->pending == 0)
        reader->cursor = changes->next;
    uint64_t bit = UINT64_C(1) << (slot % 64);
    uint64_t *word = &reader->bits[slot / 64];
    bool was_clear = !(*word & bit);
    *word |= bit;
    reader->pending += was_clear;
    return was_clear;
}

void herd_reader_clear(struct herd_reader *reader, uint32_t slot)
{
    uint64_t bit = UINT64_C(1) << (slot % 64);
    uint64_t *word = &reader->bits[slot / 64];
    reader->pending -= (*word & bit) != 0;
    *word &= ~bit;
}

void herd_changes_forget(struct herd_changes *changes, uint32_t slot)
{
    for (struct herd_reader *reader = changes->readers; reader; reader = reader->next)
        herd_reader_clear(reader, slot);
}

void herd_changes_note(struct herd_changes *changes, uint32_t slot, const struct herd_reader *except)
{
    bool anyone = false;
    for (struct herd_reader *reader = changes->readers; reader; reader = reader->next)
        if (reader != except) /* one that sweeps may come to this slot late: its news go before that */
            anyone |= set(changes, reader, slot) || reader->sweep_left > 0;
    if (anyone)
        changes->ring[changes->next++ & (changes->size - 1)] = slot;
}

static void start_sweep(const struct herd_changes *changes, struct herd_reader *reader)
{
    reader->sweep_left = changes->cap;
}

void herd_reader_mark(struct herd_changes *changes, struct herd_reader *reader, uint32_t slot)
{
    if (set(changes, reader, slot))
        start_sweep(changes, reader);
}

void herd_reader_mark_all(struct herd_changes *changes, struct herd_reader *reader, uint32_t slots)
{
    memset(reader->bits, 0xff, slots / 64 * sizeof *reader->bits);
    if (slots % 64)
        reader->bits[slots / 64] |= (UINT64_C(1) << (slots % 64)) - 1;
    reader->pending = slots; /* no slot beyond these exists, so none was marked */
    if (slots > 0)
        start_sweep(changes, reader);
}

static uint32_t take_from_ring(struct herd_changes *changes, struct herd_reader *reader)
{
    if (changes->next - reader->cursor > changes->size) {
        reader->cursor = changes->next - changes->size;
        start_sweep(changes, reader);
    }
    while (reader->cursor != changes->next) {
        uint32_t slot = changes->ring[reader->cursor++ & (changes->size - 1)];
        changes->steps += reader->cursor % 16 == 0;
        if (herd_reader_has(reader, slot)) {
            herd_reader_clear(reader, slot);
            return slot;
        }
    }
    return HERD_NO_SLOT;
}

static uint32_t take_from_sweep(struct herd_changes *changes, struct herd_reader *reader)
{
    while (reader->sweep_left > 0) {
        uint32_t offset = reader->sweep_at % 64;
        uint64_t word = reader->bits[reader->sweep_at / 64] >> offset;
        uint32_t skip = word ? (uint32_t)__builtin_ctzll(word) : 64 - offset;
        if (skip >= reader->sweep_left) {
            reader->sweep_left = 0; /* once round: what was set behind the sweep is in the ring */
            break;
        }
        uint32_t slot = reader->sweep_at + skip;
        uint32_t looked_at = skip + (word != 0);
        changes->steps += reader->sweep_at % 4096 == 0;
        reader->sweep_left -= looked_at;
        reader->sweep_at = (reader->sweep_at + looked_at) % changes->cap;
        if (word) {
            herd_reader_clear(reader, slot);
            return slot;
        }
    }
    return HERD_NO_SLOT;
}

uint32_t herd_reader_take(struct herd_changes *changes, struct herd_reader *reader)
{
    if (reader->pending == 0) {
        reader->cursor = changes->next;
        reader->sweep_left = 0;
        return HERD_NO_SLOT;
    }
    if (reader->sweep_left > 0 && reader->turn++ % (RING_TURNS + 1) == RING_TURNS) {
        uint32_t slot = take_from_sweep(changes, reader);
        if (slot != HERD_NO_SLOT)
            return slot;
    }
    uint32_t slot = take_from_ring(changes, reader);
    return slot != HERD_NO_SLOT ? slot : take_from_sweep(changes, reader);
}
