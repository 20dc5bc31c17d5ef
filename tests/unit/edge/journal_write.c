/* SPDX-License-Identifier: MIT */
/* A journal on a disk that is full, slow or interrupted, and in a process without memory. */
#include "alloc.h"
#include "journal_pair.h"

static void test_full(void **state)
{
    (void)state;
    static const int errors[] = {ENOSPC, EIO, EDQUOT, 0};
    for (size_t e = 0; e < sizeof errors / sizeof *errors; e++) {
        for (long room = 0; room < 200; room++) { /* a batch of two lines, torn at every byte */
            struct pair p;
            unlink(in_dir("j"));
            start(&p, in_dir("j"), 0);
            report(&p, 1, 0);
            pass(&p, 0);
            off_t size = size_of(in_dir("j"));
            disk.room = room;
            disk.full_error = errors[e];
            disk.truncate_error = room % 2 ? EIO : 0;
            report(&p, 2, 0);
            report(&p, 3, 0);
            pass(&p, 0);
            if (p.journal->retry_ns == 0) { /* there was room for all */
                stop(&p);
                disk_reset();
                break;
            }
            assert_true(logged(&p, "journal_behind"));
            if (!disk.truncate_error)
                assert_int_equal(size_of(in_dir("j")), size);
            report(&p, 1, 1); /* it goes on meanwhile, and does not try again at once */
            disk_reset();
            pass(&p, 0);
            assert_true(herd_journal_encoder_pending(&p.journal->encoder));
            disk.truncate_error = room % 4 == 1 ? EIO : 0;
            pass(&p, 1000000000);
            assert_false(herd_journal_encoder_pending(&p.journal->encoder));
            assert_true(logged(&p, "journal_caught_up failures=1"));
            expect_on_disk(&p, in_dir("j"));
            disk_reset();
            stop(&p);
        }
    }
}

static void test_full_for_long(void **state)
{
    (void)state;
    struct pair p;
    start(&p, in_dir("j"), 0);
    disk.room = 0;
    for (int i = 0; i < 100; i++) {
        report(&p, i, 0);
        pass(&p, 1000000000);
    }
    herd_log_flush(p.log);
    assert_int_equal(lines_of(p.log_text.at, p.log_text.len), 1 + 7); /* read; 1, 2, 4, ... 64 */
    disk_reset();
    pass(&p, 1000000000);
    expect_on_disk(&p, in_dir("j"));
    disk.room = 0;
    report(&p, 1, 5);
    stop(&p);
}

static void test_short_and_interrupted(void **state)
{
    (void)state;
    struct pair p;
    disk.at_once = 3;
    start(&p, in_dir("j"), 0);
    for (int i = 0; i < 10; i++)
        report(&p, i, 0);
    disk.interrupts = 5;
    pass(&p, 0);
    assert_int_equal(disk.interrupts, 0);
    expect_on_disk(&p, in_dir("j"));
    stop(&p);
}

/* Writing, and writing anew, with each allocation failing once: what was reported is on the disk in the end. */
static void test_writes_without_memory(void **state)
{
    (void)state;
    long n = 1;
    for (long left = 0; left <= 0; n++) {
        struct pair p;
        unlink(in_dir("j"));
        start(&p, in_dir("j"), 40);
        assert_int_equal(herd_buf_reserve(&p.log_text, 100000), 0);
        left = n;
        for (int round = 0; round < 40; round++) {
            for (int i = 0; i < 3; i++)
                report(&p, i + round / 20 * 3, round);
            alloc_fail_at = left > 0 ? left : 0; /* counted on from one turn to the next */
            pass(&p, 100000000);
            left = left > 0 ? alloc_fail_at : left;
            alloc_fail_at = 0;
        }
        for (int i = 0; i < 20; i++)
            pass(&p, 1000000000);
        settle_sync(&p);
        expect_on_disk(&p, in_dir("j"));
        stop(&p);
    }
    assert_true(n > 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_full, begin, end),
        cmocka_unit_test_setup_teardown(test_full_for_long, begin, end),
        cmocka_unit_test_setup_teardown(test_short_and_interrupted, begin, end),
        cmocka_unit_test_setup_teardown(test_writes_without_memory, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
