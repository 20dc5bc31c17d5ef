/* SPDX-License-Identifier: MIT */
#include "alloc.h"
#include "cm.h"
#include "temp.h"

#include <herd/log.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

ssize_t __real_write(int fd, const void *bytes, size_t len);
ssize_t __wrap_write(int fd, const void *bytes, size_t len);

/* What the next writes do: a positive number takes so many bytes, a negative one is -errno, 0 ends. */
static const int *plan;
#define NOTHING 1000000 /* no byte, and no error */

/* What the next wait for room, the next reservation and the next truncation say; 0: as they are. */
static int poll_error, reserve_error, truncate_error;

#define FAILING(name, error, parameters, ...)  \
    int __real_##name parameters;              \
    int __wrap_##name parameters;              \
    int __wrap_##name parameters               \
    {                                          \
        if (!error)                            \
            return __real_##name(__VA_ARGS__); \
        errno = error;                         \
        error = 0;                             \
        return -1;                             \
    }

FAILING(poll, poll_error, (struct pollfd * fds, nfds_t count, int timeout), fds, count, timeout)
FAILING(fallocate, reserve_error, (int fd, int mode, off_t from, off_t len), fd, mode, from, len)
FAILING(fallocate64, reserve_error, (int fd, int mode, off_t from, off_t len), fd, mode, from, len)
FAILING(ftruncate, truncate_error, (int fd, off_t len), fd, len)
FAILING(ftruncate64, truncate_error, (int fd, off_t len), fd, len)

ssize_t __wrap_write(int fd, const void *bytes, size_t len)
{
    if (!plan || *plan == 0)
        return __real_write(fd, bytes, len);
    int step = *plan++;
    if (step == NOTHING)
        return 0;
    if (step < 0) {
        errno = -step;
        return -1;
    }
    return __real_write(fd, bytes, len < (size_t)step ? len : (size_t)step);
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

static void expect(const char *name, const char *text)
{
    char got[512];
    FILE *file = fopen(in_dir(name), "r");
    assert_non_null(file);
    size_t len = fread(got, 1, sizeof got - 1, file);
    fclose(file);
    got[len] = '\0';
    assert_string_equal(got, text);
}

static int put(struct herd_logfile *file, const char *text)
{
    return herd_logfile_sink(file, text, strlen(text));
}

static struct herd_logfile *start(const char *name)
{
    struct herd_logfile *file = NULL;
    unlink(in_dir(name));
    assert_int_equal(herd_logfile_open(&file, in_dir(name)), 0);
    return file;
}

static void test_appends(void **state)
{
    (void)state;
    mode_t mask = umask(0);
    struct herd_logfile *file = start("log");
    umask(mask);
    struct stat stat_of;
    assert_int_equal(stat(in_dir("log"), &stat_of), 0);
    assert_int_equal(stat_of.st_mode & 0777, 0640);
    assert_int_equal(put(file, "a\n"), 0);
    herd_logfile_close(file);
    assert_int_equal(herd_logfile_open(&file, in_dir("log")), 0);
    assert_int_equal(put(file, "b\n"), 0);
    herd_logfile_close(file);
    expect("log", "a\nb\n");
    herd_logfile_close(NULL);

    /* What a killed server left unfinished does not swallow the first line of the next. */
    file = start("log");
    assert_int_equal(put(file, "a\nhalf"), 0);
    herd_logfile_close(file);
    assert_int_equal(herd_logfile_open(&file, in_dir("log")), 0);
    assert_int_equal(put(file, "b\n"), 0);
    herd_logfile_close(file);
    expect("log", "a\nhalf\nb\n");
}

static void test_rotation(void **state)
{
    (void)state;
    struct herd_logfile *file = start("log");
    assert_int_equal(put(file, "a\n"), 0);
    assert_int_equal(rename(in_dir("log"), in_dir("log.1")), 0);
    assert_int_equal(put(file, "b\n"), 0);
    assert_int_equal(herd_logfile_reopen(file), 0);
    assert_int_equal(put(file, "c\n"), 0);
    expect("log.1", "a\nb\n");
    expect("log", "c\n");

    /* A path that cannot be opened leaves the old file in use. */
    assert_int_equal(unlink(in_dir("log")), 0);
    assert_int_equal(rename(in_dir("log.1"), in_dir("log.2")), 0);
    assert_int_equal(mkdir(in_dir("log"), 0700), 0);
    assert_int_equal(herd_logfile_reopen(file), HERD_E_IO);
    assert_int_equal(rmdir(in_dir("log")), 0);
    assert_int_equal(put(file, "d\n"), 0);
    assert_int_equal(herd_logfile_reopen(file), 0);
    assert_int_equal(put(file, "e\n"), 0);
    expect("log", "e\n");
    herd_logfile_close(file);
    unlink(in_dir("log.2"));
}

static void test_cannot_open(void **state)
{
    (void)state;
    struct herd_logfile *file = NULL;
    assert_int_equal(herd_logfile_open(&file, in_dir("none/log")), HERD_E_IO);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(herd_logfile_open(&file, dir), HERD_E_IO);
    assert_int_equal(errno, EISDIR);
    assert_int_equal(herd_logfile_open(&file, ""), HERD_E_IO);
    assert_int_equal(mkfifo(in_dir("fifo"), 0600), 0);
    assert_int_equal(herd_logfile_open(&file, in_dir("fifo")), HERD_E_IO);
    assert_int_equal(errno, ENXIO);
    assert_null(file);
    unlink(in_dir("fifo"));
}

static void test_no_memory(void **state)
{
    (void)state;
    for (long n = 1; n <= 2; n++) {
        struct herd_logfile *file = NULL;
        alloc_fail_at = n;
        assert_int_equal(herd_logfile_open(&file, in_dir("log")), HERD_E_NOMEM);
        assert_int_equal(alloc_fail_at, 0);
        assert_null(file);
    }
    struct herd_logfile *file = start("log");
    assert_int_equal(put(file, "a\n"), 0);
    herd_logfile_close(file);
    expect("log", "a\n");
}

/* The wait for room may be interrupted; where it fails the write does. */
static void test_waits_that_fail(void **state)
{
    (void)state;
    static const int full[] = {1, -EAGAIN, 0};
    struct herd_logfile *file = start("log");
    plan = full;
    poll_error = EINTR;
    assert_int_equal(put(file, "a\n"), 0);
    plan = full;
    poll_error = EINVAL;
    assert_int_equal(put(file, "b\n"), HERD_E_IO);
    plan = NULL;
    assert_int_equal(put(file, "c\n"), 0);
    herd_logfile_close(file);
    expect("log", "a\nb\nc\n");
}

static void test_stderr(void **state)
{
    (void)state;
    int saved = dup(STDERR_FILENO);
    int fd = open(in_dir("log"), O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(saved >= 0 && fd >= 0);
    dup2(fd, STDERR_FILENO);
    int before = write(fd, "half", 4) == 4; /* somebody's else; what a line is there is not ours to say */
    struct herd_logfile *file = NULL;
    int err = herd_logfile_open(&file, "-");
    if (err == 0) {
        err = put(file, "a\n");
        if (err == 0)
            err = herd_logfile_reopen(file);
        if (err == 0)
            err = put(file, "b\n");
        herd_logfile_close(file);
    }
    int still_open = fcntl(STDERR_FILENO, F_GETFD);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(fd);
    assert_int_equal(err, 0);
    assert_int_not_equal(still_open, -1);
    assert_true(before);
    expect("log", "halfa\nb\n");
}

static void test_writes_that_fail(void **state)
{
    (void)state;
    const struct {
        int plan[8];
        int first, second; /* what two hand-overs return */
        const char *want;
    } rows[] = {
        {{-EINTR, -EINTR, 0}, 0, 0, "first\nsecond\n"},
        {{1, -EINTR, 2, 1, 0}, 0, 0, "first\nsecond\n"},
        {{-ENOSPC, 0}, HERD_E_IO, 0, "second\n"},
        {{3, -ENOSPC, 0}, HERD_E_IO, 0, "fir\nsecond\n"},
        {{6, -ENOSPC, 0}, 0, HERD_E_IO, "first\n"},
        {{3, -ENOSPC, -ENOSPC, 0}, HERD_E_IO, HERD_E_IO, "fir"},
        {{3, -ENOSPC, 1, -ENOSPC, 0}, HERD_E_IO, HERD_E_IO, "fir\n"},
        {{-EIO, 0}, HERD_E_IO, 0, "second\n"},
        {{-EPIPE, -EPIPE, 0}, HERD_E_IO, HERD_E_IO, ""},
        {{2, -EAGAIN, 2, -EAGAIN, 0}, 0, 0, "first\nsecond\n"},
        {{2, NOTHING, 0}, HERD_E_IO, 0, "fi\nsecond\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct herd_logfile *file = start("log");
        plan = rows[i].plan;
        assert_int_equal(put(file, "first\n"), rows[i].first);
        assert_int_equal(put(file, "second\n"), rows[i].second);
        plan = NULL;
        expect("log", rows[i].want);
        herd_logfile_close(file);
    }
}

/* Blocks may end in the middle of a line: that is no tear, unless the rest is lost. */
static void test_lines_in_pieces(void **state)
{
    (void)state;
    static const int full[] = {-ENOSPC, 0};
    struct herd_logfile *file = start("log");
    assert_int_equal(put(file, "a\nhal"), 0);
    assert_int_equal(put(file, "f\nb"), 0);
    plan = full;
    assert_int_equal(put(file, "c\n"), HERD_E_IO);
    plan = NULL;
    assert_int_equal(put(file, "d\n"), 0);
    assert_int_equal(herd_logfile_offset(file), strlen("a\nhalf\nb\nd\n"));
    herd_logfile_close(file);
    expect("log", "a\nhalf\nb\nd\n");
}

static off_t room_of(const char *name, off_t *ret_size)
{
    struct stat info;
    assert_int_equal(stat(in_dir(name), &info), 0);
    *ret_size = info.st_size;
    return info.st_blocks * 512;
}

/* Much in one piece reserves room ahead, little does not; closing and reopening give it back. */
static void test_room_is_given_back(void **state)
{
    (void)state;
    static char much[65536];
    off_t size;
    memset(much, 'x', sizeof much);
    much[sizeof much - 1] = '\n';
    struct herd_logfile *file = start("log");
    assert_int_equal(put(file, "little\n"), 0);
    assert_true(room_of("log", &size) <= 65536);
    for (int i = 0; i < 100; i++)
        assert_int_equal(herd_logfile_sink(file, much, sizeof much), 0);
    assert_int_equal(herd_logfile_offset(file), 7 + 100 * sizeof much);
    off_t room = room_of("log", &size);
    assert_int_equal(size, 7 + 100 * sizeof much);
    assert_true(room <= size * 2 + (1 << 20)); /* at most as much again; nothing where there is no such thing */
    assert_int_equal(herd_logfile_reopen(file), 0);
    room = room_of("log", &size);
    assert_int_equal(size, 7 + 100 * sizeof much);
    assert_true(room <= size + 65536);
    assert_int_equal(herd_logfile_sink(file, much, sizeof much), 0);
    herd_logfile_close(file);
    room = room_of("log", &size);
    assert_int_equal(size, 7 + 101 * sizeof much);
    assert_true(room <= size + 65536);
}

/* Where nothing can be reserved, or what is left cannot be given back, nothing else differs; nor is room given back that another
 * process has written to. */
static void test_no_room_ahead(void **state)
{
    (void)state;
    static char much[65536];
    off_t size;
    memset(much, 'x', sizeof much);
    much[sizeof much - 1] = '\n';
    for (int what = 0; what < 3; what++) {
        struct herd_logfile *file = start("log");
        if (what == 0)
            reserve_error = EOPNOTSUPP;
        for (int i = 0; i < 3; i++)
            assert_int_equal(herd_logfile_sink(file, much, sizeof much), 0);
        assert_int_equal(reserve_error, 0);
        if (what == 0) /* it is not asked for again */
            assert_true(room_of("log", &size) <= 4 * (off_t)sizeof much);
        if (what == 1)
            truncate_error = EIO;
        if (what == 2) {
            FILE *other = fopen(in_dir("log"), "a");
            assert_non_null(other);
            assert_int_equal(fwrite("other\n", 1, 6, other), 6);
            fclose(other);
        }
        herd_logfile_close(file);
        assert_int_equal(truncate_error, 0);
        (void)room_of("log", &size);
        assert_int_equal(size, 3 * sizeof much + (what == 2 ? 6 : 0));
    }
}

static void test_full_disk_is_told_of_later(void **state)
{
    (void)state;
    static const int full[] = {3, -ENOSPC, -ENOSPC, -ENOSPC, 0};
    struct herd_logfile *file = start("log");
    struct herd_log *log = NULL;
    assert_int_equal(herd_log_new(&log, &(struct herd_log_options){.sink = herd_logfile_sink, .sink_ctx = file}),
                     0);
    plan = full;
    for (int i = 0; i < 3; i++) {
        herd_log_event(log, HERD_LOG_INFO, "lost", NULL, 0);
        assert_int_equal(herd_log_flush(log), HERD_E_IO);
    }
    plan = NULL;
    herd_log_event(log, HERD_LOG_INFO, "kept", NULL, 0);
    herd_log_free(log);
    herd_logfile_close(file);
    expect("log", "197\n1970-01-01T00:00:00.000000Z warn log_dropped lines=3\n"
                  "1970-01-01T00:00:00.000000Z info kept\n");
}

static void test_stuck_pipe_does_not_hang(void **state)
{
    (void)state;
    assert_int_equal(mkfifo(in_dir("fifo"), 0600), 0);
    int reader = open(in_dir("fifo"), O_RDONLY | O_NONBLOCK);
    assert_true(reader >= 0);
    struct herd_logfile *file = NULL;
    assert_int_equal(herd_logfile_open(&file, in_dir("fifo")), 0);
    assert_int_equal(herd_logfile_offset(file), -1);
    char line[1024];
    memset(line, 'x', sizeof line);
    line[sizeof line - 1] = '\n';
    int err = 0;
    for (int i = 0; i < 100000 && err == 0; i++)
        err = herd_logfile_sink(file, line, sizeof line);
    assert_int_equal(err, HERD_E_IO);
    herd_logfile_close(file);
    close(reader);
    unlink(in_dir("fifo"));
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
        cmocka_unit_test(test_appends),
        cmocka_unit_test(test_rotation),
        cmocka_unit_test(test_cannot_open),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_waits_that_fail),
        cmocka_unit_test(test_stderr),
        cmocka_unit_test(test_writes_that_fail),
        cmocka_unit_test(test_lines_in_pieces),
        cmocka_unit_test(test_room_is_given_back),
        cmocka_unit_test(test_no_room_ahead),
        cmocka_unit_test(test_full_disk_is_told_of_later),
        cmocka_unit_test(test_stuck_pipe_does_not_hang),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
