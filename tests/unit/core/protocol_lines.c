/* SPDX-License-Identifier: MIT */
/* Bytes cut into lines, and lines put together. */
#include "cm.h"

#include "guard.h"

#include <herd/protocol.h>

#define COUNT(rows) (sizeof(rows) / sizeof *(rows))

static void test_line_limits(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t max;
        enum herd_scan scan;
        size_t line_len;
    } rows[] = {
        {"", 3, HERD_LINE_MORE, 0},
        {"\n", 0, HERD_LINE, 0},
        {"a", 0, HERD_LINE_TOO_LONG, 0},
        {"abc", 3, HERD_LINE_MORE, 0},
        {"abc\n", 3, HERD_LINE, 3},
        {"abcd", 3, HERD_LINE_TOO_LONG, 0},
        {"abcd\n", 3, HERD_LINE_TOO_LONG, 0},
        {"abc\nd\n", 3, HERD_LINE, 3},
        {"abcdefgh\n", 3, HERD_LINE_TOO_LONG, 0},
        {"abc\n", SIZE_MAX, HERD_LINE, 3},
        {"abc", SIZE_MAX, HERD_LINE_MORE, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct herd_span bytes = guarded(herd_span_of(rows[i].bytes)), before = bytes, line;
        size_t seen = 0;
        assert_int_equal(herd_line_next(&bytes, &seen, rows[i].max, &line), rows[i].scan);
        if (rows[i].scan == HERD_LINE) {
            assert_ptr_equal(line.at, before.at);
            assert_int_equal(line.len, rows[i].line_len);
            assert_ptr_equal(bytes.at, before.at + line.len + 1);
            assert_int_equal(bytes.len, before.len - line.len - 1);
            assert_int_equal(seen, 0);
        } else {
            assert_ptr_equal(bytes.at, before.at);
            assert_int_equal(bytes.len, before.len);
        }
        /* the same, byte by byte */
        seen = 0;
        enum herd_scan scan = HERD_LINE_MORE;
        for (size_t len = 0; len <= before.len && scan == HERD_LINE_MORE; len++) {
            bytes = (struct herd_span){before.at, len};
            scan = herd_line_next(&bytes, &seen, rows[i].max, &line);
            if (scan == HERD_LINE_MORE)
                assert_int_equal(seen, len);
        }
        assert_int_equal(scan, rows[i].scan);
    }
}

/* What was searched is not searched again: bytes changed behind our back are not seen. */
static void test_line_seen(void **state)
{
    (void)state;
    char bytes[] = "abcdef\n";
    size_t seen = 0;
    struct herd_span span = {bytes, 4}, line;
    assert_int_equal(herd_line_next(&span, &seen, 100, &line), HERD_LINE_MORE);
    assert_int_equal(seen, 4);
    bytes[2] = '\n';
    span = (struct herd_span){bytes, 7};
    assert_int_equal(herd_line_next(&span, &seen, 100, &line), HERD_LINE);
    assert_int_equal(line.len, 6);
}

static void test_formats(void **state)
{
    (void)state;
    struct herd_buf out = {0};
#define S(text) herd_span_of(text)
    assert_int_equal(herd_format_at(&out, S("Riley"), S("+0.1"), S("kiwi"), S("+1-2"), S("3.4")), 0);
    assert_int_equal(herd_format_invalid(&out, S("  what? ")), 0);
    assert_int_equal(herd_format_invalid(&out, S("")), 0);
    assert_int_equal(herd_format_iamat(&out, S("kiwi"), S("+1-2"), S("3.4")), 0);
    assert_int_equal(herd_format_whatsat(&out, S("kiwi"), S("10"), 0), 0);
    assert_int_equal(herd_format_whatsat(&out, S("kiwi"), S("0.5"), UINT32_MAX), 0);
    assert_int_equal(herd_format_hello(&out, 1, S("Riley"), S("Juzang"), 0xabc, 0, 0, false), 0);
    assert_int_equal(herd_format_hello(&out, UINT32_MAX, S("a"), S("b"), UINT64_MAX, 0, 0, false), 0);
    assert_int_equal(herd_format_hello(&out, 2, S("a"), S("b"), 1, 77, 0, false), 0);
    assert_int_equal(herd_format_hello(&out, 2, S("a"), S("b"), 1, 0, 0xabc, false), 0);
    assert_int_equal(herd_format_hello(&out, 2, S("a"), S("b"), 1, 0, 0, true), 0);
    assert_int_equal(herd_format_gone(&out, S("Riley"), S("+0.1"), S("kiwi"), S("3.4")), 0);
    assert_int_equal(herd_format_see(&out, S("2001:db8::1"), 12000, 4095), 0);
    static const char expected[] = "AT Riley +0.1 kiwi +1-2 3.4\n"
                                   "?   what? \n"
                                   "? \n"
                                   "IAMAT kiwi +1-2 3.4\n"
                                   "WHATSAT kiwi 10 0\n"
                                   "WHATSAT kiwi 0.5 4294967295\n"
                                   "HELLO 1 Riley Juzang 0000000000000abc\n"
                                   "HELLO 4294967295 a b ffffffffffffffff\n"
                                   "HELLO 2 a b 0000000000000001 77\n"
                                   "HELLO 2 a b 0000000000000001 0 0000000000000abc\n"
                                   "HELLO 2 a b 0000000000000001 0 0000000000000000 1\n"
                                   "GONE Riley +0.1 kiwi 3.4\n"
                                   "SEE 2001:db8::1 12000 4095\n";
    assert_int_equal(out.len, sizeof expected - 1);
    assert_memory_equal(out.at, expected, out.len);
    herd_buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_line_limits),
        cmocka_unit_test(test_line_seen),
        cmocka_unit_test(test_formats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
