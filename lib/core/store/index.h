/* SPDX-License-Identifier: MIT */
/*
 * From the hash of an id to the slot of its record.
 *
 * Open addressing with linear probing; a bucket holds 32 bits of the hash beside the slot, so that a probe
 * touches a record only when these agree, and growing touches no record at all. The table is cut into
 * shards by the top bits of the hash: each grows on its own, so that no call ever moves more than a
 * fraction of it. It is never more than seven eighths full and grows by a quarter while it is small, later by an
 * eighth: doubling would leave a third of it to a half unused on average.
 *
 * All but small shards lie in one block, each with room to grow where it is: memory behind a shard's end is not touched,
 * and so takes no page. Each in memory of its own, they would leave holes of all sizes when they grow. Once a shard has
 * no room left there is a greater block, and each insertion takes one more shard there.
 */
#ifndef HERD_CORE_INDEX_H
#define HERD_CORE_INDEX_H

#include <herd/types.h>

#define HERD_INDEX_SHARDS 256
#define HERD_NO_SLOT      UINT32_MAX

struct herd_shard {
    uint64_t *buckets; /* hash32 << 32 | slot + 1; 0 is empty */
    uint32_t size;     /* buckets, of any number */
    uint32_t used;
};

struct herd_index {
    struct herd_shard shards[HERD_INDEX_SHARDS];
    uint64_t *block;     /* NULL: all shards are small */
    uint64_t *left;      /* the block before, which shards still leave; else NULL */
    uint32_t room;       /* buckets of `block` for each shard */
    unsigned left_count; /* of shards, the first ones, that may still be in `left` */
};

void herd_index_fini(struct herd_index *index);

/* Whether a candidate slot holds the id that is looked for. */
typedef bool herd_index_same(const void *ctx, uint32_t slot, struct herd_span id);

uint32_t herd_index_find(const struct herd_index *index, uint64_t hash, herd_index_same *same, const void *ctx,
                         struct herd_span id);
/* Room for one more in the shard of `hash`, so that the following insert cannot fail. HERD_E_NOMEM. */
int herd_index_reserve(struct herd_index *index, uint64_t hash);
void herd_index_insert(struct herd_index *index, uint64_t hash, uint32_t slot);
void herd_index_remove(struct herd_index *index, uint64_t hash, uint32_t slot);

static inline const struct herd_shard *herd_index_shard(const struct herd_index *index, uint64_t hash)
{
    return &index->shards[hash >> 56];
}

/* Where the search for 32 bits of a hash begins in a table of `size` buckets. The factor, 2^32 over the golden ratio,
 * spreads hashes whose upper bits agree. */
static inline uint32_t herd_index_place(uint32_t hash32, uint32_t size)
{
    return (uint32_t)((uint64_t)(uint32_t)(hash32 * UINT32_C(2654435769)) * size >> 32);
}

static inline uint32_t herd_index_behind(uint32_t at, uint32_t size)
{
    return at + 1 < size ? at + 1 : 0;
}

/* The first slot whose 32 bits agree, most likely the one; HERD_NO_SLOT if there is none. */
static inline uint32_t herd_index_first_match(const struct herd_index *index, uint64_t hash)
{
    const struct herd_shard *shard = herd_index_shard(index, hash);
    if (!shard->buckets)
        return HERD_NO_SLOT;
    uint32_t at = herd_index_place((uint32_t)hash, shard->size);
    for (uint64_t bucket; (bucket = shard->buckets[at]) != 0; at = herd_index_behind(at, shard->size))
        if (bucket >> 32 == (uint32_t)hash)
            return (uint32_t)bucket - 1;
    return HERD_NO_SLOT;
}

/* Where the search for a hash begins, to be fetched ahead; NULL: nowhere yet. (A function that only
 * prefetched would have no effect in the eyes of a compiler, which may leave the call out.) */
static inline const uint64_t *herd_index_home(const struct herd_index *index, uint64_t hash)
{
    const struct herd_shard *shard = herd_index_shard(index, hash);
    return shard->buckets ? &shard->buckets[herd_index_place((uint32_t)hash, shard->size)] : NULL;
}

#endif
