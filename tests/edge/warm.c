/* SPDX-License-Identifier: MIT */
/* A warm start against an adapter that does what a test says: when it begins, how much it takes in a turn, and that nothing is
 * repeated without a pause. Time is the test's. */
#include "../unit/cm.h"

#include "beside_impl.h"

#include <stdio.h>
#include <string.h>

#define S_NS INT64_C(1000000000)
/* What a turn of the loop takes of it, so that others are not held up. */
#define TURN_ROWS 250

struct herd_database {
    unsigned asked, first;
    size_t limit;
    uint64_t ticket;
    int err; /* of the next read_page */
};

static struct herd_database database;

static int read_page(struct herd_database *ret_database, uint64_t ticket, size_t limit, bool first)
{
    ret_database->asked++;
    ret_database->first += first;
    ret_database->limit = limit;
    ret_database->ticket = ticket;
    return ret_database->err;
}

static const struct herd_database_driver driver = {.read_page = read_page};

static struct herd_now now;

static void open_beside(struct herd_beside *beside, bool alone)
{
    const struct herd_node_options options = {.name = herd_span_of("A"), .seed = {1, 2}};
    now = (struct herd_now){INT64_C(1700000000) * S_NS, 1000 * S_NS};
    database = (struct herd_database){0};
    *beside = (struct herd_beside){.driver = &driver, .database = &database, .connected = true};
    assert_int_equal(herd_node_new(&beside->node, &options), 0);
    herd_warm_open(&beside->warm, true, true, alone, now);
}

static void close_beside(struct herd_beside *beside)
{
    herd_node_free(beside->node);
}

/* Goes to when something is due; how long that is. */
static int64_t pause(struct herd_beside *beside)
{
    int64_t next_ns = herd_warm_next_ns(&beside->warm), ns = next_ns - now.steady_ns;
    assert_true(next_ns != INT64_MAX);
    if (ns > 0) {
        now.steady_ns += ns - 1;
        herd_warm_run(beside, now); /* not before it */
        assert_int_equal(herd_warm_next_ns(&beside->warm), next_ns);
        now.steady_ns++;
    }
    herd_warm_run(beside, now);
    return ns;
}

static void page(struct herd_beside *beside, enum herd_database_result result, size_t count, bool last)
{
    static struct herd_database_row rows[TURN_ROWS];
    static char ids[TURN_ROWS][16];
    static unsigned number;
    assert_in_range(count, 0, TURN_ROWS);
    for (size_t i = 0; i < count; i++) {
        snprintf(ids[i], sizeof ids[i], "c%u", number++);
        rows[i] = (struct herd_database_row){.record = {.id = herd_span_of(ids[i]),
                                                        .server = herd_span_of("B"),
                                                        .diff = herd_span_of("+0.5"),
                                                        .position = herd_span_of("+1.5+2.5"),
                                                        .time = herd_span_of("1600000000")},
                                             .expires_ns = INT64_MAX};
    }
    herd_warm_page(beside, database.ticket, result, rows, count, last, now);
}

static void test_begins(void **state)
{
    (void)state;
    struct herd_beside beside;
    open_beside(&beside, true);
    assert_int_equal(pause(&beside), 0);
    assert_int_equal(database.asked, 1);
    close_beside(&beside);
    open_beside(&beside, false); /* somebody may know more */
    assert_int_equal(pause(&beside), 5 * S_NS);
    assert_int_equal(database.asked, 1);
    close_beside(&beside);
}

static void test_slices(void **state)
{
    (void)state;
    struct herd_beside beside;
    open_beside(&beside, true);
    for (unsigned i = 1; i <= 40; i++) {
        assert_int_equal(pause(&beside), 0);
        assert_int_equal(database.asked, i);
        assert_in_range(database.limit, 1, TURN_ROWS);
        assert_int_equal(herd_warm_next_ns(&beside.warm), INT64_MAX); /* one at a time */
        page(&beside, HERD_DATABASE_DONE, database.limit, i == 40);
    }
    assert_int_equal(database.first, 1);
    assert_int_equal(beside.warm.state, HERD_WARM_DONE);
    assert_int_equal(beside.warm.taken, 40 * database.limit);
    assert_int_equal(herd_warm_next_ns(&beside.warm), INT64_MAX);
    close_beside(&beside);
}

static void test_pauses(void **state)
{
    (void)state;
    struct herd_beside beside;
    open_beside(&beside, true);
    assert_int_equal(pause(&beside), 0);
    page(&beside, HERD_DATABASE_DONE, 0, false); /* nothing, and not the end */
    assert_in_range(pause(&beside), 100000, S_NS);
    /* It fails in the middle, each time and in every way: it begins anew, later each time. */
    int64_t longest_ns = 0;
    for (unsigned i = 0; i < 12; i++) {
        page(&beside, HERD_DATABASE_DONE, 1, false);
        assert_int_equal(pause(&beside), 0);
        if (i % 3 == 0)
            page(&beside, HERD_DATABASE_RETRY, 0, false);
        else if (i % 3 == 1)
            herd_warm_lost(&beside.warm, now);
        else
            page(&beside, HERD_DATABASE_REFUSED, 0, false);
        database.err = i == 5 ? HERD_E_NOMEM : 0;
        int64_t ns = pause(&beside);
        assert_true(ns >= S_NS && ns >= longest_ns && ns <= 64 * S_NS);
        longest_ns = ns;
        if (i == 5) {
            database.err = 0;
            assert_true(pause(&beside) >= longest_ns);
        }
        assert_true(database.first >= i + 2);
    }
    assert_int_equal(longest_ns, 64 * S_NS);
    page(&beside, HERD_DATABASE_DONE, 1, true);
    assert_int_equal(beside.warm.state, HERD_WARM_DONE);
    close_beside(&beside);
}

static void learn(struct herd_beside *beside, unsigned from, unsigned count, const char *time)
{
    for (unsigned i = from; i < from + count; i++) {
        char id[16];
        enum herd_verdict verdict;
        snprintf(id, sizeof id, "n%u", i);
        const struct herd_record record = {.id = herd_span_of(id),
                                           .server = herd_span_of("B"),
                                           .diff = herd_span_of("+0.5"),
                                           .position = herd_span_of("+1+1"),
                                           .time = herd_span_of(time)};
        assert_true(herd_node_learn(beside->node, &record, now, &verdict) >= 0);
    }
}

/* A neighbour that knew something from before this server was there told all that there is; what came since says nothing. */
static void test_told_by_a_neighbour(void **state)
{
    (void)state;
    struct herd_beside beside;
    for (int old = 0; old < 2; old++) {
        open_beside(&beside, false);
        learn(&beside, 0, 10, "1700000000");
        learn(&beside, 10, old, "1699999000");
        learn(&beside, 20, 5000, "1700000001"); /* more than are looked at */
        assert_int_equal(pause(&beside), 5 * S_NS);
        assert_int_equal(beside.warm.state, old ? HERD_WARM_NOT_NEEDED : HERD_WARM_READS);
        assert_int_equal(database.asked, !old);
        assert_int_equal(herd_warm_next_ns(&beside.warm), INT64_MAX);
        now.steady_ns += 100 * S_NS;
        herd_warm_run(&beside, now);
        assert_int_equal(database.asked, !old);
        close_beside(&beside);
    }
    open_beside(&beside, false);
    herd_warm_open(&beside.warm, false, true, true, now); /* it is not wanted */
    assert_int_equal(beside.warm.state, HERD_WARM_OFF);
    herd_warm_run(&beside, now);
    herd_warm_lost(&beside.warm, now);
    assert_int_equal(herd_warm_next_ns(&beside.warm), INT64_MAX);
    herd_warm_open(&beside.warm, true, false, true, now); /* a journal had something */
    assert_int_equal(beside.warm.state, HERD_WARM_NOT_NEEDED);
    herd_warm_run(&beside, now);
    assert_int_equal(database.asked, 0);
    close_beside(&beside);
}

/* A page that nobody asked for is not taken; of one that was, what is known or no record is not. */
static void test_pages(void **state)
{
    (void)state;
    struct herd_beside beside;
    open_beside(&beside, true);
    page(&beside, HERD_DATABASE_DONE, 3, true); /* before it reads */
    assert_int_equal(beside.warm.read, 0);
    assert_int_equal(pause(&beside), 0);
    database.ticket++;
    page(&beside, HERD_DATABASE_DONE, 3, true); /* of a reading before */
    assert_int_equal(beside.warm.read, 0);
    database.ticket--;
    learn(&beside, 0, 1, "1600000000");
    struct herd_database_row rows[3] = {0};
    for (size_t i = 0; i < 3; i++)
        rows[i].record = (struct herd_record){.id = herd_span_of(i == 0   ? "n0"
                                                                 : i == 1 ? "n1"
                                                                          : "n 2"),
                                              .server = herd_span_of("B"),
                                              .diff = herd_span_of("+0.5"),
                                              .position = herd_span_of("+1+1"),
                                              .time = herd_span_of("1600000000")};
    herd_warm_page(&beside, database.ticket, HERD_DATABASE_DONE, rows, 3, false, now);
    assert_int_equal(beside.warm.read, 3);
    assert_int_equal(beside.warm.taken, 1);
    assert_int_equal(beside.warm.invalid, 1);
    herd_warm_page(&beside, database.ticket, HERD_DATABASE_DONE, rows, 3, false, now); /* twice */
    assert_int_equal(beside.warm.read, 3);
    assert_int_equal(pause(&beside), 0);
    rows[0].record.time = herd_span_of("1600000001"); /* newer than what is known */
    herd_warm_page(&beside, database.ticket, HERD_DATABASE_DONE, rows, 1, true, now);
    assert_int_equal(beside.warm.taken, 2);
    assert_int_equal(beside.warm.state, HERD_WARM_DONE);
    close_beside(&beside);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_begins), cmocka_unit_test(test_slices),
                                       cmocka_unit_test(test_pauses), cmocka_unit_test(test_told_by_a_neighbour),
                                       cmocka_unit_test(test_pages)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
