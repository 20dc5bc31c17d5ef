/* SPDX-License-Identifier: MIT */
/* Which clients are another herd's, and where that is. */
#ifndef HERD_EDGE_SHARDS_H
#define HERD_EDGE_SHARDS_H

#include <herd/config.h>
#include <herd/node.h>

struct herd_server_shards {
    struct herd_node_shards node; /* what the node looks at */
    struct herd_node_shard *herds;
    struct herd_node_address *addresses; /* of all herds */
};

/* Makes the table of a configuration, which it borrows texts from. *ret_shards is owned, NULL where there is one herd. `key`
 * is that of the buckets. HERD_E_NOMEM. */
int herd_server_shards_new(struct herd_server_shards **ret_shards, const struct herd_config *config, uint64_t key);
void herd_server_shards_free(struct herd_server_shards *shards); /* NULL is fine */
/* Where the HTTP of a bucket's herd is, without a slash at its end; NULL: not known. */
const char *herd_server_shards_http(const struct herd_server_shards *shards, const struct herd_config *config,
                                    unsigned bucket);

#endif
