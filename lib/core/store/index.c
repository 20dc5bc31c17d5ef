/* SPDX-License-Identifier: MIT */
/* The sharded table from ids to slots. */
#include "index.h"

#include <stdlib.h>

#define BUCKETS_FIRST 16 /* multiples of eight: whole cache lines */

void herd_index_fini(struct herd_index *index)
{
    for (size_t i = 0; i < HERD_INDEX_SHARDS; i++) {
        free(index->shards[i].buckets);
        index->shards[i] = (struct herd_shard){0};
    }
}

uint32_t herd_index_find(const struct herd_index *index, uint64_t hash, herd_index_same *same, const void *ctx,
                         struct herd_span id)
{
    const struct herd_shard *shard = herd_index_shard(index, hash);
    if (!shard->buckets)
        return HERD_NO_SLOT;
    uint32_t at = herd_index_place((uint32_t)hash, shard->size);
    for (uint64_t bucket; (bucket = shard->buckets[at]) != 0; at = herd_index_behind(at, shard->size))
        if (bucket >> 32 == (uint32_t)hash && same(ctx, (uint32_t)bucket - 1, id))
            return (uint32_t)bucket - 1;
    return HERD_NO_SLOT;
}

static void find_free(uint64_t *buckets, uint32_t size, uint64_t bucket)
{
    uint32_t at = herd_index_place((uint32_t)(bucket >> 32), size);
    while (buckets[at])
        at = herd_index_behind(at, size);
    buckets[at] = bucket;
}

int herd_index_reserve(struct herd_index *index, uint64_t hash)
{
    struct herd_shard *shard = &index->shards[hash >> 56];
    uint32_t size = shard->size;
    if (shard->used < size / 8 * 7)
        return 0;
    if (size > UINT32_MAX / 4)
        return HERD_E_NOMEM;
    uint32_t bigger = size ? size + (size / 4 + 7) / 8 * 8 : BUCKETS_FIRST;
    uint64_t *buckets = calloc(bigger, sizeof *buckets);
    if (!buckets)
        return HERD_E_NOMEM;
    for (uint32_t i = 0; i < size; i++)
        if (shard->buckets[i])
            find_free(buckets, bigger, shard->buckets[i]);
    free(shard->buckets);
    shard->buckets = buckets;
    shard->size = bigger;
    return 0;
}

void herd_index_insert(struct herd_index *index, uint64_t hash, uint32_t slot)
{
    struct herd_shard *shard = &index->shards[hash >> 56];
    find_free(shard->buckets, shard->size, (uint64_t)(uint32_t)hash << 32 | (slot + 1));
    shard->used++;
}

/* How far `to` is behind `from`, round the end of the table. */
static uint32_t distance(uint32_t from, uint32_t to, uint32_t size)
{
    return to >= from ? to - from : to + size - from;
}

void herd_index_remove(struct herd_index *index, uint64_t hash, uint32_t slot)
{
    struct herd_shard *shard = &index->shards[hash >> 56];
    uint32_t size = shard->size;
    uint32_t at = herd_index_place((uint32_t)hash, size);
    while ((uint32_t)shard->buckets[at] != slot + 1)
        at = herd_index_behind(at, size);
    /* Close the gap: move back every later bucket of the run that may stand here. */
    for (uint32_t next = herd_index_behind(at, size); shard->buckets[next]; next = herd_index_behind(next, size)) {
        uint32_t home = herd_index_place((uint32_t)(shard->buckets[next] >> 32), size);
        if (distance(home, next, size) >= distance(at, next, size)) {
            shard->buckets[at] = shard->buckets[next];
            at = next;
        }
    }
    shard->buckets[at] = 0;
    shard->used--;
}
