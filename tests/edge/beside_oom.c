/* SPDX-License-Identifier: MIT */
/* A database beside a node, and every allocation of its life failing, once and twenty in a row: nothing is told twice, nobody waits for
 * ever, and when there is memory again the database has what the node has. Time is the test's. */
#include "../unit/cm.h"
#include "failing_memory.h"

#include "../../lib/edge/clock.h"

#include "beside_impl.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define S_NS INT64_C(1000000000)
#define IDS  40

static struct {
    bool armed, met;
    long next, count;
} plan;

static bool fails_now(void)
{
    if (!plan.armed)
        return false;
    long at = plan.next--;
    bool fails = at <= 0 && at > -plan.count;
    plan.met |= fails;
    return fails;
}

char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);

char *__wrap_strdup(const char *text)
{
    return fails_now() ? NULL : __real_strdup(text);
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret);
static int64_t now_ns;

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret)
{
    int64_t ns = now_ns + (clock == CLOCK_REALTIME ? INT64_C(1700000000) * S_NS : 0);
    *ret = (struct timespec){ns / S_NS, ns % S_NS};
    return 0;
}

/* Does everything at once, and says so in the next turn. */
struct herd_database {
    const struct herd_database_events *events;
    void *ctx;
    bool connecting, there;
    uint64_t writes[8], writers, page, finds[8];
    size_t write_count, find_count;
    char has[IDS][8];                      /* the newest time of each */
    struct herd_database_writer row, read; /* as it is, and as it was when it was asked for */
    size_t row_count, read_count;
};
static struct herd_database one;

static int open_it(struct herd_database **ret_database, struct event_base *base,
                   const struct herd_database_options *options, const struct herd_database_events *events,
                   void *ctx, struct herd_diagnostic *reterr_diagnostic)
{
    (void)base;
    (void)options;
    (void)reterr_diagnostic;
    one = (struct herd_database){.events = events, .ctx = ctx};
    *ret_database = &one;
    return 0;
}

static void close_it(struct herd_database *database)
{
    (void)database;
}

static int connect_it(struct herd_database *database)
{
    database->connecting = true;
    return 0;
}

static void disconnect_it(struct herd_database *database)
{
    database->connecting = database->there = false;
    database->write_count = database->find_count = 0;
    database->writers = database->page = 0;
}

static int write_it(struct herd_database *database, uint64_t ticket, const struct herd_database_row *rows,
                    size_t count, const struct herd_database_writer *writer)
{
    char *copy = malloc(1); /* as adapters do */
    if (!copy)
        return HERD_E_NOMEM;
    free(copy);
    for (size_t i = 0; i < count; i++) {
        int id = atoi(rows[i].record.id.at);
        if (id >= IDS) /* what a warm start brought */
            continue;
        memset(database->has[id], 0, sizeof database->has[id]);
        memcpy(database->has[id], rows[i].record.time.at, rows[i].record.time.len);
    }
    database->row = *writer;
    database->row.server = herd_span_of("a");
    database->row_count = 1;
    assert_true(database->write_count < 8);
    database->writes[database->write_count++] = ticket;
    return 0;
}

static int read_writers_it(struct herd_database *database, uint64_t ticket)
{
    database->writers = ticket;
    database->read = database->row;
    database->read_count = database->row_count;
    return 0;
}

static int read_page_it(struct herd_database *database, uint64_t ticket, size_t limit, bool first)
{
    (void)limit;
    (void)first;
    database->page = ticket;
    return 0;
}

static int find_it(struct herd_database *database, uint64_t ticket, struct herd_span id)
{
    (void)id;
    assert_true(database->find_count < 8);
    database->finds[database->find_count++] = ticket;
    return 0;
}

static const struct herd_database_driver driver = {
    HERD_DATABASE_VERSION, "mine",   open_it,         close_it,     connect_it,
    disconnect_it,         write_it, read_writers_it, read_page_it, find_it,
};

static const struct herd_database_row known = {
    .record =
        {.server = {"b", 1}, .diff = {"+0.5", 4}, .id = {"1000", 4}, .position = {"+1.5+2.5", 8}, .time = {"7", 1}},
    .expires_ns = INT64_MAX,
};

static void answer(void)
{
    if (one.connecting) {
        one.connecting = false;
        one.there = true;
        one.events->connected(one.ctx, "mine 1");
    }
    uint64_t ticket = one.writers;
    one.writers = 0;
    if (ticket)
        one.events->writers(one.ctx, ticket, HERD_DATABASE_DONE, NULL, &one.read, one.read_count);
    ticket = one.page;
    one.page = 0;
    if (ticket)
        one.events->page(one.ctx, ticket, HERD_DATABASE_DONE, NULL, &known, 1, true);
    for (size_t i = 0; i < one.write_count; i++)
        one.events->written(one.ctx, one.writes[i], HERD_DATABASE_DONE, NULL);
    for (size_t i = 0; i < one.find_count; i++)
        one.events->found(one.ctx, one.finds[i], HERD_DATABASE_DONE, NULL, &known);
    one.write_count = one.find_count = 0;
}

static void wake(void *ctx)
{
    (void)ctx;
}

struct waiter {
    struct herd_beside_reader reader;
    bool waits;
    unsigned told;
};

static void on_read(struct herd_beside_reader *reader, const struct herd_record *record)
{
    struct waiter *waiter = HERD_CONTAINER_OF(reader, struct waiter, reader);
    assert_true(waiter->waits);
    assert_true(!record || herd_span_equal(record->id, herd_span_of("1000")));
    waiter->waits = false;
    waiter->told++;
}

static void run(struct herd_beside *beside, int64_t ns)
{
    for (int64_t end = now_ns + ns; now_ns < end; now_ns += S_NS / 50) {
        herd_beside_run(beside, herd_clock());
        answer();
    }
}

static bool report(struct herd_node *node, int id, int time)
{
    char name[8], text[8];
    enum herd_verdict verdict;
    snprintf(name, sizeof name, "%d", id);
    snprintf(text, sizeof text, "%d", time);
    return herd_node_report(node, herd_span_of(name), herd_span_of("+1+1"), herd_span_of(text), herd_clock(), NULL,
                            &verdict) == 0;
}

static char dsn_path[] = "/tmp/herd-dsn-XXXXXX";

/* Whether an allocation failed. */
static bool story(long next, long count)
{
    char kind[] = "mine";
    const struct herd_config_database config = {.kind = kind,
                                                .dsn_file = dsn_path,
                                                .flush_ms = 100,
                                                .batch = 16,
                                                .adopt_ms = 1000,
                                                .read_through = true,
                                                .warm_start = true};
    const struct herd_node_options node_options = {.name = herd_span_of("a"), .seed = {1, 2}};
    struct herd_beside *beside = NULL;
    struct herd_diagnostic diagnostic = {0};
    struct herd_node *node;
    int newest[IDS] = {0};
    struct herd_record found;
    struct waiter waiter = {.reader = {.done = on_read}};
    assert_int_equal(herd_node_new(&node, &node_options), 0);
    const struct herd_beside_options options = {
        .node = node, .config = &config, .herd = "paws", .driver = &driver, .wake = wake};
    plan.met = false;
    plan.next = next;
    plan.count = count;
    plan.armed = true;
    int err = herd_beside_open(&beside, &options, herd_clock(), &diagnostic);
    if (err < 0) {
        assert_true(err == HERD_E_NOMEM && plan.met);
        plan.armed = false;
        assert_int_equal(herd_beside_open(&beside, &options, herd_clock(), &diagnostic), 0);
        plan.armed = true;
    }
    for (int time = 1; time <= 3; time++) {
        for (int id = 0; id < IDS; id++)
            if (report(node, id, time))
                newest[id] = time;
        run(beside, S_NS / 2);
        /* Nobody waits longer than the patience, whatever fails. */
        waiter.waits = herd_beside_read(beside, herd_span_of("1000"), &waiter.reader, herd_clock(), &found) &&
                       found.id.len == 0;
        if (time == 2 && one.there) {
            disconnect_it(&one);
            one.events->disconnected(one.ctx, HERD_DATABASE_LOST, "gone");
        }
        run(beside, S_NS / 5);
        assert_false(waiter.waits);
        run(beside, S_NS);
    }
    bool met = plan.met;
    plan.armed = false;
    run(beside, 60 * S_NS);
    for (int id = 0; id < IDS; id++)
        if (atoi(one.has[id]) != newest[id])
            fail_msg("allocation %ld: %d has %s and not %d", next, id, one.has[id], newest[id]);
    assert_true(herd_beside_read(beside, herd_span_of("1000"), &waiter.reader, herd_clock(), &found));
    waiter.waits = found.id.len == 0;
    run(beside, S_NS / 5);
    assert_false(waiter.waits);
    herd_beside_stop(beside, herd_clock());
    run(beside, 10 * S_NS);
    assert_true(herd_beside_stopped(beside));
    herd_beside_close(beside);
    herd_node_free(node);
    return met;
}

static void every_allocation(long count)
{
    long next = 0;
    now_ns = 1000 * S_NS;
    while (story(next, count))
        next++;
    assert_true(next > 20);
    printf("%ld allocations, %ld failing\n", next, count);
}

static void test_once(void **state)
{
    (void)state;
    every_allocation(1);
}

static void test_twenty(void **state)
{
    (void)state;
    every_allocation(20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_once), cmocka_unit_test(test_twenty)};
    int fd = mkstemp(dsn_path);
    if (fd < 0 || write(fd, "somewhere\n", 10) != 10 || fchmod(fd, 0600) != 0)
        return 1;
    close(fd);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(dsn_path);
    return failed;
}
