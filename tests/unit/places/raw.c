/* SPDX-License-Identifier: MIT */
/* The strict check of JSON: rows of good and bad texts, and json-c as a second opinion. */
#include "cm.h"

#include "raw.h"
#include "raw_bytes.h"

#include <json.h>
#include <stdlib.h>
#include <string.h>

static const char *const good[] = {
    "{}",
    "[]",
    " [ ] ",
    "0",
    "-0",
    "1.5e-7",
    "\"\"",
    "true",
    "false",
    "null",
    "[1,2,3]",
    "{\"a\":{\"b\":[{}]}}",
    "\"\\u00e9\\n\\\"\\/\"",
    "\"\\ud83d\\ude00\"",
    "\"\xc3\xa9\xf0\x9f\x98\x80\"",
    "\r\n\t{\"a\" : 1 , \"b\" : [ ] }\n",
    "18446744073709551616",
    "-1E+5",
    "0e0",
    "10",
    "\"\\uD83D\\uDE00\\uAbCd\"",
    "1e400",
    "{\"a\":1,\"a\":2}",
    "[[],{},[{}]]",
};

static const struct {
    const char *text;
    size_t offset;
} bad[] = {
    {"", 0},
    {" ", 1},
    {"{", 1},
    {"[1", 2},
    {"[1,]", 3},
    {"{\"a\":1,}", 7},
    {"{a:1}", 1},
    {"{'a':1}", 1},
    {"'a'", 0},
    {"NaN", 0},
    {"[NaN]", 1},
    {"Infinity", 0},
    {"-Infinity", 1},
    {"nul", 0},
    {"TRUE", 0},
    {"01", 1},
    {"1.", 2},
    {".5", 0},
    {"+1", 0},
    {"1e", 2},
    {"--1", 1},
    {"\"a", 2},
    {"\"\\x\"", 3},
    {"\"\\u12\"", 3},
    {"\"\\ud800\"", 7},
    {"\"\\ude00\"", 7},
    {"\"\\ud800\\u0041\"", 13},
    {"\"a\nb\"", 2},
    {"\"\x01\"", 1},
    {"\"\xff\"", 1},
    {"\"\xc3\"", 1},
    {"\"\xed\xa0\x80\"", 1},
    {"\"\xc0\xaf\"", 1},
    {"\"\xf4\x90\x80\x80\"", 1},
    {"{} {}", 3},
    {"[] x", 3},
    {"/* */ 1", 0},
    {"{\"a\"}", 4},
    {"{\"a\":}", 5},
    {"{1:2}", 1},
    {"[1 2]", 3},
    {"[}", 1},
    {"{]", 1},
    {"[{]}", 2},
    {"<html>", 0},
    {"\xef\xbb\xbf{}", 0},
    {",", 0},
    {"]", 0},
    {"{\"a\":1]", 6},
    {"\"\\ud800\\u00", 7},
    {"\"\\ud800x12345\"", 7},
    {"\"\\ud800\\x2345\"", 7},
    {"\"\\ud800\\ue000\"", 13},
    {"\"\\ud800\\uDcFg\"", 12},
    {"\"\\", 2},
    {"-", 1},
    {"-x", 1},
    {"1.5e+", 5},
    {"1E-x", 3},
    {"[1.e5]", 3},
    {"\"\\", 2},
    {"fals", 0},
    {"{\"a\" 1}", 5},
};

static void test_rows(void **state)
{
    (void)state;
    struct herd_raw_fault fault;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        if (herd_raw_check(herd_span_of(good[i]), &fault) != 0)
            fail_msg("refused %s at %zu: %s", good[i], fault.offset, fault.what);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (herd_raw_check(herd_span_of(bad[i].text), &fault) != HERD_E_SYNTAX)
            fail_msg("accepted %s", bad[i].text);
        if (fault.offset != bad[i].offset || !fault.what)
            fail_msg("%s: fault at %zu, not %zu (%s)", bad[i].text, fault.offset, bad[i].offset, fault.what);
    }
    assert_int_equal(herd_raw_check((struct herd_span){"\"a\0b\"", 5}, &fault), HERD_E_SYNTAX);
    assert_int_equal(herd_raw_check((struct herd_span){"[1]\0", 4}, &fault), HERD_E_SYNTAX);
}

static void test_cut_anywhere(void **state)
{
    (void)state;
    static const char text[] = "{\"a\":[1,-2.5e3,\"\\u00e9\\ud83d\\ude00x\",{\"b\":null}],\"c\":true}";
    struct herd_raw_fault fault;
    assert_int_equal(herd_raw_check(herd_span_of(text), &fault), 0);
    for (size_t len = 0; len < sizeof text - 1; len++) {
        char *copy = malloc(len + 1); /* so that reading too far is seen */
        assert_non_null(copy);
        memcpy(copy, text, len);
        assert_int_equal(herd_raw_check((struct herd_span){copy, len}, &fault), HERD_E_SYNTAX);
        assert_true(fault.offset <= len);
        free(copy);
    }
}

static void test_depth(void **state)
{
    (void)state;
    char text[2001];
    struct herd_raw_fault fault;
    for (size_t depth = 1; depth <= 1000; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        int want = depth <= HERD_RAW_DEPTH_MAX ? 0 : HERD_E_SYNTAX;
        assert_int_equal(herd_raw_check((struct herd_span){text, 2 * depth}, &fault), want);
    }
    assert_string_equal(fault.what, "nested too deep");
}

/* Whatever passes here must pass a parser nobody here wrote. */
static void test_second_opinion(void **state)
{
    (void)state;
    static const char alphabet[] = "{}[]\",:0123456789.eE+-truefalsn\\u \n";
    srand(11);
    unsigned passed = 0;
    for (int round = 0; round < 300000; round++) {
        char text[16];
        size_t len = (size_t)(rand() % 14) + 1;
        for (size_t i = 0; i < len; i++)
            text[i] = alphabet[(size_t)rand() % (sizeof alphabet - 1)];
        text[len] = '\0';
        struct herd_raw_fault fault;
        if (herd_raw_check((struct herd_span){text, len}, &fault) < 0)
            continue;
        passed++;
        struct json_tokener *tokener = json_tokener_new_ex(64);
        assert_non_null(tokener);
        json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
        json_object_put(json_tokener_parse_ex(tokener, text, (int)len + 1));
        if (json_tokener_get_error(tokener) != json_tokener_success)
            fail_msg("json-c does not take what we took: %s", text);
        json_tokener_free(tokener);
    }
    assert_true(passed > 1000);
}

static void test_walk(void **state)
{
    (void)state;
    struct herd_span text =
        herd_span_of("{ \"a\" : 1 , \"\\u006eame\" : \"x\\\"y\" , \"s\\/t\":[ 1,\"]\", {\"k\":[]} ], \"z\":null }");
    struct herd_raw_walk walk = herd_raw_walk(text);
    struct herd_span key, value;
    static const char *const values[] = {"1", "\"x\\\"y\"", "[ 1,\"]\", {\"k\":[]} ]", "null"};
    for (size_t i = 0; i < 4; i++) {
        assert_true(herd_raw_member(&walk, &key, &value));
        assert_true(herd_span_equal(value, herd_span_of(values[i])));
    }
    assert_false(herd_raw_member(&walk, &key, &value));
    assert_true(herd_span_equal(herd_raw_text(text, "name"), herd_span_of("x\\\"y")));
    assert_true(herd_raw_get(text, "s/t", &value));
    struct herd_span first;
    assert_int_equal(herd_raw_count(herd_span_of("{\"a\":1,\"b\":2,\"\\u0061\":3}"), "a", &first), 2);
    assert_true(herd_span_equal(first, herd_span_of("1")));
    assert_int_equal(herd_raw_count(herd_span_of("[1]"), "a", &first), 0);
    assert_int_equal(first.len, 0);
    walk = herd_raw_walk(value);
    size_t count = 0;
    while (herd_raw_element(&walk, &value))
        count++;
    assert_int_equal(count, 3);
    assert_false(herd_raw_get(text, "nam", &value));
    assert_false(herd_raw_get(text, "named", &value));
    assert_int_equal(value.len, 0);
    assert_false(herd_raw_get(herd_span_of("[1]"), "a", &value));
    assert_false(herd_raw_is(herd_span_of("12"), ""));
    assert_true(herd_raw_is(herd_span_of("\"\""), ""));
    assert_int_equal(herd_raw_kind(herd_span_of("-5")), '0');
}

static void test_escape(void **state)
{
    (void)state;
    struct herd_buf out = {0};
    struct herd_raw_fault fault;
    struct herd_span in = {"a\"b\\c\n\x1f\x00\xc3\xa9\xff\xed\xa0\x80/\x7f", 16};
    assert_int_equal(herd_raw_escape(&out, in), 0);
    static const char want[] =
        "a\\\"b\\\\c\\u000a\\u001f\\u0000\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd/\x7f";
    assert_int_equal(out.len, sizeof want - 1);
    assert_memory_equal(out.at, want, out.len);
    for (unsigned c = 0; c < 256; c++) {
        char byte = (char)c;
        out.len = 0;
        assert_int_equal(herd_buf_add_text(&out, "\""), 0);
        assert_int_equal(herd_raw_escape(&out, (struct herd_span){&byte, 1}), 0);
        assert_int_equal(herd_buf_add_text(&out, "\""), 0);
        assert_int_equal(herd_raw_check((struct herd_span){out.at, out.len}, &fault), 0);
    }
    herd_buf_fini(&out);
}

/* The scanners go many bytes at a time: every byte at every place, against one byte at a time. */
static void test_scanners(void **state)
{
    (void)state;
    char text[64];
    for (int filler = 0; filler < 2; filler++)
        for (int byte = 0; byte < 256; byte++)
            for (size_t len = 0; len <= 36; len++)
                for (size_t at = 0; at < len; at++) {
                    memset(text, filler ? 'x' : ' ', sizeof text);
                    text[at] = (char)byte;
                    if (at + 1 < len)
                        text[at + 1] = (char)(byte ^ 1); /* what a borrow could mark wrongly */
                    size_t plain = 0, space = 0;
                    while (plain < len && (unsigned char)text[plain] >= 0x20 && (unsigned char)text[plain] < 0x80 &&
                           text[plain] != '"' && text[plain] != '\\')
                        plain++;
                    while (space < len && text[space] && strchr(" \t\r\n", text[space]))
                        space++;
                    assert_ptr_equal(herd_raw_plain_end(text, text + len), text + plain);
                    assert_ptr_equal(herd_raw_space_end(text, text + len), text + space);
                    size_t blanks = 0;
                    while (blanks < len && text[blanks] == ' ')
                        blanks++;
                    assert_ptr_equal(herd_raw_blanks_end(text, text + len), text + blanks);
                }
}

static void test_blank_line(void **state)
{
    (void)state;
    char text[64];
    for (size_t len = 0; len <= 40; len++)
        for (size_t first = 0; first <= len; first++)
            for (size_t second = first; second <= len; second++) {
                memset(text, 'x', sizeof text);
                text[first] = text[second] = text[len] = '\n'; /* the last of them is behind the end */
                size_t want = 0;
                while (want < len && (want + 1 >= len || text[want] != '\n' || text[want + 1] != '\n'))
                    want++;
                want += want < len;
                assert_ptr_equal(herd_raw_blank_line(text, text + len), text + want);
            }
}

static const char *scan_fault(const char *text, char first, bool to_the_next)
{
    struct herd_raw_scan scan = herd_raw_scan(herd_span_of(text));
    struct herd_raw_fault fault = {0, NULL};
    struct herd_span key, value = {NULL, 0};
    if (herd_raw_scan_open(&scan, first) && to_the_next) {
        assert_true(first == '[' || herd_raw_scan_key(&scan, &key));
        assert_true(herd_raw_scan_value(&scan, &value));
        assert_false(herd_raw_scan_next(&scan));
    }
    /* Sticky: nothing goes on behind a fault, and the first one is told. */
    assert_false(herd_raw_scan_open(&scan, '['));
    assert_false(herd_raw_scan_open(&scan, '{'));
    assert_false(herd_raw_scan_key(&scan, &key));
    assert_false(herd_raw_scan_value(&scan, &value));
    assert_false(herd_raw_scan_next(&scan));
    assert_int_equal(herd_raw_scan_end(&scan, &fault), HERD_E_SYNTAX);
    assert_true(fault.offset <= strlen(text));
    return fault.what;
}

static void test_scan_stops(void **state)
{
    (void)state;
    char deep[HERD_RAW_DEPTH_MAX + 2];
    assert_string_equal(scan_fault("7", '[', false), "not an array");
    assert_string_equal(scan_fault("[]", '{', false), "not an object");
    assert_string_equal(scan_fault("{\"a\":1 2}", '{', true), "expected a comma or the end of an object or array");
    assert_string_equal(scan_fault("[1}", '[', true), "expected a comma or the end of an object or array");
    /* As many arrays as there may be, and one more. */
    memset(deep, '[', sizeof deep - 1);
    deep[sizeof deep - 1] = '\0';
    struct herd_raw_scan scan = herd_raw_scan(herd_span_of(deep));
    struct herd_raw_fault fault = {0, NULL};
    for (int i = 0; i < HERD_RAW_DEPTH_MAX; i++)
        assert_true(herd_raw_scan_open(&scan, '['));
    assert_false(herd_raw_scan_open(&scan, '['));
    assert_int_equal(herd_raw_scan_end(&scan, &fault), HERD_E_SYNTAX);
    assert_string_equal(fault.what, "nested too deep");
    assert_int_equal(fault.offset, HERD_RAW_DEPTH_MAX);
    assert_int_equal(herd_raw_check((struct herd_span){"\"\\\0\"", 4}, &fault), HERD_E_SYNTAX);
    assert_string_equal(fault.what, "unknown escape");
}

static void assert_inside(struct herd_span outer, struct herd_span inner)
{
    assert_true(!inner.len || (inner.at >= outer.at && inner.at + inner.len <= outer.at + outer.len));
}

static void walk_all(struct herd_span text, struct herd_span value, unsigned depth)
{
    struct herd_raw_walk walk = herd_raw_walk(value);
    struct herd_span key, member;
    char decoded[64];
    assert_inside(text, value);
    assert_inside(value, herd_raw_inside(value));
    assert_true(herd_raw_decode(herd_raw_inside(value), decoded, sizeof decoded) <= sizeof decoded);
    assert_true(herd_raw_decode(value, decoded, sizeof decoded) <= sizeof decoded);
    (void)herd_raw_is(value, "x/y");
    if (depth > 8)
        return;
    if (herd_raw_kind(value) == '{')
        for (size_t turns = 0; herd_raw_member(&walk, &key, &member); turns++) {
            assert_true(turns <= text.len);
            assert_inside(text, key);
            (void)herd_raw_is(key, "x/y");
            walk_all(text, member, depth + 1);
        }
    else
        for (size_t turns = 0; herd_raw_element(&walk, &member); turns++) {
            assert_true(turns <= text.len);
            walk_all(text, member, depth + 1);
        }
}

/* What is walked over was checked. Should it not have been, nothing is read beyond it, and each walk ends. */
static void test_walks_end(void **state)
{
    (void)state;
    static const char whole[] =
        "{ \"x\\u002Fy\" : 1\t, \"x\\/y\" : [ true\r, -5\n,\"\\n\\ud83d\\ude00\", {\"k\":[]} ]\r\n, "
        "\"z\":null\t} \t";
    struct herd_raw_fault fault;
    struct herd_span checked = herd_span_of(whole), value;
    assert_int_equal(herd_raw_check(checked, &fault), 0);
    walk_all(checked, herd_raw_trim(checked), 0);
    assert_true(herd_raw_get(checked, "x/y", &value));
    assert_true(herd_span_equal(value, herd_span_of("1")));
    for (size_t begin = 0; begin < checked.len; begin++)
        for (size_t end = begin; end <= checked.len; end++) {
            size_t len = end - begin;
            char *copy = malloc(len ? len : 1); /* so that reading beyond it is seen */
            assert_non_null(copy);
            memcpy(copy, whole + begin, len);
            struct herd_span text = {copy, len};
            walk_all(text, herd_raw_trim(text), 0);
            free(copy);
        }
}

static void test_decode(void **state)
{
    (void)state;
    static const struct {
        const char *inside;
        size_t cap;
        const char *want;
    } rows[] = {
        {"plain", 64, "plain"},
        {"\\\"\\\\\\/\\b\\f\\n\\r\\t", 64, "\"\\/\b\f\n\r\t"},
        {"\\u0041\\u00e9\\u20AC\\ud83d\\ude00", 64, "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"ab\\ud83d\\ude00", 5, "ab"}, /* no half of a character */
        {"ab\xc3\xa9", 3, "ab"},
        {"abc", 2, "ab"},
        /* Cut off, which no checked string is: up to there. */
        {"ab\\", 64, "ab"},
        {"ab\\u00e", 64, "ab"},
        {"ab\\x", 64, "ab"},
        {"ab\xc3", 64, "ab"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char out[64];
        size_t len = herd_raw_decode(herd_span_of(rows[i].inside), out, rows[i].cap);
        if (len != strlen(rows[i].want) || memcmp(out, rows[i].want, len) != 0)
            fail_msg("row %zu: %.*s", i, (int)len, out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),       cmocka_unit_test(test_cut_anywhere),
        cmocka_unit_test(test_depth),      cmocka_unit_test(test_second_opinion),
        cmocka_unit_test(test_walk),       cmocka_unit_test(test_escape),
        cmocka_unit_test(test_scanners),   cmocka_unit_test(test_blank_line),
        cmocka_unit_test(test_scan_stops), cmocka_unit_test(test_walks_end),
        cmocka_unit_test(test_decode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
