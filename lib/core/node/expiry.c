/* SPDX-License-Identifier: MIT */
/*
 * Forgetting clients that were silent for long, without a trace and without asking anybody.
 *
 *     accepted        + ttl             + grace      next edge
 *     |---- known ----|----- expired, still held -----|  removed, refused
 *
 * When a report was accepted is client time + difference: it is in the record, the same on every node. A
 * record is expired when that is longer ago than the ttl: clients no longer see it. But nodes go on
 * holding it, and telling each other, for two reasons. A late copy of it must find a node that still knows
 * better or refuses it; and what two nodes hold must be the same whenever they compare digests, though
 * their clocks differ a little. So all nodes remove at the same edges of time, multiples of EDGE_NS, what
 * then is expired for longer than the grace, and from then on take no copy of it; and digests of idle
 * links are compared only in the middle between two edges, when clocks that differ by less than a quarter
 * of EDGE_NS agree on which edge was the last. A link that comes up at an edge may find a difference;
 * what it is sent and has forgotten it refuses.
 *
 * A client whose clock was set back is heard again once its old record is gone; but a node that has forgotten it
 * sooner than its neighbours would tell them what to them is old news, and after they forgot too they would have
 * nothing. So of two records one that was accepted when the other had long expired is the newer, whatever the
 * client's clock said. That is in the records, so any two nodes agree on any two records. Three may beat each other
 * in a circle, but only while one of them is about to be forgotten.
 *
 * This leaves one thing to the alarm: a server that was cut off and took a report with an older time than one that
 * the others know, and that comes back just when some have forgotten that one and some have not.
 *
 * Within a quarter of EDGE_NS this needs no luck. With clocks further apart the alarm rings at each edge
 * at which something is removed, but nothing comes back for ever: each node in turn forgets.
 */
#include "../protocol/decimal.h"
#include "node_impl.h"

#define NS_PER_S INT64_C(1000000000)
#define GRACE_NS (300 * NS_PER_S)
#define EDGE_NS  (300 * NS_PER_S)
/* Longer than clocks differ, and shorter than the grace by as much. */
#define OUTLIVES_NS (150 * NS_PER_S)
/* A sweep looks at about so many records a tick. */
#define RECORDS_A_TICK 4096
/* The clock may be set: the way to the next edge is measured anew at least so often. */
#define LOOK_NS (60 * NS_PER_S)

/* The difference in nanoseconds; of absurd ones the greatest that makes sense. */
static int64_t diff_ns(struct herd_span diff)
{
    struct herd_decimal number;
    const char *end = diff.at + diff.len;
    if (diff.len < 2 || herd_decimal_scan(diff.at + 1, end, end, &number) != end)
        return 0;
    int64_t ns = INT64_MAX;
    if (number.whole < INT64_MAX / NS_PER_S) {
        int64_t frac = 0;
        for (size_t i = 0; i < 9; i++)
            frac = frac * 10 + (i < number.frac_len ? number.frac[i] - '0' : 0);
        ns = (int64_t)number.whole * NS_PER_S + frac;
    }
    return diff.at[0] == '-' ? -ns : ns;
}

static int64_t accepted_ns(const struct herd_record *record)
{
    int64_t diff = diff_ns(record->diff); /* the time is never negative: only the sum of two can be too large */
    return diff > INT64_MAX - record->time_ns ? INT64_MAX : record->time_ns + diff;
}

bool herd_expired(const struct herd_node *node, const struct herd_record *record)
{
    return node->options.expire_ns > 0 && accepted_ns(record) < node->now.wall_ns - node->options.expire_ns;
}

bool herd_forgotten(const struct herd_node *node, const struct herd_record *record)
{
    return node->options.expire_ns > 0 && accepted_ns(record) < node->forget_before_ns;
}

int herd_expiry_order(struct herd_node *node, const struct herd_record *record, uint32_t slot, int *ret_order)
{
    struct herd_record old;
    int64_t life_ns = node->options.expire_ns;
    if (!herd_store_at(node->store, slot, &old))
        return HERD_E_NOMEM;
    int64_t theirs = accepted_ns(record), ours = accepted_ns(&old);
    int64_t earlier = theirs < ours ? theirs : ours, later = theirs < ours ? ours : theirs;
    life_ns = life_ns < INT64_MAX - OUTLIVES_NS ? life_ns + OUTLIVES_NS : INT64_MAX;
    if (later < INT64_MIN + life_ns || later - life_ns <= earlier)
        return 0;
    *ret_order = theirs < ours ? -1 : 1;
    return 1;
}

void herd_expiry_clock(struct herd_node *node)
{
    int64_t edge_ns = node->now.wall_ns - node->now.wall_ns % EDGE_NS;
    int64_t before_ns = edge_ns - GRACE_NS - node->options.expire_ns;
    if (node->options.expire_ns <= 0 || before_ns <= node->forget_before_ns)
        return; /* a clock that is set back brings nothing back */
    node->forget_before_ns = before_ns;
    node->sweep_at = 0;
}

static bool sweeping(const struct herd_node *node)
{
    return node->sweep_at != UINT32_MAX;
}

static bool goes(const void *ctx, const struct herd_record *record)
{
    return herd_forgotten(ctx, record);
}

void herd_expiry_tick(struct herd_node *node)
{
    if (node->options.expire_ns <= 0)
        return;
    herd_expiry_clock(node);
    if (!sweeping(node))
        return;
    size_t before = node->store->count;
    if (!herd_store_sweep(node->store, &node->sweep_at, RECORDS_A_TICK, goes, node))
        node->sweep_at = UINT32_MAX;
    if (node->store->count != before)
        herd_recent_clear(&node->recent);
}

int64_t herd_expiry_next_ns(const struct herd_node *node)
{
    if (node->options.expire_ns <= 0)
        return INT64_MAX;
    if (sweeping(node))
        return node->now.steady_ns;
    int64_t wait_ns = EDGE_NS - node->now.wall_ns % EDGE_NS;
    return node->now.steady_ns + (wait_ns < LOOK_NS ? wait_ns : LOOK_NS);
}

int64_t herd_expiry_unsettled_ns(const struct herd_node *node)
{
    int64_t since_ns = node->now.wall_ns % EDGE_NS;
    if (node->options.expire_ns <= 0)
        return 0;
    if (since_ns < EDGE_NS / 4)
        return EDGE_NS / 4 - since_ns;
    if (since_ns >= EDGE_NS / 4 * 3)
        return EDGE_NS - since_ns + EDGE_NS / 4;
    return sweeping(node) ? NS_PER_S : 0;
}
