/* SPDX-License-Identifier: MIT */
/* A set of numbers. */
#include "members.h"

#include "../base/hash.h"

#include <stdlib.h>

#define BUCKETS_FIRST 64

void herd_members_init(struct herd_members *members, const uint64_t key[2])
{
    *members = (struct herd_members){.key = {key[0], key[1]}};
}

void herd_members_fini(struct herd_members *members)
{
    free(members->buckets);
    members->buckets = NULL;
    members->size = members->used = 0;
}

static size_t home(const struct herd_members *members, uint64_t member, size_t size)
{
    return (size_t)herd_siphash(members->key, &member, sizeof member) & (size - 1);
}

/* The bucket of a member, or the empty one where it belongs. */
static size_t search(const struct herd_members *members, uint64_t member)
{
    size_t at = home(members, member, members->size);
    while (members->buckets[at] && members->buckets[at] != member + 1)
        at = (at + 1) & (members->size - 1);
    return at;
}

bool herd_members_has(const struct herd_members *members, uint64_t member)
{
    return members->used > 0 && members->buckets[search(members, member)] != 0;
}

static int resize(struct herd_members *members, size_t size)
{
    uint64_t *buckets = calloc(size, sizeof *buckets);
    if (!buckets)
        return HERD_E_NOMEM;
    for (size_t i = 0; i < members->size; i++) {
        if (!members->buckets[i])
            continue;
        size_t at = home(members, members->buckets[i] - 1, size);
        while (buckets[at])
            at = (at + 1) & (size - 1);
        buckets[at] = members->buckets[i];
    }
    free(members->buckets);
    members->buckets = buckets;
    members->size = size;
    return 0;
}

int herd_members_add(struct herd_members *members, uint64_t member)
{
    if (members->used >= members->size / 2 &&
        resize(members, members->size ? members->size * 2 : BUCKETS_FIRST) < 0)
        return HERD_E_NOMEM;
    size_t at = search(members, member);
    members->used += members->buckets[at] == 0;
    members->buckets[at] = member + 1;
    return 0;
}

static void remove_at(struct herd_members *members, size_t at)
{
    size_t mask = members->size - 1;
    for (size_t next = (at + 1) & mask; members->buckets[next]; next = (next + 1) & mask) {
        size_t begin = home(members, members->buckets[next] - 1, members->size);
        if (((next - begin) & mask) >= ((next - at) & mask)) {
            members->buckets[at] = members->buckets[next];
            at = next;
        }
    }
    members->buckets[at] = 0;
    members->used--;
}

static void shrink(struct herd_members *members)
{
    if (members->used == 0)
        herd_members_fini(members);
    else if (members->size > BUCKETS_FIRST && members->used < members->size / 8)
        (void)resize(members, members->size / 2); /* without memory it stays as it is */
}

void herd_members_remove(struct herd_members *members, uint64_t member)
{
    if (!herd_members_has(members, member))
        return;
    remove_at(members, search(members, member));
    shrink(members);
}

void herd_members_forget(struct herd_members *members, uint32_t fence_serial)
{
    for (size_t i = 0; i < members->size && members->used > 0;) {
        if (members->buckets[i] && (members->buckets[i] - 1) >> 32 == fence_serial)
            remove_at(members, i); /* another one may have moved here */
        else
            i++;
    }
    shrink(members);
}
