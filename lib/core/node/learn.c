/* SPDX-License-Identifier: MIT */
/*
 * What a database beside the herd knows: records read from it, taken in like a neighbour's and told to all of them; and
 * one record for one reply, when a client asks for an id that this node does not hold. That one never gets into the
 * store: a record that one node alone holds makes its state differ from its neighbours'.
 */
#include "learn.h"

#include "effect.h"
#include "expiry.h"
#include "lookup.h"
#include "offer.h"
#include "report.h"
#include "ticket.h"

int herd_node_learn(struct herd_node *node, const struct herd_record *record, struct herd_now now,
                    enum herd_verdict *ret_verdict)
{
    struct herd_offer offer;
    int err = herd_record_check(record, &offer.record);
    if (err < 0)
        return err;
    node->now = now;
    offer.source = HERD_SOURCE_DATABASE;
    offer.from = NULL;
    offer.hash = herd_store_hash(node->store, record->id);
    offer.id_hash = herd_store_id_hash(node->store, record->id);
    offer.line_hash = 0;
    offer.slot_hint = HERD_NO_SLOT;
    int verdict = herd_offer(node, &offer);
    if (verdict < 0)
        return verdict;
    *ret_verdict = (enum herd_verdict)verdict;
    return 0;
}

/* ---- for one reply ---- */

/* Whether what a database has for an id is an answer: a place that clients may still see, by this node's clock. */
static bool usable(struct herd_node *node, struct herd_span id, const struct herd_record *record,
                   struct herd_record *ret_checked)
{
    return record && herd_record_check(record, ret_checked) >= 0 && herd_span_equal(record->id, id) &&
           !herd_record_is_tombstone(record) && !herd_expired(node, ret_checked) &&
           herd_expiry_window(node, ret_checked) == HERD_WINDOW_WITHIN;
}

int herd_learn_find(struct herd_node *node, struct herd_span id, const struct herd_record *record,
                    struct herd_now now, struct herd_record *ret_known)
{
    struct herd_record checked;
    node->now = now;
    int err = herd_report_find(node, id, ret_known); /* it may have come meanwhile, or been deleted */
    if (err != HERD_E_NOTFOUND || !herd_fetch_wanted(node, id) || !usable(node, id, record, &checked))
        return err;
    *ret_known = checked;
    return 0;
}

int herd_node_fetched(struct herd_node *node, uint64_t ticket_id, const struct herd_record *record,
                      struct herd_now now, struct herd_buf *out, struct herd_session **ret_session)
{
    struct herd_ticket *ticket = herd_ticket_find(node, ticket_id);
    struct herd_session *session = herd_ticket_session(node, ticket_id);
    struct herd_record known;
    struct herd_command command;
    node->now = now;
    if (!session)
        return herd_lookup_unknown(node, ticket_id, now, out, ret_session); /* frees it */
    const struct herd_span line = {ticket->texts.at, ticket->texts.len};
    *ret_session = session; /* whatever fails: it is to be closed then */
    if (herd_command_parse(line, &command) != HERD_WHATSAT)
        return HERD_E_STATE;
    int err = herd_learn_find(node, command.id, record, now, &known);
    if (err == HERD_E_NOTFOUND)
        return herd_lookup_unknown(node, ticket_id, now, out, ret_session);
    if (err >= 0)
        err = herd_lookup_make(ticket, &command, &known);
    if (err < 0)
        return err;
    ticket->user = NULL;
    herd_effect_queue(node, &ticket->pending, HERD_EFFECT_LOOKUP);
    node->stats.lookups++;
    *ret_session = NULL;
    return 0;
}
