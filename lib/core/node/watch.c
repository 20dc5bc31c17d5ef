/* SPDX-License-Identifier: MIT */
/* Readers of the change stream that are no links. */
#include "node_impl.h"

#include <stdlib.h>

struct herd_watch {
    struct herd_node *node;
    struct herd_reader reader;
};

int herd_watch_open(struct herd_node *node, struct herd_watch **ret_watch)
{
    struct herd_watch *watch = calloc(1, sizeof *watch);
    if (!watch)
        return HERD_E_NOMEM;
    watch->node = node;
    int err = herd_changes_join(&node->changes, &watch->reader);
    if (err < 0) {
        free(watch);
        return err;
    }
    *ret_watch = watch;
    return 0;
}

void herd_watch_close(struct herd_watch *watch)
{
    if (!watch)
        return;
    herd_changes_leave(&watch->node->changes, &watch->reader);
    free(watch);
}

bool herd_watch_next(struct herd_watch *watch, struct herd_record *ret_record)
{
    struct herd_node *node = watch->node;
    for (;;) {
        uint32_t slot = herd_reader_take(&node->changes, &watch->reader);
        if (slot == HERD_NO_SLOT)
            return false;
        if (herd_store_at(node->store, slot, ret_record))
            return true;
        if (!herd_cell_empty(herd_store_cell(node->store, slot))) {
            herd_reader_mark(&node->changes, &watch->reader, slot);
            return false; /* out of memory: another time */
        }
    }
}
