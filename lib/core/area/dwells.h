/* SPDX-License-Identifier: MIT */
/* Which clients are in which fences, but not for long enough yet: a heap by when they will be, and a table of where in it
 * each is, with linear probing and a keyed hash. 24 bytes a client and fence, and 8 to 16 of the table. */
#ifndef HERD_CORE_DWELLS_H
#define HERD_CORE_DWELLS_H

#include <herd/types.h>

/* More are refused. */
#define HERD_DWELLS_MAX (1u << 20)

struct herd_dwell {
    int64_t due_ns;
    uint64_t member; /* as herd_member makes it */
    uint32_t fence;  /* its number */
};

struct herd_dwells {
    uint64_t key[2];
    struct herd_dwell *heap; /* the earliest first */
    uint32_t count, cap;
    uint32_t *table; /* place in the heap + 1; 0 is empty */
    uint32_t table_size;
};

void herd_dwells_init(struct herd_dwells *dwells, const uint64_t key[2]);
void herd_dwells_fini(struct herd_dwells *dwells);
bool herd_dwells_has(const struct herd_dwells *dwells, uint64_t member);
/* Adds one that is not in it. HERD_E_LIMIT, HERD_E_NOMEM: unchanged. */
int herd_dwells_add(struct herd_dwells *dwells, const struct herd_dwell *dwell);
/* Fine for one that is not in it. */
void herd_dwells_remove(struct herd_dwells *dwells, uint64_t member);
/* Takes out the earliest if it is due at `now_ns`. */
bool herd_dwells_due(struct herd_dwells *dwells, int64_t now_ns, struct herd_dwell *ret_dwell);
/* Removes all of a fence. Walks the heap. */
void herd_dwells_forget(struct herd_dwells *dwells, uint32_t fence_serial);

#endif
