/* SPDX-License-Identifier: MIT */
#include "cm.h"

#include <herd/types.h>

static void test_equal(void **state)
{
    (void)state;
    struct herd_span empty = {NULL, 0};
    assert_true(herd_span_equal(empty, herd_span_of("")));
    assert_true(herd_span_equal(herd_span_of("kiwi"), herd_span_of("kiwi")));
    assert_false(herd_span_equal(herd_span_of("kiwi"), herd_span_of("kiwis")));
    assert_false(herd_span_equal(herd_span_of("kiwi"), herd_span_of("kiwj")));
}

static void test_compare_is_bytewise(void **state)
{
    (void)state;
    static const struct {
        struct herd_span low, high;
    } rows[] = {
        {{"", 0}, {"a", 1}},        {{"a", 1}, {"b", 1}},     {{"a", 1}, {"aa", 2}}, {{"Z", 1}, {"a", 1}},
        {{"\x7f", 1}, {"\x80", 1}}, {{"a\0", 2}, {"a\1", 2}}, {{"ab", 2}, {"b", 1}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_true(herd_span_compare(rows[i].low, rows[i].high) < 0);
        assert_true(herd_span_compare(rows[i].high, rows[i].low) > 0);
        assert_int_equal(herd_span_compare(rows[i].low, rows[i].low), 0);
    }
}

static void test_errors_have_sentences(void **state)
{
    (void)state;
#define ROW(name, value, text)                      \
    assert_string_equal(herd_strerror(name), text); \
    assert_int_equal(name, value);
    HERD_ERR_LIST(ROW)
#undef ROW
    assert_string_equal(herd_strerror(0), "no error");
    assert_string_equal(herd_strerror(-9999), "unknown error");
    assert_string_equal(herd_version(), HERD_VERSION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_compare_is_bytewise),
        cmocka_unit_test(test_errors_have_sentences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
