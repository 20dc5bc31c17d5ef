/* SPDX-License-Identifier: MIT */
/* The journal of a node on disks that are full, slow, broken, or gone in the middle of anything. */
#include "cm.h"

#include "alloc.h"
#include "journal_disk.h"

#include "../../../lib/edge/journal_impl.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static char dir[64];
static struct herd_now now;

static const char *in_dir(const char *name)
{
    static char paths[4][128];
    static int turn;
    char *path = paths[turn++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", dir, name);
    return path;
}

/* ---- a node and its journal ---- */

struct pair {
    struct herd_node *node;
    struct herd_session *client;
    struct herd_journal *journal;
    struct herd_buf out, log_text;
    struct herd_log *log;
};

static int sink(void *ctx, const char *bytes, size_t len)
{
    return herd_buf_add(ctx, bytes, len);
}

static size_t records_max; /* 0: as many as come */

static int try_start(struct pair *p, const char *path, uint64_t compact_lines, struct herd_config_fault *fault)
{
    struct herd_node_options node_options = {.name = {"Riley", 5}, .seed = {1, 2}, .records_max = records_max};
    *p = (struct pair){0};
    const struct herd_log_options log_options = {.sink = sink, .sink_ctx = &p->log_text};
    assert_int_equal(herd_log_new(&p->log, &log_options), 0);
    assert_int_equal(herd_node_new(&p->node, &node_options), 0);
    const struct herd_journal_options options = {
        .node = p->node, .log = p->log, .path = path, .sync_ns = 1000000, .compact_lines = compact_lines};
    return herd_journal_open(&p->journal, &options, now, fault);
}

static void stop(struct pair *p)
{
    herd_journal_close(p->journal, now);
    herd_node_free(p->node);
    herd_log_free(p->log);
    herd_buf_fini(&p->out);
    herd_buf_fini(&p->log_text);
}

static void start(struct pair *p, const char *path, uint64_t compact_lines)
{
    struct herd_config_fault fault = {0};
    if (try_start(p, path, compact_lines, &fault) < 0)
        fail_msg("%s", fault.what);
    assert_int_equal(herd_session_open(p->node, &p->client, NULL, now), 0);
}

static void report(struct pair *p, int id, int second)
{
    char line[128];
    struct herd_turn turn;
    int len = snprintf(line, sizeof line, "IAMAT client%d +%d.5-%d.25 %d.%09d\n", id, id % 90, id % 180,
                       1621464000 + second, id);
    p->out.len = 0;
    assert_int_equal(herd_session_input(p->client, (struct herd_span){line, (size_t)len}, now, &p->out, &turn), 0);
    assert_memory_equal(p->out.at, "AT ", 3);
}

static void pass(struct pair *p, int64_t ns)
{
    now.steady_ns += ns;
    now.wall_ns += ns;
    herd_journal_turn(p->journal, now);
}

static bool logged(struct pair *p, const char *text)
{
    herd_log_flush(p->log);
    assert_int_equal(herd_buf_reserve(&p->log_text, 1), 0);
    p->log_text.at[p->log_text.len] = '\0';
    return strstr(p->log_text.at, text) != NULL;
}

/* What a server that starts now would know, without touching the file: a copy of it is read. */
static void copy_file(const char *from, const char *to)
{
    char bytes[65536];
    size_t n;
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    assert_non_null(out);
    while (in && (n = fread(bytes, 1, sizeof bytes, in)) > 0)
        assert_int_equal(fwrite(bytes, 1, n, out), n);
    if (in)
        fclose(in);
    fclose(out);
}

static void expect_same(struct herd_node *a, struct herd_node *b)
{
    assert_int_equal(herd_store_count(herd_node_store(a)), herd_store_count(herd_node_store(b)));
    assert_true(herd_store_digest(herd_node_store(a)) == herd_store_digest(herd_node_store(b)));
}

static void expect_on_disk(struct pair *p, const char *path)
{
    struct pair again;
    struct disk was = disk;
    disk_reset();
    copy_file(path, in_dir("copy"));
    start(&again, in_dir("copy"), 0);
    expect_same(p->node, again.node);
    stop(&again);
    unlink(in_dir("copy"));
    disk = was;
}

static off_t size_of(const char *path)
{
    struct stat about;
    return stat(path, &about) < 0 ? -1 : about.st_size;
}

static int begin(void **state)
{
    (void)state;
    now = (struct herd_now){INT64_C(1621464828000000000), INT64_C(1000000000)};
    disk_reset();
    snprintf(dir, sizeof dir, "/tmp/herd-journal-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    static const char *const names[] = {"j", "j.new", "copy", "copy.new", "link", "k"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlink(in_dir(names[i]));
    return rmdir(dir);
}

/* ---- a life without trouble ---- */

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

static void settle_sync(struct pair *p)
{
    for (int i = 0; i < 2000 && p->journal->syncing_ns != INT64_MAX; i++) {
        usleep(1000);
        pass(p, HERD_JOURNAL_LOOK_NS);
    }
    assert_true(p->journal->syncing_ns == INT64_MAX);
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

/* ---- damage ---- */

static struct herd_buf whole_file(const char *path)
{
    struct herd_buf bytes = {0};
    off_t size = size_of(path);
    FILE *file = fopen(path, "rb");
    assert_int_equal(herd_buf_reserve(&bytes, (size_t)size), 0);
    bytes.len = fread(bytes.at, 1, (size_t)size, file);
    fclose(file);
    return bytes;
}

static void put_file(const char *path, const char *at, size_t len)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(at, 1, len, file), len);
    fclose(file);
}

static size_t lines_of(const char *at, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++)
        n += at[i] == '\n';
    return n;
}

static void make_journal(int records)
{
    struct pair p;
    start(&p, in_dir("j"), 0);
    for (int i = 0; i < records; i++)
        report(&p, i, 0);
    stop(&p);
}

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
    struct herd_config_fault fault = {0};
    assert_true(try_start(&p, path, 0, &fault) < 0);
    p.journal = NULL;
    if (!strstr(fault.what, why))
        fail_msg("%s", fault.what);
    stop(&p);
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

    expect_refused(in_dir("none/j"), "No such file");
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

/* ---- a disk that takes no more ---- */

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
            assert_true(herd_scribe_due(&p.journal->scribe));
            disk.truncate_error = room % 4 == 1 ? EIO : 0;
            pass(&p, 1000000000);
            assert_false(herd_scribe_due(&p.journal->scribe));
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

/* ---- writing anew ---- */

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
        pass(&p, HERD_JOURNAL_LOOK_NS);
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
    assert_int_equal(seen & 7, 7);
    assert_int_equal(size_of(in_dir("j.new")), -1);
    expect_on_disk(&p, in_dir("j"));
    stop(&p);
}

static void test_compaction_fails(void **state)
{
    (void)state;
    for (int what = 0; what < 4; what++) {
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
        for (int i = 0; i < 20000 && !logged(&p, "journal_compaction_failed"); i++) {
            usleep(100);
            pass(&p, HERD_JOURNAL_LOOK_NS);
        }
        assert_true(logged(&p, "journal_compaction_failed"));
        assert_int_equal(size_of(in_dir("j.new")), -1);
        assert_int_equal(p.journal->fresh.fd, -1);
        disk_reset();
        expect_on_disk(&p, in_dir("j"));
        pass(&p, INT64_C(20000000000)); /* it is tried again, later */
        for (int i = 0; i < 20000 && !logged(&p, "journal_compacted"); i++) {
            usleep(100);
            report(&p, i % 9000, 100 + i / 9000);
            pass(&p, HERD_JOURNAL_LOOK_NS);
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
    assert_int_equal(size_of(in_dir("j.new")), -1);
}

static void test_leftover_and_links(void **state)
{
    (void)state;
    struct pair p;
    make_journal(3);
    put_file(in_dir("j.new"), "half", 4);
    assert_int_equal(symlink(in_dir("j"), in_dir("link")), 0);
    start(&p, in_dir("link"), 2);
    assert_int_equal(size_of(in_dir("j.new")), -1);
    for (int i = 0; i < 30; i++) {
        report(&p, i % 3, 1 + i);
        pass(&p, 2000000);
    }
    for (int i = 0; i < 5000 && !logged(&p, "journal_compacted"); i++) {
        usleep(100);
        pass(&p, HERD_JOURNAL_LOOK_NS);
    }
    expect_on_disk(&p, in_dir("j"));
    struct stat about;
    assert_int_equal(lstat(in_dir("link"), &about), 0);
    assert_true(S_ISLNK(about.st_mode));
    stop(&p);
}

/* ---- what else a file can hold, and what reading it can meet ---- */

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
    disk_sync_error = EINVAL; /* this file system does not sync folders */
    start(&p, in_dir("k"), 0);
    stop(&p);
    disk_reset();
    unlink(in_dir("k"));
    disk.room = 3;
    expect_refused(in_dir("k"), "No space left");
    disk_reset();
    start(&p, in_dir("k"), 0); /* the beginning of a first line is one */
    report(&p, 1, 1);
    stop(&p);
}

/* Each allocation of reading a journal fails once; the file is as it was. */
static void test_no_memory(void **state)
{
    (void)state;
    make_journal(300);
    struct herd_buf before = whole_file(in_dir("j"));
    struct pair p;
    long n = 1;
    for (bool met = true; met; n++) {
        struct herd_node_options node_options = {.name = {"Riley", 5}, .seed = {1, 2}};
        struct herd_config_fault fault = {0};
        p = (struct pair){0};
        assert_int_equal(herd_log_new(&p.log, &(struct herd_log_options){.sink = sink, .sink_ctx = &p.log_text}),
                         0);
        assert_int_equal(herd_node_new(&p.node, &node_options), 0);
        assert_int_equal(herd_buf_reserve(&p.log_text, 100000), 0);
        const struct herd_journal_options options = {
            .node = p.node, .log = p.log, .path = in_dir("j"), .sync_ns = 1000000};
        alloc_fail_at = n;
        int err = herd_journal_open(&p.journal, &options, now, &fault);
        met = alloc_fail_at <= 0;
        alloc_fail_at = 0;
        assert_true(err == 0 || (err == HERD_E_NOMEM && strstr(fault.what, "memory")));
        if (err < 0)
            p.journal = NULL;
        else
            assert_int_equal(herd_store_count(herd_node_store(p.node)), 300);
        stop(&p);
        struct herd_buf after = whole_file(in_dir("j"));
        assert_true(after.len == before.len && memcmp(after.at, before.at, after.len) == 0);
        herd_buf_fini(&after);
    }
    assert_true(n > 8);
    herd_buf_fini(&before);
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

static void test_path(void **state)
{
    (void)state;
    static const char *const rows[][2] = {{"a.journal", "a.journal"},
                                          {"{name}", "Riley"},
                                          {"/x/{name}/{name}.j", "/x/Riley/Riley.j"},
                                          {"{nam}", "{nam}"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct herd_buf path = {0};
        assert_int_equal(herd_journal_path(rows[i][0], "Riley", &path), 0);
        assert_string_equal(path.at, rows[i][1]);
        herd_buf_fini(&path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_survives, begin, end),
        cmocka_unit_test_setup_teardown(test_syncs, begin, end),
        cmocka_unit_test_setup_teardown(test_torn_at_every_byte, begin, end),
        cmocka_unit_test_setup_teardown(test_corrupt_at_every_byte, begin, end),
        cmocka_unit_test_setup_teardown(test_strangers, begin, end),
        cmocka_unit_test_setup_teardown(test_full, begin, end),
        cmocka_unit_test_setup_teardown(test_full_for_long, begin, end),
        cmocka_unit_test_setup_teardown(test_short_and_interrupted, begin, end),
        cmocka_unit_test_setup_teardown(test_sync_fails, begin, end),
        cmocka_unit_test_setup_teardown(test_compaction_step_by_step, begin, end),
        cmocka_unit_test_setup_teardown(test_compaction_fails, begin, end),
        cmocka_unit_test_setup_teardown(test_full_while_compacting, begin, end),
        cmocka_unit_test_setup_teardown(test_leftover_and_links, begin, end),
        cmocka_unit_test_setup_teardown(test_line_too_long, begin, end),
        cmocka_unit_test_setup_teardown(test_more_records_than_allowed, begin, end),
        cmocka_unit_test_setup_teardown(test_unreadable, begin, end),
        cmocka_unit_test_setup_teardown(test_start_cannot_write, begin, end),
        cmocka_unit_test_setup_teardown(test_no_memory, begin, end),
        cmocka_unit_test_setup_teardown(test_writes_without_memory, begin, end),
        cmocka_unit_test(test_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
