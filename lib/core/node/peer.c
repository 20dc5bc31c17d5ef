/* SPDX-License-Identifier: MIT */
/*
 * Neighbours: whether a link is alive, and when to dial again.
 *
 * Whoever has been quiet for a ping period says something unasked, so the other side need not ask: on a slow
 * link its question would wait behind all that is queued there, and so would the answer. What was queued first
 * moves, or nothing does: on a link that lives bytes arrive from either side, however slow it is, and one on
 * which nothing arrives for four periods is dead. That the other side's kernel takes bytes is no sign of life:
 * it does so for a process that stands still.
 */
#include "peer.h"

#include "effect.h"
#include "plain.h"
#include "random.h"
#include "session.h"

#include <assert.h>

#define PINGS_MISSED_MAX 3

int herd_peer_find(const struct herd_node *node, struct herd_span name)
{
    for (size_t i = 0; i < node->peer_count; i++)
        if (!node->peers[i]->removed && herd_span_equal(node->peers[i]->name, name))
            return (int)i;
    return HERD_E_NOTFOUND;
}

/* Half of the back-off at least, all of it at most, and twice as long next time. The larger name waits a
 * moment more, so that two servers that start together do not always dial each other at once. */
static void schedule_dial(struct herd_node *node, struct herd_peer *peer)
{
    const struct herd_node_options *o = &node->options;
    int64_t half = peer->backoff_ns / 2;
    int64_t wait = half + (int64_t)herd_node_random(node, (uint64_t)half + 1);
    if (herd_span_compare(node->name, peer->name) > 0)
        wait += o->redial_min_ns;
    peer->next_dial_ns = node->now.steady_ns + wait;
    peer->backoff_ns = peer->backoff_ns < o->redial_max_ns / 2 ? peer->backoff_ns * 2 : o->redial_max_ns;
    peer->dial_asked = false;
}

/* A link that did not last says nothing of the next one: only one that did makes the waits short again.
 * So two servers that cannot agree (one takes longer lines than the other, say) do not go round at full
 * speed for ever. */
static void link_down(struct herd_node *node, struct herd_peer *peer, const char *why)
{
    if (peer->loser) { /* the other side may still hold that for the link */
        herd_effect_queue(node, &peer->loser->close, HERD_EFFECT_CLOSE);
        peer->loser = NULL;
    }
    if (node->now.steady_ns - peer->up_ns >= node->options.redial_max_ns)
        peer->backoff_ns = node->options.redial_min_ns;
    herd_changes_unsubscribe(&node->changes, &peer->subscriber);
    herd_sync_end(peer);
    herd_list_remove(&peer->resume.link);
    peer->session = NULL;
    peer->ping_due = peer->pong_due = false;
    herd_effect_peer_down(node, peer, why);
    if (!peer->dial_asked)
        schedule_dial(node, peer);
}

/* The session is no longer that of a neighbour. */
static void detach(struct herd_session *session, const char *why)
{
    if (session->peer < 0 || session->role == HERD_ROLE_CLOSING)
        return;
    struct herd_node *node = session->node;
    struct herd_peer *peer = node->peers[session->peer];
    if (peer->session == session)
        link_down(node, peer, why);
    if (peer->dialled == session) {
        peer->dialled = NULL;
        schedule_dial(node, peer);
    }
}

void herd_session_terminate(struct herd_session *session, const char *why)
{
    detach(session, why);
    herd_session_mark_closing(session, why);
}

void herd_peer_leave(struct herd_peer *peer, struct herd_session *session, const char *why)
{
    struct herd_node *node = session->node;
    assert(session->role == HERD_ROLE_HANDSHAKE || session->role == HERD_ROLE_LINK);
    if (peer->loser)
        herd_effect_queue(node, &peer->loser->close, HERD_EFFECT_CLOSE);
    detach(session, why);
    herd_session_stop_input(session, why);
    session->leaving = true;
    peer->loser = session;
    peer->loser_ns = node->now.steady_ns;
}

void herd_session_close(struct herd_session *session)
{
    struct herd_peer *peer = herd_session_neighbour(session);
    detach(session, "connection_lost");
    if (peer && peer->loser == session)
        peer->loser = NULL;
    herd_session_free(session);
}

/* When the next ping is due: a period after the last sign of life or the last ping. */
static int64_t next_ping_ns(const struct herd_node *node, const struct herd_peer *peer)
{
    int64_t last = peer->last_rx_ns > peer->pinged_ns ? peer->last_rx_ns : peer->pinged_ns;
    return last + node->options.ping_ns;
}

/* When the neighbour must hear something of us; never, while it is to hear something anyway. */
static int64_t next_sign_ns(const struct herd_node *node, const struct herd_peer *peer)
{
    return peer->pong_due || peer->ping_due ? INT64_MAX : peer->last_tx_ns + node->options.ping_ns;
}

int64_t herd_peer_next_ns(const struct herd_node *node, const struct herd_peer *peer)
{
    int64_t next = INT64_MAX;
    if (peer->removed)
        return next;
    if (peer->plain)
        return herd_plain_next_ns(node, peer);
    if (peer->session) {
        int64_t check_ns = herd_sync_next_ns(node, peer), sign_ns = next_sign_ns(node, peer);
        next = next_ping_ns(node, peer);
        if (check_ns < next)
            next = check_ns;
        if (sign_ns < next)
            next = sign_ns;
        if (peer->session->spent)
            next = node->now.steady_ns;
    } else if (!peer->dial_asked) {
        next = peer->next_dial_ns;
    }
    if (peer->dialled && peer->dialled_ns + node->options.hello_ns < next)
        next = peer->dialled_ns + node->options.hello_ns;
    if (peer->loser && peer->loser_ns + node->options.hello_ns < next)
        next = peer->loser_ns + node->options.hello_ns;
    return next;
}

void herd_peer_tick(struct herd_node *node, struct herd_peer *peer)
{
    int64_t now_ns = node->now.steady_ns;
    if (peer->removed)
        return;
    if (peer->plain) {
        herd_plain_tick(node, peer);
        return;
    }
    if (peer->dialled && now_ns >= peer->dialled_ns + node->options.hello_ns)
        herd_session_terminate(peer->dialled, "no_introduction");
    if (peer->loser && now_ns >= peer->loser_ns + node->options.hello_ns) {
        herd_effect_queue(node, &peer->loser->close, HERD_EFFECT_CLOSE);
        peer->loser = NULL;
    }
    if (peer->session && now_ns >= next_ping_ns(node, peer)) {
        if (peer->pings_missed == PINGS_MISSED_MAX) {
            herd_session_terminate(peer->session, "silent");
        } else {
            peer->pings_missed++;
            peer->pinged_ns = now_ns;
            peer->ping_due = true;
        }
    }
    if (peer->session && now_ns >= next_sign_ns(node, peer))
        peer->pong_due = true;
    if (peer->session)
        herd_sync_tick(node, peer);
    if (peer->session && peer->session->spent) {
        peer->session->spent = false;
        herd_effect_queue(node, &peer->resume, HERD_EFFECT_RESUME);
    }
    if (!peer->session && !peer->dial_asked && now_ns >= peer->next_dial_ns) {
        peer->dial_asked = true;
        herd_effect_queue(node, &peer->dial, HERD_EFFECT_DIAL);
    }
}

void herd_node_dial_local_failure(struct herd_node *node, size_t peer, struct herd_now now)
{
    node->now = now;
    if (peer < node->peer_count && !node->peers[peer]->removed && !node->peers[peer]->dialled)
        schedule_dial(node, node->peers[peer]);
}

void herd_node_dial_failed(struct herd_node *node, size_t peer, struct herd_now now)
{
    if (peer < node->peer_count && node->peers[peer]->plain)
        herd_plain_failed(node, node->peers[peer]);
    herd_node_dial_local_failure(node, peer, now);
}
