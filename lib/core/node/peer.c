/* SPDX-License-Identifier: MIT */
/*
 * Neighbours: their names, which of two connections to one is kept, whether it is alive, when to dial again.
 *
 * Both ends of a link dial, so that whoever returns is back at once. Two connections between the same
 * two servers are told apart like this, the same way at both ends:
 *
 *     the other side's incarnation is new    it restarted: the old connection is dead, the new one lives
 *     the same side dialled both             it gave the old one up: the new one lives
 *     each side dialled one                  the one dialled by the lexically smaller name lives
 *
 * Whoever has been quiet for a ping period says something unasked, so the other side need not ask: on a slow
 * link its question would wait behind all that is queued there, and so would the answer. What was queued first
 * moves, or nothing does: on a link that lives bytes arrive from either side, however slow it is, and one on
 * which nothing arrives for four periods is dead. That the other side's kernel takes bytes is no sign of life:
 * it does so for a process that stands still.
 */
#include "node_impl.h"

#define PINGS_MISSED_MAX 3
#define NS_PER_MS        UINT64_C(1000000)

int herd_peer_find(const struct herd_node *node, struct herd_span name)
{
    for (size_t i = 0; i < node->peer_count; i++)
        if (!node->peers[i]->removed && herd_span_equal(node->peers[i]->name, name))
            return (int)i;
    return HERD_E_NOTFOUND;
}

uint64_t herd_node_random(struct herd_node *node, uint64_t bound)
{
    node->random += HERD_HASH_A;
    return herd_mul_fold(node->random, HERD_HASH_B ^ node->random >> 29) % bound;
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
    peer->down_why = why;
    herd_effect_queue(node, &peer->down, HERD_EFFECT_PEER_DOWN);
    if (!peer->dial_asked)
        schedule_dial(node, peer);
}

void herd_peer_session_gone(struct herd_session *session, const char *why)
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

/* The loser of two connections that were made at once, dialled by this node, is left to the other side, which closes
 * it when it knows of the other one too. Closed here, it might be the other side's only link for a moment. */
static void leave(struct herd_node *node, struct herd_peer *peer, struct herd_session *session, const char *why)
{
    if (peer->loser)
        herd_effect_queue(node, &peer->loser->close, HERD_EFFECT_CLOSE);
    herd_session_leave(session, why);
    peer->loser = session;
    peer->loser_ns = node->now.steady_ns;
}

void herd_peer_left(const struct herd_session *session)
{
    struct herd_peer *peer = session->peer >= 0 ? session->node->peers[session->peer] : NULL;
    if (peer && peer->loser == session)
        peer->loser = NULL;
}

/* Whether the link and another connection, just introduced, were made at once, one by each side. */
static bool crossed(const struct herd_peer *peer, uint64_t incarnation, bool we_dialled)
{
    return peer->session && incarnation == peer->incarnation && we_dialled != peer->we_dialled;
}

/* Whether a connection that was just introduced is the link to keep. */
static bool wins_collision(struct herd_node *node, struct herd_peer *peer, uint64_t incarnation, bool we_dialled)
{
    bool we_are_smaller = herd_span_compare(node->name, peer->name) < 0;
    if (!crossed(peer, incarnation, we_dialled) || we_dialled == we_are_smaller)
        return true;
    peer->ping_due = true; /* if the one we keep is dead, find out soon */
    return false;
}

/* Ends the link that a new connection replaces. Of two made at once nobody need know; else the link is down. */
static void replace(struct herd_node *node, struct herd_peer *peer, uint64_t incarnation, bool we_dialled)
{
    struct herd_session *old = peer->session;
    bool quiet = crossed(peer, incarnation, we_dialled);
    if (quiet && peer->we_dialled)
        leave(node, peer, old, "replaced");
    else
        herd_session_terminate(old, "replaced");
    if (quiet)
        herd_list_remove(&peer->down.link);
}

/* A restart brings a number nobody has had. One that comes back after another is that of a second process. */
static void note_incarnation(struct herd_node *node, struct herd_peer *peer, uint64_t incarnation)
{
    const size_t known = sizeof peer->incarnations / sizeof *peer->incarnations;
    if (incarnation == peer->incarnation)
        return;
    for (size_t i = 0; peer->was_up && i < known; i++) {
        if (peer->incarnations[i] != incarnation)
            continue;
        /* Once may be a connection of a process that died meanwhile. */
        if (++peer->alternations > 1 && herd_worth_saying(peer->alternations))
            herd_notice(node, "two_servers_one_name", peer->name);
        break;
    }
    if (peer->was_up) {
        memmove(peer->incarnations + 1, peer->incarnations, sizeof peer->incarnations - sizeof incarnation);
        peer->incarnations[0] = peer->incarnation;
    }
    peer->incarnation = incarnation;
    peer->was_up = true;
}

int herd_peer_say_hello(const struct herd_node *node, const struct herd_peer *peer, struct herd_buf *out)
{
    int64_t expire_ns = node->options.expire_ns;
    return herd_format_hello(out, HERD_PROTOCOL_VERSION, node->name, peer->name, node->incarnation,
                             expire_ns > 0 ? (uint64_t)(expire_ns - 1) / NS_PER_MS + 1 : 0);
}

/* What it keeps for shorter or longer than this node does makes the two differ for ever: the operator should know. */
static void note_expiry(struct herd_node *node, struct herd_peer *peer, uint64_t expire_ms)
{
    int64_t ours_ns = node->options.expire_ns > 0 ? node->options.expire_ns : 0;
    peer->expire_ms = expire_ms;
    if (herd_peer_expiry_differs(node, peer) && herd_worth_saying(++peer->expire_differed))
        herd_notice(node,
                    ours_ns > 0 && (expire_ms == 0 || expire_ms > (uint64_t)ours_ns / NS_PER_MS)
                        ? "peer_expires_later"
                        : "peer_expires_sooner",
                    peer->name);
}

/* Anybody can make us say no. */
static int refuse(struct herd_session *session, const char *why, struct herd_span name, struct herd_buf *out)
{
    struct herd_node *node = session->node;
    int number = herd_peer_find(node, name);
    if (herd_worth_saying(number < 0 ? ++node->hellos_refused : ++node->peers[number]->hellos_refused))
        herd_notice(node, why, name);
    if (session->role == HERD_ROLE_HANDSHAKE) {
        herd_session_terminate(session, why);
        return 0;
    }
    session->draining = true;
    int err = herd_buf_reserve(out, 64);
    if (err < 0)
        return err;
    herd_buf_add_text(out, "REFUSE ");
    herd_buf_add_text(out, why);
    herd_buf_add_text(out, "\n");
    return 0;
}

int herd_peer_hello(struct herd_session *session, const struct herd_command *command, struct herd_buf *out)
{
    struct herd_node *node = session->node;
    bool we_dialled = session->role == HERD_ROLE_HANDSHAKE;
    int number = herd_peer_find(node, command->from);
    if (command->version != HERD_PROTOCOL_VERSION)
        return refuse(session, "peer_version_unknown", command->from, out);
    if (!herd_span_equal(command->to, node->name))
        return refuse(session, "peer_wants_another", command->to, out);
    if (number < 0 || (we_dialled && number != session->peer))
        return refuse(session, "peer_name_unknown", command->from, out);
    if (node->peers[number]->plain)
        return refuse(session, "peer_is_plain", command->from, out);

    struct herd_peer *peer = node->peers[number];
    if (!wins_collision(node, peer, command->incarnation, we_dialled)) {
        if (!we_dialled)
            return refuse(session, "peer_linked_already", command->from, out);
        leave(node, peer, session, "peer_linked_already");
        return 0;
    }
    struct herd_session *old = peer->session;
    if (old)
        replace(node, peer, command->incarnation, we_dialled);
    int err = herd_changes_subscribe(&node->changes, &peer->subscriber);
    if (err >= 0 && !we_dialled)
        err = herd_peer_say_hello(node, peer, out);
    if (err < 0) {
        herd_changes_unsubscribe(&node->changes, &peer->subscriber);
        return err;
    }
    if (peer->dialled == session) {
        peer->dialled = NULL;
        peer->dial_asked = false;
    }
    if (herd_list_linked(&peer->dial.link)) {
        herd_list_remove(&peer->dial.link); /* nobody has begun to dial */
        peer->dial_asked = false;
    }
    herd_session_cancel_timeouts(session);
    session->role = HERD_ROLE_LINK;
    session->peer = number;
    peer->session = session;
    note_incarnation(node, peer, command->incarnation);
    note_expiry(node, peer, command->expire_ms);
    peer->hellos_refused = peer->refused_us = 0;
    peer->we_dialled = we_dialled;
    peer->last_rx_ns = peer->last_tx_ns = peer->pinged_ns = node->now.steady_ns;
    peer->pings_missed = 0;
    peer->up_ns = node->now.steady_ns;
    herd_sync_begin(node, peer);
    herd_effect_queue(node, &peer->up, HERD_EFFECT_PEER_UP);
    if (old && herd_list_linked(&old->close.link)) /* behind that: there is a link all the time */
        herd_effect_queue(node, &old->close, HERD_EFFECT_CLOSE);
    return 0;
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
