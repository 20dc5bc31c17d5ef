/* SPDX-License-Identifier: MIT */
/* What the database answers, and what follows. */
#include "keeper_due.h"
#include "keeper_gather.h"
#include "keeper_link.h"
#include "keeper_notice.h"
#include "keeper_writers.h"

/* A full scan takes a tenth of the time: after a batch it rests nine times as long as that took. */
#define SLOW 9
/* One failure of a batch is nothing: another writer was there first. */
#define FAILURES_TOLD 3
/* A database that takes none of so many records one after the other takes none at all, perhaps: it is asked less often, until an
 * operator has looked at it. */
#define DROPPED_FREELY 32

void herd_keeper_connected(struct herd_keeper *keeper, const char *server, struct herd_now now)
{
    keeper->now = now;
    if (keeper->state != HERD_KEEPER_CONNECTING)
        return;
    size_t len = server ? strlen(server) : 0;
    len = len < sizeof keeper->server ? len : sizeof keeper->server - 1;
    if (len > 0)
        memcpy(keeper->server, server, len);
    keeper->server[len] = '\0';
    keeper->state = HERD_KEEPER_CONNECTED;
    keeper->progress_ns = keeper->next_read_ns = now.steady_ns;
    herd_keeper_link_tick(keeper);
}

void herd_keeper_disconnected(struct herd_keeper *keeper, enum herd_database_result result, const char *message,
                              struct herd_now now)
{
    keeper->now = now;
    if (keeper->state == HERD_KEEPER_IDLE)
        return;
    if (result == HERD_DATABASE_REFUSED || result == HERD_DATABASE_BAD)
        herd_keeper_refuse(keeper, message);
    else
        herd_keeper_gone(keeper, message);
}

/* A record that the database does not take. */
static void drop(struct herd_keeper *keeper, uint32_t slot)
{
    const struct herd_store *store = keeper->node->store;
    struct herd_span id = {"", 0};
    if (!herd_packed_record_empty(herd_store_packed(store, slot)))
        id = herd_packed_record_id(herd_store_packed(store, slot));
    keeper->stats.dropped++;
    herd_keeper_notice_damped(keeper, &keeper->dropped_count, "database_record_dropped", id);
    if (++keeper->dropped_run > DROPPED_FREELY)
        herd_keeper_slow_down(keeper);
}

static void done(struct herd_keeper *keeper, const struct herd_keeper_batch *batch)
{
    const int64_t now_ns = keeper->now.steady_ns;
    keeper->expected = true;
    keeper->expected_incarnation = keeper->options.incarnation;
    keeper->expected_sequence = batch->sequence;
    keeper->acked_until_ns = batch->until_ns;
    keeper->stats.written += batch->count;
    if (batch->count > 0)
        keeper->dropped_run = 0;
    keeper->stats.batches++;
    if (batch->source == HERD_KEEPER_FULL) {
        int64_t took_ns = herd_sub_saturated(now_ns, batch->sent_ns);
        keeper->next_slow_ns = herd_add_saturated(now_ns, took_ns < INT64_MAX / SLOW ? took_ns * SLOW : INT64_MAX);
    }
    herd_keeper_succeeded(keeper);
}

/* A batch is not written, and the connection is there. */
static void retry(struct herd_keeper *keeper, const struct herd_keeper_batch *batch, const char *message)
{
    herd_keeper_due_again(keeper, batch->slots, batch->count);
    herd_keeper_back_off(keeper);
    if (keeper->failures >= FAILURES_TOLD)
        herd_keeper_away(keeper, "database_gone", message);
}

/* What was begun is lost, and so is what else is under way: the adapter need not say so of each. */
static void lost(struct herd_keeper *keeper, const char *message)
{
    keeper->disconnect_due = true;
    herd_keeper_gone(keeper, message);
}

void herd_keeper_written(struct herd_keeper *keeper, uint64_t ticket, enum herd_database_result result,
                         const char *message, struct herd_now now)
{
    struct herd_keeper_batch *batch = NULL;
    keeper->now = now;
    for (size_t i = 0; i < HERD_KEEPER_WINDOW; i++)
        if (keeper->batches[i].used && keeper->batches[i].sent && keeper->batches[i].ticket == ticket)
            batch = &keeper->batches[i];
    if (!batch)
        return;
    keeper->progress_ns = now.steady_ns;
    if (result == HERD_DATABASE_BAD && batch->count == 0)
        result = HERD_DATABASE_REFUSED; /* it is the server's own row */
    if (result == HERD_DATABASE_REFUSED) {
        herd_keeper_refuse(keeper, message);
        return;
    }
    batch->used = result == HERD_DATABASE_LOST;
    switch (result) {
    case HERD_DATABASE_DONE: done(keeper, batch); break;
    case HERD_DATABASE_BAD:
        if (batch->count > 1)
            herd_keeper_halve(keeper, batch);
        else
            drop(keeper, batch->slots[0]);
        break;
    case HERD_DATABASE_RETRY: retry(keeper, batch, message); break;
    default: lost(keeper, message); return;
    }
    herd_keeper_pass_end(keeper);
}

void herd_keeper_writers(struct herd_keeper *keeper, uint64_t ticket, enum herd_database_result result,
                         const char *message, const struct herd_database_writer *writers, size_t count,
                         struct herd_now now)
{
    keeper->now = now;
    if (ticket == 0 || ticket != keeper->read_ticket)
        return;
    keeper->progress_ns = now.steady_ns;
    keeper->read_ticket = 0;
    switch (result) {
    case HERD_DATABASE_DONE:
        (void)herd_keeper_writers_read(keeper, writers, count);
        keeper->rows_known = true;
        break;
    case HERD_DATABASE_RETRY:
        herd_keeper_back_off(keeper);
        if (keeper->failures >= FAILURES_TOLD)
            herd_keeper_away(keeper, "database_gone", message);
        keeper->next_read_ns = keeper->retry_ns;
        break;
    case HERD_DATABASE_LOST: lost(keeper, message); break;
    default: herd_keeper_refuse(keeper, message);
    }
}
