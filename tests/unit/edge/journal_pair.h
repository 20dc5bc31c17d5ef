/* SPDX-License-Identifier: MIT */
/* A node and its journal, in a folder of their own, on a disk that fails as told. */
#ifndef TEST_JOURNAL_PAIR_H
#define TEST_JOURNAL_PAIR_H

#include "cm.h"
#include "temp.h"

#include "journal_disk.h"

#include "../../../lib/edge/journal/journal_impl.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static char dir[TEMP_LEN];
static struct herd_now now;

static inline const char *in_dir(const char *name)
{
    static char paths[4][128];
    static int turn;
    char *path = paths[turn++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", dir, name);
    return path;
}

struct pair {
    struct herd_node *node;
    struct herd_session *client;
    struct herd_journal *journal;
    struct herd_buf out, log_text;
    struct herd_log *log;
};

static inline int sink(void *ctx, const char *bytes, size_t len)
{
    return herd_buf_add(ctx, bytes, len);
}

static size_t records_max; /* 0: as many as come */
static int64_t sync_ns = 1000000;

static inline int try_start(struct pair *p, const char *path, uint64_t compact_lines,
                            struct herd_diagnostic *diagnostic)
{
    struct herd_node_options node_options = {.name = {"Riley", 5}, .seed = {1, 2}, .records_max = records_max};
    *p = (struct pair){0};
    const struct herd_log_options log_options = {.sink = sink, .sink_ctx = &p->log_text};
    assert_int_equal(herd_log_new(&p->log, &log_options), 0);
    assert_int_equal(herd_node_new(&p->node, &node_options), 0);
    const struct herd_journal_options options = {
        .node = p->node, .log = p->log, .path = path, .sync_ns = sync_ns, .compact_lines = compact_lines};
    return herd_journal_open(&p->journal, &options, now, diagnostic);
}

static inline void stop(struct pair *p)
{
    herd_journal_close(p->journal, now);
    herd_node_free(p->node);
    herd_log_free(p->log);
    herd_buf_fini(&p->out);
    herd_buf_fini(&p->log_text);
}

static inline void start(struct pair *p, const char *path, uint64_t compact_lines)
{
    struct herd_diagnostic diagnostic = {0};
    if (try_start(p, path, compact_lines, &diagnostic) < 0)
        fail_msg("%s", diagnostic.message);
    assert_int_equal(herd_session_open(p->node, &p->client, NULL, now), 0);
}

static inline void report(struct pair *p, int id, int second)
{
    char line[128];
    struct herd_input_result result;
    int len = snprintf(line, sizeof line, "IAMAT client%d +%d.5-%d.25 %d.%09d\n", id, id % 90, id % 180,
                       1621464000 + second, id);
    p->out.len = 0;
    assert_int_equal(herd_session_input(p->client, (struct herd_span){line, (size_t)len}, now, &p->out, &result),
                     0);
    assert_memory_equal(p->out.at, "AT ", 3);
}

static inline void pass(struct pair *p, int64_t ns)
{
    now.steady_ns += ns;
    now.wall_ns += ns;
    herd_journal_run(p->journal, now);
}

static inline void settle_sync(struct pair *p)
{
    for (int i = 0; i < 2000 && p->journal->syncing_ns != INT64_MAX; i++) {
        usleep(1000);
        pass(p, HERD_JOURNAL_SYNC_POLL_NS);
    }
    assert_true(p->journal->syncing_ns == INT64_MAX);
}

static inline bool logged(struct pair *p, const char *text)
{
    herd_log_flush(p->log);
    assert_int_equal(herd_buf_reserve(&p->log_text, 1), 0);
    p->log_text.at[p->log_text.len] = '\0';
    return strstr(p->log_text.at, text) != NULL;
}

/* What a server that starts now would know, without touching the file: a copy of it is read. */
static inline void copy_file(const char *from, const char *to)
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

static inline void expect_same(struct herd_node *a, struct herd_node *b)
{
    assert_int_equal(herd_store_count(herd_node_store(a)), herd_store_count(herd_node_store(b)));
    assert_true(herd_store_digest(herd_node_store(a)) == herd_store_digest(herd_node_store(b)));
}

static inline void expect_on_disk(struct pair *p, const char *path)
{
    struct pair again;
    struct disk was = disk;
    disk_reset();
    disk_is_other = true;
    copy_file(path, in_dir("copy"));
    start(&again, in_dir("copy"), 0);
    expect_same(p->node, again.node);
    stop(&again);
    unlink(in_dir("copy"));
    disk_is_other = false;
    disk = was;
}

static inline off_t size_of(const char *path)
{
    struct stat about;
    return stat(path, &about) < 0 ? -1 : about.st_size;
}

static inline struct herd_buf whole_file(const char *path)
{
    struct herd_buf bytes = {0};
    off_t size = size_of(path);
    FILE *file = fopen(path, "rb");
    assert_int_equal(herd_buf_reserve(&bytes, (size_t)size), 0);
    bytes.len = fread(bytes.at, 1, (size_t)size, file);
    fclose(file);
    return bytes;
}

static inline void put_file(const char *path, const char *at, size_t len)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(at, 1, len, file), len);
    fclose(file);
}

static inline size_t lines_of(const char *at, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++)
        n += at[i] == '\n';
    return n;
}

static inline void make_journal(int records)
{
    struct pair p;
    start(&p, in_dir("j"), 0);
    for (int i = 0; i < records; i++)
        report(&p, i, 0);
    stop(&p);
}

static inline int begin(void **state)
{
    (void)state;
    now = (struct herd_now){INT64_C(1621464828000000000), INT64_C(1000000000)};
    disk_reset();
    temp_dir(dir);
    return 0;
}

static inline int end(void **state)
{
    (void)state;
    static const char *const names[] = {"j", "j~compact", "copy", "copy~compact", "link", "k", "j.new"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlink(in_dir(names[i]));
    return rmdir(dir);
}

#endif
