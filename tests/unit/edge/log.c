/* SPDX-License-Identifier: MIT */
#include "cm.h"

#include "alloc.h"

#include <herd/log.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A sink that keeps what it is given, or refuses it. */
struct keeper {
    struct herd_buf got;
    int calls;
    int refuse;
};

static int keep(void *ctx, const char *bytes, size_t len)
{
    struct keeper *keeper = ctx;
    keeper->calls++;
    assert_true(len > 0);
    assert_int_equal(bytes[len - 1], '\n');
    if (keeper->refuse)
        return keeper->refuse;
    return herd_buf_add(&keeper->got, bytes, len);
}

static struct herd_log *make(struct keeper *keeper, struct herd_log_options options)
{
    struct herd_log *log = NULL;
    options.sink = keep;
    options.sink_ctx = keeper;
    assert_int_equal(herd_log_new(&log, &options), 0);
    return log;
}

static void expect(struct keeper *keeper, const char *text)
{
    assert_int_equal(herd_buf_add(&keeper->got, "", 1), 0);
    assert_string_equal(keeper->got.at, text);
    keeper->got.len = 0;
}

#define STAMP "1970-01-01T00:00:00.000000Z "

static void test_levels(void **state)
{
    (void)state;
    enum herd_log_level level;
    for (int i = HERD_LOG_ERROR; i <= HERD_LOG_DEBUG; i++) {
        assert_int_equal(herd_log_level_parse(herd_log_level_name((enum herd_log_level)i), &level), 0);
        assert_int_equal(level, i);
    }
    level = HERD_LOG_WARN;
    const char *const wrong[] = {"", "Info", "info ", "warning", "unknown"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(herd_log_level_parse(wrong[i], &level), HERD_E_SYNTAX);
    assert_int_equal(level, HERD_LOG_WARN);
    assert_string_equal(herd_log_level_name((enum herd_log_level)0), "unknown");
    assert_string_equal(herd_log_level_name((enum herd_log_level)9), "unknown");

    for (int at = HERD_LOG_ERROR; at <= HERD_LOG_DEBUG; at++) {
        struct keeper keeper = {0};
        struct herd_log *log = make(&keeper, (struct herd_log_options){.level = (enum herd_log_level)at});
        int lines = 0;
        for (int i = HERD_LOG_ERROR; i <= HERD_LOG_DEBUG; i++) {
            assert_int_equal(herd_log_enabled(log, (enum herd_log_level)i), i <= at);
            herd_log_event(log, (enum herd_log_level)i, "e", NULL, 0);
        }
        herd_log_free(log);
        for (size_t i = 0; i < keeper.got.len; i++)
            lines += keeper.got.at[i] == '\n';
        assert_int_equal(lines, at);
        herd_buf_fini(&keeper.got);
    }
}

static void test_null_is_silent(void **state)
{
    (void)state;
    herd_log_set_time(NULL, 1);
    assert_int_equal(herd_log_configure(NULL, HERD_LOG_DEBUG, true), 0);
    herd_log_set_aligned(NULL, 5);
    assert_false(herd_log_enabled(NULL, HERD_LOG_ERROR));
    assert_false(herd_log_traffic_enabled(NULL));
    herd_log_event(NULL, HERD_LOG_ERROR, "e", NULL, 0);
    herd_log_lines(NULL, "e", herd_span_of(""), herd_span_of("x\n"));
    assert_int_equal(herd_log_flush(NULL), 0);
    herd_log_free(NULL);
}

static void test_options(void **state)
{
    (void)state;
    struct herd_log *log = NULL;
    struct herd_log_options none = {0};
    assert_int_equal(herd_log_new(&log, NULL), HERD_E_ARG);
    assert_int_equal(herd_log_new(&log, &none), HERD_E_ARG);
    struct herd_log_options wrong = {.level = (enum herd_log_level)5, .sink = keep};
    assert_int_equal(herd_log_new(&log, &wrong), HERD_E_ARG);
    assert_null(log);
    /* What is changed later is checked likewise, and what is wrong changes nothing. */
    struct keeper keeper = {0};
    log = make(&keeper, (struct herd_log_options){.level = HERD_LOG_WARN});
    assert_int_equal(herd_log_configure(log, (enum herd_log_level)0, true), HERD_E_ARG);
    assert_int_equal(herd_log_configure(log, (enum herd_log_level)(HERD_LOG_DEBUG + 1), true), HERD_E_ARG);
    assert_true(herd_log_enabled(log, HERD_LOG_WARN) && !herd_log_enabled(log, HERD_LOG_INFO));
    assert_int_equal(herd_log_configure(log, HERD_LOG_INFO, true), 0);
    assert_true(herd_log_enabled(log, HERD_LOG_INFO) && herd_log_traffic_enabled(log));
    assert_false(herd_log_enabled(log, (enum herd_log_level)0));
    herd_log_free(log);
    herd_buf_fini(&keeper.got);
}

static void test_events(void **state)
{
    (void)state;
    struct keeper keeper = {0};
    struct herd_log *log = make(&keeper, (struct herd_log_options){0});
    const struct {
        struct herd_log_field field;
        const char *want;
    } rows[] = {
        {herd_log_text("peer", "Jaquez"), "peer=Jaquez"},
        {herd_log_text("address", "127.0.0.1:12001"), "address=127.0.0.1:12001"},
        {herd_log_text("why", "connection refused"), "why=\"connection refused\""},
        {herd_log_text("why", ""), "why=\"\""},
        {herd_log_text("why", NULL), "why=\"\""},
        {herd_log_span("id", (struct herd_span){NULL, 0}), "id=\"\""},
        {herd_log_text("id", "a\nforged"), "id=a\\x0aforged"},
        {herd_log_text("id", "a\" b=\"c\\"), "id=\"a\\\" b=\\\"c\\\\\""},
        {herd_log_span("id", (struct herd_span){"\0\x7f\x80\xff\r\t", 6}), "id=\\x00\\x7f\\x80\\xff\\x0d\\x09"},
        {herd_log_int("n", 0), "n=0"},
        {herd_log_int("n", -1), "n=-1"},
        {herd_log_int("n", INT64_MAX), "n=9223372036854775807"},
        {herd_log_int("n", INT64_MIN), "n=-9223372036854775808"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char want[256];
        herd_log_event(log, HERD_LOG_WARN, "event", &rows[i].field, 1);
        assert_int_equal(herd_log_flush(log), 0);
        snprintf(want, sizeof want, STAMP "warn event %s\n", rows[i].want);
        expect(&keeper, want);
    }
    const struct herd_log_field two[] = {herd_log_text("a", "b"), herd_log_int("c", 4)};
    herd_log_event(log, HERD_LOG_ERROR, "two", two, 2);
    herd_log_event(log, HERD_LOG_INFO, "none", NULL, 0);
    herd_log_free(log);
    expect(&keeper, STAMP "error two a=b c=4\n" STAMP "info none\n");
    herd_buf_fini(&keeper.got);
}

static void test_stamps(void **state)
{
    (void)state;
    const struct {
        int64_t now_ns;
        const char *want;
    } rows[] = {
        {0, "1970-01-01T00:00:00.000000Z"},
        {999, "1970-01-01T00:00:00.000000Z"},
        {1000, "1970-01-01T00:00:00.000001Z"},
        {-1, "1969-12-31T23:59:59.999999Z"},
        {INT64_C(1795417262345678999), "2026-11-23T07:01:02.345678Z"},
        {INT64_C(951782400000000000), "2000-02-29T00:00:00.000000Z"},
        {INT64_C(951868799999999999), "2000-02-29T23:59:59.999999Z"},
        {INT64_C(951868800000000000), "2000-03-01T00:00:00.000000Z"},
        {INT64_C(4107542400000000000), "2100-03-01T00:00:00.000000Z"},
        {INT64_C(1735689599999999999), "2024-12-31T23:59:59.999999Z"},
        {INT64_C(1735689600000000000), "2025-01-01T00:00:00.000000Z"},
        {INT64_MAX, "2262-04-11T23:47:16.854775Z"},
        {INT64_MIN, "1677-09-21T00:12:43.145224Z"},
    };
    struct keeper keeper = {0};
    struct herd_log *log = make(&keeper, (struct herd_log_options){0});
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char want[64];
        herd_log_set_time(log, rows[i].now_ns);
        herd_log_event(log, HERD_LOG_INFO, "t", NULL, 0);
        herd_log_flush(log);
        snprintf(want, sizeof want, "%s info t\n", rows[i].want);
        expect(&keeper, want);
    }
    /* Whatever part changed last, the stamp is what the C library makes of the time. */
    uint64_t random = 1;
    int64_t now_us = 0;
    for (int i = 0; i < 20000; i++) {
        static const int64_t scale_us[] = {3, 100000, 5000000, 4000000000, 90000000000, 40000000000000};
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
        int64_t step_us = (int64_t)((random >> 33) % (uint64_t)scale_us[(random >> 20) % 6]);
        now_us = (now_us + step_us) % INT64_C(9000000000000000);
        char want[64], date[32];
        time_t s = (time_t)(now_us / 1000000);
        struct tm tm;
        gmtime_r(&s, &tm);
        strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm);
        snprintf(want, sizeof want, "%s.%06dZ info t\n", date, (int)(now_us % 1000000));
        herd_log_set_time(log, now_us * 1000);
        herd_log_event(log, HERD_LOG_INFO, "t", NULL, 0);
        herd_log_flush(log);
        expect(&keeper, want);
    }
    herd_log_free(log);
    herd_buf_fini(&keeper.got);
}

static void test_lines(void **state)
{
    (void)state;
    const struct {
        const char *who, *lines, *want;
    } rows[] = {
        {"client=1", "IAMAT a +1+2 3\n", STAMP "info received client=1 line=\"IAMAT a +1+2 3\"\n"},
        {"client=1", "a\nb",
         STAMP "info received client=1 line=\"a\"\n" STAMP "info received client=1 line=\"b\"\n"},
        {"", "a\n", STAMP "info received line=\"a\"\n"},
        {"c=1 d=2", "\n\r\n",
         STAMP "info received c=1 d=2 line=\"\"\n" STAMP "info received c=1 d=2 line=\"\\x0d\"\n"},
        {"c=1", "\"\\\t\n", STAMP "info received c=1 line=\"\\\"\\\\\\x09\"\n"},
        {"c=1", "", ""},
    };
    struct keeper keeper = {0};
    struct herd_log *log = make(&keeper, (struct herd_log_options){.traffic = true});
    assert_true(herd_log_traffic_enabled(log));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        herd_log_lines(log, "received", herd_span_of(rows[i].who), herd_span_of(rows[i].lines));
        assert_int_equal(herd_log_flush(log), 0);
        expect(&keeper, rows[i].want);
    }
    herd_log_free(log);

    struct herd_log_options quiet[] = {{.traffic = false}, {.traffic = true, .level = HERD_LOG_WARN}};
    for (size_t i = 0; i < 2; i++) {
        log = make(&keeper, quiet[i]);
        assert_false(herd_log_traffic_enabled(log));
        herd_log_lines(log, "received", herd_span_of("c=1"), herd_span_of("a\n"));
        herd_log_free(log);
        expect(&keeper, "");
    }
    herd_buf_fini(&keeper.got);
}

/* What an answer repeats of its line is left out, and nothing else is. */
static void test_exchange(void **state)
{
    (void)state;
#define R "info received c=1 line="
#define S "info sent c=1 line="
    const struct {
        const char *received, *sent, *want;
    } rows[] = {
        {"IAMAT a +1+2 3\n", "AT R +0.1 a +1+2 3\n", STAMP R "\"IAMAT a +1+2 3\" sent=\"AT R +0.1 ...\"\n"},
        {"IAMAT a\x01\" +1+2 3\n", "AT \"R +0.1 a\x01\" +1+2 3\n",
         STAMP R "\"IAMAT a\\x01\\\" +1+2 3\" sent=\"AT \\\"R +0.1 ...\"\n"},
        {"IAMAT a b c\nIAMAT d +1+2 3", "? IAMAT a b c\nAT R +0.1 d +1+2 3\n",
         STAMP R "\"IAMAT a b c\" sent=\"? IAMAT ...\"\n" STAMP R "\"IAMAT d +1+2 3\" sent=\"AT R +0.1 ...\"\n"},
        /* answers that come later, or to none of these lines */
        {"WHATSAT a 1 1\nIAMAT a +1+2 3\n", "AT R +0.1 a +1+2 3\nlast\n",
         STAMP R "\"WHATSAT a 1 1\"\n" STAMP R "\"IAMAT a +1+2 3\" sent=\"AT R +0.1 ...\"\n" STAMP S "\"last\"\n"},
        {"IAMAT  a +1+2 3\n", "AT R +0.1 a +1+2 3\n",
         STAMP R "\"IAMAT  a +1+2 3\"\n" STAMP S "\"AT R +0.1 a +1+2 3\"\n"},
        {"IAMAT a +1+2 3\n", "AT R +0.1 a +1+2 4\n",
         STAMP R "\"IAMAT a +1+2 3\"\n" STAMP S "\"AT R +0.1 a +1+2 4\"\n"},
        {"IAMAT a +1+2 3\n", "AT R +0.1 aa +1+2 3\n",
         STAMP R "\"IAMAT a +1+2 3\"\n" STAMP S "\"AT R +0.1 aa +1+2 3\"\n"},
        {"IAMAT a +1+2 3\n", "a +1+2 3\n", STAMP R "\"IAMAT a +1+2 3\"\n" STAMP S "\"a +1+2 3\"\n"},
        /* nothing to share */
        {"word\n", "? word\n", STAMP R "\"word\"\n" STAMP S "\"? word\"\n"},
        {"word \n", "? word \n", STAMP R "\"word \"\n" STAMP S "\"? word \"\n"},
        {"a-word-that-is-too-long b c d\n", "? a-word-that-is-too-long b c d\n",
         STAMP R "\"a-word-that-is-too-long b c d\"\n" STAMP S "\"? a-word-that-is-too-long b c d\"\n"},
        {"\n", "", STAMP R "\"\"\n"},
        {"", "AT R +0.1 a +1+2 3\n", STAMP S "\"AT R +0.1 a +1+2 3\"\n"},
        {"", "", ""},
    };
    struct keeper keeper = {0};
    struct herd_log *log = make(&keeper, (struct herd_log_options){.traffic = true});
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        herd_log_exchange(log, herd_span_of("c=1"), herd_span_of(rows[i].received), herd_span_of(rows[i].sent));
        assert_int_equal(herd_log_flush(log), 0);
        expect(&keeper, rows[i].want);
    }
    herd_log_free(log);
    log = make(&keeper, (struct herd_log_options){.traffic = false});
    herd_log_exchange(log, herd_span_of("c=1"), herd_span_of("IAMAT a +1+2 3\n"),
                      herd_span_of("AT R +0.1 a +1+2 3\n"));
    herd_log_exchange(NULL, herd_span_of("c=1"), herd_span_of("IAMAT a +1+2 3\n"),
                      herd_span_of("AT R +0.1 a +1+2 3\n"));
    herd_log_free(log);
    expect(&keeper, "");
    herd_buf_fini(&keeper.got);
}

/* The longest lines with the longest answers find room in what a log collects, whatever is in it. */
static void test_exchange_fits(void **state)
{
    (void)state;
    struct keeper keeper = {0};
    static char line[20000], answer[20200], label[1000];
    memset(label, 'l', sizeof label);
    for (size_t most = 1; most <= 16384; most *= 128)
        for (size_t own = 126; own <= 130; own++) {
            struct herd_log *log =
                make(&keeper, (struct herd_log_options){.traffic = true, .field_max_bytes = most});
            memset(line, 1, sizeof line);
            memset(answer, 2, sizeof answer);
            memcpy(line, "IAMAT ", 6);
            answer[own - 1] = ' ';
            memset(answer + own, 1, sizeof line - 6);
            bool shown = own <= 128;
            for (int i = 0; i < 200; i++)
                herd_log_exchange(log, (struct herd_span){label, sizeof label},
                                  (struct herd_span){line, sizeof line},
                                  (struct herd_span){answer, own + sizeof line - 6});
            herd_log_free(log);
            size_t lines = 0;
            for (size_t i = 0; i < keeper.got.len; i++)
                lines += keeper.got.at[i] == '\n';
            assert_int_equal(lines, shown ? 200 : 400);
            keeper.got.len = 0;
        }
    herd_buf_fini(&keeper.got);
}

static void test_every_byte_stays_on_its_line(void **state)
{
    (void)state;
    struct keeper keeper = {0};
    struct herd_log *log = make(&keeper, (struct herd_log_options){.traffic = true});
    char all[256];
    for (int i = 0; i < 256; i++)
        all[i] = (char)i;
    const struct herd_log_field field = herd_log_span("all", (struct herd_span){all, sizeof all});
    herd_log_event(log, HERD_LOG_INFO, "e", &field, 1);
    herd_log_lines(log, "e", herd_span_of("c=1"), (struct herd_span){all, sizeof all});
    herd_log_free(log);
    int lines = 0;
    for (size_t i = 0; i < keeper.got.len; i++) {
        unsigned char c = (unsigned char)keeper.got.at[i];
        lines += c == '\n';
        assert_true(c == '\n' || (c >= 0x20 && c <= 0x7e));
    }
    assert_int_equal(lines, 3);
    herd_buf_fini(&keeper.got);
}

static void test_caps(void **state)
{
    (void)state;
    struct keeper keeper = {0};
    struct herd_log *log = make(&keeper, (struct herd_log_options){.traffic = true, .field_max_bytes = 4});
    const struct herd_log_field fields[] = {herd_log_text("a", "1234"), herd_log_text("b", "12345"),
                                            herd_log_text("c", "\n\n\n\n\n"), herd_log_int("d", INT64_MIN)};
    herd_log_event(log, HERD_LOG_INFO, "e", fields, 4);
    herd_log_lines(log, "r", herd_span_of("c=1"), herd_span_of("1234\n12345\n"));
    herd_log_free(log);
    expect(&keeper, STAMP "info e a=1234 b=1234... c=\\x0a\\x0a\\x0a\\x0a... d=-9223372036854775808\n" STAMP
                          "info r c=1 line=\"1234\"\n" STAMP "info r c=1 line=\"1234...\"\n");

    /* Names and who are cut, whatever their length; a line of too many fields says so. */
    char *big = malloc(100001);
    assert_non_null(big);
    /* There is a greatest length, whatever is asked for. */
    memset(big, 'a', 100000);
    big[100000] = '\0';
    const struct herd_log_field long_field = herd_log_text("b", big);
    log = make(&keeper, (struct herd_log_options){.field_max_bytes = 100000});
    herd_log_event(log, HERD_LOG_INFO, "e", &long_field, 1);
    herd_log_free(log);
    assert_int_equal(keeper.got.len, strlen(STAMP "info e b=...\n") + 16384);
    keeper.got.len = 0;
    memset(big, '\x01', 100000);
    for (size_t most = 0; most <= 100000; most = most * 10 + 1) {
        log = make(&keeper, (struct herd_log_options){.traffic = true, .field_max_bytes = most});
        struct herd_log_field *many = calloc(5000, sizeof *many);
        assert_non_null(many);
        for (size_t i = 0; i < 5000; i++)
            many[i] = i % 3 ? herd_log_text(big, big) : herd_log_int(big, INT64_MIN);
        for (int i = 0; i < 40; i++) {
            herd_log_lines(log, big, (struct herd_span){big, (size_t)i * 50}, (struct herd_span){big, 100000});
            herd_log_event(log, HERD_LOG_INFO, big, many, i == 7 ? 5000 : (size_t)i);
        }
        free(many);
        herd_log_free(log);
        int lines = 0;
        for (size_t i = 0; i < keeper.got.len; i++)
            lines += keeper.got.at[i] == '\n';
        assert_int_equal(lines, 80);
        keeper.got.len = 0;
    }
    free(big);
    herd_buf_fini(&keeper.got);
}

static void test_collects(void **state)
{
    (void)state;
    struct keeper keeper = {0};
    struct herd_log *log = make(&keeper, (struct herd_log_options){.traffic = true});
    char line[81];
    memset(line, 'x', 80);
    line[80] = '\n';
    for (int i = 0; i < 10000; i++)
        herd_log_lines(log, "received", herd_span_of("client=1"), (struct herd_span){line, sizeof line});
    size_t each = strlen(STAMP "info received client=1 line=\"\"\n") + 80;
    assert_in_range(keeper.calls, 10000 * each / 65536 - 2, 10000 * each / 65536 + 1);
    herd_log_free(log);
    assert_int_equal(keeper.got.len, 10000 * each);
    herd_buf_fini(&keeper.got);
}

static void test_sink_failure(void **state)
{
    (void)state;
    struct keeper keeper = {0};
    struct herd_log *log = make(&keeper, (struct herd_log_options){.traffic = true});
    keeper.refuse = HERD_E_IO;
    herd_log_event(log, HERD_LOG_INFO, "lost", NULL, 0);
    herd_log_lines(log, "r", herd_span_of(""), herd_span_of("a\nb\n"));
    assert_int_equal(herd_log_flush(log), HERD_E_IO);
    herd_log_event(log, HERD_LOG_INFO, "lost", NULL, 0);
    assert_int_equal(herd_log_flush(log), HERD_E_IO);
    assert_int_equal(herd_log_flush(log), HERD_E_IO);
    keeper.refuse = 0;
    herd_log_event(log, HERD_LOG_INFO, "kept", NULL, 0);
    assert_int_equal(herd_log_flush(log), 0);
    expect(&keeper, STAMP "warn log_dropped lines=4\n" STAMP "info kept\n");
    assert_int_equal(herd_log_flush(log), 0);
    expect(&keeper, "");

    /* A failure in the middle of a burst, found when the buffer was full. */
    keeper.refuse = HERD_E_IO;
    for (int i = 0; i < 5000; i++)
        herd_log_lines(log, "r", herd_span_of(""), herd_span_of("a\n"));
    assert_int_equal(herd_log_flush(log), HERD_E_IO);
    keeper.refuse = 0;
    assert_int_equal(herd_log_flush(log), 0);
    expect(&keeper, STAMP "warn log_dropped lines=5000\n");
    keeper.refuse = HERD_E_IO;
    herd_log_event(log, HERD_LOG_INFO, "lost", NULL, 0);
    herd_log_free(log);
    expect(&keeper, "");
    herd_buf_fini(&keeper.got);
}

/* A sink that takes blocks: what it was given, and where each hand-over ended. */
struct blocks {
    struct herd_buf got;
    size_t ends[64];
    int calls, refuse_call;
    bool refuses;
};

static int take_block(void *ctx, const char *bytes, size_t len)
{
    struct blocks *blocks = ctx;
    if (blocks->refuses || ++blocks->calls == blocks->refuse_call)
        return HERD_E_IO;
    assert_true((size_t)blocks->calls <= sizeof blocks->ends / sizeof *blocks->ends);
    assert_int_equal(herd_buf_add(&blocks->got, bytes, len), 0);
    blocks->ends[blocks->calls - 1] = blocks->got.len;
    return 0;
}

static struct herd_log *make_blocks(struct blocks *blocks, int64_t offset)
{
    struct herd_log *log = NULL;
    const struct herd_log_options options = {.sink = take_block, .sink_ctx = blocks, .traffic = true};
    assert_int_equal(herd_log_new(&log, &options), 0);
    herd_log_set_aligned(log, offset);
    return log;
}

/* Lines of different length, numbered; returns the number after the last. */
static int put_numbered(struct herd_log *log, int from, int count)
{
    char line[64];
    for (int i = from; i < from + count; i++) {
        int len = snprintf(line, sizeof line, "%d%.*s\n", i, i % 23, "......................");
        herd_log_lines(log, "r", herd_span_of(""), (struct herd_span){line, (size_t)len});
    }
    return from + count;
}

/* Walks the lines that arrived: their numbers rise, and `missing` of `count` are not there. */
static void expect_numbered(const struct blocks *blocks, int count, int missing)
{
    const char *at = blocks->got.at, *end = at + blocks->got.len, *lf;
    int next = 0, seen = 0;
    for (; at < end; at = lf + 1) {
        lf = memchr(at, '\n', (size_t)(end - at));
        assert_non_null(lf);
        const char *quote = memchr(at, '"', (size_t)(lf - at));
        if (!quote || lf[-1] != '"')
            continue; /* told of what was lost, or torn */
        int number = atoi(quote + 1);
        assert_true(number >= next && number < count);
        next = number + 1;
        seen++;
    }
    assert_int_equal(count - seen, missing);
}

static void test_blocks(void **state)
{
    (void)state;
    const int64_t offsets[] = {0, 1, 65535, 65536 * 3 + 1000};
    for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
        struct blocks blocks = {0};
        struct herd_log *log = make_blocks(&blocks, offsets[i]);
        int next = put_numbered(log, 0, 5000);
        assert_in_range(blocks.calls, 4, 8);
        for (int k = 0; k < blocks.calls; k++)
            assert_int_equal(((size_t)offsets[i] + blocks.ends[k]) % 65536, 0);
        assert_int_equal(herd_log_flush(log), 0);
        assert_int_equal(blocks.got.at[blocks.got.len - 1], '\n');
        int before = blocks.calls;
        next = put_numbered(log, next, 3000); /* after a flush the next block is short */
        assert_true(blocks.calls > before);
        assert_int_equal(((size_t)offsets[i] + blocks.ends[blocks.calls - 1]) % 65536, 0);
        herd_log_set_aligned(log, -1);
        next = put_numbered(log, next, 3000);
        assert_int_equal(blocks.got.at[blocks.got.len - 1], '\n');
        herd_log_free(log);
        expect_numbered(&blocks, next, 0);
        herd_buf_fini(&blocks.got);
    }
}

/* As many bytes are collected as a block would have: with blocks they leave at once. */
static void test_aligned_late(void **state)
{
    (void)state;
    struct blocks blocks = {0};
    struct herd_log *log = make_blocks(&blocks, -1);
    int next = put_numbered(log, 0, 100);
    assert_int_equal(blocks.calls, 0);
    herd_log_set_aligned(log,
                         65536 - 100); /* the block at the end of which the file is has room for a line or two */
    assert_int_equal(blocks.calls, 1);
    next = put_numbered(log, next, 100);
    herd_log_free(log);
    expect_numbered(&blocks, next, 0);
    herd_buf_fini(&blocks.got);
}

/* A sink that refuses everything has the beginning of a line, and is offered its rest: that is lost too, and counted once. */
static void test_all_refused_in_a_line(void **state)
{
    (void)state;
    struct blocks blocks = {0};
    struct herd_log *log = make_blocks(&blocks, 0);
    int next = put_numbered(log, 0, 2000);
    assert_int_equal(blocks.calls, 1);
    assert_int_not_equal(blocks.got.at[blocks.got.len - 1], '\n'); /* cut */
    blocks.refuses = true;
    next = put_numbered(log, next, 3000);
    assert_int_equal(herd_log_flush(log), HERD_E_IO);
    blocks.refuses = false;
    next = put_numbered(log, next, 10);
    herd_log_free(log);
    assert_int_equal(herd_buf_add(&blocks.got, "", 1), 0);
    blocks.got.len--;
    const char *told = strstr(blocks.got.at, "log_dropped lines=");
    assert_non_null(told);
    expect_numbered(&blocks, next, atoi(told + strlen("log_dropped lines=")));
    herd_buf_fini(&blocks.got);
}

/* A block is refused: its lines are lost, the one it ended in too, no others, and all are counted. */
static void test_block_refused(void **state)
{
    (void)state;
    for (int call = 1; call <= 4; call++) {
        struct blocks blocks = {.refuse_call = call};
        struct herd_log *log = make_blocks(&blocks, 0);
        int next = put_numbered(log, 0, 5000);
        herd_log_free(log);
        assert_int_equal(herd_buf_add(&blocks.got, "", 1), 0);
        blocks.got.len--;
        const char *told = strstr(blocks.got.at, "log_dropped lines=");
        assert_non_null(told);
        int dropped = atoi(told + strlen("log_dropped lines="));
        assert_in_range(dropped, 800, 1400);
        expect_numbered(&blocks, next, dropped);
        herd_buf_fini(&blocks.got);
    }
}

static void test_no_memory(void **state)
{
    (void)state;
    struct keeper keeper = {0};
    const struct herd_log_options options = {.sink = keep, .sink_ctx = &keeper, .traffic = true};
    struct herd_log *log = NULL;
    long failures = 0;
    for (;; failures++) {
        alloc_fail_at = failures + 1;
        int err = herd_log_new(&log, &options);
        if (err == 0)
            break;
        assert_int_equal(err, HERD_E_NOMEM);
        assert_null(log);
    }
    assert_int_equal(failures, 2);
    /* Logging itself takes no memory: the sink here is the only one to ask for any. */
    keeper.refuse = HERD_E_IO;
    alloc_fail_at = 1;
    for (int i = 0; i < 5000; i++) {
        herd_log_set_time(log, i);
        herd_log_event(log, HERD_LOG_INFO, "e", NULL, 0);
        herd_log_lines(log, "r", herd_span_of("c=1"), herd_span_of("a\nb"));
    }
    assert_int_equal(alloc_fail_at, 1);
    alloc_fail_at = 0;
    herd_log_free(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_null_is_silent),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_stamps),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_exchange),
        cmocka_unit_test(test_exchange_fits),
        cmocka_unit_test(test_caps),
        cmocka_unit_test(test_every_byte_stays_on_its_line),
        cmocka_unit_test(test_collects),
        cmocka_unit_test(test_sink_failure),
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_block_refused),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_aligned_late),
        cmocka_unit_test(test_all_refused_in_a_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
