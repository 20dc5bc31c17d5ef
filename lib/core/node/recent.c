/* SPDX-License-Identifier: MIT */
/* The memory of what was taken in a moment ago. */
#include "recent.h"

#include <stdlib.h>

int herd_recent_init(struct herd_recent *recent, const uint64_t key[2])
{
    *recent = (struct herd_recent){
        .lines = calloc(HERD_RECENT_LINES, sizeof *recent->lines),
        /* Not the table's key itself: what one hash might give away is of no use for the other. */
        .key = {herd_hash(key[0], "recent lines", 12) ^ key[1], herd_hash(key[1], "recent lines", 12) ^ key[0]},
    };
    return recent->lines ? 0 : HERD_E_NOMEM;
}

void herd_recent_clear(struct herd_recent *recent)
{
    memset(recent->lines, 0, HERD_RECENT_LINES * sizeof *recent->lines);
}

void herd_recent_fini(struct herd_recent *recent)
{
    free(recent->lines);
    *recent = (struct herd_recent){0};
}
