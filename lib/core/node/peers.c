/* SPDX-License-Identifier: MIT */
/*
 * What may change while a node runs: its bounds, and who its neighbours are.
 *
 * A neighbour keeps its number for the node's life. One that is removed leaves an empty entry, which the same name
 * gets back when it is added again; no other name does, so a number in a caller's hands never means somebody else.
 */
#include "peers.h"

#include "../base/array.h"
#include "effect.h"
#include "expiry.h"
#include "peer.h"

#include <stdlib.h>

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S  INT64_C(1000000000)

static void fill_size(size_t *option, size_t standard)
{
    if (*option == 0)
        *option = standard;
}

static void fill_time(int64_t *option, int64_t standard_ns)
{
    if (*option == 0)
        *option = standard_ns;
}

void herd_options_fill(struct herd_node_options *o)
{
    fill_size(&o->line_max_bytes, 65536);
    fill_size(&o->records_max, 1000000);
    if (o->records_bytes_max == 0)
        o->records_bytes_max = UINT64_C(4) << 30;
    fill_size(&o->lookups_per_client_max, 4);
    fill_size(&o->queued_reply_max_bytes, 65536);
    fill_size(&o->plain_lines_max, 1);
    fill_time(&o->client_idle_ns, 300 * NS_PER_S);
    fill_time(&o->line_deadline_ns, 10 * NS_PER_S);
    fill_time(&o->ping_ns, 5 * NS_PER_S);
    fill_time(&o->hello_ns, 5 * NS_PER_S);
    fill_time(&o->redial_min_ns, 50 * NS_PER_MS);
    fill_time(&o->redial_max_ns, 3 * NS_PER_S);
    fill_time(&o->digest_ns, 60 * NS_PER_S);
    fill_time(&o->future_ns, 300 * NS_PER_S);
}

void herd_node_configure(struct herd_node *node, const struct herd_node_options *options, struct herd_now now)
{
    struct herd_node_options *o = &node->options, old = *o;
    node->now = now;
    *o = *options;
    o->name = old.name;
    o->peers = old.peers;
    o->peers_plain = old.peers_plain;
    o->peer_count = old.peer_count;
    o->seed[0] = old.seed[0];
    o->seed[1] = old.seed[1];
    o->digest_key = old.digest_key;
    o->key_check = old.key_check;
    herd_options_fill(o);
    herd_expiry_configure(node);
    herd_trace_configure(node);
    /* What was scheduled by longer periods must not wait for their end. */
    for (size_t i = 0; i < node->peer_count; i++) {
        struct herd_peer *peer = node->peers[i];
        if (peer->session && (old.tombstones_max > 0) != (o->tombstones_max > 0))
            herd_session_terminate(peer->session, "deletion_changed"); /* HELLO says so */
        if (peer->backoff_ns > o->redial_max_ns)
            peer->backoff_ns = o->redial_max_ns;
        if (peer->backoff_ns < o->redial_min_ns)
            peer->backoff_ns = o->redial_min_ns;
        if (peer->next_dial_ns > now.steady_ns + o->redial_max_ns)
            peer->next_dial_ns = now.steady_ns + o->redial_max_ns;
        if (peer->sync.next_check_ns > now.steady_ns + o->digest_ns)
            peer->sync.next_check_ns = now.steady_ns + o->digest_ns;
    }
}

/* An entry for a name, in none of its states yet: that of a removed neighbour, or a new one. NULL: no memory. */
static struct herd_peer *entry(struct herd_node *node, struct herd_span name)
{
    for (size_t i = 0; i < node->peer_count; i++)
        if (herd_span_equal(node->peers[i]->name, name))
            return node->peers[i];
    struct herd_peer **peers =
        herd_array_reserve(node->peers, &node->peer_cap, node->peer_count + 1, sizeof(struct herd_peer *));
    if (!peers)
        return NULL;
    node->peers = peers;
    struct herd_peer *peer = calloc(1, sizeof *peer + name.len);
    if (!peer)
        return NULL;
    memcpy(peer->name_bytes, name.at, name.len);
    peer->name = (struct herd_span){peer->name_bytes, name.len};
    peer->number = node->peer_count;
    peer->removed = true;
    node->peers[node->peer_count++] = peer;
    return peer;
}

int herd_peers_add(struct herd_node *node, struct herd_span name, bool plain)
{
    if (!herd_name_valid(name) || herd_span_equal(name, node->name) || herd_peer_find(node, name) >= 0)
        return HERD_E_ARG;
    struct herd_peer *peer = entry(node, name);
    if (!peer)
        return HERD_E_NOMEM;
    /* A plain neighbour's dirty set is always joined: there is no link that comes up. */
    int err = plain ? herd_changes_subscribe(&node->changes, &peer->subscriber) : 0;
    if (err < 0)
        return err;
    peer->removed = false;
    peer->plain = peer->needs_full_send = plain;
    peer->backoff_ns = node->options.redial_min_ns;
    peer->next_dial_ns = plain ? 0 : INT64_MIN;
    return (int)peer->number;
}

int herd_node_peer_add(struct herd_node *node, struct herd_span name, bool plain, struct herd_now now,
                       size_t *ret_peer)
{
    node->now = now;
    int number = herd_peers_add(node, name, plain);
    if (number < 0)
        return number;
    if (!plain)
        node->peers[number]->next_dial_ns = now.steady_ns;
    *ret_peer = (size_t)number;
    return 0;
}

int herd_node_peer_remove(struct herd_node *node, size_t number, struct herd_now now)
{
    if (number >= node->peer_count || node->peers[number]->removed)
        return HERD_E_NOTFOUND;
    struct herd_peer *peer = node->peers[number];
    node->now = now;
    if (peer->session)
        herd_session_terminate(peer->session, "peer_removed");
    if (peer->dialled)
        herd_session_terminate(peer->dialled, "peer_removed");
    /* Connections from its address are ordinary clients from now on. */
    for (struct herd_list *at = node->sessions.next; peer->plain && at != &node->sessions; at = at->next) {
        struct herd_session *session = HERD_CONTAINER_OF(at, struct herd_session, all);
        if (session->plain && session->peer == (int32_t)number) {
            session->plain = false;
            session->peer = -1;
        }
    }
    if (peer->plain && !peer->needs_full_send)
        herd_effect_peer_down(node, peer, "peer_removed");
    if (herd_list_linked(&peer->dial.link))
        herd_list_remove(&peer->dial.link);
    herd_changes_unsubscribe(&node->changes, &peer->subscriber);
    peer->dial_asked = peer->plain = peer->needs_full_send = false;
    peer->removed = true;
    return 0;
}

void herd_peers_free(struct herd_node *node)
{
    for (size_t i = 0; i < node->peer_count; i++) {
        herd_changes_unsubscribe(&node->changes, &node->peers[i]->subscriber);
        free(node->peers[i]);
    }
    free(node->peers);
}
