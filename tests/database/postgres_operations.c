/* SPDX-License-Identifier: MIT */
/* libherd-postgres writes, finds, deletes and does its upkeep where one call of libpq, of the system or of the loop fails, or a table gives what it
 * never should: each is told once and says why, nothing is left open, and everything works the next time. */
#include "postgres_calls.h"

/* ---- operations ---- */

static const struct told *operate(char which)
{
    unsigned writes = one.written.times, finds = one.found.times, lists = one.writers.times;
    switch (which) {
    case 'w':
        assert_int_equal(DRIVER->write(one.database, 5, rows, ROWS, &some_writer), 0);
        wait_times(&one, &one.written.times, writes + 1);
        assert_int_equal(one.written.times, writes + 1);
        return &one.written;
    case 'f':
        assert_int_equal(DRIVER->find(one.database, 5, rows[3].record.id), 0);
        wait_times(&one, &one.found.times, finds + 1);
        assert_int_equal(one.found.times, finds + 1);
        return &one.found;
    default:
        assert_int_equal(DRIVER->read_writers(one.database, 5), 0);
        wait_times(&one, &one.writers.times, lists + 1);
        assert_int_equal(one.writers.times, lists + 1);
        return &one.writers;
    }
}

static void test_operations(void **state)
{
    (void)state;
    static const struct {
        const char *call;
        unsigned first, times;
        enum wrong wrong;
        const char *also; /* fails each time */
        char operation;
        enum herd_database_result result;
        const char *message;
    } table[] = {
        {"PQflush", 1, 1, FAILS, NULL, 'w', HERD_DATABASE_LOST, "out of memory"},
        {"PQflush", 2, 1, FAILS, NULL, 'w', HERD_DATABASE_LOST, ""},
        {"PQflush", 1, 1, LEFT, NULL, 'w', HERD_DATABASE_DONE, ""},
        {"PQflush", 1, 1, LEFT, "event_add", 'w', HERD_DATABASE_LOST, "out of memory"},
        {"PQconsumeInput", 1, 1, FAILS, NULL, 'w', HERD_DATABASE_LOST, ""},
        {"PQconsumeInput", 1, 1, AGAIN, NULL, 'w', HERD_DATABASE_DONE, ""},
        {"PQgetResult", 1, 3, FAILS, NULL, 'w', HERD_DATABASE_DONE, ""},
        {"PQgetResult", 1, 9, FAILS, NULL, 'w', HERD_DATABASE_LOST, "the server answered something else"},
        {"PQcopyResult", 1, 1, FAILS, NULL, 'f', HERD_DATABASE_RETRY, "out of memory"},
        {"PQcopyResult", 2, 1, FAILS, NULL, 'f', HERD_DATABASE_RETRY, "out of memory"},
        {"PQsetvalue", 1, 1, FAILS, NULL, 'f', HERD_DATABASE_RETRY, "out of memory"},
        {"PQsetvalue", 9, 1, FAILS, NULL, 'f', HERD_DATABASE_RETRY, "out of memory"},
        /* Of the rows behind none counts. */
        {"PQsetvalue", 1, 1, FAILS, NULL, 'l', HERD_DATABASE_RETRY, "out of memory"},
    };
    start_with_rows();
    sql("INSERT INTO herd_writer SELECT herd, 'B', 1, 1, 1, at FROM herd_writer");
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const unsigned downs = one.disconnected.times;
        const bool lost = table[i].result == HERD_DATABASE_LOST;
        arm_one(0, table[i].call, table[i].first, table[i].times, table[i].wrong);
        if (table[i].also)
            arm_one(1, table[i].also, 1, 1, FAILS);
        const struct told *told = operate(table[i].operation);
        check_says(told, table[i].result, table[i].message);
        assert_true(atomic_load(&armed[0].calls) >= table[i].first);
        disarm();
        if (lost) {
            wait_times(&one, &one.disconnected.times, downs + 1);
            check_says(&one.disconnected, HERD_DATABASE_LOST, table[i].message);
            check_works();
        }
        assert_int_equal(one.disconnected.times, downs + lost);
        assert_int_equal(operate('w')->result, HERD_DATABASE_DONE);
        assert_int_equal(operate('f')->result, HERD_DATABASE_DONE);
        assert_int_equal(operate('l')->result, HERD_DATABASE_DONE);
        assert_int_equal(one.writer_count, 2);
        assert_int_equal(one.disconnected.times, downs + lost);
    }
    /* A batch without room is not begun. */
    arm("herd_buf_reserve", 1, FAILS);
    assert_int_equal(DRIVER->write(one.database, 5, rows, ROWS, &some_writer), HERD_E_NOMEM);
    disarm();
    assert_int_equal(operate('w')->result, HERD_DATABASE_DONE);
    assert_false(side_find(&one, (struct herd_span){NULL, 0}));
    side_close(&one);
}

/* Tables that are not what they were. */
static void test_tables_replaced(void **state)
{
    (void)state;
#define AS_VIEW(diff, from)                                                                                       \
    "ALTER TABLE herd_newest RENAME TO kept; CREATE VIEW herd_newest AS SELECT herd, key, long_id, server, " diff \
    " AS diff, position, time, time_ns, accepted_ns, effective_ns, expires_ns FROM " from
    static const char back[] = "DROP VIEW herd_newest; ALTER TABLE kept RENAME TO herd_newest";
    start_with_rows();
    /* More rows than an operation keeps: none of them is the one that was asked for. */
    sql(AS_VIEW("diff", "kept, generate_series(1, 5000)"));
    assert_int_equal(operate('f')->result, HERD_DATABASE_DONE);
    assert_true(one.absent);
    sql(back);
    /* No memory for the first row, and then an error: what was first is told. */
    sql(AS_VIEW("'+' || 1 / (3 - n)", "kept, generate_series(1, 5) n"));
    arm("PQsetvalue", 10, FAILS); /* behind the three of herd_postgres_plan_sql */
    check_says(operate('f'), HERD_DATABASE_RETRY, "out of memory");
    disarm();
    check_says(operate('f'), HERD_DATABASE_BAD, "22012");
    /* The same read as a whole: the reading fails, and the connection stays. */
    assert_int_equal(DRIVER->read_page(one.database, 6, ROWS, true), 0);
    wait_times(&one, &one.page.times, 1);
    check_says(&one.page, HERD_DATABASE_RETRY, "22012");
    sql(back);
    assert_int_equal(side_read_all(&one, 10), ROWS);
    sql("ALTER TABLE herd_newest RENAME TO kept");
    unsigned pages = one.page.times;
    assert_int_equal(DRIVER->read_page(one.database, 6, ROWS, true), 0);
    wait_times(&one, &one.page.times, pages + 1);
    check_says(&one.page, HERD_DATABASE_REFUSED, "herd_newest");
    check_says(operate('f'), HERD_DATABASE_REFUSED, "herd_newest");
    check_says(operate('w'), HERD_DATABASE_REFUSED, "herd_newest");
    sql("ALTER TABLE kept RENAME TO herd_newest");
    assert_int_equal(side_read_all(&one, 10), ROWS);
    assert_int_equal(one.disconnected.times, 0);
    side_close(&one);
}

static void disconnect_on_loss(struct side *side)
{
    if (side->written.times > 1)
        DRIVER->disconnect(side->database);
}

/* Whoever is told that an operation was lost may end it all there: nothing is told after that. */
static void test_ended_when_told(void **state)
{
    (void)state;
    start_with_rows();
    for (int i = 0; i < 2; i++)
        assert_int_equal(DRIVER->find(one.database, 5, rows[0].record.id), 0);
    one.then = disconnect_on_loss;
    arm("PQgetResult", 1, FAILS);
    armed[0].times = 9;
    assert_int_equal(DRIVER->write(one.database, 5, rows, ROWS, &some_writer), 0);
    assert_int_equal(DRIVER->read_writers(one.database, 5), 0);
    wait_times(&one, &one.written.times, 2);
    disarm();
    assert_int_equal(one.written.result, HERD_DATABASE_LOST);
    assert_int_equal(one.found.times, 2);
    for (int i = 0; i < 3; i++)
        event_base_loop(base, EVLOOP_NONBLOCK);
    assert_int_equal(one.writers.times, 0);
    assert_int_equal(one.disconnected.times, 0);
    one.then = NULL;
    check_works();
    side_close(&one);
}

/* A notice of libpq itself has no SQLSTATE: it is not what the server said last. */
static void test_own_notice(void **state)
{
    (void)state;
    start_with_rows();
    PGresult *result = PQmakeEmptyPGresult(one.database->pipeline.conn, PGRES_TUPLES_OK);
    assert_null(PQgetvalue(result, 5, 5));
    PQclear(result);
    assert_string_equal(one.database->pipeline.last_words.message, "");
    assert_int_equal(operate('w')->result, HERD_DATABASE_DONE);
    side_close(&one);
}

/* ---- upkeep ---- */

static void test_upkeep(void **state)
{
    (void)state;
    start_with_rows();
    for (int sweeping = 0; sweeping < 2; sweeping++) {
        /* A statement that fails ends the sweep, not the connection. */
        sql("ALTER TABLE herd_name RENAME TO kept_name; ALTER TABLE herd_newest RENAME TO kept");
        one.database->sweeping = sweeping;
        event_active(one.database->upkeep, EV_TIMEOUT, 0);
        event_base_loop(base, EVLOOP_NONBLOCK);
        assert_int_equal(operate('l')->result, HERD_DATABASE_DONE); /* behind it */
        assert_false(one.database->sweeping);
        assert_true(event_pending(one.database->upkeep, EV_TIMEOUT, NULL));
        assert_int_equal(one.disconnected.times, (unsigned)sweeping);
        sql("ALTER TABLE kept_name RENAME TO herd_name; ALTER TABLE kept RENAME TO herd_newest");
        /* It is lost with the connection, and begun anew with the next. */
        one.database->sweeping = sweeping;
        arm("PQflush", 1, FAILS);
        event_active(one.database->upkeep, EV_TIMEOUT, 0);
        wait_times(&one, &one.disconnected.times, (unsigned)sweeping + 1);
        assert_int_equal(one.disconnected.result, HERD_DATABASE_LOST);
        assert_false(event_pending(one.database->upkeep, EV_TIMEOUT, NULL));
        check_works();
        assert_true(event_pending(one.database->upkeep, EV_TIMEOUT, NULL));
    }
    side_close(&one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_LOOP(test_operations), ON_LOOP(test_tables_replaced), ON_LOOP(test_ended_when_told),
        ON_LOOP(test_own_notice), ON_LOOP(test_upkeep),
    };
    return run_on_cluster(tests, sizeof tests / sizeof *tests, "");
}
