/* SPDX-License-Identifier: MIT */
/* A heap whose entries are found by number. */
#include "dwells.h"

#include "../base/hash.h"

#include <stdlib.h>

#define FIRST 64

void herd_dwells_init(struct herd_dwells *dwells, const uint64_t key[2])
{
    *dwells = (struct herd_dwells){.key = {key[0], key[1]}};
}

void herd_dwells_fini(struct herd_dwells *dwells)
{
    free(dwells->heap);
    free(dwells->table);
    *dwells = (struct herd_dwells){.key = {dwells->key[0], dwells->key[1]}};
}

static uint32_t home(const struct herd_dwells *dwells, uint64_t member)
{
    return (uint32_t)herd_siphash(dwells->key, &member, sizeof member) & (dwells->table_size - 1);
}

/* The bucket of a member, or the empty one where it belongs. */
static uint32_t search(const struct herd_dwells *dwells, uint64_t member)
{
    uint32_t at = home(dwells, member);
    while (dwells->table[at] && dwells->heap[dwells->table[at] - 1].member != member)
        at = (at + 1) & (dwells->table_size - 1);
    return at;
}

bool herd_dwells_has(const struct herd_dwells *dwells, uint64_t member)
{
    return dwells->count > 0 && dwells->table[search(dwells, member)] != 0;
}

/* Puts an entry at a place of the heap; its bucket is `bucket`. */
static void place(struct herd_dwells *dwells, uint32_t at, const struct herd_dwell *dwell, uint32_t bucket)
{
    dwells->heap[at] = *dwell;
    dwells->table[bucket] = at + 1;
}

/* The entry that belongs at `at` or above moves there, past later ones. */
static void sift_up(struct herd_dwells *dwells, uint32_t at, struct herd_dwell dwell, uint32_t bucket)
{
    for (uint32_t parent; at > 0; at = parent) {
        parent = (at - 1) / 2;
        const struct herd_dwell above = dwells->heap[parent];
        if (above.due_ns <= dwell.due_ns)
            break;
        place(dwells, at, &above, search(dwells, above.member));
    }
    place(dwells, at, &dwell, bucket);
}

/* Likewise below. */
static void sift_down(struct herd_dwells *dwells, uint32_t at, struct herd_dwell dwell, uint32_t bucket)
{
    for (uint32_t child; (child = 2 * at + 1) < dwells->count; at = child) {
        if (child + 1 < dwells->count && dwells->heap[child + 1].due_ns < dwells->heap[child].due_ns)
            child++;
        const struct herd_dwell below = dwells->heap[child];
        if (below.due_ns >= dwell.due_ns)
            break;
        place(dwells, at, &below, search(dwells, below.member));
    }
    place(dwells, at, &dwell, bucket);
}

static int grow(struct herd_dwells *dwells)
{
    uint32_t cap = dwells->cap ? dwells->cap * 2 : FIRST;
    struct herd_dwell *heap = realloc(dwells->heap, cap * sizeof *heap);
    if (!heap)
        return HERD_E_NOMEM;
    dwells->heap = heap;
    uint32_t *table = calloc((size_t)cap * 2, sizeof *table);
    if (!table)
        return HERD_E_NOMEM;
    free(dwells->table);
    dwells->table = table;
    dwells->table_size = cap * 2;
    dwells->cap = cap;
    for (uint32_t i = 0; i < dwells->count; i++)
        table[search(dwells, heap[i].member)] = i + 1;
    return 0;
}

int herd_dwells_add(struct herd_dwells *dwells, const struct herd_dwell *dwell)
{
    if (dwells->count == HERD_DWELLS_MAX)
        return HERD_E_LIMIT;
    if (dwells->count == dwells->cap && grow(dwells) < 0)
        return HERD_E_NOMEM;
    uint32_t bucket = search(dwells, dwell->member);
    sift_up(dwells, dwells->count++, *dwell, bucket);
    return 0;
}

static void free_bucket(struct herd_dwells *dwells, uint32_t at)
{
    const uint32_t mask = dwells->table_size - 1;
    for (uint32_t next = (at + 1) & mask; dwells->table[next]; next = (next + 1) & mask) {
        uint32_t begin = home(dwells, dwells->heap[dwells->table[next] - 1].member);
        if (((next - begin) & mask) >= ((next - at) & mask)) {
            dwells->table[at] = dwells->table[next];
            at = next;
        }
    }
    dwells->table[at] = 0;
}

static void remove_at(struct herd_dwells *dwells, uint32_t at)
{
    free_bucket(dwells, search(dwells, dwells->heap[at].member));
    const struct herd_dwell last = dwells->heap[--dwells->count];
    if (at == dwells->count)
        return;
    uint32_t bucket = search(dwells, last.member);
    if (at > 0 && dwells->heap[(at - 1) / 2].due_ns > last.due_ns)
        sift_up(dwells, at, last, bucket);
    else
        sift_down(dwells, at, last, bucket);
}

static void give_back(struct herd_dwells *dwells)
{
    if (dwells->count == 0)
        herd_dwells_fini(dwells);
}

void herd_dwells_remove(struct herd_dwells *dwells, uint64_t member)
{
    if (!herd_dwells_has(dwells, member))
        return;
    remove_at(dwells, dwells->table[search(dwells, member)] - 1);
    give_back(dwells);
}

bool herd_dwells_due(struct herd_dwells *dwells, int64_t now_ns, struct herd_dwell *ret_dwell)
{
    if (dwells->count == 0 || dwells->heap[0].due_ns > now_ns)
        return false;
    *ret_dwell = dwells->heap[0];
    remove_at(dwells, 0);
    give_back(dwells);
    return true;
}

void herd_dwells_forget(struct herd_dwells *dwells, uint32_t fence_serial)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < dwells->count; i++)
        if (dwells->heap[i].member >> 32 != fence_serial)
            dwells->heap[kept++] = dwells->heap[i];
    if (kept == dwells->count)
        return;
    /* In a heap that is made anew; nothing is allocated. */
    for (uint32_t i = 0; i < dwells->table_size; i++)
        dwells->table[i] = 0;
    dwells->count = 0;
    for (uint32_t i = 0; i < kept; i++) {
        const struct herd_dwell dwell = dwells->heap[i];
        uint32_t bucket = search(dwells, dwell.member);
        sift_up(dwells, dwells->count++, dwell, bucket);
    }
    give_back(dwells);
}
