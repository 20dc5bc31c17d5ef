/* SPDX-License-Identifier: MIT */
/* Which clients are in which fences, of those fences alone that have a margin: there a position does not say it. A set of
 * numbers, 8 bytes each, in a table with linear probing and a keyed hash. */
#ifndef HERD_CORE_MEMBERS_H
#define HERD_CORE_MEMBERS_H

#include <herd/types.h>

struct herd_members {
    uint64_t key[2];
    uint64_t *buckets; /* number + 1; 0 is empty */
    size_t size, used;
};

static inline uint64_t herd_member(uint32_t fence_serial, uint32_t slot)
{
    return (uint64_t)fence_serial << 32 | slot;
}

void herd_members_init(struct herd_members *members, const uint64_t key[2]);
void herd_members_fini(struct herd_members *members);
bool herd_members_has(const struct herd_members *members, uint64_t member);
/* HERD_E_NOMEM: unchanged. */
int herd_members_add(struct herd_members *members, uint64_t member);
/* Fine for one that is not in it. */
void herd_members_remove(struct herd_members *members, uint64_t member);
/* Removes all of a fence. Walks the table. */
void herd_members_forget(struct herd_members *members, uint32_t fence_serial);

#endif
