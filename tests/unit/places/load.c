/* SPDX-License-Identifier: MIT */
/* Whole files of places: what is told of one that is none, and of calls that fail. Their number N fails once: the
 * error says why, nothing is left open, and the next time the file is read. */
#include "../failing_file_calls.h"
#include "../temp.h"

#include "points.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ROW(name) "1\t" name "\tascii\t\t1\t2\tP\tPPL\tFR\t\t1\t\t\t\t5\t\t7\tzone\t2020-01-01\n"

static int next_descriptor(void)
{
    int fd = open("/dev/null", O_RDONLY);
    assert_true(fd >= 0);
    close(fd);
    return fd;
}

static int load(const char *path, const struct herd_points_watch *watch, size_t *ret_count, char message[256])
{
    struct herd_points *points = NULL;
    struct herd_points_summary summary;
    struct herd_diagnostic diagnostic = {0};
    const int before = next_descriptor();
    int err = herd_points_load(&points, path, watch, &summary, &diagnostic);
    *ret_count = points ? herd_points_count(points) : 0;
    snprintf(message, 256, "%s", diagnostic.message);
    herd_points_free(points);
    assert_int_equal(next_descriptor(), before);
    return err;
}

static void write_file(char *ret_path, const char *text, size_t len)
{
    int fd = temp_file(ret_path);
    assert_int_equal(write(fd, text, len), (ssize_t)len);
    close(fd);
}

static void test_failing_calls(void **state)
{
    (void)state;
    static const struct {
        int fstat_at, read_at, error, err;
    } rows[] = {
        {.fstat_at = 1, .error = EIO, .err = HERD_E_IO},   {.read_at = 1, .error = EIO, .err = HERD_E_IO},
        {.read_at = 2, .error = EIO, .err = HERD_E_IO},    {.read_at = 1, .error = EINTR, .err = 0},
        {.read_at = 2, .error = EISDIR, .err = HERD_E_IO}, {.read_at = 2, .error = EINTR, .err = 0},
    };
    char path[TEMP_LEN], message[256];
    size_t count;
    write_file(path, ROW("a") ROW("b"), sizeof ROW("a") ROW("b") - 1);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        file_call_plan.fstat_at = rows[i].fstat_at;
        file_call_plan.read_at = rows[i].read_at;
        file_call_plan.error = rows[i].error;
        file_call_plan.read_most = 7;
        assert_int_equal(load(path, NULL, &count, message), rows[i].err);
        assert_int_equal(count, rows[i].err < 0 ? 0 : 2);
        if (rows[i].err < 0)
            assert_string_equal(message, strerror(rows[i].error));
        assert_true(file_call_plan.fstat_at == 0 && file_call_plan.read_at == 0);
        file_call_plan.read_most = 0;
        assert_int_equal(load(path, NULL, &count, message), 0);
        assert_int_equal(count, 2);
    }
    unlink(path);
}

/* What its first bytes say that it is, and the remedy. */
static void test_kinds(void **state)
{
    (void)state;
    static char blanks_and_nul[5001];
    memset(blanks_and_nul, ' ', sizeof blanks_and_nul - 1);
    static const struct {
        const char *text;
        size_t len;
        const char *message;
    } rows[] = {
#define BYTES(text) text, sizeof text - 1
        {BYTES("\x1f\x8b\x08"), "compressed with gzip"},
        {BYTES("PK\x03\x04"), "a ZIP archive"},
        {BYTES("version https://git-lfs.github.com/spec/v1\n"), "a pointer of Git LFS"},
        {BYTES("\xff\xfe{\0"), "UTF-16"},
        {BYTES("{\0\"\0"), "UTF-16"},
        {BYTES("\n\0{\0"), "UTF-16"},
        {BYTES("\0{\0\""), "UTF-16"},
        {BYTES("1\t\0\n"), "a binary file"},
        {BYTES("\0\0\0\x14"), "a binary file"},
        {BYTES("\0{\"}"), "a binary file"},
        {BYTES("\0{\0\0"), "a binary file"},
        {BYTES("{\0\0\""), "a binary file"},
        {BYTES("{\0\"}"), "a binary file"},
        {BYTES("{}\0\0"), "a binary file"},
        {BYTES("{\0}"), "a binary file"},
        {BYTES(" \t\r\n"), "empty file"},
        {BYTES("\xef\xbb\xbf"), "empty file"},
        {BYTES("[{\"type\":\"Feature\"}]"), "a JSON array"},
        {BYTES(" <!DOCTYPE HTML>"), "an HTML page"},
        {BYTES("<HTML lang=en>"), "an HTML page"},
        {BYTES("<!-- x --><head>"), "an HTML page"},
        {BYTES("<div><body>"), "an HTML page"},
        {BYTES("<?xml version='1.0'?><gpx>"), "a GPX file"},
        {BYTES("<kml>"), "a KML file"},
        {BYTES("<osm>"), "an OpenStreetMap XML file"},
        {BYTES("<Osmium>"), "an OpenStreetMap XML file"},
        {BYTES("<x><\x0fsm>"), "an XML file"}, /* no letter of another case */
        {BYTES("1\t2\n"), "2 columns"},
        {blanks_and_nul, sizeof blanks_and_nul, "1 columns"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char path[TEMP_LEN], message[256];
        size_t count;
        write_file(path, rows[i].text, rows[i].len);
        assert_int_equal(load(path, NULL, &count, message), HERD_E_SYNTAX);
        if (strncmp(message, rows[i].message, strlen(rows[i].message)) != 0)
            fail_msg("row %zu: %s", i, message);
        unlink(path);
    }
}

/* What could block, or is none at all. */
static void test_no_regular_file(void **state)
{
    (void)state;
    char dir[TEMP_LEN], message[256];
    size_t count;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    temp_dir(dir);
    snprintf(address.sun_path, sizeof address.sun_path, "%s/x", dir);
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(load(address.sun_path, NULL, &count, message), HERD_E_IO);
    assert_string_equal(message, "not a regular file");
    close(listener);
    unlink(address.sun_path);
    assert_int_equal(mkfifo(address.sun_path, 0600), 0);
    assert_int_equal(load(address.sun_path, NULL, &count, message), HERD_E_IO);
    assert_string_equal(message, "a FIFO, not a regular file");
    unlink(address.sun_path);
    assert_int_equal(load(address.sun_path, NULL, &count, message), HERD_E_IO);
    assert_string_equal(message, strerror(ENOENT));
    assert_int_equal(load(dir, NULL, &count, message), HERD_E_IO);
    assert_string_equal(message, "a directory, not a file");
    assert_int_equal(load("/dev/null", NULL, &count, message), HERD_E_IO);
    assert_string_equal(message, "not a regular file");
    rmdir(dir);
}

static void on_begun(void *ctx)
{
    ++*(int *)ctx;
}

/* Once, for a file that goes on behind the first piece; whoever does not want to know is not told. */
static void test_begun(void **state)
{
    (void)state;
    enum { ROWS = 3000 };
    char path[TEMP_LEN], message[256];
    size_t count;
    int begun = 0, fd = temp_file(path);
    struct herd_points_watch watch = {.begun = on_begun, .ctx = &begun}, silent = {.stop = false};
    for (int i = 0; i < ROWS; i++)
        assert_int_equal(write(fd, ROW("a"), sizeof ROW("a") - 1), sizeof ROW("a") - 1);
    close(fd);
    assert_int_equal(load(path, &watch, &count, message), 0);
    assert_int_equal(count, ROWS);
    assert_int_equal(begun, 1);
    assert_int_equal(load(path, &silent, &count, message), 0);
    assert_int_equal(load(path, NULL, &count, message), 0);
    assert_int_equal(count, ROWS);
    atomic_store(&watch.stop, true);
    assert_int_equal(load(path, &watch, &count, message), HERD_E_STATE);
    assert_int_equal(begun, 1);
    assert_int_equal(truncate(path, sizeof ROW("a") - 1), 0);
    atomic_store(&watch.stop, false);
    assert_int_equal(load(path, &watch, &count, message), 0);
    assert_int_equal(count, 1);
    assert_int_equal(begun, 1);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failing_calls),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_no_regular_file),
        cmocka_unit_test(test_begun),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
