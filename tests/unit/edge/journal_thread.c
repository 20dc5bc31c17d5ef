/* SPDX-License-Identifier: MIT */
/* A journal whose thread waits for a disk that hangs: the loop goes on, and so does the end. */
#include "journal_pair.h"

#include <time.h>

#define WAIT_NS   INT64_C(1000000000)
#define TRIES_MAX 20000

static int64_t clock_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void start_threaded(struct pair *p, uint64_t compact_lines)
{
    disk_threads = true;
    start(p, in_dir("j"), compact_lines);
    disk_threads = false;
    herd_journal_configure(p->journal, 1000000, WAIT_NS);
}

/* Turns until the journal has what is due. */
static void settle(struct pair *p)
{
    for (int i = 0; i < TRIES_MAX && herd_journal_unwritten(p->journal) > 0; i++) {
        usleep(100);
        pass(p, 0);
    }
    assert_int_equal(herd_journal_unwritten(p->journal), 0);
}

static void await_hung(void)
{
    for (int i = 0; i < TRIES_MAX && disk_hung == 0; i++)
        usleep(100);
    assert_int_equal(disk_hung, 1);
}

static void test_ticket(void **state)
{
    (void)state;
    struct pair p;
    start_threaded(&p, 0);
    uint64_t even = herd_journal_ticket(p.journal);
    assert_true(herd_journal_has(p.journal, even));
    disk_hang = DISK_HANGS_IN_WRITE;
    report(&p, 1, 0);
    uint64_t first = herd_journal_ticket(p.journal);
    assert_false(herd_journal_has(p.journal, first));
    assert_true(herd_journal_has(p.journal, even)); /* of before */
    pass(&p, 0);
    await_hung();
    report(&p, 2, 0); /* the task under way does not have it */
    pass(&p, 0);
    uint64_t second = herd_journal_ticket(p.journal);
    assert_true(second > first);
    assert_false(herd_journal_has(p.journal, first));
    assert_int_equal(herd_journal_unwritten(p.journal), 2);
    disk_let_go();
    for (int i = 0; i < TRIES_MAX && !herd_journal_has(p.journal, first); i++) {
        usleep(100);
        pass(&p, 0);
    }
    assert_true(herd_journal_has(p.journal, first));
    settle(&p);
    assert_true(herd_journal_has(p.journal, second));
    assert_false(logged(&p, "journal_behind"));
    expect_on_disk(&p, in_dir("j"));
    stop(&p);
}

static void test_behind_and_even_again(void **state)
{
    (void)state;
    struct pair p;
    start_threaded(&p, 0);
    disk_hang = DISK_HANGS_IN_WRITE;
    report(&p, 1, 0);
    pass(&p, 0);
    await_hung();
    assert_true(herd_journal_next_ns(p.journal) <= now.steady_ns + WAIT_NS);
    pass(&p, WAIT_NS - 1);
    assert_false(herd_journal_is_behind(p.journal));
    pass(&p, 1);
    assert_true(herd_journal_is_behind(p.journal));
    assert_true(logged(&p, "journal_behind why=\"not written within journal_wait_ms\" count=1"));
    for (int i = 0; i < 50; i++) { /* nothing waits, and nothing is said twice */
        report(&p, i, 1);
        assert_true(herd_journal_has(p.journal, herd_journal_ticket(p.journal)));
        pass(&p, WAIT_NS);
    }
    assert_false(logged(&p, "count=2"));
    disk_let_go();
    for (int i = 0; i < TRIES_MAX && herd_journal_is_behind(p.journal); i++) {
        usleep(100);
        pass(&p, 0);
    }
    assert_true(logged(&p, "journal_caught_up failures=1"));
    settle(&p);
    assert_false(logged(&p, "count=2")); /* not once more for what came meanwhile */
    report(&p, 1, 2);
    assert_false(herd_journal_has(p.journal, herd_journal_ticket(p.journal))); /* replies wait again */
    settle(&p);
    expect_on_disk(&p, in_dir("j"));
    stop(&p);
}

/* A sync or a rename that hangs holds up neither the loop nor what is appended, but for the rename. */
static void test_sync_hangs(void **state)
{
    (void)state;
    struct pair p;
    start_threaded(&p, 0);
    disk_hang = DISK_HANGS_IN_SYNC;
    report(&p, 1, 0);
    settle(&p);
    pass(&p, 2000000);
    await_hung();
    for (int i = 0; i < 20; i++) {
        report(&p, i, 1);
        settle(&p);
    }
    expect_on_disk(&p, in_dir("j"));
    disk_let_go();
    settle_sync(&p);
    stop(&p);
}

static void stop_while(enum disk_hang what)
{
    struct pair p;
    unlink(in_dir("j"));
    start_threaded(&p, what == DISK_HANGS_IN_RENAME ? 4 : 0);
    for (int i = 0; i < 10 && what == DISK_HANGS_IN_RENAME; i++) {
        report(&p, 1, i);
        settle(&p);
    }
    disk_hang = what;
    report(&p, 1, 20);
    for (int i = 0; i < TRIES_MAX && disk_hung == 0; i++) {
        usleep(100);
        pass(&p, 2000000);
    }
    assert_int_equal(disk_hung, 1);
    report(&p, 2, 20);
    int64_t before = clock_ms();
    herd_journal_flush(p.journal, now, 200);
    assert_true(clock_ms() - before >= 199);
    assert_true(herd_journal_unwritten(p.journal) > 0);
    herd_journal_close(p.journal, now); /* does not wait once more */
    assert_true(clock_ms() - before < 5000);
    assert_true(logged(&p, "journal_incomplete"));
    herd_node_free(p.node);
    herd_log_free(p.log);
    herd_buf_fini(&p.out);
    herd_buf_fini(&p.log_text);
    disk_let_go(); /* the thread frees what it used, and ends */
    for (int i = 0; i < TRIES_MAX && disk_hung > 0; i++)
        usleep(100);
    usleep(20000);
}

static void test_stop(void **state)
{
    (void)state;
    stop_while(DISK_HANGS_IN_WRITE);
    stop_while(DISK_HANGS_IN_SYNC);
    stop_while(DISK_HANGS_IN_RENAME);
    unlink(in_dir("j~compact")); /* of the last one */
}

static void test_many(void **state)
{
    (void)state;
    struct pair p;
    start_threaded(&p, 100);
    for (int i = 0; i < 30000; i++) {
        report(&p, i % 3000, i / 3000);
        if (i % 50 == 0)
            pass(&p, 100000);
    }
    settle(&p);
    for (int i = 0; i < TRIES_MAX && !logged(&p, "journal_compacted"); i++) {
        usleep(100);
        pass(&p, HERD_JOURNAL_SYNC_POLL_NS);
    }
    assert_true(logged(&p, "journal_compacted"));
    expect_on_disk(&p, in_dir("j"));
    stop(&p);
}

/* Moved, removed, or with another file in its place: it is written anew. */
static void test_identity(void **state)
{
    (void)state;
    for (int what = 0; what < 3; what++) {
        struct pair p;
        unlink(in_dir("j"));
        if (what == 2)
            disk_threads = true; /* likewise with a thread */
        start(&p, in_dir("j"), 0);
        disk_threads = false;
        for (int i = 0; i < 20; i++)
            report(&p, i, 0);
        for (int i = 0; i < 50; i++) {
            usleep(100);
            pass(&p, 1000000);
        }
        assert_false(logged(&p, "journal_missing"));
        if (what == 0)
            assert_int_equal(rename(in_dir("j"), in_dir("k")), 0);
        else
            assert_int_equal(unlink(in_dir("j")), 0);
        if (what == 2)
            put_file(in_dir("j"), "JOURNAL 1 of somebody", 21);
        if (what == 1)
            report(&p, 1, 1); /* noticed when that is synced */
        else
            herd_journal_look(p.journal);
        for (int i = 0; i < TRIES_MAX && !logged(&p, "journal_compacted"); i++) {
            usleep(100);
            pass(&p, HERD_JOURNAL_SYNC_POLL_NS);
        }
        assert_true(logged(&p, what == 2 ? "why=\"another file has its name\"" : "why=\"moved or removed\""));
        assert_true(logged(&p, "journal_compacted"));
        report(&p, 3, 2);
        settle(&p);
        expect_on_disk(&p, in_dir("j"));
        stop(&p);
    }
}

/* What a failed last sync may have lost is counted, until the file is written anew. */
static void test_last_sync_fails(void **state)
{
    (void)state;
    struct pair p;
    start(&p, in_dir("j"), 0);
    report(&p, 1, 0);
    pass(&p, 0);
    assert_int_equal(herd_journal_unwritten(p.journal), 0);
    disk_sync_error = EIO;
    herd_journal_flush(p.journal, now, 1000);
    assert_int_equal(herd_journal_unwritten(p.journal), 1);
    disk_sync_error = 0;
    for (int i = 0; i < 100 && !logged(&p, "journal_compacted"); i++)
        pass(&p, HERD_JOURNAL_SYNC_POLL_NS);
    assert_int_equal(herd_journal_unwritten(p.journal), 0);
    report(&p, 2, 0);
    disk_sync_error = EIO;
    herd_journal_close(p.journal, now);
    assert_true(logged(&p, "journal_incomplete records=1"));
    disk_sync_error = 0;
    herd_node_free(p.node);
    herd_log_free(p.log);
    herd_buf_fini(&p.out);
    herd_buf_fini(&p.log_text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_ticket, begin, end),
        cmocka_unit_test_setup_teardown(test_behind_and_even_again, begin, end),
        cmocka_unit_test_setup_teardown(test_sync_hangs, begin, end),
        cmocka_unit_test_setup_teardown(test_stop, begin, end),
        cmocka_unit_test_setup_teardown(test_many, begin, end),
        cmocka_unit_test_setup_teardown(test_identity, begin, end),
        cmocka_unit_test_setup_teardown(test_last_sync_fails, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
