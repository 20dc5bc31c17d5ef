/* SPDX-License-Identifier: MIT */
/* Which bucket is where: what SEE said, for as long as it proves right. */
#include "client_route.h"

#include "../../core/base/hash.h"
#include "client_life.h"
#include "client_tls.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* Ids whose buckets are remembered where the key of the buckets is not known; a power of two. */
#define IDS 4096

struct herd_known_id {
    uint64_t hash;
    uint16_t bucket;
    bool known;
};

int herd_client_follow_new(struct herd_client *root)
{
    struct herd_client_follow *follow = calloc(1, sizeof *follow);
    if (!follow)
        return HERD_E_NOMEM;
    root->follow = follow;
    herd_list_init(&follow->routes);
    if (root->has_bucket_key)
        return 0;
    follow->ids = calloc(IDS, sizeof *follow->ids);
    if (!follow->ids)
        return HERD_E_NOMEM;
    return getrandom(follow->id_key, sizeof follow->id_key, 0) == (ssize_t)sizeof follow->id_key ? 0 : HERD_E_IO;
}

void herd_client_follow_close(struct herd_client *root)
{
    struct herd_client_follow *follow = root->follow;
    while (follow && !herd_list_empty(&follow->routes)) {
        struct herd_client *client = HERD_CONTAINER_OF(follow->routes.next, struct herd_client, route);
        herd_list_remove(&client->route);
        follow->route_count--;
        herd_client_close(client);
    }
}

/* ---- buckets ---- */

static struct herd_known_id *place_of(struct herd_client_follow *follow, struct herd_span id, uint64_t *ret_hash)
{
    *ret_hash = herd_siphash(follow->id_key, id.at, id.len);
    return &follow->ids[*ret_hash % IDS];
}

/* The bucket of an id, or -1. */
static int bucket_of(struct herd_client *root, struct herd_span id)
{
    uint64_t hash;
    if (root->has_bucket_key)
        return (int)herd_bucket(id, root->bucket_key);
    const struct herd_known_id *place = place_of(root->follow, id, &hash);
    return place->known && place->hash == hash ? place->bucket : -1;
}

struct herd_client *herd_client_route(struct herd_client *root, struct herd_span id)
{
    int bucket = root->follow && root->follow->route_count > 0 ? bucket_of(root, id) : -1;
    struct herd_client *client = bucket >= 0 ? root->follow->of_bucket[bucket] : NULL;
    return client ? client : root;
}

void herd_client_route_forget(struct herd_client *client)
{
    struct herd_client_follow *follow = client->root->follow;
    for (size_t i = 0; i < HERD_BUCKETS; i++)
        if (follow->of_bucket[i] == client)
            follow->of_bucket[i] = NULL;
}

/* ---- servers ---- */

static bool is_server(const struct herd_client_address *server, const struct herd_command *see)
{
    return server->port == see->port && herd_span_equal(herd_span_of(server->host), see->host);
}

static struct herd_client *find(struct herd_client *root, const struct herd_command *see)
{
    struct herd_list *routes = &root->follow->routes;
    for (struct herd_list *at = routes->next; at != routes; at = at->next) {
        struct herd_client *client = HERD_CONTAINER_OF(at, struct herd_client, route);
        if (is_server(&client->servers[0], see))
            return client;
    }
    return NULL;
}

/* Closes the followed client that is idle for longest, but for `asker`. False: all are busy. */
static bool drop_one(struct herd_client *root, const struct herd_client *asker)
{
    struct herd_list *routes = &root->follow->routes;
    for (struct herd_list *at = routes->next; at != routes; at = at->next) {
        struct herd_client *client = HERD_CONTAINER_OF(at, struct herd_client, route);
        if (client == asker || client->depth > 0 || client->pending > 0)
            continue;
        herd_client_route_forget(client);
        herd_list_remove(&client->route);
        root->follow->route_count--;
        herd_client_close(client);
        return true;
    }
    return false;
}

/* Asks the program. `see` points into the connection's bytes, which stay. HERD_E_ADDRESS. */
static int may_follow(struct herd_client *root, const struct herd_command *see)
{
    char host[HERD_HOST_MAX + 1];
    memcpy(host, see->host.at, see->host.len);
    host[see->host.len] = '\0';
    if (!herd_client_tls_may_follow(root, host))
        return HERD_E_ADDRESS;
    return !root->options.on_see || root->options.on_see(root->options.ctx, host, see->port, see->bucket)
               ? 0
               : HERD_E_ADDRESS;
}

int herd_client_route_learn(struct herd_client *asker, struct herd_span id, const struct herd_command *see,
                            struct herd_client **ret_client)
{
    struct herd_client *root = asker->root;
    struct herd_client_follow *follow = root->follow;
    uint64_t hash;
    int err = may_follow(root, see);
    if (err < 0 || root->freed)
        return err;
    struct herd_client *client = is_server(&root->servers[root->server_index], see) ? root : find(root, see);
    if (!client) {
        if (follow->route_count >= HERD_CLIENT_ROUTES_MAX && !drop_one(root, asker))
            return HERD_E_LIMIT;
        err = herd_client_spawn(root, see->host, see->port, &client);
        if (err < 0)
            return err;
        follow->route_count++;
    }
    if (client != root) {
        herd_list_remove(&client->route);
        herd_list_append(&follow->routes, &client->route);
    }
    follow->of_bucket[see->bucket] = client == root ? NULL : client;
    if (follow->ids) {
        struct herd_known_id *place = place_of(follow, id, &hash);
        *place = (struct herd_known_id){hash, see->bucket, true};
    }
    *ret_client = client;
    return 0;
}
