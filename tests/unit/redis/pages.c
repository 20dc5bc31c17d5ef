/* SPDX-License-Identifier: MIT */
/* The adapter of Redis reads all there is, in pages. */
#include "world.h"

/* Reads on from the first page, whose rows are counted already. */
static void read_on(size_t limit, size_t all)
{
    while (!a.last) {
        a.results[2] = -1;
        assert_int_equal(herd_redis_driver.read_page(a.database, 2, limit, false), 0);
        adapter_until(&a, a.results[2] >= 0);
        assert_int_equal(a.results[2], HERD_DATABASE_DONE);
    }
    assert_true(a.rows >= all); /* SCAN may give a key twice */
}

/* What is read ahead while nobody asks is there when somebody does, and goes with the connection or for a new beginning. */
static void read_ahead(void **state)
{
    (void)state;
    connected_with_rows(5000);
    redis_run(&server, "FLUSHALL");
    assert_int_equal(adapter_write(&a, 1, many, 5000), HERD_DATABASE_DONE);
    redis_run(&server, "SET herd:{paws}:at:zzz nonsense"); /* no row */
    for (int round = 0; round < 4; round++) {
        const size_t limit = round % 2 ? 10 : 1000; /* a part of what one answer has, or all of it but for some */
        adapter_forget(&a);
        assert_int_equal(herd_redis_driver.read_page(a.database, 1, limit, true), 0);
        adapter_until(&a, a.results[1] >= 0);
        assert_int_equal(a.results[1], HERD_DATABASE_DONE);
        adapter_until(&a, a.database->page == NULL);
        assert_non_null(a.database->ahead);
        assert_int_equal(a.told, 1);
        if (round < 2) {
            read_on(limit, 5000);
        } else {
            herd_redis_driver.disconnect(a.database);
            assert_null(a.database->ahead);
            connected();
        }
        a.last = false;
        a.pages = a.rows = 0;
        a.results[1] = -1;
        assert_int_equal(herd_redis_driver.read_page(a.database, 1, 0, true), 0); /* at least a row */
        adapter_until(&a, a.results[1] >= 0);
        assert_int_equal(a.rows, 1);
        read_on(1000, 5000);
    }
}

static int at_row;

static void leave(void *ctx, const struct herd_database_row *row)
{
    struct adapter *leaving = ctx;
    (void)row;
    if (--at_row)
        return;
    switch (leaving->pages % 3) {
    case 0: herd_redis_driver.disconnect(leaving->database); break;
    case 1: assert_int_equal(herd_redis_driver.connect(leaving->database), 0); break;
    default:
        herd_redis_driver.disconnect(leaving->database);
        assert_int_equal(herd_redis_driver.read_page(leaving->database, 3, 10, false), HERD_E_STATE);
        break;
    }
}

static void restart(void *ctx, const struct herd_database_row *row)
{
    struct adapter *reading = ctx;
    (void)row;
    if (--at_row == 0)
        assert_int_equal(herd_redis_driver.read_page(reading->database, 3, 1000, true), 0);
}

/* From inside of a page the connection is ended, or made anew, or the reading is begun again: the rows are the owner's until the
 * event ends. */
static void pages_left(void **state)
{
    (void)state;
    connected_with_rows(3000);
    redis_run(&server, "FLUSHALL");
    assert_int_equal(adapter_write(&a, 1, many, 3000), HERD_DATABASE_DONE);
    for (int page = 1; page <= 6; page++) {
        adapter_forget(&a);
        a.row = leave;
        a.row_ctx = &a;
        at_row = page * 10 - 5;
        for (int i = 1; i <= page; i++) {
            a.results[1] = -1;
            assert_int_equal(herd_redis_driver.read_page(a.database, 1, 10, i == 1), 0);
            adapter_until(&a, a.results[1] >= 0);
            assert_int_equal(a.results[1], HERD_DATABASE_DONE);
        }
        assert_int_equal(at_row, -5);
        assert_int_equal(a.rows, page * 10);
        for (int i = 0; i < 3; i++)
            event_base_loop(base, EVLOOP_NONBLOCK);
        assert_int_equal(a.disconnected, 0);
        a.row = NULL;
        a.connected = 0;
        connected();
    }
    for (int page = 1; page <= 3; page++) {
        adapter_forget(&a);
        a.row = restart;
        at_row = page * 10 - 5;
        for (int i = 1; i <= page; i++) {
            a.results[1] = -1;
            assert_int_equal(herd_redis_driver.read_page(a.database, 1, 10, i == 1), 0);
            adapter_until(&a, a.results[1] >= 0);
        }
        a.row = NULL;
        adapter_until(&a, a.results[3] >= 0);
        assert_int_equal(a.results[3], HERD_DATABASE_DONE);
        a.rows -= (size_t)page * 10;
        read_on(1000, 3000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(read_ahead),
        TEST(pages_left),
    };
    return run_with_servers(tests, sizeof tests / sizeof *tests);
}
