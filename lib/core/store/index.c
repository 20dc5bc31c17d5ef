/* SPDX-License-Identifier: MIT */
/* The sharded table from ids to slots. */
#include "index.h"

#include <stdlib.h>
#include <string.h>

#define BUCKETS_FIRST 16  /* multiples of eight: whole cache lines */
#define BUCKETS_SMALL 128 /* a shard up to this has memory of its own */
/* The room of a shard grows more from where it is pages of the machine, of which only those in use take memory. */
#define PAGE_BYTES   4096
#define PAGE_BUCKETS (PAGE_BYTES / 8)

void herd_index_fini(struct herd_index *index)
{
    for (size_t i = 0; i < HERD_INDEX_SHARDS; i++)
        if (index->shards[i].size <= BUCKETS_SMALL)
            free(index->shards[i].buckets);
    free(index->block);
    free(index->left);
    *index = (struct herd_index){0};
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

/* Where the block has room for a shard. */
static uint64_t *room_of(const struct herd_index *index, size_t shard)
{
    return index->block + shard * index->room;
}

/* Takes one shard out of the block before. */
static void move_shard(struct herd_index *index)
{
    unsigned i = --index->left_count;
    struct herd_shard *shard = &index->shards[i];
    uint64_t *buckets = room_of(index, i);
    if (shard->size > BUCKETS_SMALL && shard->buckets != buckets) {
        memcpy(buckets, shard->buckets, shard->size * sizeof *buckets);
        shard->buckets = buckets;
    }
    if (index->left_count == 0) {
        free(index->left);
        index->left = NULL;
    }
}

/* Makes a block in which a shard has room for `size` buckets; from now on shards leave the one before. HERD_E_NOMEM:
 * unchanged. */
static int make_block(struct herd_index *index, uint32_t size)
{
    uint64_t room = index->room ? index->room : 2 * BUCKETS_SMALL;
    while (room < size)
        room *= room < PAGE_BUCKETS ? 2 : 4;
    if (room > UINT32_MAX || room > SIZE_MAX / HERD_INDEX_SHARDS / sizeof(uint64_t))
        return HERD_E_NOMEM;
    uint64_t *block = aligned_alloc(PAGE_BYTES, (size_t)room * HERD_INDEX_SHARDS * sizeof *block);
    if (!block)
        return HERD_E_NOMEM;
    while (index->left) /* all are out long before the block they move to is full */
        move_shard(index);
    index->left = index->block;
    index->left_count = index->left ? HERD_INDEX_SHARDS : 0;
    index->block = block;
    index->room = (uint32_t)room;
    return 0;
}

/* Puts a shard's entries into `size` buckets, which may begin where its own do. HERD_E_NOMEM: unchanged. */
static int grow(struct herd_shard *shard, uint64_t *buckets, uint32_t size)
{
    uint64_t *from = shard->buckets, *own = shard->size <= BUCKETS_SMALL ? from : NULL;
    if (from == buckets) {
        from = own = malloc(shard->size * sizeof *own);
        if (!own)
            return HERD_E_NOMEM;
        memcpy(own, buckets, shard->size * sizeof *own);
    }
    memset(buckets, 0, size * sizeof *buckets);
    for (uint32_t i = 0; i < shard->size; i++)
        if (from[i])
            find_free(buckets, size, from[i]);
    free(own);
    shard->buckets = buckets;
    shard->size = size;
    return 0;
}

/* The next size of a shard: whole cache lines, then whole pages. */
static uint32_t grown(uint32_t size)
{
    if (size == 0)
        return BUCKETS_FIRST;
    if (size >= PAGE_BUCKETS)
        return size + (size < 16 * PAGE_BUCKETS ? 1 : size / 8 / PAGE_BUCKETS) * PAGE_BUCKETS;
    uint32_t bigger = size + (size / 4 + 7) / 8 * 8;
    return bigger < PAGE_BUCKETS ? bigger : PAGE_BUCKETS;
}

int herd_index_reserve(struct herd_index *index, uint64_t hash)
{
    struct herd_shard *shard = &index->shards[hash >> 56];
    uint32_t size = shard->size;
    if (index->left)
        move_shard(index);
    if (shard->used < size / 8 * 7)
        return 0;
    if (size > UINT32_MAX / 4)
        return HERD_E_NOMEM;
    uint32_t bigger = grown(size);
    if (bigger <= BUCKETS_SMALL) {
        uint64_t *buckets = malloc(bigger * sizeof *buckets);
        return buckets ? grow(shard, buckets, bigger) : HERD_E_NOMEM;
    }
    int err = bigger > index->room ? make_block(index, bigger) : 0;
    return err < 0 ? err : grow(shard, room_of(index, (size_t)(hash >> 56)), bigger);
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
