/* SPDX-License-Identifier: MIT */
/*
 * Introductions: which of two connections to one neighbour is kept.
 *
 * Both ends of a link dial, so that whoever returns is back at once. Two connections between the same
 * two servers are told apart like this, the same way at both ends:
 *
 *     the other side's incarnation is new    it restarted: the old connection is dead, the new one lives
 *     the same side dialled both             it gave the old one up: the new one lives
 *     each side dialled one                  the one dialled by the lexically smaller name lives
 */
#include "hello.h"

#include "access.h"
#include "effect.h"
#include "peer.h"
#include "plain.h"
#include "session.h"

#include <assert.h>

#define NS_PER_MS UINT64_C(1000000)

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

/* Ends the link that a new connection replaces. True: both were made at once, so nobody need know once the new one is
 * the link. */
static bool replace(struct herd_peer *peer, uint64_t incarnation, bool we_dialled)
{
    struct herd_session *old = peer->session;
    bool quiet = crossed(peer, incarnation, we_dialled), lost_before = herd_list_linked(&peer->down.link);
    if (quiet && peer->we_dialled)
        herd_peer_leave(peer, old, "replaced");
    else
        herd_session_terminate(old, "replaced");
    return quiet && !lost_before;
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

/* Appends this node's HELLO. HERD_E_NOMEM. */
static int say_hello(const struct herd_node *node, const struct herd_peer *peer, struct herd_buf *out)
{
    int64_t expire_ns = node->options.expire_ns;
    return herd_format_hello(out, HERD_PROTOCOL_VERSION, node->name, peer->name, node->incarnation,
                             expire_ns > 0 ? (uint64_t)(expire_ns - 1) / NS_PER_MS + 1 : 0, node->options.key_check,
                             node->options.tombstones_max > 0);
}

/* A neighbour that is not told of tombstones keeps what is deleted, and tells it others: the operator should know. */
static void note_gone(struct herd_node *node, struct herd_peer *peer, bool takes_gone)
{
    peer->takes_gone = takes_gone;
    if (node->options.tombstones_max > 0 && !takes_gone && herd_worth_saying(++peer->gone_differed))
        herd_notice(node, "peer_cannot_delete", peer->name);
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

/* Says no. Each time there is a notice: whoever takes it knows from where the connection comes, and damps. */
static int refuse(struct herd_session *session, const char *why, struct herd_span name, struct herd_buf *out)
{
    herd_notice(session->node, why, name);
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
    if ((node->options.peers_prove || session->proved.len > 0) && !herd_span_equal(command->from, session->proved))
        return refuse(session, "peer_not_proved", command->from, out);
    if (command->key_check != node->options.key_check)
        return refuse(session, "peer_key_differs", command->from, out);
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
        herd_peer_leave(peer, session, "peer_linked_already");
        return 0;
    }
    struct herd_session *old = peer->session;
    bool quiet = old && replace(peer, command->incarnation, we_dialled);
    int err = herd_changes_subscribe(&node->changes, &peer->subscriber);
    if (err >= 0 && !we_dialled)
        err = say_hello(node, peer, out);
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
    herd_session_suspend_timeouts(session);
    herd_session_set_identity(session, NULL); /* it was a client's until now, and counted as one */
    session->role = HERD_ROLE_LINK;
    session->peer = number;
    peer->session = session;
    note_incarnation(node, peer, command->incarnation);
    note_expiry(node, peer, command->expire_ms);
    note_gone(node, peer, command->takes_gone);
    peer->we_dialled = we_dialled;
    peer->last_rx_ns = peer->last_tx_ns = peer->pinged_ns = node->now.steady_ns;
    peer->pings_missed = 0;
    peer->up_ns = node->now.steady_ns;
    herd_sync_begin(node, peer);
    if (quiet)
        herd_list_remove(&peer->down.link);
    herd_effect_peer_up(node, peer);
    if (old && herd_list_linked(&old->close.link)) /* behind that: there is a link all the time */
        herd_effect_queue(node, &old->close, HERD_EFFECT_CLOSE);
    return 0;
}

int herd_session_connected(struct herd_node *node, struct herd_session **ret_session, void *user, size_t peer,
                           struct herd_now now, struct herd_buf *out)
{
    if (peer >= node->peer_count || node->peers[peer]->removed)
        return HERD_E_ARG;
    struct herd_peer *p = node->peers[peer];
    struct herd_session *session = herd_session_new(node, user, now);
    int err = !session ? HERD_E_NOMEM : !p->plain ? say_hello(node, p, out) : herd_plain_send(session, p, out);
    if (err < 0) { /* it was there: what a plain neighbour was told before, it has */
        if (session)
            herd_session_close(session);
        herd_node_dial_local_failure(node, peer, now);
        return err;
    }
    *ret_session = session;
    if (p->plain)
        return 0;
    session->role = HERD_ROLE_HANDSHAKE;
    session->peer = (int32_t)peer;
    p->dialled = session;
    p->dial_asked = true;
    p->dialled_ns = now.steady_ns;
    return 0;
}
