/* SPDX-License-Identifier: MIT */
/* Removing many records at once, in slices that end anywhere. */
#include "store_impl.h"

/* In *io_leaf: the sweep stopped inside this leaf, at store->sweep_behind. A caller that begins anew drops it. */
#define INSIDE (UINT32_C(1) << 20)

/* Looks at the records of a leaf from sweep_behind on. False: the budget ended before the list. */
static bool sweep_leaf(struct herd_store *store, uint32_t leaf, size_t *io_budget,
                       herd_store_should_remove *should_remove, const void *ctx)
{
    uint32_t *behind = &store->sweep_behind;
    uint32_t *at = *behind == HERD_NO_SLOT ? &store->digest.heads[leaf] : herd_store_next(store, *behind);
    for (uint32_t slot; (slot = *at) != HERD_NO_SLOT;) {
        struct herd_record record;
        if (*io_budget == 0)
            return false;
        --*io_budget;
        store->steps++;
        if (!herd_store_get_slot(store, slot, &record) || !should_remove(ctx, &record)) {
            *behind = slot;
            at = herd_store_next(store, slot);
            continue;
        }
        uint64_t id_hash = herd_store_id_hash(store, record.id);
        *at = *herd_store_next(store, slot);
        herd_store_free_slot(store, slot, id_hash);
    }
    *behind = HERD_NO_SLOT;
    return true;
}

bool herd_store_sweep(struct herd_store *store, uint32_t *io_leaf, size_t budget,
                      herd_store_should_remove *should_remove, const void *ctx)
{
    if (!(*io_leaf & INSIDE))
        store->sweep_behind = HERD_NO_SLOT;
    uint32_t leaf = *io_leaf & (INSIDE - 1);
    for (; leaf >> store->digest.bits == 0; leaf++) {
        if (budget == 0 || !sweep_leaf(store, leaf, &budget, should_remove, ctx)) {
            *io_leaf = leaf | INSIDE;
            return true;
        }
        if (budget > 0)
            budget--;
    }
    *io_leaf = leaf;
    return false;
}
