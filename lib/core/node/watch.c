/* SPDX-License-Identifier: MIT */
/* Readers of the change stream that are no links. */
#include "node_impl.h"

#include <stdlib.h>

struct herd_watch {
    struct herd_node *node;
    struct herd_subscriber subscriber;
};

int herd_watch_open(struct herd_node *node, struct herd_watch **ret_watch)
{
    struct herd_watch *watch = calloc(1, sizeof *watch);
    if (!watch)
        return HERD_E_NOMEM;
    watch->node = node;
    int err = herd_changes_subscribe(&node->changes, &watch->subscriber);
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
    herd_changes_unsubscribe(&watch->node->changes, &watch->subscriber);
    free(watch);
}

void herd_watch_all(struct herd_watch *watch)
{
    struct herd_node *node = watch->node;
    herd_subscriber_mark_all_dirty(&node->changes, &watch->subscriber, herd_store_slots(node->store));
}

int herd_watch_again(struct herd_watch *watch, struct herd_span id)
{
    struct herd_node *node = watch->node;
    uint32_t slot = herd_store_find(node->store, herd_store_hash(node->store, id), HERD_NO_SLOT, id);
    if (slot == HERD_NO_SLOT)
        return HERD_E_NOTFOUND;
    herd_subscriber_mark_dirty(&node->changes, &watch->subscriber, slot);
    return 0;
}

size_t herd_watch_pending(const struct herd_watch *watch)
{
    return watch->subscriber.pending;
}

bool herd_watch_next(struct herd_watch *watch, struct herd_record *ret_record)
{
    struct herd_node *node = watch->node;
    for (;;) {
        uint32_t slot = herd_subscriber_next(&node->changes, &watch->subscriber);
        if (slot == HERD_NO_SLOT)
            return false;
        const int found = herd_store_read_slot(node->store, slot, ret_record);
        if (found > 0)
            return true;
        if (found < 0) {
            herd_subscriber_mark_dirty(&node->changes, &watch->subscriber, slot);
            return false; /* out of memory: another time */
        }
    }
}
