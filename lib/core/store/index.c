/* SPDX-License-Identifier: MIT */
/* The sharded table from ids to slots. */
#include "index.h"

#include <stdlib.h>

#define CELLS_FIRST 16

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
    uint32_t at = (uint32_t)hash & shard->mask;
    for (uint64_t bucket; (bucket = shard->buckets[at]) != 0; at = (at + 1) & shard->mask)
        if (bucket >> 32 == (uint32_t)hash && same(ctx, (uint32_t)bucket - 1, id))
            return (uint32_t)bucket - 1;
    return HERD_NO_SLOT;
}

static void find_free(uint64_t *buckets, uint32_t mask, uint64_t bucket)
{
    uint32_t at = (uint32_t)(bucket >> 32) & mask;
    while (buckets[at])
        at = (at + 1) & mask;
    buckets[at] = bucket;
}

int herd_index_reserve(struct herd_index *index, uint64_t hash)
{
    struct herd_shard *shard = &index->shards[hash >> 56];
    uint32_t size = shard->buckets ? shard->mask + 1 : 0;
    if (shard->used < size / 4 * 3)
        return 0;
    if (size > UINT32_MAX / 4)
        return HERD_E_NOMEM;
    uint32_t bigger = size ? size * 2 : CELLS_FIRST;
    uint64_t *buckets = calloc(bigger, sizeof *buckets);
    if (!buckets)
        return HERD_E_NOMEM;
    for (uint32_t i = 0; i < size; i++)
        if (shard->buckets[i])
            find_free(buckets, bigger - 1, shard->buckets[i]);
    free(shard->buckets);
    shard->buckets = buckets;
    shard->mask = bigger - 1;
    return 0;
}

void herd_index_insert(struct herd_index *index, uint64_t hash, uint32_t slot)
{
    struct herd_shard *shard = &index->shards[hash >> 56];
    find_free(shard->buckets, shard->mask, (uint64_t)(uint32_t)hash << 32 | (slot + 1));
    shard->used++;
}

void herd_index_remove(struct herd_index *index, uint64_t hash, uint32_t slot)
{
    struct herd_shard *shard = &index->shards[hash >> 56];
    uint32_t mask = shard->mask;
    uint32_t at = (uint32_t)hash & mask;
    while ((uint32_t)shard->buckets[at] != slot + 1)
        at = (at + 1) & mask;
    /* Close the gap: move back every later cell of the run that may stand here. */
    for (uint32_t next = (at + 1) & mask; shard->buckets[next]; next = (next + 1) & mask) {
        uint32_t home = (uint32_t)(shard->buckets[next] >> 32) & mask;
        if (((next - home) & mask) >= ((next - at) & mask)) {
            shard->buckets[at] = shard->buckets[next];
            at = next;
        }
    }
    shard->buckets[at] = 0;
    shard->used--;
}
