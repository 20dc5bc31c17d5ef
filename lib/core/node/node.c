/* SPDX-License-Identifier: MIT */
/* A node's life, and its clock. */
#include "expiry.h"
#include "peer.h"
#include "peers.h"
#include "session.h"
#include "ticket.h"
#include "timeouts.h"

#include <stdlib.h>

#define RING_SIZE 16384

static int copy_name(struct herd_node *node, struct herd_span name)
{
    if (!herd_name_valid(name))
        return HERD_E_ARG;
    char *at = node->name_bytes = malloc(name.len + 4);
    if (!at)
        return HERD_E_NOMEM;
    memcpy(at, "AT ", 3);
    memcpy(at + 3, name.at, name.len);
    at[3 + name.len] = ' ';
    node->name = (struct herd_span){at + 3, name.len};
    node->at_name = (struct herd_span){at, name.len + 4};
    return 0;
}

int herd_node_new(struct herd_node **ret_node, const struct herd_node_options *options)
{
    if (!ret_node || !options || (options->peer_count > 0 && !options->peers))
        return HERD_E_ARG;
    struct herd_node *node = calloc(1, sizeof *node);
    if (!node)
        return HERD_E_NOMEM;
    herd_list_init(&node->sessions);
    for (size_t i = 0; i < HERD_TIMEOUTS; i++)
        herd_list_init(&node->timeouts[i]);
    node->purge_before_ns = INT64_MIN;
    node->sweep_at = UINT32_MAX;
    herd_list_init(&node->pending_effects);
    herd_list_init(&node->notices_free);
    for (size_t i = 0; i < HERD_NOTICES; i++)
        herd_list_append(&node->notices_free, &node->notices[i].pending.link);
    node->options = *options;
    herd_options_fill(&node->options);
    herd_traces_init(&node->traces);
    herd_trace_configure(node);

    const struct herd_store_options store_options = {
        .table_key = {options->seed[0], options->seed[1]},
        .digest_key = options->digest_key,
    };
    node->incarnation = herd_hash(options->seed[0], "incarnation", 11) ^ options->seed[1];
    node->random = herd_hash(options->seed[1], "random", 6) ^ options->seed[0];

    int err = copy_name(node, options->name);
    if (err >= 0)
        err = herd_store_new(&node->store, &store_options);
    if (err >= 0)
        node->store->expire_ns = node->options.expire_ns;
    if (err >= 0)
        err = herd_changes_init(&node->changes, RING_SIZE);
    if (err >= 0)
        node->store->changes = &node->changes;
    if (err >= 0)
        err = herd_seen_cache_init(&node->seen, options->seed);
    for (size_t i = 0; err >= 0 && i < options->peer_count; i++)
        err = herd_peers_add(node, options->peers[i], options->peers_plain && options->peers_plain[i]);
    if (err >= 0)
        err = herd_names_intern(&node->store->names, node->name);
    if (err < 0) {
        herd_node_free(node);
        return err;
    }
    node->own_name = (uint16_t)err;
    herd_names_ref(&node->store->names, node->own_name); /* for as long as the node lives */
    *ret_node = node;
    return 0;
}

void herd_node_free(struct herd_node *node)
{
    if (!node)
        return;
    while (!herd_list_empty(&node->sessions))
        herd_session_close(HERD_CONTAINER_OF(node->sessions.next, struct herd_session, all));
    for (uint32_t i = 0; i < node->ticket_cap; i++)
        herd_ticket_free(node->tickets[i].ticket); /* cancelled, the effect never taken */
    free(node->tickets);
    herd_buf_fini(&node->entries);
    herd_peers_free(node);
    herd_changes_fini(&node->changes);
    herd_seen_cache_fini(&node->seen);
    herd_traces_fini(&node->traces);
    herd_line_cache_fini(&node->lines);
    herd_store_free(node->store);
    free(node->name_bytes);
    free(node);
}

struct herd_span herd_node_name(const struct herd_node *node)
{
    return node->name;
}

struct herd_store *herd_node_store(const struct herd_node *node)
{
    return node->store;
}

struct herd_session *herd_node_link(const struct herd_node *node, size_t peer)
{
    return peer < node->peer_count ? node->peers[peer]->session : NULL;
}

size_t herd_node_peer_count(const struct herd_node *node)
{
    return node->peer_count;
}

struct herd_span herd_node_peer_name(const struct herd_node *node, size_t peer)
{
    bool known = peer < node->peer_count && !node->peers[peer]->removed;
    return known ? node->peers[peer]->name : (struct herd_span){"", 0};
}

static int64_t min_ns(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t herd_node_next_ns(const struct herd_node *node)
{
    int64_t next = min_ns(herd_expiry_next_ns(node), herd_timeouts_next_ns(node));
    for (size_t i = 0; i < node->peer_count; i++)
        next = min_ns(next, herd_peer_next_ns(node, node->peers[i]));
    return next;
}

void herd_node_tick(struct herd_node *node, struct herd_now now)
{
    node->now = now;
    herd_sessions_tick(node);
    herd_expiry_tick(node);
    for (size_t i = 0; i < node->peer_count; i++)
        herd_peer_tick(node, node->peers[i]);
}
