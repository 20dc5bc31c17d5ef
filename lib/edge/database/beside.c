/* SPDX-License-Identifier: MIT */
/* Joins the keeper and the adapter: what the one wants the other does, and what came of it is told back. */
#include "beside_impl.h"

#include "../../core/base/histogram.h"
#include "../clock.h"
#include "adapter.h"

#include <herd/store.h>

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define MS_NS INT64_C(1000000)

/* ---- what the adapter tells ---- */

static void on_connected(void *ctx, const char *server)
{
    struct herd_beside *beside = ctx;
    beside->connected = true;
    herd_keeper_connected(beside->keeper, server, herd_clock());
    beside->wake(beside->ctx);
}

static void lost(struct herd_beside *beside, struct herd_now now)
{
    beside->connected = false;
    herd_read_through_lost(&beside->reads, now);
    herd_warm_lost(&beside->warm, now);
}

static void on_disconnected(void *ctx, enum herd_database_result result, const char *message)
{
    struct herd_beside *beside = ctx;
    struct herd_now now = herd_clock();
    lost(beside, now);
    herd_keeper_disconnected(beside->keeper, result, message, now);
    beside->wake(beside->ctx);
}

static void on_written(void *ctx, uint64_t ticket, enum herd_database_result result, const char *message)
{
    struct herd_beside *beside = ctx;
    struct herd_now now = herd_clock();
    for (size_t i = 0; i < HERD_BESIDE_WRITES; i++)
        if (beside->writes[i].ticket == ticket && result == HERD_DATABASE_DONE)
            herd_histogram_add(&beside->batch_seconds, now.steady_ns - beside->writes[i].began_ns);
    herd_keeper_written(beside->keeper, ticket, result, message, now);
    beside->wake(beside->ctx);
}

static void on_writers(void *ctx, uint64_t ticket, enum herd_database_result result, const char *message,
                       const struct herd_database_writer *writers, size_t count)
{
    struct herd_beside *beside = ctx;
    herd_keeper_writers(beside->keeper, ticket, result, message, writers, count, herd_clock());
    beside->wake(beside->ctx);
}

static void on_page(void *ctx, uint64_t ticket, enum herd_database_result result, const char *message,
                    const struct herd_database_row *rows, size_t count, bool last)
{
    (void)message; /* of a connection that fails the keeper is told */
    struct herd_beside *beside = ctx;
    herd_warm_page(beside, ticket, result, rows, count, last, herd_clock());
    beside->wake(beside->ctx);
}

static void on_found(void *ctx, uint64_t ticket, enum herd_database_result result, const char *message,
                     const struct herd_database_row *row)
{
    (void)message;
    struct herd_beside *beside = ctx;
    herd_read_through_found(&beside->reads, ticket, result, row, herd_clock());
    beside->wake(beside->ctx);
}

static const struct herd_database_events events = {on_connected, on_disconnected, on_written,
                                                   on_writers,   on_page,         on_found};

/* ---- what the keeper wants ---- */

static enum herd_database_result result_of(int err)
{
    return err == HERD_E_STATE ? HERD_DATABASE_LOST : HERD_DATABASE_RETRY;
}

static void connect(struct herd_beside *beside, struct herd_now now)
{
    int err = beside->driver->connect(beside->database);
    if (err < 0)
        herd_keeper_disconnected(beside->keeper, HERD_DATABASE_RETRY, herd_strerror(err), now);
}

static void write_batch(struct herd_beside *beside, const struct herd_keeper_effect *effect, struct herd_now now)
{
    const uint64_t ticket = effect->ticket; /* the effect is borrowed until the keeper is called */
    beside->writes[beside->write_next].ticket = ticket;
    beside->writes[beside->write_next++].began_ns = now.steady_ns;
    beside->write_next %= HERD_BESIDE_WRITES;
    int err = beside->driver->write(beside->database, ticket, effect->rows, effect->count, effect->writer);
    if (err < 0)
        herd_keeper_written(beside->keeper, ticket, result_of(err), herd_strerror(err), now);
}

static void read_writers(struct herd_beside *beside, uint64_t ticket, struct herd_now now)
{
    int err = beside->driver->read_writers(beside->database, ticket);
    if (err < 0)
        herd_keeper_writers(beside->keeper, ticket, result_of(err), herd_strerror(err), NULL, 0, now);
}

static void log_notice(struct herd_beside *beside, const struct herd_keeper_effect *effect)
{
    static const struct {
        const char *text, *key;
        enum herd_log_level level;
    } notices[] = {
        {"database_gone", "why", HERD_LOG_WARN},      {"database_refused", "why", HERD_LOG_ERROR},
        {"database_back", "server", HERD_LOG_INFO},   {"database_record_dropped", "id", HERD_LOG_WARN},
        {"database_forgot", NULL, HERD_LOG_WARN},     {"writer_adopted", "server", HERD_LOG_INFO},
        {"writer_returned", "server", HERD_LOG_INFO},
    };
    size_t i = 0;
    while (i + 1 < sizeof notices / sizeof notices[0] && strcmp(notices[i].text, effect->text) != 0)
        i++;
    const struct herd_log_field fields[2] = {
        herd_log_text("kind", beside->kind),
        herd_log_span(notices[i].key ? notices[i].key : "", effect->detail),
    };
    herd_log_event(beside->log, notices[i].level, effect->text, fields, notices[i].key ? 2 : 1);
}

static void carry_out(struct herd_beside *beside, struct herd_now now)
{
    struct herd_keeper_effect effect;
    while (herd_keeper_next_effect(beside->keeper, &effect))
        switch (effect.kind) {
        case HERD_KEEPER_CONNECT: connect(beside, now); break;
        case HERD_KEEPER_DISCONNECT:
            beside->driver->disconnect(beside->database);
            lost(beside, now);
            break;
        case HERD_KEEPER_WRITE: write_batch(beside, &effect, now); break;
        case HERD_KEEPER_READ_WRITERS: read_writers(beside, effect.ticket, now); break;
        case HERD_KEEPER_NOTICE: log_notice(beside, &effect); break;
        }
}

/* ---- life ---- */

static int open_keeper(struct herd_beside *beside, const struct herd_config_database *config, struct herd_now now)
{
    uint64_t seed[4];
    if (getrandom(seed, sizeof seed, 0) != (ssize_t)sizeof seed)
        return HERD_E_IO;
    beside->reads.key[0] = seed[2];
    beside->reads.key[1] = seed[3];
    const struct herd_keeper_options options = {
        .seed = {seed[0], seed[1]},
        .flush_ns = config->flush_ms * MS_NS,
        .batch_max = (size_t)config->batch,
        .adopt_ns = config->adopt_ms * MS_NS,
    };
    return herd_keeper_open(&beside->keeper, beside->node, &options, now);
}

int herd_beside_open(struct herd_beside **ret_beside, const struct herd_beside_options *options,
                     struct herd_now now, struct herd_diagnostic *reterr_diagnostic)
{
    const struct herd_config_database *config = options->config;
    struct herd_beside *beside = calloc(1, sizeof *beside);
    if (!beside)
        return HERD_E_NOMEM;
    beside->node = options->node;
    beside->log = options->log;
    beside->driver = options->driver;
    beside->wake = options->wake;
    beside->ctx = options->ctx;
    beside->kind = strdup(config->kind);
    int err = beside->kind ? 0 : HERD_E_NOMEM;
    if (err >= 0 && !beside->driver)
        err = herd_adapter_find(config, &beside->driver, reterr_diagnostic);
    if (err >= 0)
        err = herd_adapter_open(config, options->herd, beside->driver, options->base, &events, beside,
                                &beside->database, reterr_diagnostic);
    if (err >= 0 && config->read_through)
        err = herd_read_through_open(&beside->reads);
    if (err >= 0)
        err = open_keeper(beside, config, now);
    if (err < 0) {
        herd_beside_close(beside);
        return err;
    }
    herd_warm_open(&beside->warm, config->warm_start, herd_store_count(herd_node_store(beside->node)) == 0,
                   herd_node_peer_count(beside->node) == 0, now);
    *ret_beside = beside;
    return 0;
}

void herd_beside_close(struct herd_beside *beside)
{
    if (!beside)
        return;
    if (beside->database)
        beside->driver->close(beside->database);
    herd_keeper_close(beside->keeper);
    herd_read_through_close(&beside->reads);
    free(beside->kind);
    free(beside);
}

void herd_beside_run(struct herd_beside *beside, struct herd_now now)
{
    herd_keeper_tick(beside->keeper, now);
    carry_out(beside, now);
    herd_read_through_run(&beside->reads, now);
    herd_warm_run(beside, now);
}

int64_t herd_beside_next_ns(const struct herd_beside *beside)
{
    int64_t next_ns = herd_keeper_next_ns(beside->keeper);
    int64_t reads_ns = herd_read_through_next_ns(&beside->reads);
    int64_t warm_ns = beside->connected ? herd_warm_next_ns(&beside->warm) : INT64_MAX;
    next_ns = reads_ns < next_ns ? reads_ns : next_ns;
    return warm_ns < next_ns ? warm_ns : next_ns;
}

void herd_beside_stop(struct herd_beside *beside, struct herd_now now)
{
    herd_keeper_stop(beside->keeper, now);
    carry_out(beside, now);
}

bool herd_beside_stopped(const struct herd_beside *beside)
{
    return herd_keeper_stopped(beside->keeper);
}

struct herd_beside_stats herd_beside_stats(const struct herd_beside *beside)
{
    return (struct herd_beside_stats){
        .keeper = herd_keeper_stats(beside->keeper),
        .kind = beside->kind,
        .warm = beside->warm.state,
        .warm_read = beside->warm.read,
        .warm_taken = beside->warm.taken,
        .read = beside->reads.asked,
        .read_found = beside->reads.found,
        .read_missed = beside->reads.missed,
        .read_failed = beside->reads.failed,
        .batch_seconds = &beside->batch_seconds,
    };
}
