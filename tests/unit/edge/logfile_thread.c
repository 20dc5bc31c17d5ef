/* SPDX-License-Identifier: MIT */
/* A log written by a thread: nothing holds its caller up, and what is not written is counted. */
#include "alloc.h"
#include "cm.h"
#include "temp.h"

#include <herd/log.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BUFFER_BYTES (1u << 18)
#define LONG_MS      20000

ssize_t __real_write(int fd, const void *bytes, size_t len);
ssize_t __wrap_write(int fd, const void *bytes, size_t len);

static atomic_int write_error; /* what each write says */
static atomic_int piece_bytes; /* no write takes more; 0: all */

ssize_t __wrap_write(int fd, const void *bytes, size_t len)
{
    int error = write_error, piece = piece_bytes;
    if (error) {
        errno = error;
        return -1;
    }
    return __real_write(fd, bytes, piece && len > (size_t)piece ? (size_t)piece : len);
}

static int no_threads;

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
    return no_threads ? EAGAIN : __real_pthread_create(thread, attr, run, arg);
}

static char dir[TEMP_LEN];

static const char *in_dir(const char *name)
{
    static char paths[2][64];
    static int turn;
    char *path = paths[turn++ % 2];
    snprintf(path, sizeof paths[0], "%s/%s", dir, name);
    return path;
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

struct world {
    struct herd_logfile *file;
    struct herd_log *log;
    int logged;
};

static void start(struct world *w, const char *path)
{
    *w = (struct world){0};
    assert_int_equal(herd_logfile_open(&w->file, path), 0);
    assert_int_equal(herd_logfile_start(w->file, BUFFER_BYTES), 0);
    assert_int_equal(herd_logfile_start(w->file, BUFFER_BYTES), 0);
    const struct herd_log_options options = {.sink = herd_logfile_sink, .sink_ctx = w->file, .traffic = true};
    assert_int_equal(herd_log_new(&w->log, &options), 0);
    herd_log_set_aligned(w->log, herd_logfile_offset(w->file));
}

static void stop(struct world *w)
{
    herd_log_free(w->log);
    herd_logfile_close(w->file);
}

/* Numbered lines of about 100 bytes. */
static void put(struct world *w, int count)
{
    char line[128];
    while (count--) {
        int len = snprintf(line, sizeof line, "%d %.*s\n", w->logged, w->logged % 60,
                           "............................................................");
        w->logged++;
        herd_log_lines(w->log, "r", herd_span_of("client=1"), (struct herd_span){line, (size_t)len});
    }
}

/* Until what waited is written, and what was lost is told of. */
static void settle(struct world *w)
{
    int64_t until_ms = now_ms() + LONG_MS;
    for (int taken = 0; taken < 3 && now_ms() < until_ms; taken++) {
        usleep(10000);
        put(w, 1);
        if (herd_log_flush(w->log) < 0)
            taken = -1;
    }
}

/* Numbers rise from line to line; those that are missing are as many as the log says it dropped. */
static void expect_all_or_told(FILE *file, int logged, int *ret_dropped)
{
    char line[512];
    int next = 0, seen = 0, dropped = 0, got;
    while (fgets(line, sizeof line, file)) {
        const char *quote = strstr(line, "line=\""), *told = strstr(line, "log_dropped lines=");
        if (told)
            dropped += atoi(told + strlen("log_dropped lines="));
        if (!quote && (told || strstr(line, " log_reopened")))
            continue;
        assert_true(quote && line[strlen(line) - 2] == '"'); /* what is lost is lost in whole lines */
        got = atoi(quote + 6);
        assert_in_range(got, next, logged - 1);
        next = got + 1;
        seen++;
    }
    assert_int_equal(seen + dropped, logged);
    *ret_dropped = dropped;
}

static void expect_file(const char *path, int logged, int *ret_dropped)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    expect_all_or_told(file, logged, ret_dropped);
    fclose(file);
}

/* Until no more than a part of what the buffer holds is still to be written: a thread gets its turn when the machine
 * has one for it. */
static void wait_for_thread(const struct world *w, const char *path)
{
    int64_t until_ms = now_ms() + LONG_MS;
    struct stat is;
    while (stat(path, &is) == 0 && herd_logfile_offset(w->file) - is.st_size > BUFFER_BYTES / 4) {
        assert_true(now_ms() < until_ms);
        usleep(200);
    }
}

static void test_writes_all(void **state)
{
    (void)state;
    for (int piece = 0; piece < 2; piece++) {
        struct world w;
        int dropped;
        unlink(in_dir("log"));
        piece_bytes = piece ? 777 : 0;
        start(&w, in_dir("log"));
        for (int i = 0; i < 200; i++) {
            put(&w, 100);
            assert_int_equal(herd_log_flush(w.log), 0);
            wait_for_thread(&w, in_dir("log"));
        }
        stop(&w);
        piece_bytes = 0;
        expect_file(in_dir("log"), w.logged, &dropped);
    }
}

/* A disk that is full: lines wait, then are dropped and counted; when there is room what waited is written whole. */
static void test_full_disk(void **state)
{
    (void)state;
    struct world w;
    int dropped;
    unlink(in_dir("log"));
    start(&w, in_dir("log"));
    put(&w, 10);
    herd_log_flush(w.log);
    write_error = ENOSPC;
    put(&w, 20000);
    herd_log_flush(w.log);
    write_error = 0;
    settle(&w);
    stop(&w);
    expect_file(in_dir("log"), w.logged, &dropped);
    assert_in_range(dropped, 10000, 20000);
}

/* A reader that takes nothing: the caller does not notice. */
static void test_stuck_pipe(void **state)
{
    (void)state;
    int saved = dup(STDERR_FILENO), pair[2], dropped;
    assert_int_equal(pipe(pair), 0);
    dup2(pair[1], STDERR_FILENO); /* it blocks, as a shell's does */
    close(pair[1]);
    struct world w;
    start(&w, "-");
    int64_t slowest_ms = 0;
    for (int i = 0; i < 1000; i++) {
        int64_t from_ms = now_ms();
        put(&w, 100);
        herd_log_flush(w.log);
        slowest_ms = now_ms() - from_ms > slowest_ms ? now_ms() - from_ms : slowest_ms;
    }
    /* It is read again: what is missing is told of. */
    FILE *heard = tmpfile();
    char bytes[65536];
    int told = 0;
    assert_int_equal(fcntl(pair[0], F_SETFL, O_NONBLOCK), 0);
    for (int64_t until_ms = now_ms() + LONG_MS; told < 3 && now_ms() < until_ms;) {
        ssize_t n = read(pair[0], bytes, sizeof bytes);
        if (n > 0) {
            assert_int_equal(fwrite(bytes, 1, (size_t)n, heard), n);
            continue;
        }
        usleep(10000);
        put(&w, 1);
        told = herd_log_flush(w.log) == 0 ? told + 1 : 0;
    }
    stop(&w);
    dup2(saved, STDERR_FILENO);
    close(saved);
    for (ssize_t n; (n = read(pair[0], bytes, sizeof bytes)) > 0;)
        assert_int_equal(fwrite(bytes, 1, (size_t)n, heard), n);
    close(pair[0]);
    rewind(heard);
    expect_all_or_told(heard, w.logged, &dropped);
    fclose(heard);
    assert_true(dropped > 50000);
    assert_in_range(slowest_ms, 0, 5000);
}

/* Closing waits a second for such a reader; then the thread is on its own, and frees what it has. */
static void test_closes_in_time(void **state)
{
    (void)state;
    int saved = dup(STDERR_FILENO), pair[2];
    char bytes[65536];
    assert_int_equal(pipe(pair), 0);
    dup2(pair[1], STDERR_FILENO);
    close(pair[1]);
    struct world w;
    start(&w, "-");
    put(&w, 5000);
    int64_t from_ms = now_ms();
    stop(&w);
    int64_t took_ms = now_ms() - from_ms;
    assert_int_equal(fcntl(pair[0], F_SETFL, O_NONBLOCK), 0);
    for (int quiet = 0; quiet < 10;) { /* it is read again: the thread ends */
        if (read(pair[0], bytes, sizeof bytes) > 0) {
            quiet = 0;
            continue;
        }
        quiet++;
        usleep(10000);
    }
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(pair[0]);
    assert_in_range(took_ms, 900, LONG_MS);
}

static void test_reopens(void **state)
{
    (void)state;
    struct world w;
    int dropped, before;
    unlink(in_dir("log"));
    start(&w, in_dir("log"));
    put(&w, 1000);
    herd_log_flush(w.log);
    before = w.logged;
    assert_int_equal(rename(in_dir("log"), in_dir("log.1")), 0);
    assert_int_equal(herd_logfile_reopen(w.file), 0);
    herd_log_set_aligned(w.log, herd_logfile_offset(w.file));
    w.logged = 0;
    put(&w, 1000);
    stop(&w);
    expect_file(in_dir("log.1"), before, &dropped);
    assert_int_equal(dropped, 0);
    expect_file(in_dir("log"), w.logged, &dropped);
    assert_int_equal(dropped, 0);

    /* One that cannot be opened: the old one is written on, and says so. */
    start(&w, in_dir("log.1"));
    assert_int_equal(rename(in_dir("log.1"), in_dir("log.2")), 0);
    assert_int_equal(mkdir(in_dir("log.1"), 0700), 0);
    assert_int_equal(herd_logfile_reopen(w.file), 0);
    put(&w, 1);
    stop(&w);
    assert_int_equal(rmdir(in_dir("log.1")), 0);
    char text[1024];
    FILE *file = fopen(in_dir("log.2"), "r");
    bool told = false;
    while (fgets(text, sizeof text, file))
        told |= strstr(text, "error log_reopen_failed why=\"Is a directory\"") != NULL;
    fclose(file);
    assert_true(told);
    unlink(in_dir("log.2"));
}

/* Where no thread can be had the file is written at once, as before; it may be tried again. */
static void test_cannot_start(void **state)
{
    (void)state;
    struct world w = {0};
    int dropped;
    unlink(in_dir("log"));
    assert_int_equal(herd_logfile_open(&w.file, in_dir("log")), 0);
    const struct herd_log_options options = {.sink = herd_logfile_sink, .sink_ctx = w.file, .traffic = true};
    assert_int_equal(herd_log_new(&w.log, &options), 0);
    for (int what = 0; what < 3; what++) {
        alloc_fail_at = what < 2 ? what + 1 : 0;
        no_threads = what == 2;
        assert_int_equal(herd_logfile_start(w.file, 1), HERD_E_NOMEM);
        assert_int_equal(alloc_fail_at, 0);
        put(&w, 10);
        assert_int_equal(herd_log_flush(w.log), 0);
        expect_file(in_dir("log"), w.logged, &dropped); /* by now */
        assert_int_equal(dropped, 0);
    }
    no_threads = 0;
    assert_int_equal(herd_logfile_start(w.file, 1), 0);
    put(&w, 10);
    stop(&w);
    expect_file(in_dir("log"), w.logged, &dropped);
    assert_int_equal(dropped, 0);
}

/* The least buffer: two blocks, as often as they are written. Without memory for one lines are lost, and counted. */
static void test_little_memory(void **state)
{
    (void)state;
    struct world w = {0};
    int dropped;
    unlink(in_dir("log"));
    assert_int_equal(herd_logfile_open(&w.file, in_dir("log")), 0);
    assert_int_equal(herd_logfile_start(w.file, 1), 0);
    const struct herd_log_options options = {.sink = herd_logfile_sink, .sink_ctx = w.file, .traffic = true};
    assert_int_equal(herd_log_new(&w.log, &options), 0);
    put(&w, 5);
    alloc_fail_at = 1;
    assert_int_equal(herd_log_flush(w.log), HERD_E_LIMIT);
    assert_int_equal(alloc_fail_at, 0);
    /* Nor is there a place for the wish to open it anew. */
    assert_int_equal(rename(in_dir("log"), in_dir("log.1")), 0);
    alloc_fail_at = 1;
    errno = 0;
    assert_int_equal(herd_logfile_reopen(w.file), HERD_E_IO);
    assert_int_equal(errno, ENOMEM);
    assert_int_equal(alloc_fail_at, 0);
    assert_int_equal(herd_logfile_reopen(w.file), 0);
    write_error = ENOSPC;
    for (int i = 0; i < 30; i++)
        put(&w, 100); /* far more than two blocks */
    write_error = 0;
    settle(&w);
    stop(&w);
    expect_file(in_dir("log"), w.logged, &dropped);
    assert_true(dropped > 5);
    unlink(in_dir("log.1"));
}

/* A pipe has no length, before and after it is opened anew. */
static void test_reopens_a_pipe(void **state)
{
    (void)state;
    struct world w;
    int dropped;
    unlink(in_dir("log"));
    assert_int_equal(mkfifo(in_dir("log"), 0600), 0);
    int reader = open(in_dir("log"), O_RDONLY | O_NONBLOCK);
    assert_true(reader >= 0);
    start(&w, in_dir("log"));
    assert_int_equal(herd_logfile_offset(w.file), -1);
    put(&w, 10);
    assert_int_equal(herd_log_flush(w.log), 0);
    assert_int_equal(herd_logfile_reopen(w.file), 0);
    assert_int_equal(herd_logfile_offset(w.file), -1);
    put(&w, 10);
    stop(&w);
    FILE *file = fdopen(reader, "r");
    expect_all_or_told(file, w.logged, &dropped);
    assert_int_equal(dropped, 0);
    fclose(file);
    unlink(in_dir("log"));
}

/* What the thread says of the file itself begins a line, where the old file stays in use in the middle of one. */
static void test_cannot_reopen_in_a_line(void **state)
{
    (void)state;
    struct herd_logfile *file = NULL;
    unlink(in_dir("log"));
    assert_int_equal(herd_logfile_open(&file, in_dir("log")), 0);
    assert_int_equal(herd_logfile_start(file, BUFFER_BYTES), 0);
    assert_int_equal(herd_logfile_sink(file, "a\nhalf", 6), 0);
    assert_int_equal(rename(in_dir("log"), in_dir("log.1")), 0);
    assert_int_equal(mkdir(in_dir("log"), 0700), 0);
    assert_int_equal(herd_logfile_reopen(file), 0);
    assert_int_equal(herd_logfile_sink(file, "rest\nb\n", 7), 0);
    herd_logfile_close(file);
    assert_int_equal(rmdir(in_dir("log")), 0);
    FILE *got = fopen(in_dir("log.1"), "r");
    static const char *const want[] = {"a\n", "half\n", NULL, "rest\n", "b\n"};
    char line[256];
    for (size_t i = 0; i < 5; i++) {
        assert_non_null(fgets(line, sizeof line, got));
        if (want[i])
            assert_string_equal(line, want[i]);
        else
            assert_non_null(strstr(line, "Z error log_reopen_failed why=\"Is a directory\"\n"));
    }
    assert_null(fgets(line, sizeof line, got));
    fclose(got);
    unlink(in_dir("log.1"));
}

/* A full disk does not keep the log from going to another. */
static void test_reopens_away_from_a_full_disk(void **state)
{
    (void)state;
    struct world w;
    int dropped;
    unlink(in_dir("log"));
    start(&w, in_dir("log"));
    write_error = ENOSPC;
    put(&w, 10);
    herd_log_flush(w.log);
    usleep(1000);
    assert_int_equal(rename(in_dir("log"), in_dir("log.1")), 0);
    assert_int_equal(herd_logfile_reopen(w.file), 0);
    struct stat about;
    for (int64_t until_ms = now_ms() + LONG_MS; stat(in_dir("log"), &about) < 0 && now_ms() < until_ms;) {
        usleep(1000);
        put(&w, 1);
        herd_log_flush(w.log);
    }
    write_error = 0;
    put(&w, 10);
    stop(&w);
    expect_file(in_dir("log"), w.logged, &dropped);
    assert_int_equal(dropped, 0);
    unlink(in_dir("log.1"));
}

static int make_dir(void **state)
{
    (void)state;
    temp_dir(dir);
    return 0;
}

static int remove_dir(void **state)
{
    (void)state;
    unlink(in_dir("log"));
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writes_all),     cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_stuck_pipe),     cmocka_unit_test(test_closes_in_time),
        cmocka_unit_test(test_reopens),        cmocka_unit_test(test_reopens_away_from_a_full_disk),
        cmocka_unit_test(test_cannot_start),   cmocka_unit_test(test_little_memory),
        cmocka_unit_test(test_reopens_a_pipe), cmocka_unit_test(test_cannot_reopen_in_a_line),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
