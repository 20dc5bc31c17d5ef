/* SPDX-License-Identifier: MIT */
/*
 * Neighbours that speak the class protocol: bare AT lines, a connection for each message, no introduction
 * and no answer.
 *
 *     us                              them
 *     connect, "AT ...", FIN   ->
 *                              <-     whatever they say, or nothing; FIN, or never
 *
 * Their dirty set is joined always. While it holds anything a connection is asked for, takes
 * plain_lines_max lines (one, as long as nobody says that the other side reads more than one) and is done
 * for. They never tell what they know, so after every failed dial they are sent everything once more:
 * they may have forgotten all of it. A dial that failed for want of memory or descriptors here is none of these.
 *
 * What comes from them is in plain_session.c.
 */
#include "plain.h"

#include "effect.h"
#include "flood.h"
#include "session.h"

static bool wants(const struct herd_node *node, const struct herd_peer *peer)
{
    return peer->subscriber.pending > 0 || (peer->needs_full_send && node->store->count > node->store->tombstones);
}

int64_t herd_plain_next_ns(const struct herd_node *node, const struct herd_peer *peer)
{
    return !peer->dial_asked && wants(node, peer) ? peer->next_dial_ns : INT64_MAX;
}

void herd_plain_tick(struct herd_node *node, struct herd_peer *peer)
{
    if (peer->dial_asked || !wants(node, peer) || node->now.steady_ns < peer->next_dial_ns)
        return;
    peer->dial_asked = true;
    herd_effect_queue(node, &peer->dial, HERD_EFFECT_DIAL);
}

void herd_plain_failed(struct herd_node *node, struct herd_peer *peer)
{
    if (!peer->needs_full_send) {
        peer->needs_full_send = true;
        herd_effect_peer_down(node, peer, "unreachable");
    }
}

/* A record, with our name behind it where that is wanted: 1, or 0 if none is due. HERD_E_NOMEM. */
static int say_record(struct herd_node *node, struct herd_peer *peer, struct herd_buf *out)
{
    size_t before = out->len;
    int said = herd_flood_record(node, peer, out);
    if (said <= 0 || !peer->sender)
        return said;
    if (herd_buf_reserve(out, 1 + node->name.len) < 0) {
        out->len = before;
        herd_plain_failed(node, peer); /* the record is not due any more: it is told everything, next time */
        return HERD_E_NOMEM;
    }
    out->at[out->len - 1] = ' ';
    memcpy(out->at + out->len, node->name.at, node->name.len);
    out->len += node->name.len;
    out->at[out->len++] = '\n';
    return 1;
}

int herd_plain_send(struct herd_session *session, struct herd_peer *peer, struct herd_buf *out)
{
    struct herd_node *node = session->node;
    if (peer->needs_full_send) {
        herd_subscriber_mark_all_dirty(&node->changes, &peer->subscriber, node->store->slots);
        peer->needs_full_send = false;
        peer->up_ns = node->now.steady_ns;
        herd_effect_peer_up(node, peer);
    }
    for (size_t lines = 0; lines < node->options.plain_lines_max; lines++) {
        int said = say_record(node, peer, out);
        if (said == 0)
            break;
        if (said < 0 && lines == 0)
            return said;
        if (said < 0) /* what did not fit is still due */
            break;
    }
    peer->dial_asked = false;
    peer->next_dial_ns = 0;
    /* As of a link: one that accepts connections and loses what they carry is not dialled at full speed for ever. */
    if (node->now.steady_ns - peer->up_ns >= node->options.redial_max_ns)
        peer->backoff_ns = node->options.redial_min_ns;
    herd_session_mark_closing(session, "said");
    return 0;
}

int herd_node_peer_sender(struct herd_node *node, size_t peer, bool sender)
{
    if (peer >= node->peer_count || node->peers[peer]->removed)
        return HERD_E_NOTFOUND;
    node->peers[peer]->sender = sender;
    return 0;
}

bool herd_node_peer_plain(const struct herd_node *node, size_t peer)
{
    return peer < node->peer_count && node->peers[peer]->plain;
}

bool herd_node_plain_pending(const struct herd_node *node)
{
    for (size_t i = 0; i < node->peer_count; i++) {
        const struct herd_peer *peer = node->peers[i];
        if (peer->plain && !peer->needs_full_send && peer->subscriber.pending > 0)
            return true;
    }
    return false;
}
