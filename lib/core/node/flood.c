/* SPDX-License-Identifier: MIT */
/* What a link has to say: control lines first, then records that are due and frames of a comparison. */
#include "flood.h"

/* Slots that are due and say nothing, looked at before others get their turn. */
#define SKIPPED_A_CALL 4096

bool herd_session_want_write(const struct herd_session *session)
{
    if (session->role != HERD_ROLE_LINK)
        return false;
    const struct herd_peer *peer = session->node->peers[session->peer];
    return peer->pong_due || peer->ping_due || peer->subscriber.pending > 0 || herd_sync_want_write(peer);
}

static int send_line(bool *io_due, const char *line, struct herd_buf *out)
{
    if (!*io_due)
        return 0;
    int err = herd_buf_add_text(out, line);
    if (err >= 0)
        *io_due = false;
    return err;
}

/* Whether a link beside this one is due the record too. */
static bool due_elsewhere(const struct herd_node *node, const struct herd_peer *peer, uint32_t slot)
{
    for (size_t i = 0; i < node->peer_count; i++) {
        const struct herd_peer *other = node->peers[i];
        if (other != peer && other->session && herd_subscriber_has(&other->subscriber, slot))
            return true;
    }
    return false;
}

/* Appends the AT line of a slot: as a rule it is kept since the record came; else it is written once for all links that
 * are due it at about the same time. */
static int format(struct herd_node *node, const struct herd_peer *peer, uint32_t slot, struct herd_buf *out)
{
    const uint64_t place = peer->subscriber.place;
    if (herd_line_cache_copy(&node->lines, node->store, slot, place, out))
        return 0;
    size_t before = out->len;
    int err = herd_store_format(node->store, slot, out);
    if (err >= 0 && due_elsewhere(node, peer, slot))
        herd_line_cache_keep(&node->lines, node->store, slot, place,
                             (struct herd_span){out->at + before, out->len - before});
    return err;
}

/* Whether a neighbour is not told of a slot: it has no word for tombstones. What it does not know is a reason for its
 * digest to differ from ours. */
static bool withheld(const struct herd_node *node, struct herd_peer *peer, uint32_t slot)
{
    const struct herd_packed_record *packed = herd_store_packed(node->store, slot);
    if (peer->takes_gone || herd_packed_record_empty(packed) || !herd_packed_record_tombstone(packed))
        return false;
    peer->sync.refused += !peer->plain;
    return true;
}

int herd_flood_record(struct herd_node *node, struct herd_peer *peer, struct herd_buf *out)
{
    for (unsigned skipped = 0; skipped < SKIPPED_A_CALL; skipped++) {
        uint32_t slot = herd_subscriber_next(&node->changes, &peer->subscriber);
        if (slot == HERD_NO_SLOT)
            return 0;
        uint32_t ahead;
        while ((ahead = herd_subscriber_ahead(&node->changes, &peer->subscriber)) != HERD_NO_SLOT)
            __builtin_prefetch(herd_store_packed(node->store, ahead));
        if (node->store->tombstones > 0 && withheld(node, peer, slot))
            continue;
        int err = format(node, peer, slot, out);
        if (err == HERD_E_NOTFOUND)
            continue; /* removed while it waited */
        if (err < 0) {
            herd_subscriber_mark_dirty(&node->changes, &peer->subscriber, slot);
            return err;
        }
        node->stats.at_sent++;
        peer->at_sent++;
        return 1;
    }
    return 0; /* what is left waits for another turn */
}

int herd_session_write(struct herd_session *session, size_t max_bytes, struct herd_now now, struct herd_buf *out)
{
    struct herd_node *node = session->node;
    node->now = now;
    if (session->role != HERD_ROLE_LINK)
        return 0;
    struct herd_peer *peer = node->peers[session->peer];
    size_t before = out->len;
    int err = send_line(&peer->pong_due, "PONG\n", out);
    if (err >= 0)
        err = send_line(&peer->ping_due, "PING\n", out);

    /* Records and frames take turns: neither a busy herd nor a long comparison holds the other up. */
    size_t start = out->len;
    uint64_t steps = herd_node_steps(node);
    while (err >= 0 && out->len - start < max_bytes && herd_node_steps(node) - steps < HERD_TURN_STEPS) {
        int said = herd_sync_send(node, peer, out);
        err = said < 0 ? said : herd_flood_record(node, peer, out);
        if (err == 0 && said == 0)
            break;
    }
    if (out->len > before)
        peer->last_tx_ns = now.steady_ns;
    return err < 0 ? err : 0;
}
