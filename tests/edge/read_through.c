/* SPDX-License-Identifier: MIT */
/* Questions for clients that are not known here, against an adapter that answers when a test says: who is told what, once, and for how
 * long it is remembered. Time is the test's. */
#include "../unit/cm.h"

#include "beside_impl.h"

#include "../../lib/core/base/hash.h"

#include <stdio.h>
#include <string.h>

#define S_NS INT64_C(1000000000)

struct herd_database {
    unsigned asked;
    uint64_t tickets[200];
    int err; /* of the next find */
};

static struct herd_database database;
static struct herd_beside beside;
static struct herd_now now;
static unsigned woken;

static int find(struct herd_database *asked, uint64_t ticket, struct herd_span id)
{
    (void)id;
    if (asked->err)
        return asked->err;
    asked->tickets[asked->asked++] = ticket;
    return 0;
}

static const struct herd_database_driver driver = {.find = find};

static void wake(void *ctx)
{
    (void)ctx;
    woken++;
}

static int open_beside(void **state)
{
    (void)state;
    now = (struct herd_now){INT64_C(1700000000) * S_NS, 1000 * S_NS};
    database = (struct herd_database){0};
    beside = (struct herd_beside){.driver = &driver, .database = &database, .connected = true, .wake = wake};
    beside.reads.key[0] = 1;
    woken = 0;
    return herd_read_through_open(&beside.reads);
}

static int close_beside(void **state)
{
    (void)state;
    herd_read_through_close(&beside.reads);
    return 0;
}

struct asker {
    struct herd_beside_reader reader;
    unsigned told;
    char server[16]; /* of what was found, "": nothing */
};

static void on_read(struct herd_beside_reader *reader, const struct herd_record *record)
{
    struct asker *asker = HERD_CONTAINER_OF(reader, struct asker, reader);
    asker->told++;
    snprintf(asker->server, sizeof asker->server, "%.*s", record ? (int)record->server.len : 0,
             record ? record->server.at : "");
}

enum asked { NO, AT_ONCE, WAITS };

static enum asked ask(struct asker *asker, const char *id)
{
    struct herd_record record;
    assert_false(herd_list_linked(&asker->reader.link));
    *asker = (struct asker){.reader = {.done = on_read}};
    if (!herd_beside_read(&beside, herd_span_of(id), &asker->reader, now, &record))
        return NO;
    if (record.id.len == 0)
        return WAITS;
    assert_true(herd_span_equal(record.id, herd_span_of(id)));
    return AT_ONCE;
}

static void answer(unsigned n, enum herd_database_result result, const char *id)
{
    const struct herd_database_row row = {.record = {.id = herd_span_of(id ? id : ""),
                                                     .server = herd_span_of("B"),
                                                     .diff = herd_span_of("+0.5"),
                                                     .position = herd_span_of(""),
                                                     .time = herd_span_of("5")}};
    herd_read_through_found(&beside.reads, database.tickets[n], result, id ? &row : NULL, now);
}

static void test_found(void **state)
{
    (void)state;
    static struct asker one, two, gone, other, last;
    assert_int_equal(ask(&one, "a"), WAITS);
    assert_int_equal(ask(&two, "a"), WAITS);
    assert_int_equal(ask(&gone, "a"), WAITS);
    assert_int_equal(database.asked, 1); /* for all of them */
    assert_int_equal(woken, 3);
    now.steady_ns += S_NS / 50;
    assert_int_equal(ask(&other, "b"), WAITS);
    assert_int_equal(database.asked, 2);
    assert_true(herd_read_through_next_ns(&beside.reads) == now.steady_ns + S_NS / 10 - S_NS / 50);
    herd_beside_drop(&gone.reader);
    answer(0, HERD_DATABASE_DONE, "a");
    answer(0, HERD_DATABASE_DONE, "a"); /* nobody asks that any more */
    assert_int_equal(one.told + two.told, 2);
    assert_string_equal(one.server, "B");
    assert_string_equal(two.server, "B");
    assert_int_equal(gone.told + other.told, 0);
    /* For a second it is known. */
    assert_int_equal(ask(&one, "a"), AT_ONCE);
    now.steady_ns += S_NS;
    assert_int_equal(ask(&last, "a"), WAITS);
    /* A row of another id is none. */
    answer(1, HERD_DATABASE_DONE, "c");
    assert_int_equal(other.told, 1);
    assert_string_equal(other.server, "");
    assert_int_equal(beside.reads.found, 1);
    assert_int_equal(beside.reads.missed, 1);
}

/* Not found is remembered for ten seconds, and not again when some time has gone round. */
static void test_missed(void **state)
{
    (void)state;
    static struct asker one;
    for (int round = 0; round < 2; round++) {
        unsigned before = database.asked;
        assert_int_equal(ask(&one, "a"), WAITS);
        answer(before, HERD_DATABASE_DONE, NULL);
        assert_int_equal(one.told, 1);
        for (int s = 0; s < 10; s++) {
            assert_int_equal(ask(&one, "a"), NO);
            now.steady_ns += S_NS;
        }
        for (int s = 10; s < 300; s += 3) {
            assert_int_equal(ask(&one, "a"), WAITS);
            herd_beside_drop(&one.reader);
            beside.reads.flights[0].used = false; /* as if it had not been asked */
            now.steady_ns += 3 * S_NS;
        }
        now.steady_ns += 100000 * S_NS;
        database.asked = 0;
    }
}

/* Two ids that share a place in the table of misses, or a hash. */
static void test_alike(void **state)
{
    (void)state;
    static struct asker one, two, three, four;
    char id[16] = "";
    const uint64_t hash = herd_siphash(beside.reads.key, "a", 1);
    uint64_t alike = 0;
    for (unsigned n = 0; !id[0] || alike % HERD_BESIDE_MISSES != hash % HERD_BESIDE_MISSES; n++) {
        snprintf(id, sizeof id, "n%u", n);
        alike = herd_siphash(beside.reads.key, id, strlen(id));
    }
    assert_int_equal(ask(&one, "a"), WAITS);
    answer(0, HERD_DATABASE_DONE, NULL);
    assert_int_equal(ask(&one, "a"), NO);
    assert_int_equal(ask(&two, id), WAITS); /* nothing is known of it */
    beside.reads.flights[0].hash = herd_siphash(beside.reads.key, "c", 1);
    assert_int_equal(ask(&three, "c"), WAITS); /* nor is it waited for */
    assert_int_equal(database.asked, 3);
    answer(2, HERD_DATABASE_DONE, "c");
    beside.reads.cached[0].hash = herd_siphash(beside.reads.key, "d", 1);
    assert_int_equal(ask(&four, "d"), WAITS); /* nor was it found */
    assert_int_equal(database.asked, 4);
}

static void test_late(void **state)
{
    (void)state;
    static struct asker one, two;
    assert_int_equal(ask(&one, "a"), WAITS);
    herd_read_through_run(&beside.reads, now);
    assert_int_equal(one.told, 0);
    now.steady_ns = herd_read_through_next_ns(&beside.reads);
    herd_read_through_run(&beside.reads, now);
    assert_int_equal(one.told, 1);
    assert_string_equal(one.server, "");
    assert_int_equal(beside.reads.failed, 1);
    assert_true(herd_read_through_next_ns(&beside.reads) == INT64_MAX);
    assert_int_equal(ask(&two, "a"), WAITS); /* asked again, in another place */
    assert_int_equal(database.asked, 2);
    answer(0, HERD_DATABASE_RETRY, NULL); /* it counted by then */
    assert_int_equal(beside.reads.failed, 1);
    assert_int_equal(two.told, 0);
    answer(1, HERD_DATABASE_DONE, "a");
    assert_string_equal(two.server, "B");
    /* Late, and found all the same. */
    assert_int_equal(ask(&one, "b"), WAITS);
    now.steady_ns += S_NS / 10;
    herd_read_through_run(&beside.reads, now);
    answer(2, HERD_DATABASE_DONE, "b");
    assert_int_equal(one.told, 1);
    assert_int_equal(ask(&one, "b"), AT_ONCE);
}

/* No more than there are places for; those that an adapter refuses take none. */
static void test_full(void **state)
{
    (void)state;
    static struct asker askers[HERD_BESIDE_FLIGHTS];
    static struct asker one, joins, last;
    char id[16];
    database.err = HERD_E_NOMEM;
    assert_int_equal(ask(&one, "a"), NO);
    database.err = 0;
    for (int i = 0; i < HERD_BESIDE_FLIGHTS; i++) {
        snprintf(id, sizeof id, "id%d", i);
        assert_int_equal(ask(&askers[i], id), WAITS);
    }
    assert_int_equal(ask(&one, "a"), NO);
    assert_int_equal(ask(&joins, "id3"), WAITS); /* joins who asks by now */
    answer(5, HERD_DATABASE_DONE, NULL);
    assert_int_equal(askers[5].told, 1);
    assert_int_equal(ask(&one, "a"), WAITS);
    herd_beside_drop(&one.reader);
    /* The connection is gone: each is told. */
    herd_read_through_lost(&beside.reads, now);
    for (int i = 0; i < HERD_BESIDE_FLIGHTS; i++)
        assert_int_equal(askers[i].told, 1);
    /* So much failed that nothing is asked for a second. */
    assert_int_equal(ask(&one, "z"), NO);
    now.steady_ns += S_NS;
    assert_int_equal(joins.told, 1);
    assert_int_equal(ask(&last, "z"), WAITS);
    herd_read_through_close(&beside.reads); /* with somebody waiting, who is not told */
    assert_int_equal(last.told, 0);
    assert_int_equal(ask(&one, "y"), NO);
    herd_read_through_lost(&beside.reads, now);
    herd_read_through_run(&beside.reads, now);
    assert_true(herd_read_through_next_ns(&beside.reads) == INT64_MAX);
}

static void test_not_connected(void **state)
{
    (void)state;
    static struct asker one;
    beside.connected = false;
    assert_int_equal(ask(&one, "a"), NO);
    assert_int_equal(database.asked, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_beside, close_beside)
    const struct CMUnitTest tests[] = {TEST(test_found), TEST(test_missed), TEST(test_alike),
                                       TEST(test_late),  TEST(test_full),   TEST(test_not_connected)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
