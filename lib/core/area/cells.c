/* SPDX-License-Identifier: MIT */
/* The sharded table of cells. */
#include "cells.h"

#include <stdlib.h>

#define BUCKETS_FIRST 16 /* multiples of eight: whole cache lines */

void herd_cells_init(struct herd_cells *cells, const uint64_t key[2])
{
    memset(cells, 0, sizeof *cells);
    cells->key[0] = key[0];
    cells->key[1] = key[1];
}

void herd_cells_fini(struct herd_cells *cells)
{
    for (size_t i = 0; i < HERD_CELLS_SHARDS; i++) {
        free(cells->shards[i].buckets);
        cells->shards[i] = (struct herd_cells_shard){0};
    }
    cells->bytes = 0;
}

static uint32_t home(uint64_t hash, uint32_t size)
{
    return (uint32_t)((hash & UINT32_MAX) * size >> 32);
}

static uint32_t behind(uint32_t at, uint32_t size)
{
    return at + 1 < size ? at + 1 : 0;
}

/* The bucket of a cell, or the empty one where it belongs. The shard has an empty bucket. */
static uint64_t *search(const struct herd_cells_shard *shard, uint64_t hash, uint32_t cell)
{
    uint32_t at = home(hash, shard->size);
    for (uint64_t bucket; (bucket = shard->buckets[at]) != 0; at = behind(at, shard->size))
        if (bucket >> 32 == cell)
            break;
    return &shard->buckets[at];
}

uint32_t herd_cells_find(const struct herd_cells *cells, uint64_t hash, uint32_t cell)
{
    const struct herd_cells_shard *shard = &cells->shards[hash >> 56];
    if (!shard->size)
        return HERD_CELLS_NONE;
    return (uint32_t)*search(shard, hash, cell) - 1; /* of an empty one: UINT32_MAX */
}

static int resize(struct herd_cells *cells, struct herd_cells_shard *shard, uint32_t size)
{
    uint64_t *buckets = calloc(size, sizeof *buckets);
    if (!buckets)
        return HERD_E_NOMEM;
    for (uint32_t i = 0; i < shard->size; i++) {
        if (!shard->buckets[i])
            continue;
        uint32_t at = home(herd_cells_hash(cells, (uint32_t)(shard->buckets[i] >> 32)), size);
        while (buckets[at])
            at = behind(at, size);
        buckets[at] = shard->buckets[i];
    }
    free(shard->buckets);
    cells->bytes += ((size_t)size - shard->size) * sizeof *buckets;
    shard->buckets = buckets;
    shard->size = size;
    return 0;
}

int herd_cells_reserve(struct herd_cells *cells, uint64_t hash)
{
    struct herd_cells_shard *shard = &cells->shards[hash >> 56];
    if (shard->used < shard->size / 4 * 3)
        return 0;
    if (shard->size > UINT32_MAX / 4)
        return HERD_E_NOMEM;
    return resize(cells, shard, shard->size ? shard->size + (shard->size / 4 + 7) / 8 * 8 : BUCKETS_FIRST);
}

void herd_cells_set(struct herd_cells *cells, uint64_t hash, uint32_t cell, uint32_t value)
{
    struct herd_cells_shard *shard = &cells->shards[hash >> 56];
    uint64_t *bucket = search(shard, hash, cell);
    shard->used += *bucket == 0;
    *bucket = (uint64_t)cell << 32 | (value + 1);
}

/* How far `to` is behind `from`, round the end of the table. */
static uint32_t distance(uint32_t from, uint32_t to, uint32_t size)
{
    return to >= from ? to - from : to + size - from;
}

void herd_cells_remove(struct herd_cells *cells, uint64_t hash, uint32_t cell)
{
    struct herd_cells_shard *shard = &cells->shards[hash >> 56];
    uint32_t size = shard->size;
    uint32_t at = (uint32_t)(search(shard, hash, cell) - shard->buckets);
    /* Close the gap: move back every later bucket of the run that may stand here. */
    for (uint32_t next = behind(at, size); shard->buckets[next]; next = behind(next, size)) {
        uint32_t begin = home(herd_cells_hash(cells, (uint32_t)(shard->buckets[next] >> 32)), size);
        if (distance(begin, next, size) >= distance(at, next, size)) {
            shard->buckets[at] = shard->buckets[next];
            at = next;
        }
    }
    shard->buckets[at] = 0;
    if (--shard->used == 0) {
        cells->bytes -= size * sizeof *shard->buckets;
        free(shard->buckets);
        *shard = (struct herd_cells_shard){0};
    } else if (size > 4 * BUCKETS_FIRST && shard->used < size / 4) {
        (void)resize(cells, shard, size / 2 / 8 * 8); /* without memory it stays as it is */
    }
}
