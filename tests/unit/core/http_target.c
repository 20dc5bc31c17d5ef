/* SPDX-License-Identifier: MIT */
/* Segments, pairs and escapes. */
#include "cm.h"

#include "guard.h"
#include "target.h"

static void test_segments(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"", ""},           {"*", ""},
        {"a", ""},          {"/", "|"},
        {"/a", "a|"},       {"/a/", "a||"},
        {"//", "||"},       {"/v1/clients/jane%2Fphone", "v1|clients|jane%2Fphone|"},
        {"/a//b", "a||b|"}, {"/../a", "..|a|"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct herd_span rest = guarded(herd_span_of(rows[i][0])), segment;
        char text[64] = "";
        while (herd_http_path_next(&rest, &segment)) {
            strncat(text, segment.at, segment.len);
            strcat(text, "|");
        }
        assert_string_equal(text, rows[i][1]);
    }
    struct herd_span none = {NULL, 0}, segment;
    assert_false(herd_http_path_next(&none, &segment));
}

static void test_pairs(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"", ""},
        {"&&", ""},
        {"a", "a:|"},
        {"a=", "a:|"},
        {"=b", ":b|"},
        {"=", ":|"},
        {"a=b", "a:b|"},
        {"a=b=c", "a:b=c|"},
        {"&a=b&&c=d&", "a:b|c:d|"},
        {"a=b&a=c", "a:b|a:c|"},
        {"lat=+4.5&x=%26", "lat:+4.5|x:%26|"},
        {"a;b=c", "a;b:c|"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct herd_span rest = guarded(herd_span_of(rows[i][0])), name, value;
        char text[64] = "";
        while (herd_http_query_next(&rest, &name, &value)) {
            strncat(text, name.at, name.len);
            strcat(text, ":");
            strncat(text, value.at, value.len);
            strcat(text, "|");
        }
        assert_string_equal(text, rows[i][1]);
    }
    struct herd_span none = {NULL, 0}, name, value;
    assert_false(herd_http_query_next(&none, &name, &value));
}

static void test_escapes(void **state)
{
    (void)state;
    static const struct {
        const char *text, *path, *form; /* NULL: refused */
    } rows[] = {
        {"", "", ""},
        {"abc", "abc", "abc"},
        {"a+b", "a+b", "a b"},
        {"a%20b%2Bc%2f", "a b+c/", "a b+c/"},
        {"%C3%bc", "\xc3\xbc", "\xc3\xbc"},
        {"%2525", "%25", "%25"},
        {"%ff\xff", "\xff\xff", "\xff\xff"},
        {"%", NULL, NULL},
        {"a%4", NULL, NULL},
        {"%4g", NULL, NULL},
        {"%g4", NULL, NULL},
        {"%%41", NULL, NULL},
        {"% 1", NULL, NULL},
        {"%+1", NULL, NULL},
        {"a%00", NULL, NULL},
        {"%u0041", NULL, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (int form = 0; form < 2; form++) {
            const char *want = form ? rows[i].form : rows[i].path;
            struct herd_span text = guarded(herd_span_of(rows[i].text));
            char to[32];
            size_t len = 77;
            int err = herd_http_unescape(text, form ? HERD_HTTP_BLANK : HERD_HTTP_PLUS, to, &len);
            assert_int_equal(err, want ? 0 : HERD_E_SYNTAX);
            if (want)
                assert_true(herd_span_equal((struct herd_span){to, len}, herd_span_of(want)));
            else
                assert_int_equal(len, 77);
        }
    }
    char in_place[] = "a%20b";
    size_t len;
    assert_int_equal(herd_http_unescape(herd_span_of(in_place), HERD_HTTP_PLUS, in_place, &len), 0);
    assert_true(len == 3 && memcmp(in_place, "a b", 3) == 0);
    assert_int_equal(herd_http_unescape((struct herd_span){"a\0b", 3}, HERD_HTTP_PLUS, in_place, &len),
                     HERD_E_SYNTAX);
    assert_int_equal(herd_http_unescape((struct herd_span){NULL, 0}, HERD_HTTP_PLUS, in_place, &len), 0);
    assert_int_equal(len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_segments),
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_escapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
