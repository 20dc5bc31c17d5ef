/* SPDX-License-Identifier: MIT */
/* An adapter on a loop, and what it has told. */
#ifndef TEST_REDIS_ADAPTER_H
#define TEST_REDIS_ADAPTER_H

#include "../cm.h"

#include <herd/redis.h>
#include <herd/timestamp.h>

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#define TICKETS 64

struct adapter {
    struct event_base *base;
    struct herd_database *database;
    unsigned connected, disconnected, told;
    char server[128], message[256];
    enum herd_database_result result; /* of the last `disconnected` */
    /* By ticket; -1: not told. */
    int results[TICKETS];
    char messages[TICKETS][256];
    uint64_t order[TICKETS]; /* the how manieth it was */
    struct herd_database_writer writers[8];
    char writer_names[8][65];
    size_t writer_count;
    bool last;
    size_t pages, rows; /* of read_page */
    void (*row)(void *ctx, const struct herd_database_row *row);
    void *row_ctx;
    bool found, reconnect, disconnect_in_written;
    char found_line[70000];
};

static inline void adapter_tell(struct adapter *a, uint64_t ticket, enum herd_database_result result,
                                const char *message)
{
    assert_true(ticket < TICKETS);
    assert_int_equal(a->results[ticket], -1);
    assert_true((message == NULL) == (result == HERD_DATABASE_DONE));
    a->results[ticket] = (int)result;
    a->order[ticket] = a->told++;
    snprintf(a->messages[ticket], sizeof a->messages[0], "%s", message ? message : "");
}

static inline void on_connected(void *ctx, const char *server)
{
    struct adapter *a = ctx;
    a->connected++;
    snprintf(a->server, sizeof a->server, "%s", server);
}

static inline void on_disconnected(void *ctx, enum herd_database_result result, const char *message)
{
    struct adapter *a = ctx;
    a->disconnected++;
    a->result = result;
    snprintf(a->message, sizeof a->message, "%s", message);
    if (a->reconnect)
        assert_int_equal(herd_redis_driver.connect(a->database), 0);
}

static inline void on_written(void *ctx, uint64_t ticket, enum herd_database_result result, const char *message)
{
    struct adapter *a = ctx;
    adapter_tell(a, ticket, result, message);
    if (a->disconnect_in_written)
        herd_redis_driver.disconnect(a->database);
}

static inline void on_writers(void *ctx, uint64_t ticket, enum herd_database_result result, const char *message,
                              const struct herd_database_writer *writers, size_t count)
{
    struct adapter *a = ctx;
    adapter_tell(a, ticket, result, message);
    a->writer_count = count;
    for (size_t i = 0; i < count && i < 8; i++) {
        a->writers[i] = writers[i];
        snprintf(a->writer_names[i], 65, "%.*s", (int)writers[i].server.len, writers[i].server.at);
        a->writers[i].server = herd_span_of(a->writer_names[i]);
    }
}

static inline void on_page(void *ctx, uint64_t ticket, enum herd_database_result result, const char *message,
                           const struct herd_database_row *rows, size_t count, bool last)
{
    struct adapter *a = ctx;
    adapter_tell(a, ticket, result, message);
    a->last = last;
    a->pages++;
    a->rows += count;
    for (size_t i = 0; i < count && a->row; i++)
        a->row(a->row_ctx, &rows[i]);
}

static inline void on_found(void *ctx, uint64_t ticket, enum herd_database_result result, const char *message,
                            const struct herd_database_row *row)
{
    struct adapter *a = ctx;
    adapter_tell(a, ticket, result, message);
    a->found = row != NULL;
    a->found_line[0] = 0;
    if (row)
        snprintf(a->found_line, sizeof a->found_line, "%.*s %.*s %.*s %.*s", (int)row->record.server.len,
                 row->record.server.at, (int)row->record.diff.len, row->record.diff.at,
                 (int)row->record.position.len, row->record.position.at, (int)row->record.time.len,
                 row->record.time.at);
}

static const struct herd_database_events adapter_events = {on_connected, on_disconnected, on_written,
                                                           on_writers,   on_page,         on_found};

static inline void adapter_forget(struct adapter *a)
{
    for (size_t i = 0; i < TICKETS; i++)
        a->results[i] = -1;
    a->connected = a->disconnected = a->told = 0;
    a->pages = a->rows = 0;
}

static inline int adapter_open(struct adapter *a, struct event_base *base, const char *dsn, bool geo)
{
    memset(a, 0, sizeof *a);
    adapter_forget(a);
    a->base = base;
    struct herd_database_options options = {.dsn = herd_span_of(dsn), .herd = "paws", .geo = geo};
    struct herd_diagnostic diagnostic;
    return herd_redis_driver.open(&a->database, base, &options, &adapter_events, a, &diagnostic);
}

static inline void adapter_late(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
    fail_msg("nothing came for 20 s");
}

/* The loop turns until the condition is true. */
#define adapter_until(a, condition)                                            \
    do {                                                                       \
        struct event *late_ = event_new((a)->base, -1, 0, adapter_late, NULL); \
        event_add(late_, &(struct timeval){20, 0});                            \
        while (!(condition))                                                   \
            event_base_loop((a)->base, EVLOOP_ONCE);                           \
        event_free(late_);                                                     \
    } while (0)

static inline void adapter_connect(struct adapter *a)
{
    unsigned before = a->connected + a->disconnected;
    assert_int_equal(herd_redis_driver.connect(a->database), 0);
    adapter_until(a, a->connected + a->disconnected > before);
}

static inline struct herd_database_row adapter_row(struct herd_span id, const char *server, const char *position,
                                                   const char *time)
{
    struct herd_database_row row = {
        .record = {herd_span_of(server), herd_span_of("+0.5"), id, herd_span_of(position), herd_span_of(time), 0},
        .expires_ns = INT64_MAX};
    assert_int_equal(herd_timestamp_parse(row.record.time, &row.record.time_ns), 0);
    row.accepted_ns = row.record.time_ns + 500000000;
    row.effective_ns = row.record.time_ns;
    return row;
}

static const struct herd_database_writer adapter_writer = {.server = {"Riley", 5},
                                                           .incarnation = 0xfedcba9876543210u,
                                                           .sequence = 41,
                                                           .written_until_ns = 1234567890123456789};

static inline enum herd_database_result adapter_write(struct adapter *a, uint64_t ticket,
                                                      const struct herd_database_row *rows, size_t count)
{
    a->results[ticket] = -1;
    assert_int_equal(herd_redis_driver.write(a->database, ticket, rows, count, &adapter_writer), 0);
    adapter_until(a, a->results[ticket] >= 0);
    return (enum herd_database_result)a->results[ticket];
}

static inline bool adapter_find(struct adapter *a, struct herd_span id)
{
    a->results[63] = -1;
    assert_int_equal(herd_redis_driver.find(a->database, 63, id), 0);
    adapter_until(a, a->results[63] >= 0);
    assert_int_equal(a->results[63], HERD_DATABASE_DONE);
    return a->found;
}

static inline void adapter_read_all(struct adapter *a, size_t limit)
{
    a->last = false;
    a->pages = a->rows = 0;
    for (bool first = true; !a->last; first = false) {
        a->results[62] = -1;
        assert_int_equal(herd_redis_driver.read_page(a->database, 62, limit, first), 0);
        assert_int_equal(herd_redis_driver.read_page(a->database, 61, limit, first), HERD_E_STATE);
        adapter_until(a, a->results[62] >= 0);
        assert_int_equal(a->results[62], HERD_DATABASE_DONE);
    }
}

#endif
