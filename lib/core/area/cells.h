/* SPDX-License-Identifier: MIT */
/*
 * From the number of a cell to a number of the caller's: open addressing with linear probing, no marks of what was
 * removed, so that nothing is left of a cell when it is empty. Which cells are in use is up to clients: the hash is
 * keyed. The table is cut into shards by the top bits of the hash, each of which grows and shrinks on its own, so that
 * no call moves more than a fraction of it.
 */
#ifndef HERD_CORE_CELLS_H
#define HERD_CORE_CELLS_H

#include "../base/hash.h"

#include <herd/types.h>

#define HERD_CELLS_SHARDS 256
#define HERD_CELLS_NONE   UINT32_MAX

struct herd_cells_shard {
    uint64_t *buckets; /* cell << 32 | value + 1; 0 is empty */
    uint32_t size, used;
};

struct herd_cells {
    uint64_t key[2]; /* random, this node's own */
    size_t bytes;
    struct herd_cells_shard shards[HERD_CELLS_SHARDS];
};

void herd_cells_init(struct herd_cells *cells, const uint64_t key[2]);
void herd_cells_fini(struct herd_cells *cells);

static inline uint64_t herd_cells_hash(const struct herd_cells *cells, uint32_t cell)
{
    return herd_siphash(cells->key, &cell, sizeof cell);
}

/* Where the search for a hash begins, to be fetched ahead; NULL: the shard is empty. */
static inline const uint64_t *herd_cells_home(const struct herd_cells *cells, uint64_t hash)
{
    const struct herd_cells_shard *shard = &cells->shards[hash >> 56];
    return shard->size ? &shard->buckets[(hash & UINT32_MAX) * shard->size >> 32] : NULL;
}

/* HERD_CELLS_NONE: the cell is not there. */
uint32_t herd_cells_find(const struct herd_cells *cells, uint64_t hash, uint32_t cell);
/* Room for one more in the shard of `hash`, so that the following set cannot fail. HERD_E_NOMEM. */
int herd_cells_reserve(struct herd_cells *cells, uint64_t hash);
/* Gives a cell a value, below HERD_CELLS_NONE; one that is not there yet must have room. */
void herd_cells_set(struct herd_cells *cells, uint64_t hash, uint32_t cell, uint32_t value);
/* Takes out a cell that is there. */
void herd_cells_remove(struct herd_cells *cells, uint64_t hash, uint32_t cell);

#endif
