/* SPDX-License-Identifier: MIT */
/*
 * Batches are put together in slices: slots are looked at, records that this server writes are copied, a slice is sorted.
 *
 *     items  [ kiwi | ant | yak ][ bee | ... ]     in the order of slots, texts copied
 *     keys   [ ant kiwi yak ][ bee ... ]           slices, each in the order of ids; merged when the batch is full
 *
 * The copies last until the effect was taken: what is under way is known by its slots alone, and a slot that has to be
 * written again is written with what it holds then.
 */
#include "keeper_gather.h"

#include "../store/effective.h"
#include "keeper_due.h"
#include "keeper_sort.h"

#include <stdlib.h>

/* A batch is full with so much text too. */
#define BATCH_BYTES  262144
#define RECORD_STEPS 4

int herd_keeper_gather_init(struct herd_keeper *keeper)
{
    struct herd_keeper_gather *gather = &keeper->gather;
    const size_t max = keeper->options.batch_max;
    gather->items = calloc(max, sizeof *gather->items);
    gather->keys = calloc(max, sizeof *gather->keys);
    gather->merged = calloc(max, sizeof *gather->merged);
    gather->rows = calloc(max, sizeof *gather->rows);
    gather->slots = calloc(max, sizeof *gather->slots);
    keeper->halves.slots = calloc(HERD_KEEPER_WINDOW * max, sizeof *keeper->halves.slots);
    bool whole =
        gather->items && gather->keys && gather->merged && gather->rows && gather->slots && keeper->halves.slots;
    for (size_t i = 0; i < HERD_KEEPER_WINDOW; i++) {
        keeper->batches[i].slots = calloc(max, sizeof *keeper->batches[i].slots);
        whole &= keeper->batches[i].slots != NULL;
    }
    return whole ? 0 : HERD_E_NOMEM;
}

void herd_keeper_gather_fini(struct herd_keeper *keeper)
{
    struct herd_keeper_gather *gather = &keeper->gather;
    free(gather->items);
    free(gather->keys);
    free(gather->merged);
    free(gather->rows);
    free(gather->slots);
    herd_buf_fini(&gather->texts);
    free(keeper->halves.slots);
    for (size_t i = 0; i < HERD_KEEPER_WINDOW; i++)
        free(keeper->batches[i].slots);
}

/* ---- records ---- */

static size_t put(struct herd_buf *texts, struct herd_span text)
{
    memcpy(texts->at + texts->len, text.at, text.len);
    texts->len += text.len;
    return text.len;
}

/* How many bytes all ids begin with, with this one. */
static size_t common(const struct herd_keeper_gather *gather, struct herd_span id)
{
    const char *first = gather->texts.at + gather->items[0].text;
    size_t most = gather->count == 0 || gather->common > id.len ? id.len : gather->common, same = 0;
    if (most == 0 || memcmp(first, id.at, most) == 0)
        return most;
    while (first[same] == id.at[same])
        same++;
    return same;
}

static int copy(struct herd_keeper *keeper, uint32_t slot, const struct herd_record *record, int64_t accepted_ns)
{
    struct herd_keeper_gather *gather = &keeper->gather;
    const int64_t expire_ns = keeper->node->options.expire_ns;
    const size_t start = gather->texts.len;
    int err = herd_buf_reserve(&gather->texts, record->id.len + record->server.len + record->diff.len +
                                                   record->position.len + record->time.len);
    if (err < 0)
        return err;
    struct herd_keeper_item *item = &gather->items[gather->count];
    *item = (struct herd_keeper_item){
        .text = start,
        .id = (uint32_t)put(&gather->texts, record->id),
        .time_ns = record->time_ns,
        .accepted_ns = accepted_ns,
        .effective_ns = expire_ns > 0 ? herd_effective_ns(record, expire_ns) : record->time_ns,
        .expires_ns = expire_ns > 0 ? herd_add_saturated(accepted_ns, expire_ns) : INT64_MAX,
    };
    item->server = (uint32_t)put(&gather->texts, record->server);
    item->diff = (uint32_t)put(&gather->texts, record->diff);
    if (record->position.len > 0)
        item->position = (uint32_t)put(&gather->texts, record->position);
    item->time = (uint32_t)put(&gather->texts, record->time);
    gather->common = common(gather, record->id);
    gather->keys[gather->count].item = (uint32_t)gather->count;
    gather->slots[gather->count++] = slot;
    return 0;
}

enum taken { TAKEN, LEFT_OUT, FULL };

/* Copies the record in a slot if this server writes it. HERD_E_NOMEM. */
static int take(struct herd_keeper *keeper, uint32_t slot, size_t *io_steps)
{
    struct herd_keeper_gather *gather = &keeper->gather;
    struct herd_store *store = keeper->node->store;
    struct herd_record record;
    --*io_steps;
    if (slot >= store->slots)
        return LEFT_OUT;
    const struct herd_packed_record *packed = herd_store_packed(store, slot);
    if (herd_packed_record_empty(packed))
        return LEFT_OUT;
    int64_t from_ns = keeper->own_from_ns;
    if (packed->server != keeper->node->own_name) {
        const struct herd_keeper_server *server = herd_keeper_adopted(keeper, packed->server);
        if (!server)
            return LEFT_OUT;
        from_ns = server->from_ns;
    }
    const bool catch_up = gather->source == HERD_KEEPER_CATCH_UP;
    if (catch_up && from_ns == INT64_MAX)
        return LEFT_OUT;
    *io_steps -= *io_steps < RECORD_STEPS - 1 ? *io_steps : RECORD_STEPS - 1;
    if (!herd_store_get_slot(store, slot, &record))
        return HERD_E_NOMEM;
    int64_t accepted_ns = herd_accepted_ns(&record);
    if (catch_up && accepted_ns < from_ns)
        return LEFT_OUT;
    if (gather->count > 0 && gather->texts.len + record.id.len > BATCH_BYTES)
        return FULL;
    int err = copy(keeper, slot, &record, accepted_ns);
    return err < 0 ? err : TAKEN;
}

/* ---- batches ---- */

int64_t herd_keeper_until_ns(const struct herd_keeper *keeper, const struct herd_keeper_batch *batch)
{
    const struct herd_keeper_pass *pass = &keeper->pass;
    bool last = batch->source == HERD_KEEPER_PASS && pass->pending == 0 && keeper->halves.count == 0;
    for (size_t i = 0; i < HERD_KEEPER_WINDOW; i++)
        last &= &keeper->batches[i] == batch || !keeper->batches[i].used;
    return last && pass->active && pass->clean && pass->covers ? pass->begun.wall_ns : keeper->written_until_ns;
}

static void make_ready(struct herd_keeper *keeper, struct herd_keeper_batch *batch)
{
    struct herd_keeper_gather *gather = &keeper->gather;
    uint32_t *slots = batch->slots;
    *batch = (struct herd_keeper_batch){.used = true,
                                        .source = gather->source,
                                        .holds = gather->holds,
                                        .ticket = ++keeper->next_ticket,
                                        .sequence = ++keeper->sequence,
                                        .slots = gather->slots,
                                        .count = gather->count};
    gather->slots = slots;
    keeper->ready = batch;
}

void herd_keeper_gather_heartbeat(struct herd_keeper *keeper, struct herd_keeper_batch *batch)
{
    keeper->gather.source = HERD_KEEPER_HEARTBEAT;
    keeper->gather.holds = false;
    keeper->gather.row_count = 0;
    make_ready(keeper, batch);
}

static void begin(struct herd_keeper_gather *gather, bool holds)
{
    gather->count = gather->sorted = gather->row_count = 0;
    gather->texts.len = 0;
    gather->holds = holds;
}

/* Takes the next range of halves; what memory does not allow is due again as a change. */
static int take_half(struct herd_keeper *keeper, size_t *io_steps)
{
    struct herd_keeper_halves *halves = &keeper->halves;
    size_t at = halves->range[--halves->ranges], end = halves->count;
    int err = 0;
    halves->count = at;
    begin(&keeper->gather, true);
    for (size_t i = at; i < end; i++) {
        size_t steps = RECORD_STEPS; /* a half is of a batch: all at once */
        int took = err < 0 ? err : take(keeper, halves->slots[i], &steps);
        if (took < 0)
            err = took;
        if (took < 0 || took == FULL)
            herd_keeper_due_again(keeper, &halves->slots[i], 1);
    }
    *io_steps = 0;
    return err;
}

static int take_due(struct herd_keeper *keeper, size_t *io_steps)
{
    struct herd_keeper_gather *gather = &keeper->gather;
    while (gather->count < keeper->limit) {
        uint32_t slot = herd_keeper_due_peek(keeper, gather->source, io_steps);
        if (slot == HERD_NO_SLOT)
            return 0;
        int took = take(keeper, slot, io_steps);
        if (took < 0)
            return took;
        if (took == FULL)
            return 1;
        herd_keeper_due_next(keeper, gather->source, slot);
    }
    return 1;
}

int herd_keeper_gather(struct herd_keeper *keeper, struct herd_keeper_batch *batch, size_t *io_steps)
{
    struct herd_keeper_gather *gather = &keeper->gather;
    int full;
    if (gather->source == HERD_KEEPER_HALF) {
        full = take_half(keeper, io_steps);
    } else {
        if (gather->count == 0)
            begin(gather, gather->source == HERD_KEEPER_CATCH_UP
                              ? keeper->catch_up.holds
                              : gather->source == HERD_KEEPER_FULL && keeper->full.holds);
        full = take_due(keeper, io_steps);
    }
    herd_keeper_sort(gather, gather->sorted);
    gather->sorted = gather->count;
    if (gather->count > 0 && (full || herd_keeper_due_empty(keeper, gather->source))) {
        herd_keeper_sort(gather, 0);
        herd_keeper_unique(gather);
        make_ready(keeper, batch);
        gather->count = 0;
    }
    return full < 0 ? full : 0;
}

void herd_keeper_rows(struct herd_keeper *keeper)
{
    struct herd_keeper_gather *gather = &keeper->gather;
    for (size_t i = 0; i < gather->row_count; i++) {
        const struct herd_keeper_item *item = &gather->items[gather->keys[i].item];
        const char *at = gather->texts.at + item->text;
        struct herd_record *record = &gather->rows[i].record;
        record->id = (struct herd_span){at, item->id};
        record->server = (struct herd_span){at += item->id, item->server};
        record->diff = (struct herd_span){at += item->server, item->diff};
        record->position = (struct herd_span){at += item->diff, item->position};
        record->time = (struct herd_span){at + item->position, item->time};
        record->time_ns = item->time_ns;
        gather->rows[i].accepted_ns = item->accepted_ns;
        gather->rows[i].effective_ns = item->effective_ns;
        gather->rows[i].expires_ns = item->expires_ns;
    }
}

void herd_keeper_gather_undo(struct herd_keeper *keeper)
{
    herd_keeper_due_again(keeper, keeper->gather.slots, keeper->gather.count);
    keeper->gather.count = 0;
}

/* ---- halves ---- */

static void push(struct herd_keeper_halves *halves, const uint32_t *slots, size_t count)
{
    halves->range[halves->ranges++] = halves->count;
    memcpy(&halves->slots[halves->count], slots, count * sizeof *slots);
    halves->count += count;
}

void herd_keeper_halve(struct herd_keeper *keeper, const struct herd_keeper_batch *batch)
{
    size_t half = batch->count / 2;
    push(&keeper->halves, batch->slots + half, batch->count - half);
    push(&keeper->halves, batch->slots, half);
    keeper->stats.retried += batch->count;
}

void herd_keeper_halves_undo(struct herd_keeper *keeper)
{
    herd_keeper_due_again(keeper, keeper->halves.slots, keeper->halves.count);
    keeper->halves.count = keeper->halves.ranges = 0;
}
