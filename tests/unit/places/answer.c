/* SPDX-License-Identifier: MIT */
/* Cutting answers from outside, and the answers of last resort. */
#include "cm.h"

#include "answer.h"
#include "raw.h"

#include <stdlib.h>
#include <string.h>

static void assert_cut(const char *in, unsigned bound, const char *want)
{
    struct herd_answer_shape shape;
    struct herd_buf out = {0};
    char why[100];
    if (herd_answer_read(herd_span_of(in), &shape, why, sizeof why) < 0)
        fail_msg("%s refused: %s", in, why);
    assert_int_equal(herd_answer_truncate(&out, herd_span_of(in), &shape, bound), 0);
    if (!herd_span_equal((struct herd_span){out.at, out.len}, herd_span_of(want)))
        fail_msg("%s cut to %u became %.*s, not %s", in, bound, (int)out.len, out.at, want);
    herd_buf_fini(&out);
}

static void test_cut(void **state)
{
    (void)state;
    static const char three[] =
        "{\n  \"results\" : [\n    {\"a\":\"],[\"},\n\n    2 ,\n    [3]\n  ],\n \"status\":\"OK\"\n}\n\n\n";
    assert_cut(three, 20,
               "{\n  \"results\" : [\n    {\"a\":\"],[\"},\n    2 ,\n    [3]\n  ],\n \"status\":\"OK\"\n}");
    assert_cut(three, 3,
               "{\n  \"results\" : [\n    {\"a\":\"],[\"},\n    2 ,\n    [3]\n  ],\n \"status\":\"OK\"\n}");
    assert_cut(three, 2, "{\n  \"results\" : [\n    {\"a\":\"],[\"},\n    2\n  ],\n \"status\":\"OK\"\n}");
    assert_cut(three, 1, "{\n  \"results\" : [\n    {\"a\":\"],[\"}\n  ],\n \"status\":\"OK\"\n}");
    assert_cut(three, 0, "{\n  \"results\" : [],\n \"status\":\"OK\"\n}");
    assert_cut("{\"results\":[1,2,3]}", 2, "{\"results\":[1,2]}");
    assert_cut("{\"results\":[1,2,3]}", 0, "{\"results\":[]}");
    assert_cut("{\"results\":[]}", 0, "{\"results\":[]}");
    assert_cut("{\"results\":[ ]}", 5, "{\"results\":[ ]}");
    assert_cut("{\"re\\u0073ults\":[1,2]}", 1, "{\"re\\u0073ults\":[1]}");
    assert_cut("\n\n{\"x\":{\"results\":[1,2]},\"results\":[3,4]}", 1,
               "\n{\"x\":{\"results\":[1,2]},\"results\":[3]}");
    /* Numbers, escapes and odd layout survive; CR LF is no run of LF. */
    assert_cut("{\"results\":[{\"n\":12782971787189354742,\"d\":1.50E+02,\"s\":\"\\u00E9\\/\"}],\r\n\r\n\"k\":1}",
               9,
               "{\"results\":[{\"n\":12782971787189354742,\"d\":1.50E+02,\"s\":\"\\u00E9\\/\"}],\r\n\r\n\"k\":1}");
    assert_cut("{\"status\":\"OK\"}", 1, "{\"status\":\"OK\"}");
    /* A bound beyond what the ends are kept of. */
    assert_cut("{\"results\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22, 23 ,24]}", 22,
               "{\"results\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22]}");
    assert_cut("{\"results\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22, 23 ,24]}", 23,
               "{\"results\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22, 23]}");
    assert_cut("{\"results\":[{\"a\":1,\"a\":2},{\"b\":1}]}", 1, "{\"results\":[{\"a\":1,\"a\":2}]}");
    /* A run that the cut itself would make is one too. */
    assert_cut("{\"results\":[1\n,2\n]\n\n,\"a\":1}", 1, "{\"results\":[1\n]\n,\"a\":1}");
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *in, *why;
    } rows[] = {
        {"", "empty at byte 0"},
        {"<html><body>502</body></html>", "expected a value at byte 0"},
        {"{\"results\":[", "cut short at byte 12"},
        {"{\"results\":[{\"a\":NaN}]}", "expected a value at byte 17"},
        {"{\"results\":[{'a':1}]}", "expected a string at byte 13"},
        {"{\"results\":[\"\\ud800\"]}", "lone surrogate at byte 19"},
        {"{\"results\":[\"\xff\"]}", "not UTF-8 at byte 13"},
        {"{\"results\":{}}", "\"results\" is not an array at byte 1"},
        {"{\"results\":\"[]\"}", "\"results\" is not an array at byte 1"},
        {"{\"results\":null}", "\"results\" is not an array at byte 1"},
        {"{\"results\":[],\"results\":[1]}", "\"results\" a second time at byte 14"},
        {"{\"results\":[],\"re\\u0073ults\":[1]}", "\"results\" a second time at byte 14"},
        {"{\"status\":1}", "\"status\" is not a string at byte 1"},
        {"{\"status\":\"OK\",\"status\":\"NO\"}", "\"status\" a second time at byte 15"},
        {"[]", "not an object at byte 0"},
        {" \"results\"", "not an object at byte 1"},
        {"{\"results\":[]}x", "something behind the end at byte 14"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct herd_answer_shape shape;
        char why[100];
        assert_int_equal(herd_answer_read(herd_span_of(rows[i].in), &shape, why, sizeof why), HERD_E_SYNTAX);
        if (strcmp(why, rows[i].why) != 0)
            fail_msg("%s: \"%s\", not \"%s\"", rows[i].in, why, rows[i].why);
    }
}

static void test_nothing(void **state)
{
    (void)state;
    struct herd_answer_shape shape;
    char why[100];
    assert_int_equal(herd_answer_read((struct herd_span){NULL, 0}, &shape, why, sizeof why), HERD_E_SYNTAX);
    assert_string_equal(why, "empty at byte 0");
}

/* A hundred million bytes of answer: slow is not allowed, deep is not either. */
static void test_huge(void **state)
{
    (void)state;
    enum { N = 100000000 };
    char *text = malloc(N);
    assert_non_null(text);
    static const char head[] = "{\"results\":[";
    static const char element[] = "{\"k\":[1,2,\"abcdefghij\"]},\n\n";
    size_t len = sizeof head - 1, count = 0;
    memcpy(text, head, len);
    while (len + sizeof element + 2 < N) {
        memcpy(text + len, element, sizeof element - 1);
        len += sizeof element - 1;
        count++;
    }
    text[len - 3] = ' '; /* the last comma */
    memcpy(text + len, "]}", 2);
    len += 2;
    struct herd_answer_shape shape;
    struct herd_buf out = {0};
    char why[100];
    assert_int_equal(herd_answer_read((struct herd_span){text, len}, &shape, why, sizeof why), 0);
    assert_int_equal(shape.result_count, count);
    assert_int_equal(herd_answer_truncate(&out, (struct herd_span){text, len}, &shape, 1), 0);
    assert_string_equal((assert_int_equal(herd_buf_add(&out, "", 1), 0), out.at),
                        "{\"results\":[{\"k\":[1,2,\"abcdefghij\"]} \n]}");
    herd_buf_fini(&out);
    memset(text, '[', N);
    assert_int_equal(herd_answer_read((struct herd_span){text, N}, &shape, why, sizeof why), HERD_E_SYNTAX);
    assert_string_equal(why, "nested too deep at byte 60");
    free(text);
}

static void test_failure(void **state)
{
    (void)state;
    struct herd_buf out = {0};
    struct herd_answer_shape shape;
    char why[100];
    assert_int_equal(herd_answer_failure(&out, "UNKNOWN_ERROR", herd_span_of("a \"quoted\"\nline \xff")), 0);
    static const char want[] =
        "{\n   \"error_message\" : \"a \\\"quoted\\\"\\u000aline \xef\xbf\xbd\",\n"
        "   \"html_attributions\" : [],\n   \"results\" : [],\n   \"status\" : \"UNKNOWN_ERROR\"\n}";
    assert_int_equal(out.len, sizeof want - 1);
    assert_memory_equal(out.at, want, out.len);
    assert_int_equal(herd_answer_read((struct herd_span){out.at, out.len}, &shape, why, sizeof why), 0);
    assert_int_equal(shape.result_count, 0);
    herd_buf_fini(&out);
}

static void test_writer(void **state)
{
    (void)state;
    struct herd_buf out = {0};
    struct herd_answer_writer w;
    herd_answer_begin(&w, &out, herd_span_of("\"x\""));
    struct herd_answer_place place = {
        .lat = herd_span_of("1.5"),
        .lng = herd_span_of("-2"),
        .name = herd_span_of("N"),
        .place_id = herd_span_of("p"),
        .types = herd_span_of("\"a\", \"b\""),
        .rating = herd_span_of("4.5"),
        .open_now = herd_span_of("true"),
        .global_code = herd_span_of("G"),
        .compound_code = herd_span_of("C"),
        .viewport = {herd_span_of("1"), herd_span_of("2"), herd_span_of("3"), herd_span_of("4")},
    };
    herd_answer_add(&w, &place);
    herd_answer_add(&w, &(struct herd_answer_place){.lat = herd_span_of("0"), .lng = herd_span_of("0")});
    assert_int_equal(herd_answer_end(&w, true), 0);
    struct herd_raw_fault fault;
    struct herd_span json = {out.at, out.len}, results, value;
    if (herd_raw_check(json, &fault) < 0)
        fail_msg("%s at %zu in %.*s", fault.what, fault.offset, (int)out.len, out.at);
    assert_true(herd_raw_get(json, "results", &results));
    struct herd_raw_walk walk = herd_raw_walk(results);
    assert_true(herd_raw_element(&walk, &value));
    struct herd_span geometry, viewport, corner, lng;
    assert_true(herd_raw_get(value, "geometry", &geometry));
    assert_true(herd_raw_get(geometry, "viewport", &viewport));
    assert_true(herd_raw_get(viewport, "southwest", &corner));
    assert_true(herd_raw_get(corner, "lng", &lng));
    assert_true(herd_span_equal(lng, herd_span_of("4")));
    herd_buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut),     cmocka_unit_test(test_refused), cmocka_unit_test(test_huge),
        cmocka_unit_test(test_failure), cmocka_unit_test(test_writer),  cmocka_unit_test(test_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
