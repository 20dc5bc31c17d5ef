/* SPDX-License-Identifier: MIT */
/* libherd-postgres reads all there is, in pages, where one call of libpq, of the system or of the loop fails, or a table gives what it
 * never should: each is told once and says why, nothing is left open, and everything works the next time. */
#include "postgres_calls.h"

#include "../unit/open_files.h"

/* The next page, or the first. */
static enum herd_database_result page(size_t limit, bool first)
{
    unsigned before = one.page.times;
    assert_int_equal(DRIVER->read_page(one.database, 78, limit, first), 0);
    wait_times(&one, &one.page.times, before + 1);
    assert_int_equal(one.page.times, before + 1);
    return one.page.result;
}

static void test_reading(void **state)
{
    (void)state;
    static const struct {
        const char *call;
        unsigned first;
        enum wrong wrong;
        const char *also;
        unsigned also_first;
        enum herd_database_result result;
        const char *message;
    } table[] = {
        {"PQexitPipelineMode", 1, FAILS, NULL, 0, HERD_DATABASE_RETRY, ""},
        {"PQsendQuery", 1, FAILS, NULL, 0, HERD_DATABASE_RETRY, ""},
        {"PQflush", 1, FAILS, NULL, 0, HERD_DATABASE_RETRY, ""},
        {"PQflush", 1, LEFT, NULL, 0, HERD_DATABASE_DONE, ""},
        {"PQflush", 1, LEFT, "event_add", 3, HERD_DATABASE_RETRY, ""},
        {"PQflush", 2, FAILS, NULL, 0, HERD_DATABASE_RETRY, ""},
        {"PQflush", 2, LEFT, NULL, 0, HERD_DATABASE_DONE, ""},
        {"PQflush", 2, LEFT, "event_add", 3, HERD_DATABASE_RETRY, ""},
        {"PQconsumeInput", 1, FAILS, NULL, 0, HERD_DATABASE_RETRY, ""},
        {"PQconsumeInput", 1, AGAIN, NULL, 0, HERD_DATABASE_DONE, ""},
        {"PQgetCopyData", 1, FAILS, NULL, 0, HERD_DATABASE_RETRY, ""},
        {"PQgetCopyData", 5, FAILS, NULL, 0, HERD_DATABASE_RETRY, ""},
        {"PQgetCopyData", 1, NONSENSE, NULL, 0, HERD_DATABASE_REFUSED, "herd_newest has other columns"},
        {"PQgetCopyData", 5, NONSENSE, NULL, 0, HERD_DATABASE_REFUSED, "herd_newest has other columns"},
    };
    start_with_rows();
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const unsigned files = open_files();
        arm(table[i].call, table[i].first, table[i].wrong);
        if (table[i].also)
            arm_one(1, table[i].also, table[i].also_first, 1, FAILS);
        assert_int_equal(page(10, true), table[i].result);
        check_says(&one.page, table[i].result, table[i].message);
        assert_true(atomic_load(&armed[0].calls) >= table[i].first);
        disarm();
        if (table[i].result != HERD_DATABASE_DONE)
            assert_int_equal(open_files(), files);
        /* What is left to be done where no page is asked for. */
        for (int turns = 0; turns < 3; turns++)
            event_base_loop(base, EVLOOP_NONBLOCK);
        size_t before = one.row_count - (table[i].result == HERD_DATABASE_DONE ? 10 : 0);
        bool first = table[i].result != HERD_DATABASE_DONE;
        do {
            assert_int_equal(page(10, first), HERD_DATABASE_DONE);
            first = false;
        } while (!one.last);
        assert_int_equal(one.row_count - before, ROWS);
        assert_int_equal(open_files(), files);
    }
    assert_int_equal(one.disconnected.times, 0);
    side_close(&one);
}

/* The last bytes of the statement go out late, and the answer is there before the socket is looked at again: there will be no
 * other word of it. */
static void test_answered_at_once(void **state)
{
    (void)state;
    start_with_rows();
    one.database->reader.patience = (struct timeval){WAIT_S / 4, 0};
    arm_one(0, "PQflush", 1, 1, LEFT);
    assert_int_equal(DRIVER->read_page(one.database, 78, 2 * ROWS, true), 0);
    while (one.database->reader.dial)
        event_base_loop(base, EVLOOP_ONCE);
    arm_one(0, "PQflush", 1, 1, WAITS);
    wait_times(&one, &one.page.times, 1);
    disarm();
    assert_int_equal(one.page.result, HERD_DATABASE_DONE);
    assert_int_equal(one.row_count, ROWS);
    side_close(&one);
}

/* Pages are as long as may be in bytes too. */
static void test_long_rows(void **state)
{
    (void)state;
    static char texts[12][50000];
    connect_fresh(&one);
    for (int i = 0; i < 12; i++) {
        memset(texts[i], 'a' + i, sizeof texts[i]);
        rows[i] = row_of((struct herd_span){texts[i], sizeof texts[i]}, "Riley", "+1-1", "1600000000");
    }
    assert_int_equal(side_write(&one, rows, 12), HERD_DATABASE_DONE);
    assert_int_equal(page(ROWS, true), HERD_DATABASE_DONE);
    assert_int_equal(one.row_count, 6);
    assert_false(one.last);
    while (!one.last)
        assert_int_equal(page(ROWS, false), HERD_DATABASE_DONE);
    assert_int_equal(one.row_count, 12);
    side_close(&one);
}

/* No connection for it: read in pages over the one that is there. */
static void test_reading_by_key(void **state)
{
    (void)state;
    static const struct {
        const char *call;
        unsigned first;
    } table[] = {{"calloc", 2}, {"herd_buf_add", 1}};
    start_with_rows();
    /* It hangs, and is given up. */
    one.database->reader.patience = (struct timeval){0, 1};
    arm_one(0, "poll", 1, UINT32_MAX, HANGS);
    assert_int_equal(page(10, true), HERD_DATABASE_DONE);
    disarm();
    assert_int_equal(one.row_count, 10);
    while (!one.last)
        assert_int_equal(page(10, false), HERD_DATABASE_DONE);
    assert_int_equal(one.row_count, ROWS);
    one.database->reader.patience = (struct timeval){WAIT_S, 0};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        arm("PQconnectStartParams", 1, FAILS);
        arm_one(1, table[i].call, table[i].first, 1, FAILS);
        assert_int_equal(page(10, true), HERD_DATABASE_RETRY);
        assert_string_equal(one.page.message, "out of memory");
        disarm();
        /* It is gone on with, over the same connection. */
        one.row_count = 0;
        assert_int_equal(page(10, false), HERD_DATABASE_DONE);
        assert_int_equal(one.row_count, 10);
        arm("calloc", 1, FAILS);
        assert_int_equal(DRIVER->read_page(one.database, 78, 10, false), HERD_E_NOMEM);
        disarm();
        arm("herd_buf_add", 1, FAILS);
        assert_int_equal(page(10, false), HERD_DATABASE_RETRY);
        disarm();
        sql("ALTER TABLE herd_newest RENAME TO kept");
        assert_int_equal(page(10, false), HERD_DATABASE_REFUSED);
        sql("ALTER TABLE kept RENAME TO herd_newest");
        assert_int_equal(one.row_count, 10);
        while (!one.last)
            assert_int_equal(page(10, false), HERD_DATABASE_DONE);
        assert_int_equal(one.row_count, ROWS);
    }
    assert_int_equal(one.disconnected.times, 0);
    side_close(&one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_LOOP(test_reading),
        ON_LOOP(test_answered_at_once),
        ON_LOOP(test_long_rows),
        ON_LOOP(test_reading_by_key),
    };
    return run_on_cluster(tests, sizeof tests / sizeof *tests, "");
}
