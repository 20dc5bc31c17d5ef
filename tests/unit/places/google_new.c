/* SPDX-License-Identifier: MIT */
#include "cm.h"

#include "google.h"
#include "query.h"
#include "raw.h"

#include <string.h>

static struct herd_places_question question(unsigned bound)
{
    struct herd_places_question q = {0};
    assert_int_equal(
        herd_places_query_make_iso(&q, herd_span_of("+34.068930-118.445127"), herd_span_of("0.0005"), bound), 0);
    return q;
}

static void test_body(void **state)
{
    (void)state;
    static const struct {
        unsigned bound;
        const char *count;
    } rows[] = {{0, "1"}, {1, "1"}, {20, "20"}};
    for (size_t i = 0; i < 3; i++) {
        struct herd_places_question q = question(rows[i].bound);
        struct herd_buf body = {0};
        struct herd_raw_fault fault;
        struct herd_span value;
        assert_int_equal(herd_google_new_body(&body, &q.query), 0);
        struct herd_span json = {body.at, body.len};
        assert_int_equal(herd_raw_check(json, &fault), 0);
        assert_true(herd_raw_get(json, "maxResultCount", &value));
        assert_true(herd_span_equal(value, herd_span_of(rows[i].count)));
        assert_true(herd_raw_get(json, "locationRestriction", &value));
        assert_true(herd_span_equal(value, herd_span_of("{\"circle\":{\"center\":{\"latitude\":34.068930,"
                                                        "\"longitude\":-118.445127},\"radius\":0.5}}")));
        herd_buf_fini(&body);
        herd_places_query_fini(&q);
    }
}

/* One field of a dearer kind makes every request dearer. */
static void test_default_fields_are_pro(void **state)
{
    (void)state;
    static const char *const dear[] = {"rating",  "userRatingCount", "price",  "OpeningHours",
                                       "website", "phone",           "review", "*"};
    assert_ptr_equal(herd_google_new_fields(NULL), herd_google_new_fields("pro"));
    for (size_t i = 0; i < sizeof dear / sizeof dear[0]; i++)
        assert_null(strstr(herd_google_new_fields(NULL), dear[i]));
    assert_non_null(strstr(herd_google_new_fields("enterprise"), "places.rating"));
    assert_string_equal(herd_google_new_fields("places.id"), "places.id");
    assert_null(strchr(herd_google_new_fields("enterprise"), ' '));
}

static const char body[] =
    "{\"places\":[{\"id\":\"ChIJ1\",\"types\":[\"cafe\",\"food\"],\"location\":{\"latitude\":34.0600001,"
    "\"longitude\":-118.4},"
    "\"viewport\":{\"low\":{\"latitude\":1,\"longitude\":2},\"high\":{\"latitude\":3,\"longitude\":4}},"
    "\"displayName\":{\"text\":\"Caf\\u00e9 \\\"A\\\"\",\"languageCode\":\"en\"},\"shortFormattedAddress\":\"1 "
    "St\","
    "\"businessStatus\":\"OPERATIONAL\",\"rating\":4.50,\"userRatingCount\":18446744073709551616,"
    "\"priceLevel\":\"PRICE_LEVEL_MODERATE\",\"currentOpeningHours\":{\"openNow\":false},"
    "\"plusCode\":{\"globalCode\":\"85\",\"compoundCode\":\"X\"},\"iconMaskBaseUri\":\"https://i/c\","
    "\"attributions\":[{\"provider\":\"P\",\"providerUri\":\"https://p/\"}]},"
    "{\"id\":5,\"location\":{\"latitude\":\"x\"}},"
    "{\"location\":{\"latitude\":0,\"longitude\":0},\"types\":\"no\",\"displayName\":[]}]}\n";

static void test_translate(void **state)
{
    (void)state;
    struct herd_places_question q = question(20);
    struct herd_buf out = {0};
    struct herd_reply_class j;
    assert_int_equal(herd_google_new_classify(&(struct herd_reply){200, herd_span_of(body)}, &q.query, &out, &j),
                     0);
    assert_int_equal(j.verdict, HERD_REPLY_ANSWER);
    static const char want[] =
        "{\n   \"html_attributions\" : [ \"<a href=\\\"https://p/\\\">P</a>\" ],\n   \"results\" : [\n      {\n"
        "         \"business_status\" : \"OPERATIONAL\",\n         \"geometry\" : {\n            \"location\" : {\n"
        "               \"lat\" : 34.0600001,\n               \"lng\" : -118.4\n            },\n"
        "            \"viewport\" : {\n               \"northeast\" : {\n                  \"lat\" : 3,\n"
        "                  \"lng\" : 4\n               },\n               \"southwest\" : {\n"
        "                  \"lat\" : 1,\n                  \"lng\" : 2\n               }\n            }\n         "
        "},\n"
        "         \"icon\" : \"https://i/c.png\",\n         \"name\" : \"Caf\\u00e9 \\\"A\\\"\",\n"
        "         \"opening_hours\" : {\n            \"open_now\" : false\n         },\n         \"place_id\" : "
        "\"ChIJ1\",\n"
        "         \"plus_code\" : {\n            \"compound_code\" : \"X\",\n            \"global_code\" : "
        "\"85\"\n         },\n"
        "         \"price_level\" : 2,\n         \"rating\" : 4.50,\n         \"reference\" : \"ChIJ1\",\n"
        "         \"types\" : [ \"cafe\", \"food\" ],\n         \"user_ratings_total\" : 18446744073709551616,\n"
        "         \"vicinity\" : \"1 St\"\n      },\n      {\n         \"geometry\" : {\n            \"location\" "
        ": {\n"
        "               \"lat\" : 0,\n               \"lng\" : 0\n            }\n         },\n         \"types\" : "
        "[]\n"
        "      }\n   ],\n   \"status\" : \"OK\"\n}";
    if (!herd_span_equal((struct herd_span){out.at, out.len}, herd_span_of(want)))
        fail_msg("got %.*s", (int)out.len, out.at);
    herd_places_query_fini(&q);

    /* Bound 0 keeps the status of what is there. */
    q = question(0);
    out.len = 0;
    assert_int_equal(herd_google_new_classify(&(struct herd_reply){200, herd_span_of(body)}, &q.query, &out, &j),
                     0);
    assert_non_null(memmem(out.at, out.len, "\"results\" : [],\n   \"status\" : \"OK\"", 34));
    herd_places_query_fini(&q);
    herd_buf_fini(&out);
}

static void test_judge(void **state)
{
    (void)state;
    static const struct {
        long http;
        const char *body, *status; /* status NULL: an answer with no results */
        bool retry, blame;
    } rows[] = {
        {200, "{}", NULL, false, false},
        {200, " { \"places\" : [] } ", NULL, false, false},
        {200, "", "UNKNOWN_ERROR", false, true},
        {200, "[]", "UNKNOWN_ERROR", false, true},
        {200, "{\"places\":{}}", "UNKNOWN_ERROR", false, true},
        {200, "{\"places\":[],\"place\\u0073\":[]}", "UNKNOWN_ERROR", false, true},
        {200, "{\"places\":[NaN]}", "UNKNOWN_ERROR", false, true},
        {200, "{\"places\":[", "UNKNOWN_ERROR", false, true},
        {400,
         "{\"error\":{\"code\":400,\"message\":\"FieldMask is a required "
         "parameter\",\"status\":\"INVALID_ARGUMENT\"}}",
         "INVALID_REQUEST", false, false},
        {400, "{\"error\":{\"code\":400,\"message\":\"API key not valid.\",\"status\":\"INVALID_ARGUMENT\"}}",
         "REQUEST_DENIED", false, true},
        {403, "{\"error\":{\"message\":\"m\",\"status\":\"PERMISSION_DENIED\"}}", "REQUEST_DENIED", false, true},
        {429, "{\"error\":{\"status\":\"RESOURCE_EXHAUSTED\"}}", "OVER_QUERY_LIMIT", false, true},
        {429, "[{\"error\":{\"status\":\"RESOURCE_EXHAUSTED\"}}]", "OVER_QUERY_LIMIT", false, true},
        {500, "<html>", "UNKNOWN_ERROR", true, true},
        {503, "{\"error\":{\"status\":\"UNAVAILABLE\"}}", "UNKNOWN_ERROR", true, true},
        {403, "{\"error\":[]}", "REQUEST_DENIED", false, true},
        {403, "{\"error\":{\"status\":7,\"message\":{}}}", "REQUEST_DENIED", false, true},
    };
    struct herd_places_question q = question(5);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct herd_reply_class j;
        struct herd_buf out = {0};
        assert_int_equal(herd_google_new_classify(&(struct herd_reply){rows[i].http, herd_span_of(rows[i].body)},
                                                  &q.query, &out, &j),
                         0);
        if (!rows[i].status) {
            assert_int_equal(j.verdict, HERD_REPLY_ANSWER);
            assert_non_null(memmem(out.at, out.len, "ZERO_RESULTS", 12));
        } else if (j.verdict != HERD_REPLY_FAILED || strcmp(j.status, rows[i].status) != 0 ||
                   j.retry != rows[i].retry || j.counts_as_failure != rows[i].blame || out.len) {
            fail_msg("row %zu: %s retry %d blame %d (%s)", i, j.status, j.retry, j.counts_as_failure, j.why);
        }
        herd_buf_fini(&out);
    }
    herd_places_query_fini(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_body),
        cmocka_unit_test(test_default_fields_are_pro),
        cmocka_unit_test(test_translate),
        cmocka_unit_test(test_judge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
