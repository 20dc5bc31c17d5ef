/* SPDX-License-Identifier: MIT */
/* What a start finds in a journal: torn, corrupt, strange or too much; what it cannot read, and cannot write then. */
#include "alloc.h"
#include "journal_pair.h"

/* ---- damage ---- */

static void test_torn_at_every_byte(void **state)
{
    (void)state;
    make_journal(4);
    struct herd_buf bytes = whole_file(in_dir("j"));
    for (size_t len = 0; len <= bytes.len; len++) {
        struct pair p;
        put_file(in_dir("k"), bytes.at, len);
        start(&p, in_dir("k"), 0);
        /* A line is there when all of it but its LF is. */
        size_t lines = lines_of(bytes.at, len) + (len < bytes.len && bytes.at[len] == '\n');
        assert_int_equal(herd_store_count(herd_node_store(p.node)), lines ? lines - 1 : 0);
        bool torn = len > 0 && bytes.at[len - 1] != '\n' && bytes.at[len] != '\n';
        assert_int_equal(logged(&p, " torn_bytes=0 "), !torn);
        report(&p, 9, 0); /* and what is written behind it is whole */
        herd_journal_write(p.journal, now);
        expect_on_disk(&p, in_dir("k"));
        stop(&p);
        struct herd_buf mended = whole_file(in_dir("k"));
        assert_int_equal(lines_of(mended.at, mended.len), lines ? lines + 1 : 2);
        herd_buf_fini(&mended);
    }
    herd_buf_fini(&bytes);
}

static void test_corrupt_at_every_byte(void **state)
{
    (void)state;
    make_journal(3);
    struct herd_buf bytes = whole_file(in_dir("j"));
    for (size_t at = 0; at < bytes.len; at++) {
        struct pair p;
        char was = bytes.at[at];
        bytes.at[at] = (char)(was ^ 0x41);
        put_file(in_dir("k"), bytes.at, bytes.len);
        start(&p, in_dir("k"), 0);
        size_t count = herd_store_count(herd_node_store(p.node));
        bool in_first = at < strlen(HERD_JOURNAL_VERSION) + HERD_CHECKSUM_LEN;
        if (at == bytes.len - 1)
            assert_int_equal(count, 2); /* the last LF: a torn tail */
        else if (was == '\n')
            assert_int_equal(count, at < 20 ? 2 : 1); /* two lines became one */
        else
            assert_int_equal(count, in_first ? 3 : 2);
        stop(&p);
        bytes.at[at] = was;
    }
    herd_buf_fini(&bytes);
}

static void expect_refused(const char *path, const char *why)
{
    struct pair p;
    struct herd_diagnostic diagnostic = {0};
    assert_true(try_start(&p, path, 0, &diagnostic) < 0);
    p.journal = NULL;
    if (!strstr(diagnostic.message, why))
        fail_msg("%s", diagnostic.message);
    stop(&p);
}

/* Appends a line of `len` bytes that are no record. */
static void put_long_line(const char *path, size_t len, bool with_end)
{
    FILE *file = fopen(path, "ab");
    assert_non_null(file);
    for (size_t i = 0; i < len; i++)
        putc('x', file);
    if (with_end)
        putc('\n', file);
    fclose(file);
}

static void test_strangers(void **state)
{
    (void)state;
    static const char poem[] = "Nobody wants this\noverwritten\n";
    put_file(in_dir("k"), poem, sizeof poem - 1);
    expect_refused(in_dir("k"), "not a journal");
    struct herd_buf bytes = whole_file(in_dir("k"));
    assert_int_equal(bytes.len, sizeof poem - 1);
    assert_memory_equal(bytes.at, poem, bytes.len);
    herd_buf_fini(&bytes);

    struct herd_buf later = {0};
    herd_buf_add_text(&later, "JOURNAL 2 of another kind");
    assert_int_equal(herd_checksum_add(&later, 0), 0);
    put_file(in_dir("k"), later.at, later.len);
    herd_buf_fini(&later);
    expect_refused(in_dir("k"), "later version");

    /* Longer than a first line, and than any. */
    static const char diary[] =
        "my dear diary, today there was nothing that anybody would want to read in thirty years";
    put_file(in_dir("k"), diary, sizeof diary - 1);
    expect_refused(in_dir("k"), "not a journal");
    put_file(in_dir("k"), "", 0);
    put_long_line(in_dir("k"), HERD_REPLAY_LINE_MAX + 1000000, false);
    expect_refused(in_dir("k"), "not a journal");

    expect_refused(in_dir("none/j"), "No such file");
    expect_refused("", "No such file");
    expect_refused(dir, "Is a directory");
    unlink(in_dir("k"));
    assert_int_equal(mkfifo(in_dir("k"), 0600), 0);
    expect_refused(in_dir("k"), "not an ordinary file");

    struct pair p;
    start(&p, in_dir("j"), 0);
    expect_refused(in_dir("j"), "in use by another process");
    stop(&p);
    disk.open_error = EMFILE;
    expect_refused(in_dir("j"), "Too many open files");
}

/* ---- what else a file can hold, and what reading it can meet ---- */

static void test_line_too_long(void **state)
{
    (void)state;
    struct pair p;
    make_journal(3);
    put_long_line(in_dir("j"), HERD_REPLAY_LINE_MAX + 1000000, true);
    start(&p, in_dir("j"), 0); /* what is written behind it is read too */
    assert_true(logged(&p, "corrupt=1 "));
    for (int i = 3; i < 6; i++)
        report(&p, i, i);
    pass(&p, 1000000);
    stop(&p);
    put_long_line(in_dir("j"), HERD_REPLAY_LINE_MAX + 5, false); /* nor does one without an end do harm */
    start(&p, in_dir("j"), 0);
    assert_int_equal(herd_store_count(herd_node_store(p.node)), 6);
    assert_true(logged(&p, "corrupt=2 "));
    report(&p, 6, 6);
    pass(&p, 1000000);
    stop(&p);
    start(&p, in_dir("j"), 0);
    assert_int_equal(herd_store_count(herd_node_store(p.node)), 7);
    stop(&p);
}

static void test_more_records_than_allowed(void **state)
{
    (void)state;
    struct pair p;
    make_journal(20);
    records_max = 5; /* of clients; what is learnt may be twice as much */
    start(&p, in_dir("j"), 0);
    records_max = 0;
    assert_int_equal(herd_store_count(herd_node_store(p.node)), 10);
    assert_true(logged(&p, "refused=10 "));
    assert_true(logged(&p, "warn journal_read"));
    stop(&p);
}

static int replacements;

static void replace(void)
{
    if (replacements-- <= 0)
        return;
    if (replacements % 2) {
        unlink(in_dir("j"));
    } else {
        copy_file(in_dir("k"), in_dir("j.new"));
        assert_int_equal(__real_rename(in_dir("j.new"), in_dir("j")), 0);
    }
}

/* Between opening and locking its owner puts a new one in its place, or takes it away: the one that has the name is read. */
static void test_replaced_while_opened(void **state)
{
    (void)state;
    struct pair p;
    make_journal(5);
    copy_file(in_dir("j"), in_dir("k"));
    disk_on_lock = replace;
    replacements = 7;
    start(&p, in_dir("j"), 0);
    assert_int_equal(herd_store_count(herd_node_store(p.node)), 5);
    stop(&p);
    replacements = 100;
    expect_refused(in_dir("j"), "is replaced again and again");
    replacements = 0;
}

static void test_unreadable(void **state)
{
    (void)state;
    struct pair p;
    make_journal(20);
    disk.read_error = EIO;
    for (long reads = 0; reads < 2; reads++) {
        disk.reads = reads;
        expect_refused(in_dir("j"), "Input/output error");
    }
    disk.lock_error = ENOLCK;
    expect_refused(in_dir("j"), "No locks available");
    disk_reset();
    disk.read_error = EINTR;
    start(&p, in_dir("j"), 0);
    assert_int_equal(herd_store_count(herd_node_store(p.node)), 20);
    stop(&p);
}

/* What a start has to write may fail; then it says so, and the next one finds all that there was. */
static void test_start_cannot_write(void **state)
{
    (void)state;
    struct pair p;
    make_journal(20);
    struct herd_buf bytes = whole_file(in_dir("j"));
    put_file(in_dir("j"), bytes.at, bytes.len - 1); /* the last LF is missing */
    disk.room = 0;
    expect_refused(in_dir("j"), "No space left");
    disk_reset();
    put_file(in_dir("j"), bytes.at, bytes.len - 3); /* the last record is torn */
    disk.truncate_error = EIO;
    expect_refused(in_dir("j"), "Input/output error");
    disk_reset();
    start(&p, in_dir("j"), 0);
    assert_int_equal(herd_store_count(herd_node_store(p.node)), 19);
    stop(&p);
    herd_buf_fini(&bytes);

    disk_sync_error = EIO; /* a new file must be on the disk before it is relied on */
    expect_refused(in_dir("k"), "Input/output error");
    unlink(in_dir("k"));
    for (int well = 0; well < 2; well++) {
        disk_sync_error = EIO; /* so must its name */
        disk_syncs_well = well;
        expect_refused(in_dir("k"), "Input/output error");
        disk_reset();
        unlink(in_dir("k"));
        /* This file system does not sync folders, or nothing at all. */
        disk_sync_error = well ? EINVAL : ENOTSUP;
        disk_syncs_well = well;
        start(&p, in_dir("k"), 0);
        stop(&p);
        disk_reset();
        unlink(in_dir("k"));
    }
    put_file(in_dir("k"), "", 0);
    disk.open_error = EACCES; /* of the folder */
    disk.opens = 1;
    expect_refused(in_dir("k"), "Permission denied");
    sync_ns = 0; /* nobody wants it on the disk */
    disk.opens = 1;
    start(&p, in_dir("k"), 0);
    sync_ns = 1000000;
    disk_reset();
    report(&p, 1, 1);
    stop(&p);
    start(&p, in_dir("k"), 0);
    assert_int_equal(herd_store_count(herd_node_store(p.node)), 1);
    stop(&p);
    unlink(in_dir("k"));
    disk.room = 3;
    expect_refused(in_dir("k"), "No space left");
    disk_reset();
    start(&p, in_dir("k"), 0); /* the beginning of a first line is one */
    report(&p, 1, 1);
    stop(&p);
}

/* Each allocation of a start fails once; the file is as it was, or one that the next start can read. */
static void fail_each(size_t records, size_t least)
{
    struct herd_buf before = whole_file(in_dir("j"));
    struct pair p;
    size_t n = 1;
    for (bool met = true; met; n++) {
        struct herd_node_options node_options = {.name = {"Riley", 5}, .seed = {1, 2}};
        struct herd_diagnostic diagnostic = {0};
        put_file(in_dir("j"), before.at, before.len);
        p = (struct pair){0};
        assert_int_equal(herd_log_new(&p.log, &(struct herd_log_options){.sink = sink, .sink_ctx = &p.log_text}),
                         0);
        assert_int_equal(herd_node_new(&p.node, &node_options), 0);
        assert_int_equal(herd_buf_reserve(&p.log_text, 100000), 0);
        const struct herd_journal_options options = {
            .node = p.node, .log = p.log, .path = in_dir("j"), .sync_ns = 1000000};
        alloc_fail_at = (long)n;
        int err = herd_journal_open(&p.journal, &options, now, &diagnostic);
        met = alloc_fail_at <= 0;
        alloc_fail_at = 0;
        assert_true(err == 0 || (err == HERD_E_NOMEM && strstr(diagnostic.message, "memory")));
        if (err < 0)
            p.journal = NULL;
        else
            assert_int_equal(herd_store_count(herd_node_store(p.node)), records);
        stop(&p);
        if (err < 0) {
            struct herd_buf after = whole_file(in_dir("j"));
            assert_int_equal(after.len, before.len);
            assert_true(after.len == 0 || memcmp(after.at, before.at, after.len) == 0);
            herd_buf_fini(&after);
        }
        start(&p, in_dir("j"), 0);
        assert_int_equal(herd_store_count(herd_node_store(p.node)), records);
        stop(&p);
    }
    assert_true(n > least);
    herd_buf_fini(&before);
}

static void test_no_memory(void **state)
{
    (void)state;
    make_journal(300);
    fail_each(300, 8);
    struct herd_buf bytes = whole_file(in_dir("j"));
    put_file(in_dir("j"), bytes.at, bytes.len - 1); /* the last LF is missing */
    fail_each(300, 8);
    put_file(in_dir("j"), bytes.at, 5); /* of a first line */
    fail_each(0, 4);
    put_file(in_dir("j"), "", 0);
    fail_each(0, 3);
    herd_buf_fini(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_torn_at_every_byte, begin, end),
        cmocka_unit_test_setup_teardown(test_corrupt_at_every_byte, begin, end),
        cmocka_unit_test_setup_teardown(test_strangers, begin, end),
        cmocka_unit_test_setup_teardown(test_line_too_long, begin, end),
        cmocka_unit_test_setup_teardown(test_more_records_than_allowed, begin, end),
        cmocka_unit_test_setup_teardown(test_replaced_while_opened, begin, end),
        cmocka_unit_test_setup_teardown(test_unreadable, begin, end),
        cmocka_unit_test_setup_teardown(test_start_cannot_write, begin, end),
        cmocka_unit_test_setup_teardown(test_no_memory, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
