/* SPDX-License-Identifier: MIT */
/* An adapter as its users see it: on a loop, with all it says written down. */
#ifndef TEST_DATABASE_WORLD_H
#define TEST_DATABASE_WORLD_H

#include "../unit/cm.h"

#include <herd/database.h>
#include <herd/store.h>
#include <herd/timestamp.h>

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WAIT_S 60 /* far beyond what anything here takes */

/* What came of one operation. */
struct told {
    unsigned times;
    enum herd_database_result result;
    char message[256];
};

/* One adapter, opened. */
struct side {
    const struct herd_database_driver *driver;
    struct herd_database *database;
    struct event_base *base;
    struct told connected, disconnected, written, writers, page, found;
    char server[128];                       /* what `connected` said */
    uint64_t ticket;                        /* the last one of an event */
    unsigned done, failed;                  /* batches, ever */
    struct herd_database_writer writer[16]; /* of the last `writers` */
    char writer_name[16][80];
    size_t writer_count;
    struct herd_store *rows; /* NULL, or where pages are put */
    size_t row_count;        /* in pages, ever */
    bool last, absent;
    struct herd_database_row row; /* of the last `found`, texts below */
    char text[80 * 1024];
    void (*then)(struct side *side); /* NULL, or called at the end of each event */
    void *user;
};

static inline void tell(struct told *told, enum herd_database_result result, const char *message)
{
    told->times++;
    told->result = result;
    snprintf(told->message, sizeof told->message, "%s", message ? message : "");
    /* DONE says nothing, all else something. */
    assert_int_equal(result == HERD_DATABASE_DONE, message == NULL);
    for (const char *c = told->message; *c; c++)
        assert_true(*c >= 0x20 && *c < 0x7f);
}

static inline void then(struct side *side)
{
    if (side->then)
        side->then(side);
}

static inline void on_connected(void *ctx, const char *server)
{
    struct side *side = ctx;
    tell(&side->connected, HERD_DATABASE_DONE, NULL);
    snprintf(side->server, sizeof side->server, "%s", server);
    then(side);
}

static inline void on_disconnected(void *ctx, enum herd_database_result result, const char *message)
{
    struct side *side = ctx;
    assert_true(result == HERD_DATABASE_RETRY || result == HERD_DATABASE_REFUSED || result == HERD_DATABASE_LOST);
    tell(&side->disconnected, result, message);
    then(side);
}

static inline void on_written(void *ctx, uint64_t ticket, enum herd_database_result result, const char *message)
{
    struct side *side = ctx;
    side->ticket = ticket;
    tell(&side->written, result, message);
    if (result == HERD_DATABASE_DONE)
        side->done++;
    else
        side->failed++;
    then(side);
}

static inline void on_writers(void *ctx, uint64_t ticket, enum herd_database_result result, const char *message,
                              const struct herd_database_writer *writers, size_t count)
{
    struct side *side = ctx;
    side->ticket = ticket;
    tell(&side->writers, result, message);
    assert_true(count <= 16);
    side->writer_count = count;
    for (size_t i = 0; i < count; i++) {
        side->writer[i] = writers[i];
        snprintf(side->writer_name[i], sizeof side->writer_name[i], "%.*s", (int)writers[i].server.len,
                 writers[i].server.at);
    }
    then(side);
}

static inline void on_page(void *ctx, uint64_t ticket, enum herd_database_result result, const char *message,
                           const struct herd_database_row *rows, size_t count, bool last)
{
    struct side *side = ctx;
    side->ticket = ticket;
    tell(&side->page, result, message);
    assert_true(result == HERD_DATABASE_DONE || (count == 0 && !last));
    for (size_t i = 0; i < count && side->rows; i++)
        assert_true(herd_store_put(side->rows, &rows[i].record, NULL, NULL) >= 0);
    side->row_count += count;
    side->last = last;
    then(side);
}

static inline struct herd_span keep(struct side *side, size_t *io_used, struct herd_span text)
{
    assert_true(*io_used + text.len <= sizeof side->text);
    char *at = side->text + *io_used;
    memcpy(at, text.at, text.len);
    *io_used += text.len;
    return (struct herd_span){at, text.len};
}

static inline void on_found(void *ctx, uint64_t ticket, enum herd_database_result result, const char *message,
                            const struct herd_database_row *row)
{
    struct side *side = ctx;
    size_t used = 0;
    side->ticket = ticket;
    tell(&side->found, result, message);
    side->absent = row == NULL;
    if (row) {
        struct herd_record *record = &side->row.record;
        side->row = *row;
        record->id = keep(side, &used, record->id);
        record->server = keep(side, &used, record->server);
        record->diff = keep(side, &used, record->diff);
        record->position = keep(side, &used, record->position);
        record->time = keep(side, &used, record->time);
    }
    then(side);
}

static const struct herd_database_events side_events = {on_connected, on_disconnected, on_written,
                                                        on_writers,   on_page,         on_found};

static inline void side_open_with(struct side *side, struct event_base *base,
                                  const struct herd_database_driver *driver,
                                  const struct herd_database_options *options)
{
    struct herd_diagnostic diagnostic;
    *side = (struct side){.driver = driver, .base = base};
    assert_int_equal(driver->open(&side->database, base, options, &side_events, side, &diagnostic), 0);
}

static inline void side_open(struct side *side, struct event_base *base, const struct herd_database_driver *driver,
                             const char *dsn)
{
    const struct herd_database_options options = {.dsn = herd_span_of(dsn), .herd = "city"};
    side_open_with(side, base, driver, &options);
}

static inline void side_close(struct side *side)
{
    side->driver->close(side->database);
    side->database = NULL;
}

/* Runs the loop until *count is at least `least`. */
static inline void wait_times(struct side *side, const unsigned *count, unsigned least)
{
    time_t end = time(NULL) + WAIT_S;
    while (*count < least && time(NULL) < end) {
        const struct timeval wake = {1, 0};
        event_base_loopexit(side->base, &wake);
        assert_true(event_base_loop(side->base, EVLOOP_ONCE) >= 0);
    }
    assert_true(*count >= least);
}

/* Whether the attempt succeeds. */
static inline bool side_try_connect(struct side *side)
{
    unsigned before = side->connected.times;
    assert_int_equal(side->driver->connect(side->database), 0);
    time_t end = time(NULL) + WAIT_S;
    unsigned ends = side->disconnected.times;
    while (side->connected.times == before && side->disconnected.times == ends && time(NULL) < end)
        assert_true(event_base_loop(side->base, EVLOOP_ONCE) >= 0);
    return side->connected.times > before;
}

static inline void side_connect(struct side *side)
{
    if (!side_try_connect(side))
        fail_msg("not connected: %s", side->disconnected.message);
}

/* Connecting that fails: with what result. */
static inline enum herd_database_result side_connect_fails(struct side *side)
{
    unsigned before = side->disconnected.times;
    assert_int_equal(side->driver->connect(side->database), 0);
    wait_times(side, &side->disconnected.times, before + 1);
    assert_int_equal(side->connected.times, 0);
    return side->disconnected.result;
}

static inline int64_t wall_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* A row of a report, accepted now; position "" is a tombstone. Texts are borrowed. */
static inline struct herd_database_row row_of(struct herd_span id, const char *server, const char *position,
                                              const char *time)
{
    struct herd_database_row row = {
        .record = {.id = id,
                   .server = herd_span_of(server),
                   .diff = herd_span_of("+0.25"),
                   .position = herd_span_of(position),
                   .time = herd_span_of(time)},
        .accepted_ns = wall_ns(),
        .expires_ns = INT64_MAX,
    };
    assert_int_equal(herd_timestamp_parse(row.record.time, &row.record.time_ns), 0);
    row.effective_ns = row.record.time_ns;
    return row;
}

static const struct herd_database_writer some_writer = {
    .server = {"Riley", 5}, .incarnation = UINT64_C(0xfedcba9876543210), .sequence = 1, .written_until_ns = 1};

/* Writes rows and waits: with what result. */
static inline enum herd_database_result side_write(struct side *side, const struct herd_database_row *rows,
                                                   size_t count)
{
    unsigned before = side->written.times;
    assert_int_equal(side->driver->write(side->database, before + 1, rows, count, &some_writer), 0);
    assert_int_equal(side->written.times, before); /* never from inside */
    wait_times(side, &side->written.times, before + 1);
    assert_int_equal(side->ticket, before + 1);
    return side->written.result;
}

/* The row of an id, in side->row; false: not there. */
static inline bool side_find(struct side *side, struct herd_span id)
{
    unsigned before = side->found.times;
    assert_int_equal(side->driver->find(side->database, 77, id), 0);
    wait_times(side, &side->found.times, before + 1);
    assert_int_equal(side->found.result, HERD_DATABASE_DONE);
    return !side->absent;
}

/* All rows, a page after the other, into side->rows if that is set; their number. */
static inline size_t side_read_all(struct side *side, size_t limit)
{
    size_t rows_before = side->row_count;
    bool first = true;
    do {
        unsigned before = side->page.times;
        assert_int_equal(side->driver->read_page(side->database, 78, limit, first), 0);
        assert_int_equal(side->driver->read_page(side->database, 79, limit, false), HERD_E_STATE);
        wait_times(side, &side->page.times, before + 1);
        assert_int_equal(side->page.result, HERD_DATABASE_DONE);
        first = false;
    } while (!side->last);
    return side->row_count - rows_before;
}

#endif
