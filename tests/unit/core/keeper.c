/* SPDX-License-Identifier: MIT */
/* What a keeper writes, when, and what follows from each answer. */
#include "keeper_db.h"

static void test_writes_what_changed(void **state)
{
    (void)state;
    struct db db;
    db_open(&db, "Riley", NULL);
    db_run(&db, S);
    assert_int_equal(db.seen.connects, 1);
    assert_int_equal(db.seen.reads, 2);
    assert_int_equal(db.seen.writes, 1); /* a sign of life */
    db_report(&db, "kiwi", 1);
    db_report(&db, "ant", 2);
    db_report(&db, "yak", 3);
    db_run(&db, 2 * S);
    db_equal(&db);
    assert_int_equal(db.seen.most, 3);
    assert_int_equal(db.seen.records, 3);
    assert_int_equal(herd_keeper_stats(db.keeper).written, 3);
    db_close(&db);
}

/* Any bytes, with much and with nothing in common: the database is given them sorted. */
static void test_ids_of_any_bytes(void **state)
{
    (void)state;
    static const char bytes[] = {'\0', '\xff', 'a', 'b'};
    for (unsigned shared = 0; shared < 12; shared += 3) {
        struct db db;
        uint64_t random = shared + 1;
        db_open(&db, "Riley", NULL);
        db_run(&db, S);
        for (int i = 0; i < 700; i++) {
            char id[32];
            enum herd_verdict verdict;
            memset(id, 'x', shared);
            size_t len = shared;
            random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
            for (size_t more = 1 + (random >> 40) % 15; more > 0; more--)
                id[len++] = bytes[(random >> more * 3) & 3];
            assert_int_equal(herd_node_report(db.node, (struct herd_span){id, len}, herd_span_of("+1+2"),
                                              herd_span_of("1700000000"), db.now, NULL, &verdict),
                             0);
        }
        db_run(&db, 2 * S);
        db_equal(&db);
        db_close(&db);
    }
}

static void test_newest_once_an_interval(void **state)
{
    (void)state;
    struct db db;
    db_open(&db, "Riley", NULL);
    db_run(&db, S);
    for (int i = 0; i < 100; i++) {
        db_report(&db, "kiwi", i % 90);
        db_run(&db, 100 * MS);
    }
    db_run(&db, 2 * S);
    db_equal(&db);
    assert_in_range(db.seen.records, 10, 12);
    db_close(&db);
}

static void test_others_records_are_theirs(void **state)
{
    (void)state;
    struct db db;
    db_open(&db, "Riley", NULL);
    db_run(&db, S);
    const struct herd_database_writer other = {herd_span_of("Bailey"), 7, 1, db.now.wall_ns, 0};
    db_row(&db, &other);
    db_learn(&db, "Bailey", "kiwi", db.now.wall_ns);
    db_run(&db, 3 * S);
    assert_int_equal(db.seen.records, 0);
    assert_int_equal(herd_keeper_stats(db.keeper).pending, 0);
    db_close(&db);
}

static void test_tombstones(void **state)
{
    (void)state;
    struct db db;
    enum herd_verdict verdict;
    db_open(&db, "Riley", NULL);
    db_report(&db, "kiwi", 1);
    db_run(&db, 2 * S);
    assert_int_equal(herd_node_delete(db.node, herd_span_of("kiwi"), db.now, NULL, &verdict), 0);
    db_run(&db, 2 * S);
    assert_int_equal(herd_store_tombstones(db.rows), 1);
    db_equal(&db);
    db_close(&db);
}

static void test_heartbeat(void **state)
{
    (void)state;
    struct db db;
    db_open(&db, "Riley", NULL);
    db_run(&db, 60 * S);
    assert_in_range(db.seen.empty, 12, 14);
    assert_in_range(db.seen.reads, 12, 14);
    /* With nothing to write, all is written: what the row says goes with the clock. */
    assert_true(db_writer(&db, "Riley")->until_ns > db.now.wall_ns - 7 * S);
    assert_true(db_writer(&db, "Riley")->until_ns <= db.now.wall_ns);
    db_close(&db);
}

static void test_retry(void **state)
{
    (void)state;
    struct db db;
    db_open(&db, "Riley", NULL);
    db_run(&db, S);
    db.write = HERD_DATABASE_RETRY;
    db_report(&db, "kiwi", 1);
    db_run(&db, 120 * S);
    assert_false(db_has(&db, "kiwi"));
    assert_int_equal(db.seen.disconnects, 0);
    assert_in_range(db.seen.writes, 6, 20); /* 0.1 s, then longer each time, up to 30 s */
    assert_int_equal(db.seen.notice_count, 1);
    assert_string_equal(db.seen.notices[0], "database_gone not so");
    db.write = HERD_DATABASE_DONE;
    db_run(&db, 35 * S);
    db_equal(&db);
    assert_int_equal(db.seen.notice_count, 2);
    assert_string_equal(db.seen.notices[1], "database_back test 1");
    db_close(&db);
}

static void test_lost(void **state)
{
    (void)state;
    struct db db;
    db_open(&db, "Riley", NULL);
    db_run(&db, S);
    db.write = HERD_DATABASE_LOST;
    db_report(&db, "kiwi", 1);
    db_run(&db, 10 * S);
    assert_true(db.seen.connects > 3);
    assert_int_equal(db.seen.notice_count, 1);
    db.write = HERD_DATABASE_DONE;
    db_run(&db, 35 * S);
    db_equal(&db);
    assert_int_equal(db.seen.notice_count, 2);
    db_close(&db);
}

/* The connection breaks while a batch is put together. */
static void test_lost_while_gathering(void **state)
{
    (void)state;
    struct db db;
    db_open(&db, "Riley", NULL);
    db_run(&db, S);
    db_report_many(&db, 1000);
    db.now.wall_ns += S;
    db.now.steady_ns += S;
    db_tick(&db);
    assert_int_equal(db.keeper->gather.count, 250); /* a slice */
    db_cut(&db);
    db_run(&db, 10 * S);
    db_equal(&db);
    db_close(&db);
}

static void test_away_for_a_day(void **state)
{
    (void)state;
    struct db db;
    db_open(&db, "Riley", NULL);
    db_run(&db, 40 * S);
    int64_t until_ns = db_writer(&db, "Riley")->until_ns;
    db.connect = HERD_DATABASE_LOST;
    db_cut(&db);
    for (int i = 0; i < 24; i++) {
        db_report(&db, "kiwi", i);
        db_run(&db, 3600 * S);
    }
    assert_in_range(db.seen.connects, 2800, 6000); /* 15 to 30 s */
    assert_int_equal(db.seen.notice_count, 1);
    db.connect = HERD_DATABASE_DONE;
    db_run(&db, 60 * S);
    db_equal(&db);
    assert_int_equal(db.seen.records, 2);
    assert_int_equal(db.seen.notice_count, 2);
    assert_true(db_writer(&db, "Riley")->until_ns > until_ns + 86000 * S);
    db_close(&db);
}

static void test_comes_and_goes(void **state)
{
    (void)state;
    struct db db;
    db_open(&db, "Riley", NULL);
    for (int i = 0; i < 64; i++) {
        db_run(&db, 5 * S);
        db_cut(&db);
    }
    db_run(&db, 5 * S);
    assert_in_range(db.seen.notice_count, 12, 14); /* gone and back at 1, 2, 4, 8, 16, 32, 64 */
    db_run(&db, 700 * S);
    unsigned before = db.seen.notice_count;
    db_cut(&db);
    assert_int_equal(db.seen.notice_count, before + 1);
    db_close(&db);
}

static void test_no_answer(void **state)
{
    (void)state;
    struct db db;
    db_open(&db, "Riley", NULL);
    db_run(&db, S);
    db.mute = true;
    db_report(&db, "kiwi", 1);
    db_run(&db, 9 * S);
    assert_int_equal(db.seen.disconnects, 0);
    db_run(&db, 3 * S);
    assert_int_equal(db.seen.disconnects, 1);
    db.mute = false;
    db_run(&db, 60 * S);
    db_equal(&db);
    db_close(&db);
}

static void test_poison(void **state)
{
    (void)state;
    struct db db;
    char id[16];
    db_open(&db, "Riley", NULL);
    db.poison = "bad";
    db_run(&db, S);
    for (int i = 0; i < 1000; i++) {
        snprintf(id, sizeof id, i % 400 == 7 ? "bad%d" : "good%d", i);
        db_report(&db, id, i % 90);
    }
    db_run(&db, 10 * S);
    assert_int_equal(herd_keeper_stats(db.keeper).dropped, 3);
    assert_int_equal(herd_store_count(db.rows), 997);
    assert_true(db_said(&db, "database_record_dropped bad"));
    unsigned writes = db.seen.writes;
    db_run(&db, 60 * S);
    assert_in_range(db.seen.writes - writes, 11, 13); /* nothing but signs of life */
    /* What was dropped is tried again when it changes. */
    db.poison = NULL;
    db_report(&db, "bad7", 5);
    db_run(&db, 3 * S);
    assert_true(db_has(&db, "bad7"));
    assert_false(db_has(&db, "bad407"));
    db_close(&db);
}

/* A database that takes nothing: not all that the herd has is given up for it in a moment. */
static void test_takes_nothing(void **state)
{
    (void)state;
    struct db db;
    char id[16];
    db_open(&db, "Riley", NULL);
    db.poison = "";
    db_run(&db, S);
    for (int i = 0; i < 1000; i++) {
        snprintf(id, sizeof id, "%d", i);
        db_report(&db, id, i % 90);
    }
    db_run(&db, 20 * S);
    uint64_t dropped = herd_keeper_stats(db.keeper).dropped;
    assert_in_range(dropped, 33, 33 + 2 * 40); /* two are under way */
    unsigned writes = db.seen.writes;
    db_run(&db, 60 * S);
    assert_in_range(db.seen.writes - writes, 60, 700); /* each with those that it was halved from */
    db.poison = NULL;
    db_run(&db, 10 * S);
    assert_int_equal(herd_store_count(db.rows) + herd_keeper_stats(db.keeper).dropped, 1000);
    /* From then on nothing is slow. */
    db.poison = "bad";
    for (int i = 0; i < 100; i++) {
        snprintf(id, sizeof id, i % 4 == 0 ? "bad%d" : "good%d", i);
        db_report(&db, id, i % 90);
    }
    dropped = herd_keeper_stats(db.keeper).dropped;
    db_run(&db, 3 * S);
    assert_int_equal(herd_keeper_stats(db.keeper).dropped, dropped + 25);
    db_close(&db);
}

static void test_refused(void **state)
{
    (void)state;
    struct db db;
    db_open(&db, "Riley", NULL);
    db_run(&db, S);
    db.write = db.connect = HERD_DATABASE_REFUSED;
    db_report(&db, "kiwi", 1);
    db_run(&db, 610 * S);
    assert_in_range(db.seen.connects, 10, 12);
    assert_int_equal(db.seen.notice_count, 1);
    assert_string_equal(db.seen.notices[0], "database_refused not so");
    assert_true(herd_keeper_stats(db.keeper).refused);
    db.write = db.connect = HERD_DATABASE_DONE;
    db_run(&db, 62 * S);
    db_equal(&db);
    assert_false(herd_keeper_stats(db.keeper).refused);
    assert_true(db_said(&db, "database_back"));
    db_close(&db);
}

static void test_adopts(void **state)
{
    (void)state;
    struct db db;
    db_open(&db, "Riley", NULL);
    const struct herd_database_writer dead = {herd_span_of("Bailey"), 7, 4, db.now.wall_ns, 0};
    db_row(&db, &dead);
    db_learn(&db, "Bailey", "long-ago", db.now.wall_ns - 120 * S);
    db_learn(&db, "Bailey", "lately", db.now.wall_ns + S);
    db_run(&db, 10 * S);
    assert_int_equal(db.seen.records, 0);
    db_run(&db, 15 * S);
    assert_true(db_said(&db, "writer_adopted Bailey"));
    assert_true(db_has(&db, "lately"));
    assert_false(db_has(&db, "long-ago")); /* it said that this was written */
    assert_int_equal(herd_keeper_stats(db.keeper).adopted, 1);
    db_learn(&db, "Bailey", "later", db.now.wall_ns);
    db_run(&db, 3 * S);
    assert_true(db_has(&db, "later"));
    const struct herd_database_writer alive = {herd_span_of("Bailey"), 8, 5, db.now.wall_ns, 0};
    db_row(&db, &alive);
    db_run(&db, 6 * S);
    assert_true(db_said(&db, "writer_returned Bailey"));
    db_learn(&db, "Bailey", "its-own", db.now.wall_ns);
    db_run(&db, 3 * S);
    assert_false(db_has(&db, "its-own"));
    db_close(&db);
}

/* What a dead server accepted by a clock that it had set back is older than it says is written. */
static void test_adopts_all_in_an_hour(void **state)
{
    (void)state;
    struct db db;
    db_open(&db, "Riley", NULL);
    db_run(&db, 4000 * S); /* the hour after its own start is over */
    db_row(&db, &(struct herd_database_writer){herd_span_of("Bailey"), 7, 4, db.now.wall_ns, 0});
    db_learn(&db, "Bailey", "set-back", db.now.wall_ns - 5000 * S);
    db_run(&db, 60 * S);
    assert_true(db_said(&db, "writer_adopted Bailey"));
    db_run(&db, 3400 * S);
    assert_false(db_has(&db, "set-back"));
    db_run(&db, 300 * S);
    assert_true(db_has(&db, "set-back"));
    db_close(&db);
}

static void test_adopts_who_never_wrote(void **state)
{
    (void)state;
    struct db db;
    db_open(&db, "Riley", NULL);
    db_learn(&db, "Johnson", "kiwi", db.now.wall_ns - 120 * S);
    db_run(&db, 12 * S);
    assert_int_equal(db.seen.records, 0);
    db_run(&db, 12 * S);
    assert_true(db_has(&db, "kiwi"));
    db_close(&db);
}

/* The next in rank comes adopt_ns later. */
static void test_rank(void **state)
{
    (void)state;
    static const char *const dead_names[] = {"d0", "d1", "d2", "d3", "d4", "d5", "d6", "d7"};
    unsigned first = 0, second = 0;
    for (size_t i = 0; i < sizeof dead_names / sizeof *dead_names; i++) {
        bool adopted[2];
        for (int n = 0; n < 2; n++) {
            struct db db;
            db_open(&db, n ? "Riley" : "Hill", NULL);
            db_run(&db, S);
            const struct herd_database_writer dead = {herd_span_of(dead_names[i]), 7, 4, db.now.wall_ns, 0};
            db_row(&db, &dead);
            for (unsigned s = 0; s < 23; s++) { /* the other one lives */
                struct herd_database_writer alive = {herd_span_of(n ? "Hill" : "Riley"), 9, s, db.now.wall_ns, 0};
                db_row(&db, &alive);
                db_run(&db, S);
            }
            adopted[n] = herd_keeper_stats(db.keeper).adopted == 1;
            db_close(&db);
        }
        assert_int_equal(adopted[0] + adopted[1], 1);
        first += adopted[0];
        second += adopted[1];
    }
    assert_true(first > 0 && second > 0);
}

static void test_restart(void **state)
{
    (void)state;
    struct db db;
    db_open(&db, "Riley", NULL);
    db_run(&db, S);
    db_report(&db, "long-ago", 1);
    db_run(&db, 120 * S);
    db_report(&db, "lately", 1);
    herd_keeper_close(db.keeper); /* before it is written */
    db.op_count = 0;
    db.connected = false;
    db_open_keeper(&db, NULL);
    db.seen.records = 0;
    db_run(&db, 20 * S);
    db_equal(&db);
    assert_int_equal(db.seen.records, 1); /* not what was written before */
    db_close(&db);
}

static void test_clock_set_back(void **state)
{
    (void)state;
    struct db db;
    db_open(&db, "Riley", NULL);
    db_report(&db, "kiwi", 1);
    db_run(&db, 60 * S);
    db.seen.records = 0;
    db.now.wall_ns -= 30 * S;
    db_run(&db, 10 * S);
    assert_int_equal(db.seen.records, 0);
    db.now.wall_ns -= 3600 * S;
    db_run(&db, 10 * S);
    assert_int_equal(db.seen.records, 1);
    assert_true(db_writer(&db, "Riley")->until_ns <= db.now.wall_ns);
    db.seen.records = 0;
    db_run(&db, 7 * 86400 * S);
    assert_int_equal(db.seen.records, 1); /* each week */
    db_close(&db);
}

/* A life begins by a clock that is behind its row, and has it put right, or comes up with it, before it reads that: what was
 * accepted meanwhile is older than the row says is written, and it is not. */
static void clock_behind_at_first(int64_t behind_ns, bool put_right)
{
    struct db db;
    struct herd_record kept;
    db_open(&db, "Riley", NULL);
    db_run(&db, S);
    db_report(&db, "before", 1);
    db_run(&db, 60 * S);
    herd_keeper_close(db.keeper);
    db.op_count = 0;
    db.connected = false;
    db.now.wall_ns -= behind_ns;
    db_open_keeper(&db, NULL);
    db.connect = HERD_DATABASE_REFUSED;
    db_report(&db, "between", 2);
    db_run(&db, put_right ? S : behind_ns);
    db.now.wall_ns += put_right ? behind_ns : 0;
    db.connect = HERD_DATABASE_DONE;
    db.latency_ns = 100 * MS;
    const uint64_t before = db_writer(&db, "Riley")->sequence; /* of the last life */
    for (int i = 0; i < 3000; i++) {
        db_run(&db, 50 * MS);
        const struct db_writer *row = db_writer(&db, "Riley");
        const bool written = herd_store_get(db.rows, herd_span_of("between"), &kept);
        assert_true(written || row->until_ns <= 0 || row->sequence == before);
        if (written)
            break;
        assert_true(i < 2999);
    }
    db_run(&db, 60 * S);
    db_equal(&db);
    db_close(&db);
}

static void test_clock_behind_at_first(void **state)
{
    (void)state;
    clock_behind_at_first(6500 * S, true);
    clock_behind_at_first(200 * S, false);
}

static void test_stop(void **state)
{
    (void)state;
    struct db db;
    db_open(&db, "Riley", NULL);
    db_run(&db, 60 * S);
    db_report(&db, "kiwi", 1);
    herd_keeper_stop(db.keeper, db.now);
    assert_false(herd_keeper_stopped(db.keeper));
    int64_t now_ns = db.now.wall_ns;
    db_run(&db, 100 * MS);
    assert_true(herd_keeper_stopped(db.keeper));
    db_equal(&db);
    assert_true(db_writer(&db, "Riley")->until_ns >= now_ns);
    db_close(&db);
}

static void test_stop_without(void **state)
{
    (void)state;
    struct db db;
    db_open(&db, "Riley", NULL);
    db.connect = HERD_DATABASE_LOST;
    db_run(&db, 600 * S);
    db_report(&db, "kiwi", 1);
    herd_keeper_stop(db.keeper, db.now);
    db_run(&db, 60 * S);
    assert_true(herd_keeper_stopped(db.keeper));
    db_close(&db);
}

/* The database shows other rows than were written, for ever: what follows is done once, and then once in a while. */
static void test_strange_rows(void **state)
{
    (void)state;
    for (int what = 0; what < 4; what++) {
        struct db db;
        char id[16];
        db_open(&db, "Riley", NULL);
        db_run(&db, 10 * S);
        const struct herd_database_writer other = {herd_span_of("Bailey"), 7, 1, db.now.wall_ns, 0};
        db_row(&db, &other);
        for (int i = 0; i < 3000; i++) {
            snprintf(id, sizeof id, "c%d", i);
            if (what < 3)
                db_report(&db, id, i % 90);
            else
                db_learn(&db, "Bailey", id, db.now.wall_ns);
        }
        db_run(&db, 10 * S);
        db.overtakes = what == 0;
        db.hides = what == 1;
        db.usurped = what == 2 ? "Riley" : NULL;
        db.aged = what == 3 ? "Bailey" : NULL;
        unsigned writes = db.seen.writes, reads = db.seen.reads;
        db_run(&db, 60 * S);
        assert_in_range(db.seen.writes - writes, 12, 60);
        assert_in_range(db.seen.reads - reads, 12, 80);
        /* Nor while the server ends, when it is in a hurry. */
        writes = db.seen.writes;
        herd_keeper_stop(db.keeper, db.now);
        for (int i = 0; i < 1000 && !herd_keeper_stopped(db.keeper); i++)
            db_run(&db, 10 * MS);
        assert_in_range(db.seen.writes - writes, 1, 20);
        db.overtakes = db.hides = false;
        db.usurped = db.aged = NULL;
        for (int i = 0; i < 6000 && !herd_keeper_stopped(db.keeper); i++)
            db_run(&db, 10 * MS);
        assert_true(herd_keeper_stopped(db.keeper));
        if (what == 3)
            db_run(&db, 60 * S); /* what another one owes is not waited for at the end */
        db_equal(&db);
        db_close(&db);
    }
}

static void test_arguments(void **state)
{
    (void)state;
    struct db db;
    struct herd_keeper *second;
    struct herd_keeper_options options = {.batch_max = HERD_KEEPER_BATCH_MAX + 1};
    db_open(&db, "Riley", NULL);
    assert_int_equal(herd_keeper_open(&second, db.node, &options, db.now), HERD_E_EXISTS);
    herd_keeper_close(db.keeper);
    herd_keeper_close(NULL);
    assert_int_equal(herd_keeper_open(&db.keeper, db.node, &options, db.now), HERD_E_ARG);
    options.batch_max = 1;
    db_open_keeper(&db, &options);
    db_report(&db, "kiwi", 1);
    db_report(&db, "ant", 1);
    db_run(&db, 2 * S);
    assert_int_equal(db.seen.most, 1);
    db_equal(&db);
    db_close(&db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writes_what_changed),
        cmocka_unit_test(test_ids_of_any_bytes),
        cmocka_unit_test(test_newest_once_an_interval),
        cmocka_unit_test(test_others_records_are_theirs),
        cmocka_unit_test(test_tombstones),
        cmocka_unit_test(test_heartbeat),
        cmocka_unit_test(test_retry),
        cmocka_unit_test(test_lost),
        cmocka_unit_test(test_lost_while_gathering),
        cmocka_unit_test(test_away_for_a_day),
        cmocka_unit_test(test_comes_and_goes),
        cmocka_unit_test(test_no_answer),
        cmocka_unit_test(test_poison),
        cmocka_unit_test(test_takes_nothing),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_adopts),
        cmocka_unit_test(test_adopts_all_in_an_hour),
        cmocka_unit_test(test_adopts_who_never_wrote),
        cmocka_unit_test(test_rank),
        cmocka_unit_test(test_restart),
        cmocka_unit_test(test_clock_set_back),
        cmocka_unit_test(test_clock_behind_at_first),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_stop_without),
        cmocka_unit_test(test_strange_rows),
        cmocka_unit_test(test_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
