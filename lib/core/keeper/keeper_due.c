/* SPDX-License-Identifier: MIT */
/* Which slots are due: changes, and scans. */
#include "keeper_due.h"

#include <stdlib.h>

#define WORDS_A_STEP 64
#define STOPPING_NS  INT64_C(50000000)
#define NO_MEMORY_NS INT64_C(1000000000)

/* The node empties a slot: there is nothing to be written any more. */
static void on_forgotten(struct herd_subscriber *subscriber, uint32_t slot)
{
    struct herd_keeper_pass *pass = &HERD_CONTAINER_OF(subscriber, struct herd_keeper, subscriber)->pass;
    uint64_t bit = UINT64_C(1) << (slot % 64);
    if (slot >= pass->cap || !(pass->bits[slot / 64] & bit))
        return;
    pass->bits[slot / 64] &= ~bit;
    pass->pending--;
}

int herd_keeper_due_init(struct herd_keeper *keeper)
{
    struct herd_changes *changes = &keeper->node->changes;
    uint64_t *bits = calloc(changes->cap / 64, sizeof *bits);
    if (!bits)
        return HERD_E_NOMEM;
    int err = herd_changes_subscribe(changes, &keeper->subscriber);
    if (err < 0) {
        free(bits);
        return err;
    }
    keeper->pass.bits = bits;
    keeper->pass.cap = changes->cap;
    keeper->subscriber.forgotten = on_forgotten;
    return 0;
}

void herd_keeper_due_fini(struct herd_keeper *keeper)
{
    herd_changes_unsubscribe(&keeper->node->changes, &keeper->subscriber);
    free(keeper->pass.bits);
}

/* ---- the pass ---- */

/* Whether a batch under way holds something that written_until_ns says is written. */
static bool owes(const struct herd_keeper *keeper)
{
    for (size_t i = 0; i < HERD_KEEPER_WINDOW; i++)
        if (keeper->batches[i].used && keeper->batches[i].holds)
            return true;
    return (keeper->gather.count > 0 && keeper->gather.holds) || keeper->halves.count > 0 ||
           keeper->catch_up.left > 0 || (keeper->full.left > 0 && keeper->full.holds);
}

int herd_keeper_pass_begin(struct herd_keeper *keeper)
{
    struct herd_keeper_pass *pass = &keeper->pass;
    struct herd_subscriber *subscriber = &keeper->subscriber;
    const uint32_t cap = keeper->node->changes.cap;
    keeper->next_pass_ns = keeper->now.steady_ns + NO_MEMORY_NS;
    if (pass->cap < cap) {
        uint64_t *bits = calloc(cap / 64, sizeof *bits);
        if (!bits)
            return HERD_E_NOMEM;
        free(pass->bits);
        pass->bits = bits;
        pass->cap = cap;
    }
    uint64_t *bits = pass->bits;
    pass->bits = subscriber->bits;
    pass->pending = subscriber->pending;
    subscriber->bits = bits;
    subscriber->pending = 0;
    subscriber->sweep_left = 0;
    pass->at = 0;
    pass->active = pass->clean = true;
    pass->owed = owes(keeper);
    pass->covers = !pass->owed && keeper->now.steady_ns >= keeper->hold_ns;
    pass->last = keeper->stopping;
    pass->begun = keeper->now;
    keeper->next_pass_ns = herd_add_saturated(keeper->now.steady_ns, keeper->options.flush_ns);
    return 0;
}

/* Whether something of the pass is not answered. */
static bool under_way(const struct herd_keeper *keeper)
{
    if (keeper->pass.pending > 0 || keeper->halves.count > 0)
        return true;
    if (keeper->gather.count > 0 && keeper->gather.source <= HERD_KEEPER_PASS)
        return true;
    for (size_t i = 0; i < HERD_KEEPER_WINDOW; i++)
        if (keeper->batches[i].used && keeper->batches[i].source <= HERD_KEEPER_PASS)
            return true;
    return false;
}

void herd_keeper_pass_end(struct herd_keeper *keeper)
{
    struct herd_keeper_pass *pass = &keeper->pass;
    if (!pass->active || under_way(keeper))
        return;
    pass->active = false;
    if (!pass->clean) {
        keeper->next_pass_ns = keeper->now.steady_ns;
        return;
    }
    if (keeper->stopping && keeper->next_pass_ns > keeper->now.steady_ns + STOPPING_NS)
        keeper->next_pass_ns = keeper->now.steady_ns + STOPPING_NS;
    if (pass->covers) {
        keeper->written_until_ns = pass->begun.wall_ns;
        keeper->stats.complete_ns = pass->begun.steady_ns;
    }
    if (pass->last && !pass->owed) {
        keeper->stop_done = true;
        keeper->next_pass_ns =
            INT64_MAX; /* the row would never catch up with it where answers take longer than passes */
    }
}

/* ---- scans ---- */

/* What was caught up with is done. */
static void scan_end(struct herd_keeper *keeper, struct herd_keeper_scan *scan)
{
    scan->holds = false;
    if (scan != &keeper->catch_up)
        return;
    keeper->own_from_ns = INT64_MAX;
    for (size_t i = 0; i < keeper->server_count; i++)
        keeper->servers[i].from_ns = INT64_MAX;
}

void herd_keeper_scan_begin(struct herd_keeper *keeper, struct herd_keeper_scan *scan, bool holds)
{
    scan->at = 0;
    scan->left = herd_store_slots(keeper->node->store); /* what is behind them is news */
    scan->holds |= holds;
    if (scan->left == 0)
        scan_end(keeper, scan);
}

void herd_keeper_full_begin(struct herd_keeper *keeper, bool holds)
{
    herd_keeper_scan_begin(keeper, &keeper->full, holds);
}

void herd_keeper_full_soon(struct herd_keeper *keeper)
{
    const int64_t soon_ns = herd_add_saturated(keeper->now.steady_ns, HERD_KEEPER_SOON_FULL_NS);
    keeper->next_full_ns = keeper->next_full_ns < soon_ns ? keeper->next_full_ns : soon_ns;
}

/* ---- slots ---- */

static uint32_t peek_pass(struct herd_keeper_pass *pass, size_t *io_steps)
{
    for (unsigned words = 0; pass->pending > 0 && *io_steps > 0;) {
        uint64_t word = pass->bits[pass->at / 64] >> (pass->at % 64);
        if (word)
            return pass->at += (uint32_t)__builtin_ctzll(word);
        pass->at = (pass->at / 64 + 1) * 64;
        *io_steps -= ++words % WORDS_A_STEP == 0;
    }
    return HERD_NO_SLOT;
}

static struct herd_keeper_scan *scan_of(struct herd_keeper *keeper, enum herd_keeper_source source)
{
    return source == HERD_KEEPER_FULL ? &keeper->full : &keeper->catch_up;
}

uint32_t herd_keeper_due_peek(struct herd_keeper *keeper, enum herd_keeper_source source, size_t *io_steps)
{
    if (source == HERD_KEEPER_PASS)
        return peek_pass(&keeper->pass, io_steps);
    struct herd_keeper_scan *scan = scan_of(keeper, source);
    if (scan->left == 0 || *io_steps == 0)
        return HERD_NO_SLOT;
    return scan->at;
}

void herd_keeper_due_next(struct herd_keeper *keeper, enum herd_keeper_source source, uint32_t slot)
{
    if (source == HERD_KEEPER_PASS) {
        keeper->pass.bits[slot / 64] &= ~(UINT64_C(1) << (slot % 64));
        keeper->pass.pending--;
        if (slot / 64 < keeper->node->changes.cap / 64)
            herd_subscriber_clear(&keeper->subscriber, slot); /* its newest value is taken */
        return;
    }
    struct herd_keeper_scan *scan = scan_of(keeper, source);
    scan->at++;
    if (--scan->left == 0)
        scan_end(keeper, scan);
}

bool herd_keeper_due_empty(const struct herd_keeper *keeper, enum herd_keeper_source source)
{
    switch (source) {
    case HERD_KEEPER_PASS: return keeper->pass.pending == 0;
    case HERD_KEEPER_CATCH_UP: return keeper->catch_up.left == 0;
    case HERD_KEEPER_FULL: return keeper->full.left == 0;
    default: return true;
    }
}

void herd_keeper_due_again(struct herd_keeper *keeper, const uint32_t *slots, size_t count)
{
    for (size_t i = 0; i < count; i++)
        herd_subscriber_mark_dirty(&keeper->node->changes, &keeper->subscriber, slots[i]);
    if (count > 0)
        keeper->pass.clean = false;
    keeper->stats.retried += count;
}
