/* SPDX-License-Identifier: MIT */
/* A database that loses its memory, at whatever moment: the server that wrote to it notices, and writes all of it again. */
#include "keeper_db.h"

/* A server that accepted so many records, all of which the database has. */
static void open_written(struct db *db, int records)
{
    db_open(db, "Riley", NULL);
    db_run(db, S);
    db_report_many(db, records);
    db_run(db, 60 * S);
    db_equal(db);
}

static void test_while_idle(void **state)
{
    (void)state;
    struct db db;
    open_written(&db, 10000);
    int64_t until_ns = db_writer(&db, "Riley")->until_ns;
    db_forget(&db);
    db.latency_ns = 100 * MS;
    db_run(&db, 6 * S);
    assert_true(db_said(&db, "database_forgot"));
    assert_true(db_writer(&db, "Riley")->until_ns < until_ns); /* others are to know, if this one dies now */
    db_run(&db, 3 * S);
    assert_true(herd_store_count(db.rows) < 10000); /* a second between batches of 0.1 s */
    db_run(&db, 20 * S);
    db_equal(&db);
    assert_int_equal(herd_keeper_stats(db.keeper).forgot, 1);
    assert_true(db_writer(&db, "Riley")->until_ns > until_ns);
    db_close(&db);
}

/* The database loses its memory while a batch is under way, which is carried out afterwards and makes the server's row anew: the
 * row is what the server sent, and says nothing of what was there before. */
static void test_before_a_late_batch(void **state)
{
    (void)state;
    struct db db;
    open_written(&db, 1000);
    const uint64_t acknowledged = db_writer(&db, "Riley")->sequence;
    db.hangs = true;
    db_report(&db, "late", 1);
    db_run(&db, 2 * S);
    struct db_writer late = *db_writer(&db, "Riley");
    late.sequence = acknowledged + 1;
    late.until_ns += S;
    assert_true(db.keeper->sequence >= late.sequence);
    db_forget(&db);
    db_row(&db, &(struct herd_database_writer){herd_span_of("Riley"), late.incarnation, late.sequence,
                                               late.until_ns, 0});
    db.hangs = false;
    db_cut(&db);
    db_run(&db, 60 * S);
    db_equal(&db);
    assert_true(db_writer(&db, "Riley")->until_ns > late.until_ns);
    /* Once, and not with each reading of the row. */
    const size_t records = db.seen.records;
    db_run(&db, 60 * S);
    assert_int_equal(db.seen.records, records);
    db_close(&db);
}

/* Of batches that were sent behind readings that failed the first is the one that may hide a loss. */
static void test_behind_two_readings(void **state)
{
    (void)state;
    struct db db;
    open_written(&db, 100);
    db_forget(&db);
    db.read = HERD_DATABASE_RETRY;
    for (int i = 0; i < 3; i++) { /* each makes the row that the next reading would have missed */
        db_report(&db, "x", i);
        db_run(&db, 3 * S);
    }
    db.read = HERD_DATABASE_DONE;
    db_run(&db, 60 * S);
    db_equal(&db);
    db_close(&db);
}

/* A server that ends when the database loses its memory writes all of it before it is done. */
static void test_at_the_end(void **state)
{
    (void)state;
    struct db db;
    open_written(&db, 100);
    db.latency_ns = 100 * MS;
    db_report(&db, "last", 1);
    herd_keeper_stop(db.keeper, db.now);
    db_run(&db, 50 * MS);
    db_forget(&db);
    for (int i = 0; i < 200 && !herd_keeper_stopped(db.keeper); i++)
        db_run(&db, 100 * MS);
    assert_true(herd_keeper_stopped(db.keeper));
    if (herd_keeper_stats(db.keeper).forgot > 0)
        db_equal(&db);
    db_close(&db);
}

/* Another server ends before it notices, just after it wrote its row: what it says there of all that came before is true no more. */
static void test_who_did_not_notice(void **state)
{
    (void)state;
    struct db db;
    db_open(&db, "Riley", NULL);
    db_row(&db, &(struct herd_database_writer){herd_span_of("Bailey"), 7, 4, db.now.wall_ns, 0});
    db_learn(&db, "Bailey", "long-ago", db.now.wall_ns - 120 * S);
    db_report_many(&db, 10);
    db_run(&db, 10 * S);
    assert_false(db_has(&db, "long-ago"));
    db_forget(&db);
    db_row(&db, &(struct herd_database_writer){herd_span_of("Bailey"), 7, 5, db.now.wall_ns, 0});
    db_run(&db, 60 * S);
    assert_true(db_said(&db, "database_forgot"));
    assert_true(db_said(&db, "writer_adopted Bailey"));
    assert_true(db_has(&db, "long-ago"));
    /* An hour after the start everything is written once more nevertheless. */
    const size_t records = db.seen.records;
    db_run(&db, 3400 * S);
    assert_int_equal(db.seen.records, records);
    db_run(&db, 300 * S);
    assert_int_equal(db.seen.records, records + 11);
    db_close(&db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_while_idle),          cmocka_unit_test(test_before_a_late_batch),
        cmocka_unit_test(test_behind_two_readings), cmocka_unit_test(test_at_the_end),
        cmocka_unit_test(test_who_did_not_notice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
