/* SPDX-License-Identifier: MIT */
/* Every allocation of the room fails once, one after the other: the call says so, or succeeds, and nothing is
 * lost (the sanitizers and valgrind look on). */
#include "cm.h"

#include "../edge/alloc.h"
#include "google.h"
#include "points.h"
#include "query.h"

#include <string.h>

/* Runs a scenario until it gets through without meeting the failure. */
static void fail_each(int (*scenario)(void), long least)
{
    for (long n = 1;; n++) {
        alloc_fail_at = n;
        int err = scenario();
        bool met = alloc_fail_at <= 0;
        alloc_fail_at = 0;
        if (!met) {
            assert_int_equal(err, 0);
            assert_true(n > least);
            return;
        }
        assert_true(err == HERD_E_NOMEM || err == 0);
        assert_true(n < 10000);
    }
}

static int make_query(void)
{
    struct herd_places_question q = {0};
    struct herd_buf url = {0};
    int err = herd_places_query_make_iso(&q, herd_span_of("+1+2"), herd_span_of("1"), 5);
    if (err == 0)
        err = herd_google_legacy_url(&url, HERD_GOOGLE_LEGACY_URL, &q.query, herd_span_of("k"));
    herd_buf_fini(&url);
    herd_places_query_fini(&q);
    return err;
}

static int write_failure(void)
{
    struct herd_buf out = {0};
    int err = herd_answer_failure(&out, "UNKNOWN_ERROR", herd_span_of("why"));
    assert_true(err == 0 || out.len == 0);
    herd_buf_fini(&out);
    return err;
}

static int cut(void)
{
    static const char json[] = "{\"results\":[1,2]}";
    struct herd_answer_shape shape;
    struct herd_buf out = {0};
    char why[100];
    int err = herd_answer_read(herd_span_of(json), &shape, why, sizeof why);
    if (err == 0)
        err = herd_answer_cut(&out, herd_span_of(json), &shape, 1);
    assert_true(err == 0 || out.len == 0);
    herd_buf_fini(&out);
    return err;
}

static int translate(void)
{
    static const char google[] = "{\"places\":[{\"types\":[\"a\"],\"location\":{\"latitude\":1,\"longitude\":2},\"iconMaskBaseUri\":\"i\","
                                 "\"displayName\":{\"text\":\"n\"},\"attributions\":[{\"provider\":\"P\",\"providerUri\":\"u\"}]}]}";
    static const char overpass[] = "{\"elements\":[{\"type\":\"node\",\"id\":1,\"lat\":1,\"lon\":2,\"tags\":{\"name\":\"n\",\"shop\":\"s\"}}]}";
    struct herd_places_query query = {.lat = {"1", 1}, .lon = {"2", 1}, .radius = {"3", 1}, .bound = 5};
    struct herd_judgement j;
    struct herd_buf out = {0}, body = {0};
    int err = herd_google_new_body(&body, &query);
    if (err == 0)
        err = herd_google_new_judge(&(struct herd_reply){200, herd_span_of(google)}, &query, &out, &j);
    out.len = 0;
    body.len = 0;
    if (err == 0)
        err = herd_overpass_body(&body, &query, HERD_OVERPASS_FILTER, 5);
    if (err == 0)
        err = herd_overpass_judge(&(struct herd_reply){200, herd_span_of(overpass)}, &query, &out, &j);
    herd_buf_fini(&out);
    herd_buf_fini(&body);
    return err;
}

static int read_and_answer(enum herd_points_format format, const char *text)
{
    struct herd_points *points = NULL;
    struct herd_points_reader *reader = NULL;
    struct herd_config_fault fault;
    struct herd_buf out = {0};
    struct herd_places_query query = {.lat_deg = 2, .lon_deg = 1, .radius_m = 1000, .bound = 5};
    int err = herd_points_new(&points, "\"a\"", "p:");
    if (err == 0)
        err = herd_points_reader_new(&reader, format, points);
    if (err == 0)
        err = herd_points_read(reader, herd_span_of(text), &fault);
    if (err == 0)
        err = herd_points_read_end(reader, &fault);
    if (err == 0)
        err = herd_points_seal(points);
    if (err == 0)
        err = herd_points_answer(points, &query, &out);
    assert_true(err == 0 || out.len == 0);
    herd_buf_fini(&out);
    herd_points_reader_free(reader);
    herd_points_free(points);
    return err;
}

static int geojson(void)
{
    return read_and_answer(HERD_POINTS_GEOJSON,
                           "{\"type\":\"FeatureCollection\",\"features\":[{\"type\":\"Feature\",\"id\":\"i\",\"geometry\":{\"type\":"
                           "\"Point\",\"coordinates\":[1,2]},\"properties\":{\"name\":\"n\",\"shop\":\"s\",\"address\":\"a\"}}]}");
}

static int tsv(void)
{
    return read_and_answer(HERD_POINTS_TSV, "1\tA\t\t\t2\t1\tP\t\tFR\t\t\t\t\t\t\t\t\t\t\n2\tB\t\t\t2\t1\tP\t\tQQ\t\t\t\t\t\t\t\t\t\t");
}

static int gazetteer(void)
{
    struct herd_points *points = NULL;
    int err = herd_points_gazetteer(&points);
    herd_points_free(points);
    return err;
}

static void test_everything(void **state)
{
    (void)state;
    fail_each(make_query, 2);
    fail_each(write_failure, 1);
    fail_each(cut, 1);
    fail_each(translate, 5);
    fail_each(geojson, 8);
    fail_each(tsv, 8);
    fail_each(gazetteer, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_everything)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
