/* SPDX-License-Identifier: MIT */
/* Whole entity tags are compared, wherever they stand in a list. */
#include "cm.h"

#include "entity_tag.h"
#include "guard.h"

static void test_lists(void **state)
{
    (void)state;
    static const struct {
        const char *list;
        bool has;
    } rows[] = {
        {"\"abc\"", true},
        {"W/\"abc\"", true},
        {"*", true},
        {" * ", true},
        {"\"x\", \"abc\"", true},
        {"\"x\",\"abc\",\"y\"", true},
        {" , ,\"abc\" , ", true},
        {"W/\"x\", W/\"abc\"", true},
        {"\"a,\", \"abc\"", true},
        {"\"\\\", \"abc\"", true}, /* a backslash escapes nothing here */
        {"\"\", \"abc\"", true},
        {"\"\xff\", \"abc\"", true},
        {"\"abc\" ", true},
        {"", false},
        {" ", false},
        {",", false},
        {"abc", false},
        {"\"abc", false},
        {"abc\"", false},
        {"\"abcd\"", false},
        {"\"xabc\"", false},
        {"\"ABC\"", false},
        {"w/\"abc\"", false},
        {"W/ \"abc\"", false},
        {"W/abc", false},
        {"W/", false},
        {"W", false},
        {"W/\"", false},
        {"x\"abc\"", false},
        {"W\"abc\"", false},
        {"Wx\"abc\"", false},
        {"w/\"abc\"", false}, /* RFC 9110, 8.8.3: the W is case-sensitive */
        {"\"abc\"x", false},
        {"\"abc\" \"x\"", false},
        {"\"x\"\"abc\"", false},
        {"\"x\" \"abc\"", false},
        {"\"x y\", \"abc\"", false},
        {"\"x\"; \"abc\"", false},
        {"\"x\", *, \"abc\"", false},
        {"*, \"abc\"", false},
        {"**", false},
        {"\"*\"", false},
        {"\"x, \"abc\"", false}, /* "x, is no tag: it holds a blank */
        {"\"x\"abc\"", false},
        {"\"\x7f\", \"abc\"", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (herd_http_tag_listed(guarded(herd_span_of(rows[i].list)), herd_span_of("\"abc\"")) != rows[i].has)
            fail_msg("%s", rows[i].list);
    assert_false(herd_http_tag_listed((struct herd_span){NULL, 0}, herd_span_of("\"abc\"")));
}

/* Of every list, cut off anywhere, the end is seen. */
static void test_cut_off(void **state)
{
    (void)state;
    static const char list[] = "W/\"one\", \"two\" ,, \"abc\"";
    for (size_t len = 0; len < sizeof list; len++)
        assert_int_equal(herd_http_tag_listed(guarded((struct herd_span){list, len}), herd_span_of("\"abc\"")),
                         len == sizeof list - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_cut_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
