/* SPDX-License-Identifier: MIT */
/* The memory of what was taken in a moment ago. */
#include "seen_cache.h"

#include <stdlib.h>

int herd_seen_cache_init(struct herd_seen_cache *seen, const uint64_t key[2])
{
    *seen = (struct herd_seen_cache){
        .lines = calloc(HERD_SEEN_CACHE_LINES, sizeof *seen->lines),
        /* Not the table's key itself: what one hash might give away is of no use for the other. */
        .key = {herd_hash(key[0], "recent lines", 12) ^ key[1], herd_hash(key[1], "recent lines", 12) ^ key[0]},
    };
    return seen->lines ? 0 : HERD_E_NOMEM;
}

void herd_seen_cache_clear(struct herd_seen_cache *seen)
{
    memset(seen->lines, 0, HERD_SEEN_CACHE_LINES * sizeof *seen->lines);
}

void herd_seen_cache_forget_slot(struct herd_seen_cache *seen, uint32_t slot)
{
    for (size_t i = 0; i < HERD_SEEN_CACHE_LINES; i++)
        if (seen->lines[i].slot == slot)
            seen->lines[i].hash = 0;
}

void herd_seen_cache_fini(struct herd_seen_cache *seen)
{
    free(seen->lines);
    *seen = (struct herd_seen_cache){0};
}
