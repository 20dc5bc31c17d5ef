/* SPDX-License-Identifier: MIT */
/* The sharded table from ids to slots. */
#include "index.h"

#include <stdlib.h>

#define CELLS_FIRST 16

void herd_index_fini(struct herd_index *index)
{
    for (size_t i = 0; i < HERD_INDEX_SHARDS; i++) {
        free(index->shards[i].cells);
        index->shards[i] = (struct herd_shard){0};
    }
}

uint32_t herd_index_find(const struct herd_index *index, uint64_t hash, herd_index_same *same, const void *ctx,
                         struct herd_span id)
{
    const struct herd_shard *shard = herd_index_shard(index, hash);
    if (!shard->cells)
        return HERD_NO_SLOT;
    uint32_t at = (uint32_t)hash & shard->mask;
    for (uint64_t cell; (cell = shard->cells[at]) != 0; at = (at + 1) & shard->mask)
        if (cell >> 32 == (uint32_t)hash && same(ctx, (uint32_t)cell - 1, id))
            return (uint32_t)cell - 1;
    return HERD_NO_SLOT;
}

static void place(uint64_t *cells, uint32_t mask, uint64_t cell)
{
    uint32_t at = (uint32_t)(cell >> 32) & mask;
    while (cells[at])
        at = (at + 1) & mask;
    cells[at] = cell;
}

int herd_index_reserve(struct herd_index *index, uint64_t hash)
{
    struct herd_shard *shard = &index->shards[hash >> 56];
    uint32_t size = shard->cells ? shard->mask + 1 : 0;
    if (shard->used < size / 4 * 3)
        return 0;
    if (size > UINT32_MAX / 4)
        return HERD_E_NOMEM;
    uint32_t bigger = size ? size * 2 : CELLS_FIRST;
    uint64_t *cells = calloc(bigger, sizeof *cells);
    if (!cells)
        return HERD_E_NOMEM;
    for (uint32_t i = 0; i < size; i++)
        if (shard->cells[i])
            place(cells, bigger - 1, shard->cells[i]);
    free(shard->cells);
    shard->cells = cells;
    shard->mask = bigger - 1;
    return 0;
}

void herd_index_insert(struct herd_index *index, uint64_t hash, uint32_t slot)
{
    struct herd_shard *shard = &index->shards[hash >> 56];
    place(shard->cells, shard->mask, (uint64_t)(uint32_t)hash << 32 | (slot + 1));
    shard->used++;
}

void herd_index_remove(struct herd_index *index, uint64_t hash, uint32_t slot)
{
    struct herd_shard *shard = &index->shards[hash >> 56];
    uint32_t mask = shard->mask;
    uint32_t at = (uint32_t)hash & mask;
    while ((uint32_t)shard->cells[at] != slot + 1)
        at = (at + 1) & mask;
    /* Close the gap: move back every later cell of the run that may stand here. */
    for (uint32_t next = (at + 1) & mask; shard->cells[next]; next = (next + 1) & mask) {
        uint32_t home = (uint32_t)(shard->cells[next] >> 32) & mask;
        if (((next - home) & mask) >= ((next - at) & mask)) {
            shard->cells[at] = shard->cells[next];
            at = next;
        }
    }
    shard->cells[at] = 0;
    shard->used--;
}
