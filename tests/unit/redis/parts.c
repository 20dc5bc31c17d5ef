/* SPDX-License-Identifier: MIT */
/* The parts of the adapter for Redis that need no server: DSN, values, commands, errors. */
#include "../cm.h"

#include "command.h"
#include "dsn.h"
#include "fault.h"
#include "value.h"

#include <herd/timestamp.h>

#include <stdlib.h>
#include <string.h>

/* ---- DSN ---- */

static void dsn_taken(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host, *path, *user, *password;
        unsigned port, db;
    } rows[] = {
        {"redis://host", "host", NULL, NULL, NULL, 6379, 0},
        {"redis://host/", "host", NULL, NULL, NULL, 6379, 0},
        {"redis://10.0.0.1:7000/3", "10.0.0.1", NULL, NULL, NULL, 7000, 3},
        {"redis://[::1]:7000", "::1", NULL, NULL, NULL, 7000, 0},
        {"redis://%61%6A%6b", "ajk", NULL, NULL, NULL, 6379, 0},
        {"redis://[::1]/9", "::1", NULL, NULL, NULL, 6379, 9},
        {"redis://:secret@host", "host", NULL, NULL, "secret", 6379, 0},
        {"redis://me:se%3Acr%40et@host:1/15", "host", NULL, "me", "se:cr@et", 1, 15},
        {"redis://me:a@b@host", "host", NULL, "me", "a@b", 6379, 0},
        {"redis://me:a:b@host", "host", NULL, "me", "a:b", 6379, 0},
        {"unix:///run/redis.sock", NULL, "/run/redis.sock", NULL, NULL, 6379, 0},
        {"unix:///run/redis.sock?db=2", NULL, "/run/redis.sock", NULL, NULL, 6379, 2},
        {"unix://me:secret@/run/r?db=0", NULL, "/run/r", "me", "secret", 6379, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct herd_redis_dsn dsn;
        struct herd_diagnostic diagnostic;
        assert_int_equal(herd_redis_dsn_parse(&dsn, herd_span_of(rows[i].text), &diagnostic), 0);
        const char *got[] = {dsn.host, dsn.path, dsn.user, dsn.password};
        const char *want[] = {rows[i].host, rows[i].path, rows[i].user, rows[i].password};
        for (size_t m = 0; m < 4; m++)
            if (want[m])
                assert_string_equal(got[m], want[m]);
            else
                assert_null(got[m]);
        assert_int_equal(dsn.port, rows[i].port);
        assert_int_equal(dsn.db, rows[i].db);
        herd_redis_dsn_fini(&dsn);
    }
}

#define TEN       "0123456789"
#define FIFTY     TEN TEN TEN TEN TEN
#define LONG_HOST "redis://" FIFTY FIFTY FIFTY FIFTY FIFTY "abc"

static void dsn_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "redis",
        "redis://",
        "http://host",
        "redis://host:0",
        "redis://host:65536",
        "redis://host:x",
        "redis://host:-1",
        "redis://host/x",
        "redis://host/65536",
        "redis://[::1",
        "redis://[::1]x",
        "redis://user@host",
        "redis://%zz:secret@host",
        "redis://%-0:secret@host",
        "redis://%@0:secret@host",
        "redis://%0@:secret@host",
        "redis://%0g:secret@host",
        LONG_HOST "a",
        "redis://a:secret%0@host",
        "redis://a:secret%00@host",
        "redis://:@host",
        "unix://",
        "unix://relative",
        "unix:///",
        "unix:///x?db=",
        "unix:///x?dn=1",
        "redis://:123456",
        "unix:///"
        "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
        "012345678",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct herd_redis_dsn dsn;
        struct herd_diagnostic diagnostic = {0};
        int err = herd_redis_dsn_parse(&dsn, herd_span_of(texts[i]), &diagnostic);
        if (err != HERD_E_SYNTAX)
            fail_msg("%s: %d", texts[i], err);
        assert_null(strstr(diagnostic.message, "secret"));
        assert_true(diagnostic.message[0]);
    }
    struct herd_redis_dsn dsn;
    struct herd_diagnostic diagnostic = {0};
    assert_int_equal(herd_redis_dsn_parse(&dsn, herd_span_of("rediss://:secret@h"), &diagnostic),
                     HERD_E_UNSUPPORTED);
    assert_non_null(strstr(diagnostic.message, "TLS"));
    assert_null(strstr(diagnostic.message, "secret"));
}

/* ---- values ---- */

static struct herd_database_row row(const char *server, const char *diff, const char *position, const char *time,
                                    int64_t effective_ns)
{
    struct herd_database_row made = {.record = {herd_span_of(server), herd_span_of(diff), herd_span_of("id"),
                                                herd_span_of(position), herd_span_of(time), 0},
                                     .effective_ns = effective_ns};
    assert_int_equal(herd_timestamp_parse(made.record.time, &made.record.time_ns), 0);
    return made;
}

/* Rows from the least to the greatest. */
static void value_order(void **state)
{
    (void)state;
    const struct herd_database_row rows[] = {
        row("z", "+9", "+1+1", "9", INT64_MIN),
        row("z", "+9", "+1+1", "9", -2),
        row("z", "+9", "+1+1", "9", -1),
        row("z", "+9", "+1+1", "9", 0),
        row("a", "+1", "+1+1", "0", 5),
        row("a", "+1", "+1+1", "0.000000001", 5),
        row("a", "+1", "+1+1", "0.0000000011", 5),
        row("a", "+1", "+1+1", "0.00000000110", 5),
        row("a", "+1", "+1+1", "00.0000000011", 5),
        row("a", "+1", "", "0.0000000011", 5),
        row("a", "+1", "+1+1", "0.0000000012", 5),
        row("a", "+1", "+1+1", "0.00000000121", 5),
        row("a", "+1", "+1+1", "1", 5),
        row("a", "+1", "+1+1", "1.0", 5),
        row("a", "+1", "+1+1", "1.00000000000", 5),
        row("a", "+1", "+1+1.0", "1", 5),
        row("a", "+1.0", "+1+1", "1", 5),
        row("a", "-1", "+1+1", "1", 5),
        row("aa", "+1", "+1+1", "1", 5),
        row("b", "+1", "+1+1", "1", 5),
        row("a", "+1", "+1+1", "9223372036", 5),
        row("a", "+1", "+1+1", "1", INT64_MAX),
    };
    const size_t count = sizeof rows / sizeof rows[0];
    struct herd_buf values[sizeof rows / sizeof rows[0]] = {{0}};
    for (size_t i = 0; i < count; i++)
        assert_int_equal(herd_redis_value_add(&values[i], &rows[i]), 0);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < count; k++) {
            struct herd_span a = {values[i].at, values[i].len}, b = {values[k].at, values[k].len};
            int order = herd_span_compare(a, b);
            if ((order > 0) - (order < 0) != (i > k) - (i < k))
                fail_msg("%zu %zu: %.*s\n%.*s", i, k, (int)a.len, a.at, (int)b.len, b.at);
        }
    for (size_t i = 0; i < count; i++) {
        struct herd_database_row got;
        struct herd_span id = herd_span_of("id");
        assert_true(herd_redis_value_parse(id, (struct herd_span){values[i].at, values[i].len}, &got));
        assert_true(got.effective_ns == rows[i].effective_ns && got.expires_ns == INT64_MAX);
        assert_true(got.record.time_ns == rows[i].record.time_ns);
        assert_true(herd_span_equal(got.record.server, rows[i].record.server) &&
                    herd_span_equal(got.record.diff, rows[i].record.diff) &&
                    herd_span_equal(got.record.position, rows[i].record.position) &&
                    herd_span_equal(got.record.time, rows[i].record.time) && herd_span_equal(got.record.id, id));
        herd_buf_fini(&values[i]);
    }
}

static void value_accepted(void **state)
{
    (void)state;
    static const struct {
        const char *diff, *time;
        int64_t accepted_ns;
    } rows[] = {
        {"+1.5", "10", 11500000000},
        {"-1.5", "1", -500000000},
        {"+99999999999999999999", "1", INT64_MAX},
        {"-99999999999999999999", "0", -INT64_MAX},
        {"+9223372036.854775807", "1", INT64_MAX},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct herd_database_row made = row("a", rows[i].diff, "+1+1", rows[i].time, 0), got;
        struct herd_buf value = {0};
        assert_int_equal(herd_redis_value_add(&value, &made), 0);
        assert_true(herd_redis_value_parse(herd_span_of("id"), (struct herd_span){value.at, value.len}, &got));
        assert_true(got.accepted_ns == rows[i].accepted_ns);
        herd_buf_fini(&value);
    }
}

/* What others may have put there is no value, or one of bytes within it. */
static void value_damaged(void **state)
{
    (void)state;
    struct herd_database_row made =
        row("Riley", "+0.263873386", "+34.068930-118.445127", "1621464827.95949850312", 7);
    struct herd_buf value = {0};
    assert_int_equal(herd_redis_value_add(&value, &made), 0);
    for (size_t len = 0; len < value.len; len++) {
        char *copy = malloc(len ? len : 1);
        memcpy(copy, value.at, len);
        struct herd_database_row got;
        (void)herd_redis_value_parse(herd_span_of("id"), (struct herd_span){copy, len}, &got);
        free(copy);
    }
    unsigned random = 1;
    for (size_t round = 0; round < 100000; round++) {
        char *copy = malloc(value.len);
        memcpy(copy, value.at, value.len);
        for (int i = 0; i < 3; i++) {
            random = random * 1103515245 + 12345;
            copy[(random >> 8) % value.len] = "0 9\0\377-A"[(random >> 24) % 7];
        }
        struct herd_database_row got;
        if (herd_redis_value_parse(herd_span_of("id"), (struct herd_span){copy, value.len}, &got)) {
            assert_true(got.record.time.at >= copy && got.record.time.at + got.record.time.len == copy + value.len);
            assert_true(herd_diff_valid(got.record.diff));
        }
        free(copy);
    }
    herd_buf_fini(&value);
}

/* ---- commands, errors ---- */

static void commands(void **state)
{
    (void)state;
    struct herd_buf out = {0};
    assert_int_equal(herd_redis_command(&out, "SCRIPT LOAD"), 0);
    assert_int_equal(herd_redis_word_number(&out, INT64_MIN), 0);
    assert_int_equal(herd_redis_word_joined(&out, (struct herd_span){"\0\r", 2}, herd_span_of("\n")), 0);
    assert_int_equal(herd_redis_word_text(&out, ""), 0);
    static const char want[] =
        "*2\r\n$6\r\nSCRIPT\r\n$4\r\nLOAD\r\n$20\r\n-9223372036854775808\r\n$3\r\n\0\r\n\r\n$0\r\n\r\n";
    assert_int_equal(out.len, sizeof want - 1);
    assert_memory_equal(out.at, want, out.len);
    herd_buf_fini(&out);
}

static void faults(void **state)
{
    (void)state;
    static const struct {
        const char *error;
        enum herd_database_result result;
    } rows[] = {
        {"LOADING Redis is loading the dataset in memory", HERD_DATABASE_RETRY},
        {"BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
         HERD_DATABASE_RETRY},
        {"OOM command not allowed when used memory > 'maxmemory'. script: 1, on @user_script:27.",
         HERD_DATABASE_RETRY},
        {"ERR Error running script (call to f_0): @user_script:27: -OOM command not allowed", HERD_DATABASE_RETRY},
        {"MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist",
         HERD_DATABASE_RETRY},
        {"NOREPLICAS Not enough good replicas to write.", HERD_DATABASE_RETRY},
        {"ERR max number of clients reached", HERD_DATABASE_RETRY},
        {"READONLY You can't write against a read only replica.", HERD_DATABASE_LOST},
        {"MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", HERD_DATABASE_LOST},
        {"NOAUTH Authentication required.", HERD_DATABASE_REFUSED},
        {"WRONGPASS invalid username-password pair or user is disabled.", HERD_DATABASE_REFUSED},
        {"NOPERM this user has no permissions to run the 'get' command", HERD_DATABASE_REFUSED},
        {"MOVED 1 127.0.0.1:7000", HERD_DATABASE_REFUSED},
        {"ERR unknown command 'EVALSHA'", HERD_DATABASE_REFUSED},
        {"", HERD_DATABASE_REFUSED},
        {"ERR x: -", HERD_DATABASE_REFUSED},
        {"ERR x: -y: -OOM z", HERD_DATABASE_RETRY},
        {"ERR x: -y: -z", HERD_DATABASE_REFUSED},
        {"WRONGTYPE Operation against a key holding the wrong kind of value", HERD_DATABASE_BAD},
        {"BAD WRONGTYPE Operation against a key holding the wrong kind of value", HERD_DATABASE_BAD},
        {"KEY writers", HERD_DATABASE_REFUSED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (herd_redis_fault_result(herd_span_of(rows[i].error)) != rows[i].result)
            fail_msg("%s", rows[i].error);
    char text[HERD_REDIS_MESSAGE_MAX], big[1000];
    assert_string_equal(herd_redis_fault_text(text, herd_span_of("ERR a\r\n\033b hunter2 c hunter2"), "hunter2"),
                        "ERR a???b *** c ***");
    assert_string_equal(herd_redis_fault_text(text, herd_span_of("x"), ""), "x");
    /* A short one is a word, or nothing would be left to read. */
    assert_string_equal(herd_redis_fault_text(text, herd_span_of("ERR a 'pa' password pa"), "pa"),
                        "ERR a '***' password ***");
    assert_string_equal(herd_redis_fault_text(text, herd_span_of("\x7f\xc3x"), NULL), "??x");
    static const char words[] = "x x-x/x:x@x[x`x{x 0x 9x ax zx Ax Zx x0 x9 xa xz xA xZ x";
    assert_string_equal(herd_redis_fault_text(text, herd_span_of(words), "x"),
                        "*** ***-***/***:***@***[***`***{*** 0x 9x ax zx Ax Zx x0 x9 xa xz xA xZ ***");
    memset(big, 'x', sizeof big);
    assert_true(strlen(herd_redis_fault_text(text, (struct herd_span){big, sizeof big}, NULL)) < sizeof text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dsn_taken),      cmocka_unit_test(dsn_refused),   cmocka_unit_test(value_order),
        cmocka_unit_test(value_accepted), cmocka_unit_test(value_damaged), cmocka_unit_test(commands),
        cmocka_unit_test(faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
