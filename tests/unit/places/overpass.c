/* SPDX-License-Identifier: MIT */
#include "cm.h"

#include "google.h"
#include "query.h"

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
        cmocka_unit_test(test_body),
        cmocka_unit_test(test_nearest_first),
        cmocka_unit_test(test_judge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
