/* SPDX-License-Identifier: MIT */
/*
 * The connection to the database: made, lost, given up.
 *
 *     IDLE --retry_ns--> CONNECTING --connected--> CONNECTED: writers are read, then batches are written
 *      ^                     | failed                  | gone, or no answer
 *      +---------------------+-------------------------+
 */
#include "keeper_link.h"

#include "keeper_due.h"
#include "keeper_gather.h"
#include "keeper_notice.h"

#define BACK_OFF_MIN_NS INT64_C(100000000)
#define BACK_OFF_MAX_NS INT64_C(30000000000)
#define REFUSED_NS      INT64_C(60000000000)
#define SLOW_NS         INT64_C(1000000000)

static uint64_t draw(struct herd_keeper *keeper)
{
    keeper->random += HERD_HASH_A;
    return herd_mul_fold(keeper->random, keeper->random ^ HERD_HASH_B);
}

/* Between half of it and all of it: servers that lost the same database come back one after the other. */
static int64_t jitter(struct herd_keeper *keeper, int64_t ns)
{
    return ns / 2 + (int64_t)(draw(keeper) % (uint64_t)(ns / 2 + 1));
}

void herd_keeper_back_off(struct herd_keeper *keeper)
{
    unsigned doublings = keeper->failures < 9 ? keeper->failures : 9;
    int64_t ns = BACK_OFF_MIN_NS << doublings;
    keeper->failures++;
    keeper->stats.failures++;
    keeper->retry_ns =
        herd_add_saturated(keeper->now.steady_ns, jitter(keeper, ns < BACK_OFF_MAX_NS ? ns : BACK_OFF_MAX_NS));
}

/* Whatever was begun on this connection, or gathered for it, is due again. */
void herd_keeper_slow_down(struct herd_keeper *keeper)
{
    keeper->retry_ns = herd_add_saturated(keeper->now.steady_ns, jitter(keeper, SLOW_NS));
}

static void undo(struct herd_keeper *keeper)
{
    for (size_t i = 0; i < HERD_KEEPER_WINDOW; i++) {
        struct herd_keeper_batch *batch = &keeper->batches[i];
        if (!batch->used)
            continue;
        herd_keeper_due_again(keeper, batch->slots, batch->count);
        batch->used = false;
    }
    keeper->ready = NULL;
    herd_keeper_gather_undo(keeper);
    herd_keeper_halves_undo(keeper);
    keeper->read_ticket = 0;
    keeper->read_due = keeper->rows_known = false;
    keeper->state = HERD_KEEPER_IDLE;
}

void herd_keeper_gone(struct herd_keeper *keeper, const char *message)
{
    /* A database that dies of a batch, or that is too slow for it, gets less. */
    if (keeper->state == HERD_KEEPER_CONNECTED && herd_keeper_waits(keeper) && keeper->limit > 1)
        keeper->limit /= 2;
    undo(keeper);
    keeper->stop_failures += keeper->stopping;
    herd_keeper_back_off(keeper);
    herd_keeper_away(keeper, "database_gone", message);
}

void herd_keeper_refuse(struct herd_keeper *keeper, const char *message)
{
    undo(keeper);
    keeper->disconnect_due = true;
    keeper->connect_due = false;
    herd_keeper_back_off(keeper);
    keeper->refused = true;
    keeper->retry_ns = herd_add_saturated(keeper->now.steady_ns, REFUSED_NS);
    herd_keeper_away(keeper, "database_refused", message);
}

void herd_keeper_succeeded(struct herd_keeper *keeper)
{
    keeper->failures = 0;
    keeper->refused = false;
    keeper->stats.success_ns = keeper->now.steady_ns;
    if (keeper->limit < keeper->options.batch_max)
        keeper->limit =
            keeper->limit * 2 < keeper->options.batch_max ? keeper->limit * 2 : keeper->options.batch_max;
    herd_keeper_there(keeper);
}

bool herd_keeper_waits(const struct herd_keeper *keeper)
{
    bool waits = keeper->state == HERD_KEEPER_CONNECTING || keeper->read_ticket != 0;
    for (size_t i = 0; i < HERD_KEEPER_WINDOW; i++)
        waits |= keeper->batches[i].used && keeper->batches[i].sent;
    return waits;
}

bool herd_keeper_writable(const struct herd_keeper *keeper)
{
    bool unused = false;
    for (size_t i = 0; i < HERD_KEEPER_WINDOW; i++)
        unused |= !keeper->batches[i].used;
    return unused && keeper->state == HERD_KEEPER_CONNECTED && keeper->rows_known && !keeper->ready &&
           keeper->now.steady_ns >= keeper->retry_ns;
}

static bool may_read(const struct herd_keeper *keeper)
{
    return keeper->state == HERD_KEEPER_CONNECTED && keeper->read_ticket == 0 && !keeper->read_due;
}

void herd_keeper_link_tick(struct herd_keeper *keeper)
{
    const int64_t now_ns = keeper->now.steady_ns;
    if (herd_keeper_waits(keeper) && now_ns >= herd_add_saturated(keeper->progress_ns, HERD_KEEPER_ANSWER_NS)) {
        keeper->disconnect_due = true;
        herd_keeper_gone(keeper, "no answer");
    }
    if (keeper->state == HERD_KEEPER_IDLE && !keeper->connect_due && now_ns >= keeper->retry_ns)
        keeper->connect_due = true;
    if (may_read(keeper) && now_ns >= keeper->next_read_ns)
        keeper->read_due = true;
    herd_keeper_away_tick(keeper);
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t herd_keeper_link_next_ns(const struct herd_keeper *keeper)
{
    int64_t next_ns = herd_keeper_away_next_ns(keeper);
    if (herd_keeper_waits(keeper))
        next_ns = least(next_ns, herd_add_saturated(keeper->progress_ns, HERD_KEEPER_ANSWER_NS));
    if (keeper->state == HERD_KEEPER_IDLE && !keeper->connect_due)
        next_ns = least(next_ns, keeper->retry_ns);
    if (may_read(keeper))
        next_ns = least(next_ns, keeper->next_read_ns);
    return next_ns;
}
