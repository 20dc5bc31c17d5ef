/* SPDX-License-Identifier: MIT */
#include "cm.h"

#include "google.h"
#include "query.h"

#include <stdio.h>
#include <string.h>

static void test_url(void **state)
{
    (void)state;
    struct herd_places_question q = {0};
    struct herd_buf url = {0};
    assert_int_equal(herd_places_query_make_iso(&q, herd_span_of("+34.068930-118.445127"), herd_span_of("10"), 5),
                     0);
    assert_int_equal(herd_google_legacy_url(&url, HERD_GOOGLE_LEGACY_URL, &q.query, herd_span_of("AIza-_9")), 0);
    assert_string_equal(url.at, "https://maps.googleapis.com/maps/api/place/nearbysearch/json"
                                "?location=34.068930,-118.445127&radius=10000&key=AIza-_9");
    url.len = 0;
    assert_int_equal(herd_google_legacy_url(&url, "http://[::1]:1/a?type=cafe", &q.query, herd_span_of("a&b=c%+")),
                     0);
    assert_string_equal(
        url.at, "http://[::1]:1/a?type=cafe&location=34.068930,-118.445127&radius=10000&key=a%26b%3Dc%25%2B");
    url.len = 0; /* all that stands for itself, and what is next to it in ASCII */
    assert_int_equal(herd_google_legacy_url(&url, "u", &q.query, herd_span_of("-.~_09/:AZ@[az`{\x7f\xff")), 0);
    assert_string_equal(url.at,
                        "u?location=34.068930,-118.445127&radius=10000&key=-.~_09%2F%3AAZ%40%5Baz%60%7B%7F%FF");
    herd_buf_fini(&url);
    herd_places_query_fini(&q);
}

static void test_judge(void **state)
{
    (void)state;
    static const struct {
        long http;
        const char *body, *status; /* NULL: an answer */
        bool retry, blame, verbatim;
    } rows[] = {
        {200, "{\"results\":[],\"status\":\"ZERO_RESULTS\"}", NULL, false, false, false},
        {200, "{\"results\":[{}],\"status\":\"OK\"}", NULL, false, false, false},
        {200, "{\"status\":\"OK\"}", "UNKNOWN_ERROR", false, true, false},
        {200, "{\"results\":[{}]}", "UNKNOWN_ERROR", false, true, true},
        {200, "{\"results\":[],\"status\":\"REQUEST_DENIED\",\"error_message\":\"no\"}", "REQUEST_DENIED", false,
         true, true},
        {200, "{\"status\":\"OVER_QUERY_LIMIT\"}", "OVER_QUERY_LIMIT", false, true, false},
        {200, "{\"results\":[],\"status\":\"INVALID_REQUEST\"}", "INVALID_REQUEST", false, false, true},
        {200, "{\"results\":[],\"status\":\"UNKNOWN_ERROR\"}", "UNKNOWN_ERROR", true, true, true},
        {200, "<html>", "UNKNOWN_ERROR", false, true, false},
        {200, "", "UNKNOWN_ERROR", false, true, false},
        {200, "{\"results\":{},\"status\":\"OK\"}", "UNKNOWN_ERROR", false, true, false},
        {500, "{\"results\":[],\"status\":\"OK\"}", "UNKNOWN_ERROR", true, true, false},
        {503, "", "UNKNOWN_ERROR", true, true, false},
        {504, "", "UNKNOWN_ERROR", true, true, false},
        {502, "", "UNKNOWN_ERROR", false, true, false},
        {302, "", "UNKNOWN_ERROR", false, true, false},
        {403, "", "REQUEST_DENIED", false, true, false},
        {429, "", "OVER_QUERY_LIMIT", false, true, false},
        {400, "", "INVALID_REQUEST", false, false, false},
        {414, "", "INVALID_REQUEST", false, false, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct herd_reply_class j;
        struct herd_answer_shape shape;
        herd_google_legacy_classify(&(struct herd_reply){rows[i].http, herd_span_of(rows[i].body)}, &j, &shape);
        if (!rows[i].status) {
            assert_int_equal(j.verdict, HERD_REPLY_ANSWER);
            continue;
        }
        assert_int_equal(j.verdict, HERD_REPLY_FAILED);
        if (strcmp(j.status, rows[i].status) != 0 || j.retry != rows[i].retry ||
            j.counts_as_failure != rows[i].blame || j.verbatim != rows[i].verbatim || !j.why[0])
            fail_msg("row %zu: %s retry %d blame %d verbatim %d (%s)", i, j.status, j.retry, j.counts_as_failure,
                     j.verbatim, j.why);
    }
}

/* What the provider said is text by now: its escapes are taken for what they stand for, once. */
static void test_message(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"The \\\"key\\\" is \\u00e9vil\\/\\\\", "The \"key\" is \xc3\xa9vil/\\"},
        {"\\ud83d\\ude00 \\u20ac\\t\\n\\b\\f\\r\\u0041", "\xf0\x9f\x98\x80 \xe2\x82\xac\t\n\b\f\rA"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char json[400];
        struct herd_reply_class j;
        struct herd_answer_shape shape;
        snprintf(json, sizeof json, "{\"status\":\"REQUEST_DENIED\",\"error_message\":\"%s\"}", rows[i][0]);
        herd_google_legacy_classify(&(struct herd_reply){200, herd_span_of(json)}, &j, &shape);
        const char *colon = strstr(j.why, "DENIED: ");
        assert_string_equal(colon ? colon + 8 : "", rows[i][1]);
    }
    /* cut between characters */
    char json[600] = "{\"status\":\"REQUEST_DENIED\",\"error_message\":\"a";
    for (int i = 0; i < 60; i++)
        strcat(json, i % 2 ? "\\u00e9" : "\xc3\xa9");
    strcat(json, "\"}");
    struct herd_reply_class j;
    struct herd_answer_shape shape;
    herd_google_legacy_classify(&(struct herd_reply){200, herd_span_of(json)}, &j, &shape);
    size_t len = strlen(j.why);
    assert_true(memcmp(j.why + len - 2, "\xc3\xa9", 2) == 0);
    assert_int_equal(strlen(strstr(j.why, ": a")), 2 + 1 + 59 * 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_url), cmocka_unit_test(test_judge),
                                       cmocka_unit_test(test_message)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
