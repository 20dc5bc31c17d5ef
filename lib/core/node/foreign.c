/* SPDX-License-Identifier: MIT */
/*
 * Clients of other herds. A node looks up the herd of a bucket in the table that it was given; which herd that is, and where
 * its servers are, others decide. Records of neighbours are taken whatever their bucket: a bucket that moves is carried
 * over by them.
 */
#include "foreign.h"

#include "effect.h"

void herd_node_set_shards(struct herd_node *node, const struct herd_node_shards *shards)
{
    node->shards = shards;
}

bool herd_node_foreign(const struct herd_node *node, struct herd_span id, unsigned *ret_bucket)
{
    return herd_foreign(node, id, ret_bucket);
}

void herd_foreign_count(struct herd_node *node, struct herd_span id)
{
    herd_notice_damped(node, &node->stats.foreign, "client_of_another_herd", id);
}

int herd_foreign_reply(const struct herd_node *node, unsigned bucket, struct herd_buf *replies)
{
    const struct herd_node_shard *herd = &node->shards->herds[node->shards->herd_of_bucket[bucket]];
    /* One after the other: the load is spread, and who finds one of them dead and asks again hears of the next. */
    const struct herd_node_address *to = &herd->servers[node->stats.foreign % herd->server_count];
    return herd_format_see(replies, to->host, to->port, bucket);
}

int herd_foreign_see(struct herd_node *node, struct herd_span id, unsigned bucket, struct herd_buf *replies)
{
    herd_foreign_count(node, id);
    return herd_foreign_reply(node, bucket, replies);
}
