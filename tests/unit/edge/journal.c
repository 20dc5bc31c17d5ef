/* SPDX-License-Identifier: MIT */
/* A journal in a life without trouble: what was reported outlives the process, and is synced in time. */
#include "journal_pair.h"

static void test_survives(void **state)
{
    (void)state;
    struct pair p;
    start(&p, in_dir("j"), 0);
    struct stat about;
    assert_int_equal(stat(in_dir("j"), &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
    for (int i = 0; i < 100; i++)
        report(&p, i, 0);
    for (int i = 0; i < 50; i++)
        report(&p, i, 1);
    assert_true(herd_journal_next_ns(p.journal) <= now.steady_ns);
    herd_journal_write(p.journal, now); /* then the process may die */
    expect_on_disk(&p, in_dir("j"));
    stop(&p);
    start(&p, in_dir("j"), 0);
    assert_int_equal(herd_store_count(herd_node_store(p.node)), 100);
    assert_true(logged(&p, "journal_read lines=101 records=100 forgotten=0 corrupt=0 refused=0 torn_bytes=0"));
    report(&p, 7, 2);
    stop(&p); /* a graceful stop writes what is due */
    start(&p, in_dir("j"), 0);
    struct herd_record record;
    assert_true(herd_store_get(herd_node_store(p.node), herd_span_of("client7"), &record));
    assert_true(herd_span_equal(record.time, herd_span_of("1621464002.000000007")));
    stop(&p);
}

static void test_syncs(void **state)
{
    (void)state;
    struct pair p;
    start(&p, in_dir("j"), 0);
    int before = disk_syncs;
    assert_true(herd_journal_next_ns(p.journal) == INT64_MAX);
    report(&p, 1, 0);
    pass(&p, 0);
    assert_int_equal(disk_syncs, before);
    assert_true(herd_journal_next_ns(p.journal) == now.steady_ns + 1000000);
    pass(&p, 1000000);
    settle_sync(&p);
    assert_int_equal(disk_syncs, before + 1);
    assert_true(herd_journal_next_ns(p.journal) == INT64_MAX);
    pass(&p, 100000000);
    settle_sync(&p);
    assert_int_equal(disk_syncs, before + 1); /* nothing new, nothing to sync */
    stop(&p);
    assert_int_equal(disk_syncs, before + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_survives, begin, end),
        cmocka_unit_test_setup_teardown(test_syncs, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
