/* SPDX-License-Identifier: MIT */
/* Open addressing, at most three quarters full; what is removed leaves no mark. */
#include "event_set.h"

#include <stdlib.h>

#define SIZE_FIRST 64

void herd_event_set_fini(struct herd_event_set *set)
{
    free(set->table);
    *set = (struct herd_event_set){0};
}

/* Where the hash is, or the free place where it would be. The table has one. */
static size_t find(const struct herd_event_set *set, uint64_t hash)
{
    size_t at = (size_t)hash & (set->size - 1);
    while (set->table[at] && set->table[at] != hash)
        at = (at + 1) & (set->size - 1);
    return at;
}

static int grow(struct herd_event_set *set)
{
    struct herd_event_set bigger = {.size = set->size ? set->size * 2 : SIZE_FIRST, .used = set->used};
    bigger.table = calloc(bigger.size, sizeof *bigger.table);
    if (!bigger.table)
        return HERD_E_NOMEM;
    for (size_t i = 0; i < set->size; i++)
        if (set->table[i])
            bigger.table[find(&bigger, set->table[i])] = set->table[i];
    free(set->table);
    *set = bigger;
    return 0;
}

int herd_event_set_add(struct herd_event_set *set, uint64_t hash)
{
    hash += hash == 0;
    if (set->used + 1 > set->size / 4 * 3 && grow(set) < 0)
        return HERD_E_NOMEM;
    size_t at = find(set, hash);
    if (set->table[at])
        return 0;
    set->table[at] = hash;
    set->used++;
    return 1;
}

bool herd_event_set_remove(struct herd_event_set *set, uint64_t hash)
{
    hash += hash == 0;
    if (set->size == 0)
        return false;
    const size_t mask = set->size - 1;
    size_t gap = find(set, hash);
    if (!set->table[gap])
        return false;
    set->table[gap] = 0;
    set->used--;
    /* Whatever would not be found behind the gap moves into it. */
    for (size_t at = (gap + 1) & mask; set->table[at]; at = (at + 1) & mask) {
        size_t home = (size_t)set->table[at] & mask;
        if (((at - home) & mask) >= ((at - gap) & mask)) {
            set->table[gap] = set->table[at];
            set->table[at] = 0;
            gap = at;
        }
    }
    return true;
}
