/* SPDX-License-Identifier: MIT */
/*
 * The one way in. Whoever brings a record, the same steps decide:
 *
 *     clock     from the future, or expired long ago?     FUTURE, EXPIRED; of a journal see expiry.c
 *     limits    an id more than there may be?             FULL
 *     order     is what is held newer, or the same?       OLDER, SAME
 *     limits    a client or a tombstone more?             FULL
 *     memory    for reports of this node's own clients    FULL
 *     store, publish, count                               NEW, NEWER
 *
 * What a limit does not let in is refused alone. What memory does not let in (HERD_E_NOMEM) has to be brought again:
 * the caller ends the link, and when it is up again the neighbour tells it once more.
 */
#include "offer.h"

#include "../base/copy.h"
#include "../base/histogram.h"
#include "../base/saturate.h"
#include "../store/effective.h"
#include "effect.h"
#include "expiry.h"

#include <assert.h>

/* ---- refusals ---- */

void herd_offer_refuse(struct herd_node *node, struct herd_peer *from, enum herd_refusal why, struct herd_span what)
{
    static const char *const reasons[HERD_REFUSALS] = {"records_max", "line_max_bytes", "server_names",
                                                       "tombstones_max"};
    uint64_t *count = from ? &from->refused[why] : &node->plain_refused[why];
    node->stats.at_refused++;
    if (from)
        from->sync.refused++;
    if (!herd_worth_saying(++*count))
        return;
    /* NAME REASON ID, as much of it as a notice takes */
    char text[HERD_NOTICE_DETAIL_MAX];
    struct herd_span name = from ? from->name : herd_span_of("a-plain-neighbour");
    const struct herd_span parts[] = {name, herd_span_of(reasons[why]), what};
    size_t len = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        size_t room = sizeof text - 1 - len, some = parts[i].len < room ? parts[i].len : room;
        herd_copy(text + len, parts[i].at, some);
        len += some;
        if (i < 2)
            text[len++] = ' ';
    }
    herd_notice(node, "peer_record_refused", (struct herd_span){text, len});
}

/* A limit refuses a record; `why` is what a client's refusal is called. */
static int full(struct herd_node *node, const struct herd_offer *offer, const char *why, enum herd_refusal refusal)
{
    if (offer->source == HERD_SOURCE_CLIENT)
        herd_notice_damped(node, &node->refused_count, why, offer->record.id);
    else if (offer->source == HERD_SOURCE_PEER)
        herd_offer_refuse(node, offer->from, refusal, offer->record.id);
    return HERD_VERDICT_FULL;
}

/* Memory refuses a record; only a client's refusal is told here, for who brought another is to bring it again. */
static int no_memory(struct herd_node *node, const struct herd_offer *offer)
{
    if (offer->source == HERD_SOURCE_CLIENT)
        herd_notice_damped(node, &node->refused_count, "out_of_memory", offer->record.id);
    return HERD_E_NOMEM;
}

/* ---- the clock ---- */

static bool report_from_future(struct herd_node *node, const struct herd_record *record)
{
    if (node->options.future_ns < 0 ||
        herd_sub_saturated(record->time_ns, node->now.wall_ns) <= node->options.future_ns)
        return false;
    herd_notice_damped(node, &node->future_count,
                       node->options.future_refuse ? "report_from_future_refused" : "report_from_future",
                       record->id);
    return node->options.future_refuse;
}

/* A neighbour's record that this node does not hold, for its own clock: nothing is wrong with the link. */
static int outside_window(struct herd_node *node, const struct herd_offer *offer, enum herd_window window)
{
    bool future = window == HERD_WINDOW_BEHIND;
    if (offer->from)
        offer->from->sync.refused++;
    if (offer->source == HERD_SOURCE_PEER)
        herd_notice_damped(node, future ? &node->stats.at_future : &node->stats.at_expired,
                           future ? "record_from_future_refused" : "record_expired_refused", offer->record.server);
    return future ? HERD_VERDICT_FUTURE : HERD_VERDICT_EXPIRED;
}

/* ---- the order ---- */

/* Orders a record against the one in `slot`. A client's report that says the same again, whoever took the first, is
 * answered, and that is all; who reports the same once more after it expired is heard. HERD_E_NOMEM. */
static int order(struct herd_node *node, const struct herd_offer *offer, const struct herd_encoded_record *encoded,
                 uint32_t slot, int *ret_order)
{
    const struct herd_packed_record *packed = herd_store_packed(node->store, slot);
    if (offer->source == HERD_SOURCE_CLIENT && encoded->record->time_ns == packed->time_ns) {
        struct herd_record old = {.time_ns = packed->time_ns};
        int err = herd_packed_record_texts(packed, &node->store->texts, &old);
        if (err < 0)
            return err;
        if (herd_span_equal(encoded->record->position, old.position) &&
            herd_span_equal(encoded->record->time, old.time) && !herd_expired(node, &old)) {
            *ret_order = 0;
            return 0;
        }
    }
    return herd_store_order(node->store, slot, encoded, ret_order);
}

/* Whether a limit lets in a record that makes one client more, or one tombstone more. Twice as many of both come from
 * neighbours: what they hold is not this node's to refuse if it can be helped. What was written down was let in. */
static const char *beyond(const struct herd_node *node, const struct herd_offer *offer,
                          enum herd_refusal *ret_refusal)
{
    const struct herd_node_options *o = &node->options;
    const size_t tombstones = node->store->tombstones, clients = node->store->count - tombstones;
    const bool client = offer->source == HERD_SOURCE_CLIENT;
    if (!herd_record_is_tombstone(&offer->record)) {
        *ret_refusal = HERD_REFUSAL_RECORDS;
        return (client ? clients : clients / 2) >= o->records_max ? "records_max" : NULL;
    }
    *ret_refusal = HERD_REFUSAL_TOMBSTONES;
    if (offer->source == HERD_SOURCE_JOURNAL)
        return NULL;
    return (client ? tombstones : tombstones / 2) >= o->tombstones_max ? "tombstones_max" : NULL;
}

/* A report that needs memory which it may not have. One over another that both fit their packed records needs none. */
static bool too_large(const struct herd_node *node, uint32_t slot, const struct herd_encoded_record *encoded)
{
    if (slot != HERD_NO_SLOT && encoded->fits)
        return false;
    size_t growth = herd_store_growth(node->store, slot, encoded);
    return growth > 0 && herd_store_bytes(node->store) + growth > node->options.records_bytes_max;
}

/* ---- what follows ---- */

/* A plain neighbour is not told that a client is gone, nor any more what the client was before. */
static void withhold(struct herd_node *node, uint32_t slot)
{
    for (size_t i = 0; i < node->peer_count; i++)
        if (node->peers[i]->plain && node->peers[i]->subscriber.bits)
            herd_subscriber_clear(&node->peers[i]->subscriber, slot);
}

/* Stores an encoded record as new or newer. *io_slot is where it was, or HERD_NO_SLOT, and is where it is now. */
static int store(struct herd_node *node, const struct herd_offer *offer, const struct herd_encoded_record *encoded,
                 uint32_t *io_slot)
{
    if (*io_slot != HERD_NO_SLOT)
        return herd_store_replace(node->store, *io_slot, offer->id_hash, encoded);
    int err = herd_changes_reserve(&node->changes, node->store->slots + 1);
    if (err < 0)
        return err;
    return herd_store_insert(node->store, offer->hash, offer->id_hash, encoded, io_slot);
}

static void count(struct herd_node *node, const struct herd_offer *offer, bool news)
{
    switch (offer->source) {
    case HERD_SOURCE_CLIENT:
        *(!news                                      ? &node->stats.reports_stale
          : herd_record_is_tombstone(&offer->record) ? &node->stats.deletions
                                                     : &node->stats.reports) += 1;
        break;
    case HERD_SOURCE_PEER: node->stats.at_new += news; break;
    default: break;
    }
}

static int32_t number_of(const struct herd_peer *peer)
{
    return peer ? (int32_t)peer->number : -1;
}

/* News of a neighbour of which more is to be known: one of many, or all while a client is traced. */
static void note_news(struct herd_node *node, const struct herd_offer *offer, uint32_t slot)
{
    if (node->stats.at_new % HERD_PROPAGATION_SAMPLE == 0)
        herd_histogram_add(&node->propagation,
                           herd_sub_saturated(node->now.wall_ns, herd_accepted_ns(&offer->record)));
    if (node->traces.count > 0)
        herd_trace_news(node, offer->hash, offer->id_hash, offer->line_hash, slot, number_of(offer->from));
}

/* The reader that has the record already. */
static const struct herd_subscriber *knows(const struct herd_node *node, const struct herd_offer *offer)
{
    if (offer->source == HERD_SOURCE_DATABASE)
        return node->database;
    return offer->from ? &offer->from->subscriber : NULL;
}

int herd_offer(struct herd_node *node, struct herd_offer *offer)
{
    const struct herd_node_options *o = &node->options;
    struct herd_store *held = node->store;
    struct herd_record *record = &offer->record;
    const bool client = offer->source == HERD_SOURCE_CLIENT, tombstone = herd_record_is_tombstone(record);
    const bool journal = offer->source == HERD_SOURCE_JOURNAL;
    enum herd_window window = HERD_WINDOW_WITHIN;
    enum herd_refusal refusal;
    const char *limit;
    assert(!offer->from || offer->source == HERD_SOURCE_PEER);

    if (client) {
        herd_expiry_look(node);
        if (!tombstone && report_from_future(node, record))
            return HERD_VERDICT_FUTURE;
    } else {
        window = herd_expiry_window(node, record);
        if (window != HERD_WINDOW_WITHIN && !journal)
            return outside_window(node, offer, window);
    }

    uint32_t slot = herd_store_find(held, offer->hash, offer->slot_hint, record->id);
    const bool known = slot != HERD_NO_SLOT;
    /* Of a journal: whether what is held gives way whatever the order says. Of others, it is accepted anew first. */
    int err = 0;
    if (known && o->expire_ns > 0)
        err = journal ? herd_expiry_replaced(node, slot) : herd_expiry_settle(node, slot);
    const bool replaced = err > 0;
    if (window == HERD_WINDOW_BEFORE && err == 0)
        return outside_window(node, offer, window);
    const bool present = known && !herd_packed_record_tombstone(herd_store_packed(held, slot));
    if (known && o->expire_ns <= 0 && record->time_ns < herd_store_packed(held, slot)->time_ns) {
        count(node, offer, false);
        return HERD_VERDICT_OLDER; /* whatever else it says */
    }
    if (!known && (limit = beyond(node, offer, &refusal)))
        return full(node, offer, limit, refusal);

    struct herd_encoded_record encoded;
    int server = client ? node->own_name : herd_names_intern(&held->names, record->server);
    if (server == HERD_E_LIMIT)
        return full(node, offer, "server_names", HERD_REFUSAL_SERVERS);
    if (err < 0 || server < 0 || herd_record_encode(&encoded, &held->encoded, record, (uint16_t)server) < 0)
        return no_memory(node, offer);
    int sign = 1;
    if (known && order(node, offer, &encoded, slot, &sign) < 0)
        return no_memory(node, offer);
    if (sign < 0 && replaced)
        sign = 1;
    if (sign > 0) {
        if (known && present == tombstone && (limit = beyond(node, offer, &refusal)))
            return full(node, offer, limit, refusal); /* one client less, one tombstone more, or the reverse */
        if (client && !tombstone && too_large(node, slot, &encoded))
            return full(node, offer, "records_bytes_max", HERD_REFUSAL_RECORDS);
        if (store(node, offer, &encoded, &slot) < 0)
            return no_memory(node, offer);
        offer->slot_hint = slot;
        if (!journal)
            herd_changes_publish(&node->changes, slot, knows(node, offer));
        if (tombstone)
            withhold(node, slot);
        if (window != HERD_WINDOW_WITHIN)
            herd_expiry_replayed(node);
        if (offer->source == HERD_SOURCE_PEER)
            herd_seen_cache_add(&node->seen, offer->line_hash, slot);
    }
    /* The neighbour has what we have or newer: it need not be told. A new slot may be one that was due before it
     * was emptied. */
    if (sign >= 0 && offer->from)
        herd_subscriber_clear(&offer->from->subscriber, slot);
    count(node, offer, sign > 0);
    if (sign > 0 && offer->source == HERD_SOURCE_PEER && (node->stats.at_new & node->news_mask) == 0)
        note_news(node, offer, slot);
    if (sign > 0)
        return present ? HERD_VERDICT_NEWER : HERD_VERDICT_NEW;
    if (sign == 0 && offer->source == HERD_SOURCE_PEER && node->traces.count > 0)
        herd_trace_copy(node, offer->hash, offer->id_hash, slot);
    return sign == 0 ? HERD_VERDICT_SAME : HERD_VERDICT_OLDER;
}
