/* SPDX-License-Identifier: MIT */
/* The herds of a configuration as the node knows them: a table of buckets, and addresses. */
#include "shards.h"

#include <stdlib.h>
#include <string.h>

static size_t count_servers(const struct herd_config_shards *config)
{
    size_t count = 0;
    for (size_t i = 0; i < config->herd_count; i++)
        count += config->herds[i].server_count;
    return count;
}

static int fill(struct herd_server_shards *shards, const struct herd_config_shards *config)
{
    struct herd_node_address *next = shards->addresses;
    struct herd_span *names = calloc(config->herd_count, sizeof *names);
    if (!names)
        return HERD_E_NOMEM;
    for (size_t i = 0; i < config->herd_count; i++) {
        const struct herd_config_shard *herd = &config->herds[i];
        names[i] = herd_span_of(herd->name);
        if (strcmp(herd->name, config->self) == 0)
            shards->node.self = (uint16_t)i;
        shards->herds[i] = (struct herd_node_shard){next, herd->server_count};
        for (size_t j = 0; j < herd->server_count; j++)
            *next++ = (struct herd_node_address){herd_span_of(herd->servers[j].host), herd->servers[j].port};
    }
    herd_shard_table(names, config->herd_count, shards->node.herd_of_bucket);
    free(names);
    return 0;
}

int herd_server_shards_new(struct herd_server_shards **ret_shards, const struct herd_config *config, uint64_t key)
{
    const struct herd_config_shards *c = &config->shards;
    *ret_shards = NULL;
    if (c->herd_count == 0)
        return 0;
    struct herd_server_shards *shards = calloc(1, sizeof *shards);
    if (!shards)
        return HERD_E_NOMEM;
    shards->herds = calloc(c->herd_count, sizeof *shards->herds);
    shards->addresses = calloc(count_servers(c) + 1, sizeof *shards->addresses);
    int err = shards->herds && shards->addresses ? fill(shards, c) : HERD_E_NOMEM;
    if (err < 0) {
        herd_server_shards_free(shards);
        return err;
    }
    shards->node.key = key;
    shards->node.herds = shards->herds;
    *ret_shards = shards;
    return 0;
}

void herd_server_shards_free(struct herd_server_shards *shards)
{
    if (!shards)
        return;
    free(shards->herds);
    free(shards->addresses);
    free(shards);
}

const char *herd_server_shards_http(const struct herd_server_shards *shards, const struct herd_config *config,
                                    unsigned bucket)
{
    return config->shards.herds[shards->node.herd_of_bucket[bucket]].http;
}
