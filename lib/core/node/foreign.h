/* SPDX-License-Identifier: MIT */
/* Clients that are another herd's, where a node knows of several. */
#ifndef HERD_CORE_FOREIGN_H
#define HERD_CORE_FOREIGN_H

#include "node_impl.h"

/* Counts a command for a client of another herd, and warns of it at the 1st, 2nd, 4th, 8th ... time. */
void herd_foreign_count(struct herd_node *node, struct herd_span id);
/* Appends the line SEE for a bucket of another herd. HERD_E_NOMEM. */
int herd_foreign_reply(const struct herd_node *node, unsigned bucket, struct herd_buf *replies);
/* Both. */
int herd_foreign_see(struct herd_node *node, struct herd_span id, unsigned bucket, struct herd_buf *replies);

/* Whether client `id` is another herd's, and its bucket. A node that knows of no other herd pays one branch. */
static inline bool herd_foreign(const struct herd_node *node, struct herd_span id, unsigned *ret_bucket)
{
    if (!node->shards)
        return false;
    *ret_bucket = herd_bucket(id, node->shards->key);
    return node->shards->herd_of_bucket[*ret_bucket] != node->shards->self;
}

#endif
