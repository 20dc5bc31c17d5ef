/* SPDX-License-Identifier: MIT */
/* A keeper's life, its clock and its effects. */
#include "keeper_due.h"
#include "keeper_gather.h"
#include "keeper_link.h"
#include "keeper_notice.h"
#include "keeper_writers.h"

#include <stdlib.h>

#define FLUSH_NS     INT64_C(1000000000)
#define ADOPT_NS     INT64_C(15000000000)
#define BATCH        1000
#define HEARTBEAT_NS INT64_C(5000000000)
#define READ_NS      INT64_C(5000000000)
#define NO_MEMORY_NS INT64_C(100000000)

static int fill_options(struct herd_keeper_options *io_options, const struct herd_node *node)
{
    if (io_options->flush_ns <= 0)
        io_options->flush_ns = FLUSH_NS;
    if (io_options->adopt_ns <= 0)
        io_options->adopt_ns = ADOPT_NS;
    if (io_options->batch_max == 0)
        io_options->batch_max = BATCH;
    if (io_options->incarnation == 0)
        io_options->incarnation = node->incarnation;
    return io_options->batch_max > HERD_KEEPER_BATCH_MAX ? HERD_E_ARG : 0;
}

int herd_keeper_open(struct herd_keeper **ret_keeper, struct herd_node *node,
                     const struct herd_keeper_options *options, struct herd_now now)
{
    struct herd_keeper_options filled = *options;
    if (node->database)
        return HERD_E_EXISTS;
    int err = fill_options(&filled, node);
    if (err < 0)
        return err;
    struct herd_keeper *keeper = calloc(1, sizeof *keeper);
    if (!keeper)
        return HERD_E_NOMEM;
    keeper->node = node;
    keeper->options = filled;
    keeper->now = now;
    keeper->random = herd_hash(filled.seed[0], "keeper", 6) ^ filled.seed[1];
    keeper->limit = filled.batch_max;
    keeper->expire_ns = node->options.expire_ns;
    keeper->there_ns = INT64_MIN;
    keeper->last_write_ns = keeper->next_correct_ns = keeper->full_from_ns = INT64_MIN;
    keeper->correct_ns = INT64_MAX;
    keeper->retry_ns = keeper->next_pass_ns = keeper->next_slow_ns = now.steady_ns;
    keeper->next_full_ns = INT64_MAX;
    herd_keeper_full_soon(keeper);
    keeper->wall_lead_ns = herd_sub_saturated(now.wall_ns, now.steady_ns);
    keeper->wall_least_ns = now.wall_ns;
    herd_keeper_writers_init(keeper);
    err = herd_keeper_gather_init(keeper);
    if (err >= 0)
        err = herd_keeper_due_init(keeper);
    if (err < 0) {
        herd_keeper_gather_fini(keeper);
        free(keeper);
        return err;
    }
    node->database = &keeper->subscriber;
    *ret_keeper = keeper;
    return 0;
}

void herd_keeper_close(struct herd_keeper *keeper)
{
    if (!keeper)
        return;
    keeper->node->database = NULL;
    herd_keeper_writers_fini(keeper);
    herd_keeper_due_fini(keeper);
    herd_keeper_gather_fini(keeper);
    free(keeper);
}

/* ---- effects ---- */

/* Something is begun: an answer is waited for from now on, if none was before. */
static void begun(struct herd_keeper *keeper)
{
    if (!herd_keeper_waits(keeper))
        keeper->progress_ns = keeper->now.steady_ns;
}

static void show_read(struct herd_keeper *keeper, struct herd_keeper_effect *ret_effect)
{
    begun(keeper);
    keeper->read_due = false;
    keeper->next_read_ns = herd_add_saturated(keeper->now.steady_ns, READ_NS);
    if (keeper->ready)
        keeper->ready->read = true;
    ret_effect->kind = HERD_KEEPER_READ_WRITERS;
    ret_effect->ticket = keeper->read_ticket = ++keeper->next_ticket;
}

static void show_write(struct herd_keeper *keeper, struct herd_keeper_effect *ret_effect)
{
    struct herd_keeper_batch *batch = keeper->ready;
    begun(keeper);
    keeper->ready = NULL;
    batch->sent = true;
    batch->until_ns = herd_keeper_until_ns(keeper, batch);
    if (keeper->read_ticket != 0 && keeper->unverified_sequence == 0) /* else the first one still is */
        keeper->unverified_sequence = batch->sequence;
    batch->sent_ns = keeper->last_write_ns = keeper->now.steady_ns;
    if (keeper->correct_ns <= keeper->now.steady_ns)
        keeper->next_correct_ns = herd_add_saturated(keeper->now.steady_ns, HEARTBEAT_NS);
    keeper->correct_ns = INT64_MAX;
    keeper->writer = (struct herd_database_writer){
        .server = keeper->node->name,
        .incarnation = keeper->options.incarnation,
        .sequence = batch->sequence,
        .written_until_ns = batch->until_ns,
    };
    herd_keeper_rows(keeper);
    *ret_effect = (struct herd_keeper_effect){
        .kind = HERD_KEEPER_WRITE,
        .ticket = batch->ticket,
        .rows = keeper->gather.rows,
        .count = keeper->gather.row_count,
        .writer = &keeper->writer,
    };
}

bool herd_keeper_next_effect(struct herd_keeper *keeper, struct herd_keeper_effect *ret_effect)
{
    *ret_effect = (struct herd_keeper_effect){0};
    if (herd_keeper_notice_next(keeper, ret_effect))
        return true;
    if (keeper->disconnect_due) {
        keeper->disconnect_due = false;
        ret_effect->kind = HERD_KEEPER_DISCONNECT;
        return true;
    }
    if (keeper->connect_due) {
        keeper->connect_due = false;
        begun(keeper);
        keeper->state = HERD_KEEPER_CONNECTING;
        ret_effect->kind = HERD_KEEPER_CONNECT;
        return true;
    }
    /* Each batch goes directly behind a reading: the row that comes with it would hide that the database lost the last. */
    bool first = keeper->ready && !keeper->ready->read, now = keeper->now.steady_ns >= keeper->retry_ns;
    if (keeper->read_ticket == 0 && (keeper->read_due || (first && now))) {
        show_read(keeper, ret_effect);
        return true;
    }
    if (!keeper->ready || first)
        return false;
    show_write(keeper, ret_effect);
    return true;
}

/* ---- time ---- */

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* When the next batch of nothing is due. */
static int64_t heartbeat_ns(const struct herd_keeper *keeper)
{
    bool told = !keeper->stop_done || keeper->acked_until_ns >= keeper->written_until_ns;
    for (size_t i = 0; i < HERD_KEEPER_WINDOW; i++)
        if (keeper->batches[i].used)
            return INT64_MAX;
    if (!told || keeper->last_write_ns == INT64_MIN)
        return keeper->now.steady_ns;
    return least(herd_add_saturated(keeper->last_write_ns, HEARTBEAT_NS), keeper->correct_ns);
}

static struct herd_keeper_batch *unused_batch(struct herd_keeper *keeper)
{
    for (size_t i = 0; i < HERD_KEEPER_WINDOW; i++)
        if (!keeper->batches[i].used)
            return &keeper->batches[i];
    return NULL;
}

/* One slow batch at a time. */
static int64_t slow_ns(const struct herd_keeper *keeper)
{
    for (size_t i = 0; i < HERD_KEEPER_WINDOW; i++)
        if (keeper->batches[i].used && keeper->batches[i].source == HERD_KEEPER_FULL)
            return INT64_MAX;
    if (keeper->full.left == 0)
        return INT64_MAX;
    int64_t next_ns = keeper->stopping ? keeper->now.steady_ns : keeper->next_slow_ns;
    return next_ns > keeper->full_from_ns ? next_ns : keeper->full_from_ns;
}

/* What the next batch is made of; false: nothing is due. */
static bool choose(struct herd_keeper *keeper, enum herd_keeper_source *ret_source)
{
    const int64_t now_ns = keeper->now.steady_ns;
    if (keeper->gather.count > 0)
        *ret_source = keeper->gather.source;
    else if (now_ns >= heartbeat_ns(keeper))
        *ret_source = HERD_KEEPER_HEARTBEAT;
    else if (keeper->halves.count > 0)
        *ret_source = HERD_KEEPER_HALF;
    else if (keeper->pass.pending > 0)
        *ret_source = HERD_KEEPER_PASS;
    else if (keeper->catch_up.left > 0)
        *ret_source = HERD_KEEPER_CATCH_UP;
    else if (now_ns >= slow_ns(keeper))
        *ret_source = HERD_KEEPER_FULL;
    else
        return false;
    return true;
}

/* Whether a pass is to be begun. */
static bool pass_due(const struct herd_keeper *keeper)
{
    return !keeper->pass.active && keeper->rows_known && keeper->now.steady_ns >= keeper->next_pass_ns;
}

static void write_due(struct herd_keeper *keeper, size_t *io_steps)
{
    while (*io_steps > 0 && herd_keeper_writable(keeper) && choose(keeper, &keeper->gather.source)) {
        struct herd_keeper_batch *batch = unused_batch(keeper);
        if (keeper->gather.source == HERD_KEEPER_HEARTBEAT)
            herd_keeper_gather_heartbeat(keeper, batch);
        else if (herd_keeper_gather(keeper, batch, io_steps) < 0)
            keeper->retry_ns = herd_add_saturated(keeper->now.steady_ns, NO_MEMORY_NS);
    }
    herd_keeper_pass_end(keeper);
}

static void look_at_clock(struct herd_keeper *keeper)
{
    int64_t lead_ns = herd_sub_saturated(keeper->now.wall_ns, keeper->now.steady_ns);
    if (keeper->now.wall_ns < keeper->wall_least_ns)
        keeper->wall_least_ns = keeper->now.wall_ns;
    if (lead_ns < herd_sub_saturated(keeper->wall_lead_ns, HERD_KEEPER_MARGIN_NS)) {
        keeper->wall_lead_ns = lead_ns;
        herd_keeper_writers_clock(keeper);
    } else if (lead_ns > keeper->wall_lead_ns) {
        keeper->wall_lead_ns = lead_ns;
    }
    if (keeper->expire_ns != keeper->node->options.expire_ns) {
        keeper->expire_ns = keeper->node->options.expire_ns; /* rows say when they expire */
        herd_keeper_full_begin(keeper, false);
    }
    if (keeper->now.steady_ns >= keeper->next_full_ns) {
        keeper->next_full_ns = herd_add_saturated(keeper->now.steady_ns, HERD_KEEPER_FULL_NS);
        herd_keeper_full_begin(keeper, false);
    }
}

void herd_keeper_tick(struct herd_keeper *keeper, struct herd_now now)
{
    size_t steps = HERD_KEEPER_STEPS;
    keeper->now = now;
    look_at_clock(keeper);
    herd_keeper_link_tick(keeper);
    if (keeper->rows_known)
        herd_keeper_writers_judge(keeper, &steps);
    if (pass_due(keeper))
        (void)herd_keeper_pass_begin(keeper);
    write_due(keeper, &steps);
    keeper->stats.steps += HERD_KEEPER_STEPS - steps;
}

int64_t herd_keeper_next_ns(const struct herd_keeper *keeper)
{
    int64_t next_ns = least(herd_keeper_link_next_ns(keeper), keeper->next_full_ns);
    if (!keeper->rows_known)
        return next_ns;
    if (herd_keeper_writers_to_judge(keeper))
        return keeper->now.steady_ns;
    if (!keeper->pass.active)
        next_ns = least(next_ns, keeper->next_pass_ns);
    /* What a batch waits for besides: the back-off, or that one under way is answered. */
    if (keeper->ready && keeper->read_ticket == 0)
        next_ns = least(next_ns, keeper->retry_ns);
    bool unused = !keeper->ready && (!keeper->batches[0].used || !keeper->batches[1].used);
    if (!unused)
        return next_ns;
    int64_t write_ns = least(heartbeat_ns(keeper), slow_ns(keeper));
    if (keeper->gather.count > 0 || keeper->halves.count > 0 || keeper->pass.pending > 0 ||
        keeper->catch_up.left > 0)
        write_ns = keeper->now.steady_ns;
    return least(next_ns, write_ns > keeper->retry_ns ? write_ns : keeper->retry_ns);
}

void herd_keeper_flush(struct herd_keeper *keeper, struct herd_now now)
{
    keeper->now = now;
    keeper->next_pass_ns = now.steady_ns;
}

void herd_keeper_stop(struct herd_keeper *keeper, struct herd_now now)
{
    herd_keeper_flush(keeper, now);
    keeper->stopping = true;
    if (!keeper->refused)
        keeper->retry_ns = now.steady_ns;
}

/* The pass that began after the end was near is written, and its row says so; or that fails again and again. */
bool herd_keeper_stopped(const struct herd_keeper *keeper)
{
    if (!keeper->stopping)
        return false;
    return (keeper->stop_done && keeper->acked_until_ns >= keeper->written_until_ns) || keeper->refused ||
           keeper->stop_failures >= 2;
}

void herd_keeper_write_all(struct herd_keeper *keeper, struct herd_now now)
{
    keeper->now = now;
    herd_keeper_full_begin(keeper, false);
}

struct herd_keeper_stats herd_keeper_stats(const struct herd_keeper *keeper)
{
    struct herd_keeper_stats stats = keeper->stats;
    stats.connected = keeper->state == HERD_KEEPER_CONNECTED;
    stats.refused = keeper->refused;
    stats.pending = keeper->subscriber.pending + keeper->pass.pending + keeper->halves.count + keeper->gather.count;
    for (size_t i = 0; i < HERD_KEEPER_WINDOW; i++)
        stats.pending += keeper->batches[i].used ? keeper->batches[i].count : 0;
    stats.writers = 1;
    for (size_t i = 0; i < keeper->server_count; i++)
        stats.writers += keeper->servers[i].has_row && keeper->servers[i].age_ns <= keeper->options.adopt_ns;
    stats.written_until_ns = keeper->written_until_ns;
    return stats;
}
