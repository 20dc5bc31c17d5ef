/* SPDX-License-Identifier: MIT */
/* A journal that is written anew: why, stopped at every step, on a disk that fails, and over what was left. */
#include "alloc.h"
#include "journal_pair.h"

#include <sys/file.h>

static void test_sync_fails(void **state)
{
    (void)state;
    struct pair p;
    start(&p, in_dir("j"), 1000000);
    report(&p, 1, 0);
    pass(&p, 0);
    disk_sync_error = EIO;
    pass(&p, 1000000);
    settle_sync(&p);
    assert_true(logged(&p, "journal_sync_failed"));
    disk_sync_error = 0;
    for (int i = 0; i < 5000 && !logged(&p, "journal_compacted"); i++) {
        usleep(200);
        pass(&p, HERD_JOURNAL_SYNC_POLL_NS);
    }
    assert_true(logged(&p, "journal_compacted"));
    expect_on_disk(&p, in_dir("j"));
    stop(&p);
}

/* What a process that was killed left unsynced is synced by the next one; where that fails it is written anew. */
static void test_sync_fails_at_the_start(void **state)
{
    (void)state;
    struct pair p;
    make_journal(3);
    disk_sync_error = EIO;
    start(&p, in_dir("j"), 1000000);
    for (int i = 0; i < 5000 && !logged(&p, "journal_sync_failed"); i++) {
        usleep(200);
        pass(&p, HERD_JOURNAL_SYNC_POLL_NS);
    }
    assert_true(logged(&p, "journal_sync_failed"));
    disk_sync_error = 0;
    pass(&p, INT64_C(10000000000)); /* the folder's is tried again after a while */
    for (int i = 0; i < 5000 && !logged(&p, "journal_compacted"); i++) {
        usleep(200);
        pass(&p, HERD_JOURNAL_SYNC_POLL_NS);
    }
    assert_true(logged(&p, "journal_compacted"));
    expect_on_disk(&p, in_dir("j"));
    stop(&p);
}

/* At every step of it the machine stops: what the file then holds is all there was. */
static void test_compaction_step_by_step(void **state)
{
    (void)state;
    struct pair p;
    start(&p, in_dir("j"), 100);
    for (int i = 0; i < 36000; i++) { /* several slices, so that changes fall between them */
        report(&p, i % 9000, i / 9000);
        if (i % 500 == 499)
            herd_journal_write(p.journal, now);
    }
    unsigned seen = 0, steps = 0;
    for (; !logged(&p, "journal_compacted") || p.journal->compaction != HERD_COMPACTION_NONE; steps++) {
        assert_true(steps < 1000);
        report(&p, (int)(steps % 9000), 10 + (int)(steps / 9000));
        report(&p, 9000 + (int)steps, 0);
        pass(&p, 2000000);
        seen |= 1u << p.journal->compaction;
        if (steps % 2 == 0 || p.journal->compaction != HERD_COMPACTION_SYNC)
            expect_on_disk(&p, in_dir("j"));
        usleep(100);
    }
    const unsigned all = 1u << HERD_COMPACTION_NONE | 1u << HERD_COMPACTION_COPY | 1u << HERD_COMPACTION_SYNC |
                         1u << HERD_COMPACTION_SYNC_REST | 1u << HERD_COMPACTION_SYNC_FOLDER;
    assert_int_equal(seen & all, all);
    assert_int_equal(size_of(in_dir("j~compact")), -1);
    expect_on_disk(&p, in_dir("j"));
    stop(&p);
}

static void test_compaction_fails(void **state)
{
    (void)state;
    for (int what = 0; what < 7; what++) {
        struct pair p;
        unlink(in_dir("j"));
        start(&p, in_dir("j"), 100);
        for (int i = 0; i < 30000; i++) {
            report(&p, i % 9000, i / 9000);
            if (i % 100 == 0)
                herd_journal_write(p.journal, now);
        }
        herd_journal_write(p.journal, now);
        disk.open_error = what == 0 ? EMFILE : 0;
        disk.room = what == 1 ? 300000 : -1; /* in the second slice */
        disk.rename_error = what == 2 ? EIO : 0;
        disk_sync_error = what == 3 ? EIO : 0;
        disk.lock_error = what == 4 ? ENOLCK : 0;
        if (what >= 5) { /* no memory: for its first line, for a slice */
            if (what == 6) {
                pass(&p, HERD_JOURNAL_SYNC_POLL_NS);
                assert_int_equal(p.journal->compaction, HERD_COMPACTION_COPY);
            }
            assert_int_equal(herd_buf_reserve(&p.log_text, 100000), 0);
            herd_buf_fini(&p.journal->buf);
            alloc_fail_at = 1;
        }
        for (int i = 0; i < 20000 && !logged(&p, "journal_compaction_failed"); i++) {
            usleep(100);
            pass(&p, HERD_JOURNAL_SYNC_POLL_NS);
        }
        assert_true(logged(&p, "journal_compaction_failed"));
        assert_int_equal(alloc_fail_at, 0);
        assert_int_equal(size_of(in_dir("j~compact")), -1);
        assert_int_equal(p.journal->replacement.fd, -1);
        disk_reset();
        expect_on_disk(&p, in_dir("j"));
        pass(&p, INT64_C(20000000000)); /* it is tried again, later */
        for (int i = 0; i < 20000 && !logged(&p, "journal_compacted"); i++) {
            usleep(100);
            report(&p, i % 9000, 100 + i / 9000);
            pass(&p, HERD_JOURNAL_SYNC_POLL_NS);
        }
        assert_true(logged(&p, "journal_compacted"));
        expect_on_disk(&p, in_dir("j"));
        stop(&p);
    }
}

/* A full disk while both files are written: the old one is what counts. */
static void test_full_while_compacting(void **state)
{
    (void)state;
    struct pair p;
    start(&p, in_dir("j"), 100);
    for (int i = 0; i < 30000; i++) {
        report(&p, i % 9000, i / 9000);
        if (i % 100 == 0)
            herd_journal_write(p.journal, now);
    }
    pass(&p, 2000000);
    assert_int_equal(p.journal->compaction, HERD_COMPACTION_COPY);
    report(&p, 1, 50);
    disk.room = 120; /* enough for the line once */
    herd_journal_write(p.journal, now);
    assert_int_equal(p.journal->compaction, HERD_COMPACTION_NONE);
    assert_true(logged(&p, "journal_compaction_failed"));
    disk_reset();
    expect_on_disk(&p, in_dir("j"));
    for (int i = 0; i < 3; i++)
        pass(&p, 2000000);
    stop(&p); /* in the middle of the next attempt */
    assert_int_equal(size_of(in_dir("j~compact")), -1);
}

static void test_leftover_and_links(void **state)
{
    (void)state;
    struct pair p;
    make_journal(3);
    put_file(in_dir("j~compact"), "JOURNAL 1 3c", 12);
    assert_int_equal(symlink(in_dir("j"), in_dir("link")), 0);
    start(&p, in_dir("link"), 2);
    assert_int_equal(size_of(in_dir("j~compact")), -1);
    for (int i = 0; i < 30; i++) {
        report(&p, i % 3, 1 + i);
        pass(&p, 2000000);
    }
    for (int i = 0; i < 5000 && !logged(&p, "journal_compacted"); i++) {
        usleep(100);
        pass(&p, HERD_JOURNAL_SYNC_POLL_NS);
    }
    expect_on_disk(&p, in_dir("j"));
    struct stat about;
    assert_int_equal(lstat(in_dir("link"), &about), 0);
    assert_true(S_ISLNK(about.st_mode));
    stop(&p);
}

/* A journal of another server, whatever its name, and a file that is no journal stay as they are. */
static void test_files_of_others(void **state)
{
    (void)state;
    struct pair p;
    make_journal(3);
    copy_file(in_dir("j"), in_dir("j.new")); /* of a server that is called so */
    put_file(in_dir("j~compact"), "my dear diary", 13);
    off_t size = size_of(in_dir("j.new"));
    start(&p, in_dir("j"), 2);
    for (int i = 0; i < 30; i++) {
        report(&p, i % 3, 1 + i);
        pass(&p, 2000000);
    }
    assert_true(logged(&p, "journal_compaction_failed why=\"File exists\""));
    assert_int_equal(size_of(in_dir("j.new")), size);
    assert_int_equal(size_of(in_dir("j~compact")), 13);
    expect_on_disk(&p, in_dir("j"));
    stop(&p);
}

/* What stands where a journal is written anew goes only if it is one that was left. */
static void test_leftovers(void **state)
{
    (void)state;
    for (int what = 0; what < 5; what++) {
        struct pair p;
        int lock = -1;
        unlink(in_dir("j"));
        make_journal(3);
        put_file(in_dir("j~compact"), "JOURNAL 1 3c", what == 4 ? 0 : 12);
        switch (what) {
        case 0: /* another process is at it */
            lock = __real_open(in_dir("j~compact"), O_RDONLY);
            assert_int_equal(__real_flock(lock, LOCK_EX), 0);
            break;
        case 1:
            unlink(in_dir("j~compact"));
            assert_int_equal(mkfifo(in_dir("j~compact"), 0600), 0);
            break;
        case 2: disk.read_error = EINTR; break; /* it cannot be read, which is tried once */
        default: break;
        }
        start(&p, in_dir("j"), 0);
        stop(&p);
        disk_reset();
        struct stat about;
        assert_int_equal(lstat(in_dir("j~compact"), &about), what < 3 ? 0 : -1);
        if (lock >= 0)
            close(lock);
        unlink(in_dir("j~compact"));
    }
}

/* The file was moved away and another process keeps one of its name: that one stays, until its owner goes. */
static void test_name_taken(void **state)
{
    (void)state;
    struct pair p, other;
    start(&p, in_dir("j"), 0);
    report(&p, 1, 0);
    pass(&p, 0);
    assert_int_equal(__real_rename(in_dir("j"), in_dir("k")), 0);
    start(&other, in_dir("j"), 0);
    report(&other, 2, 0);
    pass(&other, 0);
    for (int i = 0; i < 20000 && !logged(&p, "journal_compaction_failed"); i++) {
        usleep(100);
        pass(&p, INT64_C(100000000));
    }
    assert_true(logged(&p, "journal_missing"));
    assert_true(logged(&p, "why=\"another file has its name\""));
    assert_true(logged(&p, "journal_compaction_failed why=\"Resource temporarily unavailable\""));
    expect_on_disk(&other, in_dir("j"));
    stop(&other);
    unlink(in_dir("j"));
    assert_int_equal(symlink(in_dir("k"), in_dir("j")), 0); /* nor is that a file of ours */
    p.log_text.len = 0;
    for (int i = 0; i < 20000 && !logged(&p, "journal_compacted"); i++) {
        usleep(100);
        pass(&p, INT64_C(100000000));
    }
    assert_true(logged(&p, "journal_compacted"));
    expect_on_disk(&p, in_dir("j"));
    stop(&p);
}

/* A sync that was interrupted is done again; a file system that does not sync has nothing to wait for. */
static void test_syncs_that_are_none(void **state)
{
    (void)state;
    static const int errors[] = {EINTR, EINVAL, ENOTSUP};
    for (size_t i = 0; i < 3; i++) {
        struct pair p;
        unlink(in_dir("j"));
        start(&p, in_dir("j"), 0);
        report(&p, 1, 0);
        pass(&p, 0);
        const int before = disk_syncs;
        disk_sync_error = errors[i];
        pass(&p, 1000000);
        settle_sync(&p);
        assert_int_equal(disk_syncs, before + (errors[i] == EINTR ? 2 : 1));
        assert_false(logged(&p, "journal_sync_failed"));
        disk_reset();
        expect_on_disk(&p, in_dir("j"));
        stop(&p);
    }
}

/* A link whose file is not there yet is a link still when the journal is written anew. */
static void test_dangling_link(void **state)
{
    (void)state;
    struct pair p;
    assert_int_equal(symlink(in_dir("j"), in_dir("link")), 0);
    start(&p, in_dir("link"), 2);
    for (int i = 0; i < 30; i++) {
        report(&p, i % 3, 1 + i);
        pass(&p, 2000000);
    }
    for (int i = 0; i < 5000 && !logged(&p, "journal_compacted"); i++) {
        usleep(100);
        pass(&p, HERD_JOURNAL_SYNC_POLL_NS);
    }
    assert_true(logged(&p, "journal_compacted"));
    struct stat about;
    assert_int_equal(lstat(in_dir("link"), &about), 0);
    assert_true(S_ISLNK(about.st_mode));
    expect_on_disk(&p, in_dir("j"));
    stop(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sync_fails, begin, end),
        cmocka_unit_test_setup_teardown(test_sync_fails_at_the_start, begin, end),
        cmocka_unit_test_setup_teardown(test_compaction_step_by_step, begin, end),
        cmocka_unit_test_setup_teardown(test_compaction_fails, begin, end),
        cmocka_unit_test_setup_teardown(test_full_while_compacting, begin, end),
        cmocka_unit_test_setup_teardown(test_leftover_and_links, begin, end),
        cmocka_unit_test_setup_teardown(test_files_of_others, begin, end),
        cmocka_unit_test_setup_teardown(test_dangling_link, begin, end),
        cmocka_unit_test_setup_teardown(test_leftovers, begin, end),
        cmocka_unit_test_setup_teardown(test_name_taken, begin, end),
        cmocka_unit_test_setup_teardown(test_syncs_that_are_none, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
