/* SPDX-License-Identifier: MIT */
#include "cm.h"

#include "google.h"
#include "query.h"

#include <stdio.h>
#include <string.h>

static struct herd_places_question question(unsigned bound)
{
    struct herd_places_question q = {0};
    assert_int_equal(herd_places_query_make_iso(&q, herd_span_of("+48.85+002.35"), herd_span_of("1"), bound), 0);
    return q;
}

static void test_body(void **state)
{
    (void)state;
    struct herd_places_question q = question(5);
    struct herd_buf body = {0};
    assert_int_equal(herd_overpass_body(&body, &q.query, "[\"name\"][amenity]", 5), 0);
    assert_int_equal(herd_buf_add(&body, "", 1), 0);
    assert_string_equal(body.at, "data=%5Bout%3Ajson%5D%5Btimeout%3A5%5D%3Bnwr%28around%3A1000%2C48.85%2C2.35%29"
                                 "%5B%22name%22%5D%5Bamenity%5D%3Bout%20center%20400%3B");
    /* Whatever would be taken from an answer is asked for. */
    body.len = 0;
    assert_int_equal(herd_overpass_body(&body, &q.query, HERD_OVERPASS_FILTER, 5), 0);
    assert_int_equal(herd_buf_add(&body, "", 1), 0);
    assert_non_null(strstr(body.at, "%5Ename%28%3Aen%29%3F%24%22"));
    assert_null(strstr(body.at, "%5B%22name%22%5D"));
    body.len = 0;
    assert_int_equal(herd_overpass_body(&body, &q.query, "-._09/:AZ@[az`{~\xff", 5), 0);
    assert_int_equal(herd_buf_add(&body, "", 1), 0);
    assert_non_null(strstr(body.at, "%29-._09%2F%3AAZ%40%5Baz%60%7B%7E%FF%3Bout"));
    herd_buf_fini(&body);
    herd_places_query_fini(&q);
}

static const char elements[] =
    "{\"version\":0.6,\"elements\":["
    "{\"type\":\"way\",\"id\":8,\"center\":{\"lat\":48.86,\"lon\":2.35},\"tags\":{\"name\":\"Outside\",\"shop\":"
    "\"books\"}},"
    "{\"type\":\"way\",\"id\":9,\"center\":{\"lat\":48.857,\"lon\":2.35},\"tags\":{\"name:en\":\"English\"}},"
    "{\"type\":\"way\",\"id\":7,\"center\":{\"lat\":48.858,\"lon\":2.35},\"tags\":{\"name\":\"Far\",\"shop\":"
    "\"books\"}},"
    "{\"type\":\"node\",\"id\":1,\"lat\":48.8501,\"lon\":2.35,\"tags\":{\"name\":\"Near "
    "\\u00e9\",\"amenity\":\"cafe\","
    "\"addr:street\":\"Rue X\",\"addr:housenumber\":\"5\",\"addr:city\":\"Paris\"}},"
    "{\"type\":\"node\",\"id\":2,\"lat\":48.85,\"lon\":2.35,\"tags\":{\"amenity\":\"bench\"}},"
    "{\"type\":\"node\",\"id\":3,\"tags\":{\"name\":\"nowhere\"}},"
    "{\"type\":\"node\",\"id\":4,\"lat\":\"48\",\"lon\":2.35,\"tags\":{\"name\":\"text\"}},"
    "{\"type\":\"node\",\"id\":5,\"lat\":4e99,\"lon\":2.35,\"tags\":{\"name\":\"beyond\"}}]}";

static void test_nearest_first(void **state)
{
    (void)state;
    struct herd_places_question q = question(20);
    struct herd_buf out = {0};
    struct herd_reply_class j;
    assert_int_equal(herd_overpass_classify(&(struct herd_reply){200, herd_span_of(elements)}, &q.query, &out, &j),
                     0);
    assert_int_equal(j.verdict, HERD_REPLY_ANSWER);
    assert_int_equal(herd_buf_add(&out, "", 1), 0);
    const char *near = strstr(out.at, "\"name\" : \"Near \\u00e9\""), *far = strstr(out.at, "\"name\" : \"Far\"");
    assert_true(near && far && near < far);
    assert_non_null(strstr(out.at, "\"vicinity\" : \"5 Rue X, Paris\""));
    assert_non_null(strstr(out.at, "\"place_id\" : \"osm:way/7\""));
    assert_non_null(strstr(out.at, "\"types\" : [ \"cafe\", \"point_of_interest\", \"establishment\" ]"));
    assert_non_null(strstr(out.at, "OpenStreetMap contributors"));
    assert_non_null(strstr(out.at, "\"name\" : \"English\""));
    assert_null(strstr(out.at, "Outside")); /* its centre is 1.1 km away */
    assert_null(strstr(out.at, "nowhere"));
    assert_null(strstr(out.at, "beyond"));
    herd_places_query_fini(&q);
    herd_buf_fini(&out);
}

static struct herd_buf answer_to(const char *reply, unsigned bound)
{
    struct herd_places_question q = question(bound);
    struct herd_buf out = {0};
    struct herd_reply_class j;
    assert_int_equal(herd_overpass_classify(&(struct herd_reply){200, herd_span_of(reply)}, &q.query, &out, &j), 0);
    assert_int_equal(j.verdict, HERD_REPLY_ANSWER);
    assert_int_equal(herd_buf_add(&out, "", 1), 0);
    herd_places_query_fini(&q);
    return out;
}

/* Parts that are missing, and places that are equally far away: these stay in the order they came in. */
static void test_odd_elements(void **state)
{
    (void)state;
    struct herd_buf out = answer_to(
        "{\"elements\":["
        "{\"type\":\"node\",\"id\":\"7\",\"lat\":48.85,\"lon\":2.35,\"tags\":{\"name\":\"First\",\"addr:street\":"
        "\"S\"}},"
        "{\"type\":\"node\",\"id\":8,\"lat\":48.85,\"lon\":2.35,\"tags\":{\"name\":\"Second\",\"addr:housenumber\":"
        "\"9\",\"addr:city\":\"C\"}},"
        "{\"type\":\"node\",\"id\":9,\"lat\":48.85,\"lon\":2.35,\"tags\":{\"name\":\"Third\"}},"
        "{\"type\":\"node\",\"id\":10,\"lat\":48.85,\"lon\":\"2.35\",\"tags\":{\"name\":\"text\"}}]}",
        2);
    const char *first = strstr(out.at, "\"name\" : \"First\""), *second = strstr(out.at, "\"name\" : \"Second\"");
    assert_true(first && second && first < second);
    assert_null(strstr(out.at, "Third")); /* beyond the bound */
    assert_non_null(strstr(out.at, "\"place_id\" : \"osm:node/\""));
    assert_non_null(strstr(out.at, "\"vicinity\" : \"S\""));
    assert_non_null(strstr(out.at, "\"vicinity\" : \"C\"")); /* a number without a street says nothing */
    herd_buf_fini(&out);
}

/* No more than were asked for are read, however many a server sends. */
static void test_more_than_asked_for(void **state)
{
    (void)state;
    struct herd_buf reply = {0};
    assert_int_equal(herd_buf_add_text(&reply, "{\"elements\":["), 0);
    for (int i = 0; i <= 400; i++) {
        char element[200];
        snprintf(element, sizeof element,
                 "%s{\"type\":\"node\",\"id\":%d,\"lat\":48.85%s,\"lon\":2.35,\"tags\":{\"name\":\"n%d\"}}",
                 i ? "," : "", i, i < 400 ? "01" : "", i);
        assert_int_equal(herd_buf_add_text(&reply, element), 0);
    }
    assert_int_equal(herd_buf_add(&reply, "]}", 3), 0);
    struct herd_buf out = answer_to(reply.at, 1);
    assert_non_null(strstr(out.at, "\"name\" : \"n0\""));
    assert_null(strstr(out.at, "n400")); /* nearer, and one too many */
    herd_buf_fini(&out);
    herd_buf_fini(&reply);
}

/* What failed is said in the server's words, without the escapes of JSON, and not at any length. */
static void test_remark(void **state)
{
    (void)state;
    struct herd_places_question q = question(5);
    struct herd_buf out = {0};
    struct herd_reply_class j;
    static const char timed_out[] = "{\"elements\":[],\"remark\":\"runtime error: Query timed out in \\\"query\\\" "
                                    "at line 1 after 6 seconds.\"}";
    assert_int_equal(herd_overpass_classify(&(struct herd_reply){200, herd_span_of(timed_out)}, &q.query, &out, &j),
                     0);
    assert_string_equal(
        j.why, "Overpass answered: runtime error: Query timed out in \"query\" at line 1 after 6 seconds.");
    char text[600];
    snprintf(text, sizeof text, "{\"elements\":[],\"remark\":\"runtime error: x%s\"}",
             "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3"
             "\xa9\xc3\xa9"
             "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3"
             "\xa9\xc3\xa9"
             "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3"
             "\xa9\xc3\xa9"
             "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3"
             "\xa9\xc3\xa9"
             "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3"
             "\xa9\xc3\xa9");
    assert_int_equal(herd_overpass_classify(&(struct herd_reply){200, herd_span_of(text)}, &q.query, &out, &j), 0);
    size_t len = strlen(j.why);
    assert_in_range(len, 100, 180);
    assert_memory_equal(j.why + len - 2, "\xc3\xa9", 2); /* no half of a character at the end */
    herd_buf_fini(&out);
    herd_places_query_fini(&q);
}

static void test_judge(void **state)
{
    (void)state;
    static const struct {
        long http;
        const char *body, *status;
    } rows[] = {
        {200, "{\"elements\":[]}", NULL},
        {200, "{\"elements\":[],\"remark\":\"runtime error: Query timed out\"}", "UNKNOWN_ERROR"},
        {200, "{\"elements\":[],\"remark\":\"runtime error: Query run out of memory using about 512 MB\"}",
         "UNKNOWN_ERROR"},
        {200, "{\"elements\":[],\"remark\":\"Dispatcher: rate_limited\"}", "UNKNOWN_ERROR"},
        {200, "{\"elements\":[],\"remark\":\"runtime remark: Timeout is 25 s\"}", NULL},
        {200, "{\"elements\":[],\"remark\":\"\"}", NULL},
        {200, "{\"elements\":{}}", "UNKNOWN_ERROR"},
        {200, "{}", "UNKNOWN_ERROR"},
        {200, "[]", "UNKNOWN_ERROR"},
        {200, "<?xml version=\"1.0\"?><html>", "UNKNOWN_ERROR"},
        {429, "", "OVER_QUERY_LIMIT"},
        {504, "<html>", "UNKNOWN_ERROR"},
        {400, "<html>", "INVALID_REQUEST"},
        {414, "<html>", "INVALID_REQUEST"},
    };
    struct herd_places_question q = question(5);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct herd_reply_class j;
        struct herd_buf out = {0};
        assert_int_equal(herd_overpass_classify(&(struct herd_reply){rows[i].http, herd_span_of(rows[i].body)},
                                                &q.query, &out, &j),
                         0);
        assert_int_equal(j.verdict, rows[i].status ? HERD_REPLY_FAILED : HERD_REPLY_ANSWER);
        if (rows[i].status)
            assert_string_equal(j.status, rows[i].status);
        assert_false(j.retry);
        herd_buf_fini(&out);
    }
    herd_places_query_fini(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_body),         cmocka_unit_test(test_nearest_first),
        cmocka_unit_test(test_odd_elements), cmocka_unit_test(test_more_than_asked_for),
        cmocka_unit_test(test_remark),       cmocka_unit_test(test_judge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
