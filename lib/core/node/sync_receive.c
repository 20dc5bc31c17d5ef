/* SPDX-License-Identifier: MIT */
/* What a comparison hears: which of it differs, and what is said to that. */
#include "sync_impl.h"

#include "../protocol/decimal.h"
#include "../protocol/fields.h"
#include "../protocol/hex.h"
#include "effect.h"
#include "expiry.h"
#include "node_impl.h"

#include <stdlib.h>

/* With so few records, or so unequal stores, sending all is as good as finding out what differs. */
#define PUSH_BELOW 512
#define PUSH_RATIO 8
/* Purge points that differ for so long do not because one clock is a little behind the other. */
#define APART_NS INT64_C(150000000000)
/* Comparisons left out at most while a difference has a reason. */
#define PAUSES_MAX 4

struct entry {
    uint64_t id, record;
};

/* Takes the next field off the front of *io_rest. */
static struct herd_span next_field(struct herd_span *io_rest)
{
    const char *end = io_rest->at + io_rest->len;
    const char *at = herd_space_end(io_rest->at, end);
    const char *stop = herd_field_end(at, end, end);
    *io_rest = (struct herd_span){stop, (size_t)(end - stop)};
    return (struct herd_span){at, (size_t)(stop - at)};
}

static bool get_count(struct herd_span text, uint64_t *ret)
{
    struct herd_decimal number;
    const char *end = text.at + text.len;
    if (herd_decimal_scan(text.at, end, end, &number) != end || number.frac)
        return false;
    *ret = number.whole;
    return true;
}

/* The depth and prefix that SUMS and LIST begin with. */
static bool get_prefix(struct herd_span *io_rest, unsigned *ret_depth, uint32_t *ret_prefix)
{
    uint64_t depth, prefix;
    if (!get_count(next_field(io_rest), &depth) || !herd_hex_read(next_field(io_rest), &prefix) ||
        depth > HERD_SYNC_DEPTH_MAX || depth % HERD_SYNC_FAN_BITS != 0 || prefix >> depth != 0)
        return false;
    *ret_depth = (unsigned)depth;
    *ret_prefix = (uint32_t)prefix;
    return true;
}

static void push_all(struct herd_node *node, struct herd_peer *peer)
{
    node->store->steps += node->store->slots / 4096;
    herd_subscriber_mark_all_dirty(&node->changes, &peer->subscriber, node->store->slots);
}

struct root {
    uint64_t count, sum, horizon, refused;
};

static bool get_root(struct herd_span rest, struct root *ret)
{
    *ret = (struct root){0};
    if (!get_count(next_field(&rest), &ret->count) || !herd_hex_read(next_field(&rest), &ret->sum))
        return false;
    struct herd_span horizon = next_field(&rest);
    return horizon.len == 0 || (get_count(horizon, &ret->horizon) && get_count(next_field(&rest), &ret->refused) &&
                                next_field(&rest).len == 0);
}

/* The neighbour does not hold all we told it: the operator hears of it, for our clock may be wrong. */
static void log_refused(struct herd_node *node, struct herd_peer *peer, uint64_t refused)
{
    if (refused == 0 || refused / 2 < peer->sync.told_refused)
        return;
    peer->sync.told_refused = refused;
    herd_notice(node, "neighbour_refuses_records", peer->name);
}

/* A difference found on a link that was quiet twice. With a reason it is compared what can be, rarely. */
static int repair(struct herd_node *node, struct herd_peer *peer, bool reason)
{
    struct herd_sync *sync = &peer->sync;
    if (!reason) {
        node->stats.repairs++;
        herd_notice(node, "digest_differs", peer->name);
    } else if (sync->pause > 0) {
        sync->pause--;
        return 0;
    } else {
        sync->pauses = sync->pauses ? sync->pauses * 2 : 1;
        if (sync->pauses > PAUSES_MAX)
            sync->pauses = PAUSES_MAX;
        sync->pause = sync->pauses;
    }
    return herd_sync_queue(peer, HERD_SYNC_SUMS, 0, 0);
}

static int receive_root(struct herd_node *node, struct herd_peer *peer, struct herd_span rest)
{
    struct herd_sync *sync = &peer->sync;
    struct root theirs;
    if (!get_root(rest, &theirs))
        return HERD_E_SYNTAX;
    bool agree = theirs.sum == node->store->digest.total;
    if (agree)
        sync->refused = sync->told_refused = 0;
    log_refused(node, peer, theirs.refused);
    if (!herd_sync_is_initiator(node, peer)) {
        sync->root_due = true;
        return 0;
    }
    if (!sync->root_sent)
        return HERD_E_STATE;
    sync->root_sent = false;
    bool at_link_up = sync->at_link_up;
    sync->at_link_up = false;
    bool same_horizon = theirs.horizon == herd_expiry_horizon(node);
    bool external = sync->apart_ns != INT64_MAX;
    if (agree || (same_horizon && external))
        sync->pause = sync->pauses = 0;
    if (same_horizon)
        sync->apart_ns = INT64_MAX;
    else if (!external)
        sync->apart_ns = node->now.steady_ns;
    if (agree) {
        sync->differed = 0;
        return 0;
    }
    if (at_link_up) {
        uint64_t ours = node->store->count;
        uint64_t less = ours < theirs.count ? ours : theirs.count, more = ours < theirs.count ? theirs.count : ours;
        node->stats.syncs++;
        if (more > PUSH_BELOW && less >= more / PUSH_RATIO)
            return herd_sync_queue(peer, HERD_SYNC_SUMS, 0, 0);
        sync->push_due = true;
        push_all(node, peer);
        return 0;
    }
    /* A difference while updates are on their way means nothing, nor one while one side has removed what expired and
     * the other is about to; a quiet link twice in a row does. */
    if (herd_sync_at_lines(peer) != sync->quiet_mark || peer->subscriber.pending > 0 ||
        (!same_horizon && node->now.steady_ns - sync->apart_ns < APART_NS)) {
        sync->differed = 0;
        return 0;
    }
    if (++sync->differed < 2)
        return 0;
    sync->differed = 0;
    return repair(node, peer, !same_horizon || sync->refused || theirs.refused);
}

static int receive_sums(struct herd_node *node, struct herd_peer *peer, struct herd_span rest)
{
    const struct herd_digest *digest = &node->store->digest;
    unsigned depth;
    uint32_t prefix;
    uint64_t sums[HERD_SYNC_FAN];
    if (!get_prefix(&rest, &depth, &prefix) || depth == HERD_SYNC_DEPTH_MAX)
        return HERD_E_SYNTAX;
    for (size_t i = 0; i < HERD_SYNC_FAN; i++)
        if (!herd_hex_read(next_field(&rest), &sums[i]))
            return HERD_E_SYNTAX;
    if (next_field(&rest).len)
        return HERD_E_SYNTAX;

    node->store->steps += (UINT64_C(1) << digest->bits >> (depth < digest->bits ? depth : digest->bits)) / 64;
    depth += HERD_SYNC_FAN_BITS;
    if (depth > digest->bits) /* their leaves are finer than ours */
        return herd_sync_queue(peer, HERD_SYNC_ASK, depth - HERD_SYNC_FAN_BITS, prefix);
    for (uint32_t i = 0; i < HERD_SYNC_FAN; i++) {
        uint32_t child = prefix * HERD_SYNC_FAN + i;
        if (herd_digest_sum(digest, child, depth) == sums[i])
            continue;
        int err = herd_sync_queue(peer, depth + HERD_SYNC_FAN_BITS <= digest->bits ? HERD_SYNC_SUMS : HERD_SYNC_ASK,
                                  depth, child);
        if (err < 0)
            return err;
    }
    return 0;
}

static int by_id(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

static bool get_entry(struct herd_span text, struct entry *ret)
{
    return text.len == HERD_SYNC_ENTRY_TEXT - 1 && text.at[16] == ':' &&
           herd_hex_read((struct herd_span){text.at, 16}, &ret->id) &&
           herd_hex_read((struct herd_span){text.at + 17, 16}, &ret->record);
}

static int receive_list(struct herd_node *node, struct herd_peer *peer, struct herd_span rest)
{
    unsigned depth;
    uint32_t prefix;
    if (!get_prefix(&rest, &depth, &prefix) || depth < HERD_SYNC_LIST_DEPTH_MIN)
        return HERD_E_SYNTAX;
    struct herd_span kind = next_field(&rest);
    bool ask = herd_span_equal(kind, herd_span_of("ask"));
    if (herd_span_equal(kind, herd_span_of("all")) && next_field(&rest).len == 0) {
        return herd_sync_mark_prefix(node, peer, depth, prefix);
    }
    if (!ask && !herd_span_equal(kind, herd_span_of("end")))
        return HERD_E_SYNTAX;

    node->entries.len = 0;
    for (struct herd_span field; (field = next_field(&rest)).len > 0;) {
        struct entry entry;
        if (!get_entry(field, &entry))
            return HERD_E_SYNTAX;
        int err = herd_buf_add(&node->entries, &entry, sizeof entry);
        if (err < 0)
            return err;
    }
    struct entry *entries = (struct entry *)(void *)node->entries.at;
    size_t count = node->entries.len / sizeof *entries, matched = 0;
    if (count > 1)
        qsort(entries, count, sizeof *entries, by_id);

    struct herd_sync_walk walk = {0};
    struct entry mine;
    while (herd_sync_walk_next(node->store, depth, prefix, &walk, &mine.id)) {
        const struct entry *theirs = count ? bsearch(&mine, entries, count, sizeof mine, by_id) : NULL;
        if (theirs && theirs->record == herd_store_record_hash(node->store, walk.slot))
            matched++;
        else
            herd_subscriber_mark_dirty(&node->changes, &peer->subscriber, walk.slot);
    }
    if (walk.exhausted) {
        int err = herd_sync_scan_prefix(node, peer, depth, prefix);
        if (err < 0)
            return err;
    }
    /* What matched is known to both; anything else they listed is news here or another version. */
    return ask && matched < count ? herd_sync_queue(peer, HERD_SYNC_END, depth, prefix) : 0;
}

int herd_sync_take(struct herd_node *node, struct herd_peer *peer, const struct herd_command *command)
{
    node->store->steps++;
    switch (command->verb) {
    case HERD_ROOT: return receive_root(node, peer, command->args);
    case HERD_SUMS: return receive_sums(node, peer, command->args);
    case HERD_LIST: return receive_list(node, peer, command->args);
    case HERD_PUSH:
        if (herd_sync_is_initiator(node, peer))
            return HERD_E_STATE;
        push_all(node, peer);
        return 0;
    default: return HERD_E_ARG;
    }
}
