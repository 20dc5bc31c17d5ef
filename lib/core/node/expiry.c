/* SPDX-License-Identifier: MIT */
/*
 * Expiry: records of clients that were silent for long are removed, on every node without asking any other.
 *
 *     purge point                                         clock          clock + ahead + future_ns
 *     |---- held and passed on; visible for expire_ns ----|---- taken ----|
 *       refused, removed                                                    refused; if held: accepted anew
 *
 * The order of records (PROTOCOL.md, 3.7) begins with the effective time of each, a number that is in the record. A
 * node holds the greatest record of each client among those whose effective time lies in its window, which follows
 * from its clock alone and goes back with it. So what it removes is always less than anything it may take later:
 * nodes that remove at different moments differ only in records between their purge points, and hold the same when
 * their windows are the same again, whatever came in which order.
 *
 * A record is visible until expire_ns after its acceptance, which is at most `behind` after its effective time: what
 * lies before clock - expire_ns - behind is visible nowhere, and is removed at the next multiple of PURGE_PERIOD_NS
 * that is a grace later.
 *
 * A record from the future was accepted by a server whose clock is ahead, or ours is behind. It is refused, counted
 * and told; the neighbour is told by the next ROOT, and comparisons go on, rarely, until both have the same. One that
 * this node holds, because its own clock was ahead, is accepted anew at the time that its client says, as far as that
 * is within the last expire_ns: nothing is lost, and it beats no right record for longer than a right clock had let it.
 *
 * A journal is read as it was written, records from the future included, and then the clock decides over what is held,
 * as if the process had gone on. To accept each line anew as it is read would turn their order round: of two reports
 * that a clock ten years ahead took, the first with a client's time far ahead too, the first is the greater one at the
 * time it is given anew, and would come back although the second had taken its place; and so would one that was
 * accepted anew already, at a later time than then, before all that this client said since. So what stands in a journal
 * behind a record from the future took its place, also where it is less: the clock had come back by then. That holds
 * as well for what has expired meanwhile: it is removed by the next sweep, and the other does not outlive it.
 */
#include "expiry.h"
#include "../base/saturate.h"
#include "../store/effective.h"
#include "effect.h"

#include <herd/timestamp.h>

#define NS_PER_S        INT64_C(1000000000)
#define PURGE_PERIOD_NS (300 * NS_PER_S)
/* A sweep looks at about so many records a tick. */
#define RECORDS_A_TICK 4096
/* The clock may be set: it is looked at at least so often. */
#define LOOK_NS (60 * NS_PER_S)

/* A clock before 1970 is no clock. */
static int64_t wall_ns(const struct herd_node *node)
{
    return node->now.wall_ns > 0 ? node->now.wall_ns : 0;
}

/* The greatest effective time that is believed now. */
static int64_t believed_until_ns(const struct herd_node *node)
{
    if (node->options.future_ns < 0)
        return INT64_MAX;
    int64_t ahead_ns = herd_add_saturated(herd_believed_ahead_ns(node->options.expire_ns), node->options.future_ns);
    return herd_add_saturated(wall_ns(node), ahead_ns);
}

/* This node may lack on any link what its neighbour has. */
static void doubt_neighbours(struct herd_node *node)
{
    for (size_t i = 0; i < node->peer_count; i++)
        node->peers[i]->sync.refused++;
}

bool herd_expired(const struct herd_node *node, const struct herd_record *record)
{
    return node->options.expire_ns > 0 && herd_accepted_ns(record) < wall_ns(node) - node->options.expire_ns;
}

void herd_expiry_look(struct herd_node *node)
{
    int64_t life_ns = node->options.expire_ns, before_ns = INT64_MIN;
    if (life_ns > 0) {
        int64_t edge_ns = wall_ns(node) - wall_ns(node) % PURGE_PERIOD_NS;
        before_ns = edge_ns - HERD_EXPIRY_GRACE_NS - life_ns - herd_believed_behind_ns(life_ns);
    }
    if (node->sweep_until_ns < believed_until_ns(node))
        node->sweep_until_ns = believed_until_ns(node);
    if (before_ns == node->purge_before_ns)
        return;
    /* What was refused or removed by a clock that was ahead is asked for again. */
    if (before_ns < node->purge_before_ns)
        doubt_neighbours(node);
    node->purge_before_ns = before_ns;
    node->sweep_at = 0;
}

enum herd_window herd_expiry_window(struct herd_node *node, const struct herd_record *record)
{
    if (node->options.expire_ns <= 0)
        return HERD_WINDOW_WITHIN;
    herd_expiry_look(node);
    int64_t effective_ns = herd_effective_ns(record, node->options.expire_ns);
    if (effective_ns < node->purge_before_ns)
        return HERD_WINDOW_BEFORE;
    return effective_ns > believed_until_ns(node) ? HERD_WINDOW_BEHIND : HERD_WINDOW_WITHIN;
}

/* Gives a record from the future the difference with which it is accepted anew; its text lies in `diff`. */
static void correct(const struct herd_node *node, struct herd_record *io_record, char diff[HERD_DIFF_MAX])
{
    int64_t latest_ns = wall_ns(node), earliest_ns = latest_ns - node->options.expire_ns;
    int64_t accepted_ns = io_record->time_ns;
    if (accepted_ns < earliest_ns)
        accepted_ns = earliest_ns;
    if (accepted_ns > latest_ns)
        accepted_ns = latest_ns;
    io_record->diff = (struct herd_span){diff, herd_diff_format(accepted_ns - io_record->time_ns, diff)};
}

/* Whether the record in a slot, *ret_record if so, is from the future: 1 or 0. HERD_E_NOMEM. */
static int from_future(struct herd_node *node, uint32_t slot, struct herd_record *ret_record)
{
    if (node->options.expire_ns <= 0 || node->store->newest_ns <= believed_until_ns(node))
        return 0;
    if (!herd_store_get_slot(node->store, slot, ret_record))
        return HERD_E_NOMEM;
    return herd_effective_ns(ret_record, node->options.expire_ns) > believed_until_ns(node);
}

int herd_expiry_settle(struct herd_node *node, uint32_t slot)
{
    struct herd_store *store = node->store;
    struct herd_record record;
    struct herd_encoded_record encoded;
    char diff[HERD_DIFF_MAX];
    int err = from_future(node, slot, &record);
    if (err <= 0)
        return err;
    correct(node, &record, diff);
    err = herd_record_encode(&encoded, &store->encoded, &record, herd_store_packed(store, slot)->server);
    if (err >= 0)
        err = herd_store_replace(store, slot, herd_store_id_hash(store, record.id), &encoded);
    if (err < 0)
        return err;
    herd_changes_publish(&node->changes, slot, NULL);
    herd_seen_cache_clear(&node->seen);
    doubt_neighbours(node); /* neighbours may hold it as it was, and believe it */
    herd_notice_damped(node, &node->stats.accepted_anew, "clock_was_ahead", record.server);
    return 0;
}

int herd_expiry_replaced(struct herd_node *node, uint32_t slot)
{
    struct herd_record held;
    return from_future(node, slot, &held);
}

void herd_expiry_replayed(struct herd_node *node)
{
    node->sweep_at = 0;
}

static bool sweeping(const struct herd_node *node)
{
    return node->sweep_at != UINT32_MAX;
}

struct sweep {
    struct herd_node *node;
};

/* Whether a record is removed; one from the future is accepted anew. */
static bool should_purge(const void *ctx, const struct herd_record *record)
{
    const struct sweep *sweep = ctx;
    struct herd_node *node = sweep->node;
    int64_t effective_ns = herd_effective_ns(record, node->options.expire_ns);
    if (effective_ns > believed_until_ns(node)) {
        uint64_t hash = herd_store_hash(node->store, record->id);
        uint32_t slot = herd_store_find(node->store, hash, HERD_NO_SLOT, record->id);
        node->sweep_failed |= herd_expiry_settle(node, slot) < 0;
    }
    return effective_ns < node->purge_before_ns;
}

void herd_expiry_tick(struct herd_node *node)
{
    struct herd_store *store = node->store;
    if (node->options.expire_ns <= 0)
        return;
    herd_expiry_look(node);
    if (!sweeping(node) && store->newest_ns > believed_until_ns(node))
        node->sweep_at = 0;
    if (!sweeping(node))
        return;
    const struct sweep sweep = {node};
    size_t before = store->count;
    if (node->sweep_at == 0) {
        node->sweep_until_ns = believed_until_ns(node);
        node->sweep_failed = false;
    }
    if (!herd_store_sweep(store, &node->sweep_at, RECORDS_A_TICK, should_purge, &sweep)) {
        node->sweep_at = UINT32_MAX;
        if (!node->sweep_failed && store->newest_ns > node->sweep_until_ns)
            store->newest_ns = node->sweep_until_ns;
    }
    if (store->count != before)
        herd_seen_cache_clear(&node->seen);
}

void herd_expiry_configure(struct herd_node *node)
{
    if (node->store->expire_ns == node->options.expire_ns)
        return;
    node->store->expire_ns = node->options.expire_ns;
    node->store->newest_ns = INT64_MAX; /* effective times are others now */
    herd_seen_cache_clear(&node->seen);
    doubt_neighbours(node);
    node->sweep_at = node->options.expire_ns > 0 ? 0 : UINT32_MAX;
    herd_expiry_look(node);
}

uint64_t herd_expiry_horizon(const struct herd_node *node)
{
    if (node->options.expire_ns <= 0 || sweeping(node) || node->purge_before_ns <= 0)
        return 0;
    return (uint64_t)node->purge_before_ns / 1000000;
}

int64_t herd_expiry_next_ns(const struct herd_node *node)
{
    if (node->options.expire_ns <= 0)
        return INT64_MAX;
    if (sweeping(node))
        return node->now.steady_ns;
    int64_t wait_ns = PURGE_PERIOD_NS - wall_ns(node) % PURGE_PERIOD_NS;
    return node->now.steady_ns + (wait_ns < LOOK_NS ? wait_ns : LOOK_NS);
}
