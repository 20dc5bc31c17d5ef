/* SPDX-License-Identifier: MIT */
/* Which prefixes have an answer queued. */
#include "sync_impl.h"

#include <stdlib.h>

int herd_sync_queue(struct herd_peer *peer, enum herd_sync_answer answer, unsigned depth, uint32_t prefix)
{
    if (!peer->sync.due && !(peer->sync.due = calloc(1, sizeof *peer->sync.due)))
        return HERD_E_NOMEM;
    struct herd_sync_due *due = peer->sync.due;
    size_t number = herd_sync_number(depth, prefix);
    uint64_t *word = &due->bits[answer][number / 64], bit = UINT64_C(1) << (number % 64);
    due->count += !(*word & bit);
    *word |= bit;
    if (number / 64 > due->top[answer])
        due->top[answer] = number / 64;
    return 0;
}

bool herd_sync_next_answer(struct herd_sync_due *due, enum herd_sync_answer *ret_answer, unsigned *ret_depth,
                           uint32_t *ret_prefix)
{
    for (int answer = HERD_SYNC_ANSWERS - 1; answer >= 0; answer--) {
        uint64_t *words = due->bits[answer];
        size_t *top = &due->top[answer];
        while (words[*top] == 0 && *top > 0)
            (*top)--;
        if (words[*top] == 0)
            continue;
        unsigned bit = 63 - (unsigned)__builtin_clzll(words[*top]);
        words[*top] &= ~(UINT64_C(1) << bit);
        due->count--;
        size_t number = *top * 64 + bit;
        unsigned depth = HERD_SYNC_DEPTH_MAX;
        while (number < herd_sync_number(depth, 0))
            depth -= HERD_SYNC_FAN_BITS;
        *ret_answer = (enum herd_sync_answer)answer;
        *ret_depth = depth;
        *ret_prefix = (uint32_t)(number - herd_sync_number(depth, 0));
        return true;
    }
    return false;
}
