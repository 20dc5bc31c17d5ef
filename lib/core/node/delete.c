/* SPDX-License-Identifier: MIT */
/*
 * A tombstone for a client that is known, made so that it wins over the record that it is for.
 *
 *     time       the later one of now and the record's: of the same time the tombstone is the greater
 *     accepted   where records expire: the later one of now and when the record was
 *
 * Effective times grow with both, so that the tombstone's is not before the record's; and as neither is later than what
 * this node holds or than its clock, the tombstone lies in its window (PROTOCOL.md, 3.7) as the record does. From there
 * on it is a record like any other.
 */
#include "delete.h"

#include "../store/effective.h"
#include "access.h"
#include "expiry.h"
#include "foreign.h"
#include "offer.h"

#define DECIMALS 9

/* The record of a client that is there, by the node's clock; its spans are borrowed from the store. */
static int find(struct herd_node *node, const struct herd_offer *offer, struct herd_span id, uint32_t *ret_slot,
                struct herd_record *ret_record)
{
    uint32_t slot = herd_store_find(node->store, offer->hash, HERD_NO_SLOT, id);
    if (slot == HERD_NO_SLOT)
        return HERD_E_NOTFOUND;
    herd_expiry_look(node);
    int err = herd_expiry_settle(node, slot);
    if (err < 0)
        return err;
    if (!herd_store_get_slot(node->store, slot, ret_record))
        return HERD_E_NOMEM;
    *ret_slot = slot;
    return herd_record_is_tombstone(ret_record) || herd_expired(node, ret_record) ? HERD_E_NOTFOUND : 0;
}

/* Fills an offer with the tombstone for `id`; its time lies in `time`, or in the node's scratch. HERD_E_NOTFOUND,
 * HERD_E_NOMEM. */
static int make_tombstone(struct herd_node *node, struct herd_span id, struct herd_offer *offer,
                          char time[HERD_TIMESTAMP_MAX])
{
    struct herd_record known;
    uint32_t slot;
    offer->hash = herd_store_hash(node->store, id);
    offer->id_hash = herd_store_id_hash(node->store, id);
    int err = find(node, offer, id, &slot, &known);
    if (err < 0)
        return err;
    int64_t now_ns = node->now.wall_ns > 0 ? node->now.wall_ns : 0; /* a clock before 1970 is no clock */
    struct herd_record tombstone = {.server = node->name, .id = id, .position = {"", 0}, .time_ns = now_ns};
    tombstone.time = (struct herd_span){time, (size_t)(herd_put_timestamp(time, now_ns, DECIMALS) - time)};
    if (herd_timestamp_compare(known.time, tombstone.time) >= 0) {
        node->entries.len = 0;
        err = herd_buf_add(&node->entries, known.time.at, known.time.len);
        if (err < 0)
            return err;
        tombstone.time = (struct herd_span){node->entries.at, node->entries.len};
        tombstone.time_ns = known.time_ns;
    }
    int64_t accepted_ns = now_ns, before_ns = herd_accepted_ns(&known);
    if (node->options.expire_ns > 0 && before_ns > accepted_ns)
        accepted_ns = before_ns;
    tombstone.diff =
        (struct herd_span){offer->diff, herd_diff_format(accepted_ns - tombstone.time_ns, offer->diff)};
    offer->record = tombstone;
    offer->source = HERD_SOURCE_CLIENT;
    offer->from = NULL;
    offer->slot_hint = slot;
    return 0;
}

static int delete_client(struct herd_node *node, struct herd_span id, struct herd_buf *out,
                         enum herd_verdict *ret_verdict)
{
    struct herd_offer offer;
    char time[HERD_TIMESTAMP_MAX];
    unsigned bucket;
    if (herd_foreign(node, id, &bucket)) {
        herd_foreign_count(node, id);
        *ret_verdict = HERD_VERDICT_FOREIGN;
        return 0;
    }
    if (node->options.tombstones_max == 0)
        return HERD_E_ACCESS;
    int err = make_tombstone(node, id, &offer, time);
    /* The caller's memory comes first: once the tombstone is stored there is no way back. */
    if (err >= 0 && out)
        err = herd_buf_reserve(out, node->at_name.len + HERD_DIFF_MAX + id.len + offer.record.time.len + 8);
    if (err < 0)
        return err;
    int verdict = herd_offer(node, &offer);
    if (verdict < 0)
        return verdict;
    *ret_verdict = (enum herd_verdict)verdict;
    if (!out || !herd_offer_taken(verdict))
        return 0;
    return herd_format_gone(out, offer.record.server, offer.record.diff, id, offer.record.time);
}

int herd_node_delete(struct herd_node *node, struct herd_span id, struct herd_now now, struct herd_buf *out,
                     enum herd_verdict *ret_verdict)
{
    node->now = now;
    return delete_client(node, id, out, ret_verdict);
}

int herd_session_delete(struct herd_session *session, struct herd_span id, struct herd_now now,
                        struct herd_buf *out, enum herd_verdict *ret_verdict)
{
    session->node->now = now;
    int refused = herd_access_delete(session, id);
    if (!refused)
        return delete_client(session->node, id, out, ret_verdict);
    *ret_verdict = (enum herd_verdict)refused;
    return 0;
}

int herd_delete_apply_client(struct herd_session *session, const struct herd_parsed_line *parsed,
                             struct herd_buf *replies)
{
    enum herd_verdict verdict = HERD_VERDICT_NOT_ALLOWED;
    int err = herd_session_delete(session, parsed->command.id, session->node->now, replies, &verdict);
    if (err >= 0 && herd_offer_taken((int)verdict))
        return 0;
    unsigned bucket;
    if (err >= 0 && verdict == HERD_VERDICT_FOREIGN && herd_foreign(session->node, parsed->command.id, &bucket))
        return herd_foreign_reply(session->node, bucket, replies);
    session->node->stats.invalid++;
    return herd_format_invalid(replies, parsed->line);
}
