/* SPDX-License-Identifier: MIT */
/* Removing many records at once, in slices. */
#include "store_impl.h"

/* Returns how many records were looked at. */
static size_t sweep_leaf(struct herd_store *store, uint32_t leaf, herd_store_goes *goes, const void *ctx)
{
    uint32_t *at = &store->digest.heads[leaf];
    size_t count = 0;
    for (uint32_t slot; (slot = *at) != HERD_NO_SLOT; count++) {
        struct herd_record record;
        if (!herd_store_at(store, slot, &record) || !goes(ctx, &record)) {
            at = herd_store_next(store, slot);
            continue;
        }
        uint64_t id_hash = herd_store_id_hash(store, record.id);
        *at = *herd_store_next(store, slot);
        herd_store_drop(store, slot, id_hash);
    }
    return count;
}

bool herd_store_sweep(struct herd_store *store, uint32_t *io_leaf, size_t budget, herd_store_goes *goes,
                      const void *ctx)
{
    size_t seen = 0;
    while (*io_leaf >> store->digest.bits == 0) {
        if (seen >= budget)
            return true;
        seen += sweep_leaf(store, (*io_leaf)++, goes, ctx) + 1;
    }
    return false;
}
