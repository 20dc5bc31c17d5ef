/* SPDX-License-Identifier: MIT */
/* Every allocation of the room fails once, one after the other: the call says so, or succeeds, and nothing is
 * lost (the sanitizers and valgrind look on). */
#include "cm.h"

#include "../edge/alloc.h"
#include "google.h"
#include "points.h"
#include "query.h"

#include <stdio.h>
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
        err = herd_answer_truncate(&out, herd_span_of(json), &shape, 1);
    assert_true(err == 0 || out.len == 0);
    herd_buf_fini(&out);
    return err;
}

static int translate(void)
{
    static const char google[] =
        "{\"places\":[{\"types\":[\"a\"],\"location\":{\"latitude\":1,\"longitude\":2},\"iconMaskBaseUri\":\"i\","
        "\"displayName\":{\"text\":\"n\"},\"attributions\":[{\"provider\":\"P\",\"providerUri\":\"u\"}]}]}";
    static const char overpass[] = "{\"elements\":[{\"type\":\"node\",\"id\":1,\"lat\":1,\"lon\":2,\"tags\":{"
                                   "\"name\":\"n\",\"shop\":\"s\"}}]}";
    struct herd_places_query query = {.lat = {"1", 1}, .lon = {"2", 1}, .radius = {"3", 1}, .bound = 5};
    struct herd_reply_class j;
    struct herd_buf out = {0}, body = {0};
    int err = herd_google_new_body(&body, &query);
    if (err == 0)
        err = herd_google_new_classify(&(struct herd_reply){200, herd_span_of(google)}, &query, &out, &j);
    out.len = 0;
    body.len = 0;
    if (err == 0)
        err = herd_overpass_body(&body, &query, HERD_OVERPASS_FILTER, 5);
    if (err == 0)
        err = herd_overpass_classify(&(struct herd_reply){200, herd_span_of(overpass)}, &query, &out, &j);
    herd_buf_fini(&out);
    herd_buf_fini(&body);
    return err;
}

static int read_and_answer(enum herd_points_format format, const char *text)
{
    struct herd_points *points = NULL;
    struct herd_points_reader *reader = NULL;
    struct herd_diagnostic diagnostic;
    struct herd_buf out = {0};
    struct herd_places_query query = {.lat_deg = 2, .lon_deg = 1, .radius_m = 1000, .bound = 5};
    int err = herd_points_new(&points, "\"a\"", "p:");
    if (err == 0)
        err = herd_points_reader_new(&reader, format, points);
    if (err == 0)
        err = herd_points_read(reader, herd_span_of(text), &diagnostic);
    if (err == 0)
        err = herd_points_read_end(reader, &diagnostic);
    if (err == 0)
        err = herd_points_build_index(points);
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
    return read_and_answer(
        HERD_POINTS_GEOJSON,
        "{\"type\":\"FeatureCollection\",\"features\":[{\"type\":\"Feature\",\"id\":\"i\",\"geometry\":{\"type\":"
        "\"Point\",\"coordinates\":[1,2]},\"properties\":{\"name\":\"n\",\"shop\":\"s\",\"address\":\"a\"}}]}");
}

static int tsv(void)
{
    return read_and_answer(
        HERD_POINTS_TSV,
        "1\tA\t\t\t2\t1\tP\t\tFR\t\t\t\t\t\t\t\t\t\t\n2\tB\t\t\t2\t1\tP\t\tQQ\t\t\t\t\t\t\t\t\t\t");
}

static int gazetteer(void)
{
    struct herd_points *points = NULL;
    int err = herd_points_gazetteer(&points);
    herd_points_free(points);
    return err;
}

/* Buffers double, so that few appends need memory: here each of them does once, for what was there before ends
 * a byte later each time. What could not be appended whole is not there. */

#define AHEAD_MAX 1200 /* longer than what any scenario appends */

static int append_url(struct herd_buf *out)
{
    struct herd_places_query query = {.lat = {"1.5", 3}, .lon = {"-2.5", 4}, .radius = {"3000", 4}, .bound = 5};
    return herd_google_legacy_url(out, "http://127.0.0.1/a?b", &query, herd_span_of("k+y"));
}

static int append_body(struct herd_buf *out)
{
    struct herd_places_query query = {.lat = {"1.5", 3}, .lon = {"-2.5", 4}, .radius = {"3000", 4}, .bound = 5};
    return herd_google_new_body(out, &query);
}

static int append_form(struct herd_buf *out)
{
    struct herd_places_query query = {.lat = {"1.5", 3}, .lon = {"-2.5", 4}, .radius = {"3000", 4}, .bound = 5};
    return herd_overpass_body(out, &query, "[\"name\"]", 5);
}

static int append_failure(struct herd_buf *out)
{
    return herd_answer_failure(out, "UNKNOWN_ERROR", herd_span_of("why \"so\""));
}

static int append_cut(struct herd_buf *out)
{
    static const char json[] = "{\n\n \"a\" : 1,\n\n\n \"results\" : [ 1, 2, 3 ],\n\n \"status\" : \"OK\"\n}";
    struct herd_answer_shape shape;
    char why[100];
    assert_int_equal(herd_answer_read(herd_span_of(json), &shape, why, sizeof why), 0);
    return herd_answer_truncate(out, herd_span_of(json), &shape, 2);
}

static int append_legacy(struct herd_buf *out)
{
    static const char google[] = "{\"places\":[{\"types\":[\"a\",\"b\",7],\"location\":{\"latitude\":1,"
                                 "\"longitude\":2},\"iconMaskBaseUri\":\"i\","
                                 "\"displayName\":{\"text\":\"n\"},\"rating\":4.5,\"attributions\":[{\"provider\":"
                                 "\"P\",\"providerUri\":\"u\"},"
                                 "{\"provider\":\"Q\",\"providerUri\":\"v\"},{\"providerUri\":\"nobody\"}]}]}";
    struct herd_places_query query = {.lat = {"1", 1}, .lon = {"2", 1}, .radius = {"3", 1}, .bound = 5};
    struct herd_reply_class j;
    return herd_google_new_classify(&(struct herd_reply){200, herd_span_of(google)}, &query, out, &j);
}

static void fail_wherever(int (*append)(struct herd_buf *out))
{
    struct herd_buf whole = {0};
    assert_int_equal(append(&whole), 0);
    assert_true(whole.len > 0 && whole.len < AHEAD_MAX);
    size_t failed = 0;
    for (size_t ahead = 2048 - AHEAD_MAX; ahead <= 2048; ahead++) {
        struct herd_buf out = {0};
        assert_int_equal(herd_buf_reserve(&out, 2048), 0);
        memset(out.at, '#', ahead);
        out.len = ahead;
        for (long n = 1; n < 6; n++) { /* scratch memory comes first */
            alloc_fail_at = n;
            int err = append(&out);
            alloc_fail_at = 0;
            assert_true(err == 0 || err == HERD_E_NOMEM);
            assert_true(out.len >= ahead && out.at[0] == '#' && out.at[ahead - 1] == '#');
            if (err == 0)
                assert_true(out.len - ahead == whole.len && memcmp(out.at + ahead, whole.at, whole.len) == 0);
            failed += err < 0;
            out.len = ahead;
        }
        herd_buf_fini(&out);
    }
    assert_true(failed >= whole.len / 2);
    herd_buf_fini(&whole);
}

static void test_wherever_a_buffer_ends(void **state)
{
    (void)state;
    fail_wherever(append_url);
    fail_wherever(append_body);
    fail_wherever(append_form);
    fail_wherever(append_failure);
    fail_wherever(append_cut);
    fail_wherever(append_legacy);
}

/* Inside, texts are put together in memory of their own: names grow by a byte until each end was met. */
static int grow_overpass(int size)
{
    char json[2000];
    struct herd_places_query query = {.lat = {"1", 1}, .lon = {"2", 1}, .radius = {"3", 1}, .bound = 5};
    struct herd_reply_class j;
    struct herd_buf out = {0};
    snprintf(
        json, sizeof json,
        "{\"elements\":[{\"type\":\"node\",\"id\":1,\"lat\":1,\"lon\":2,\"tags\":{\"name\":\"n\",\"shop\":\"%0*d\","
        "\"addr:street\":\"%0*d\",\"addr:city\":\"c\",\"addr:housenumber\":\"7\"}}]}",
        size / 2 + 1, 0, size + 1, 0);
    int err = herd_buf_reserve(&out, 4096); /* so that only the inner ones are in want */
    if (err == 0)
        err = herd_overpass_classify(&(struct herd_reply){200, herd_span_of(json)}, &query, &out, &j);
    assert_true(err == 0 || out.len == 0);
    herd_buf_fini(&out);
    return err;
}

static int grow_feature(int size, const char *form)
{
    char json[2000];
    snprintf(json, sizeof json, form, size / 2 + 1, 0, size + 1, 0);
    return read_and_answer(HERD_POINTS_GEOJSON, json);
}

static int grow_geojson(int size)
{
    return grow_feature(
        size, "{\"type\":\"Feature\",\"id\":\"i\",\"geometry\":{\"type\":\"Point\",\"coordinates\":[1,2]},"
              "\"properties\":{\"name\":\"n\",\"shop\":\"%0*d\",\"addr:street\":\"%0*d\",\"addr:city\":\"c\","
              "\"addr:housenumber\":\"7\"}}");
}

static int grow_types(int size)
{
    return grow_feature(
        size, "{\"type\":\"Feature\",\"id\":\"i\",\"geometry\":{\"type\":\"Point\",\"coordinates\":[1,2]},"
              "\"properties\":{\"name\":\"n\",\"types\":[\"%0*d\",\"%0*d\"],\"addr:city\":\"c\"}}");
}

static int grow_tsv(int size)
{
    char line[1000];
    snprintf(line, sizeof line, "%0*d\tA\t\t\t2\t1\tP\t\tQ%0*d\t\t\t\t\t\t\t\t\t\t", size + 1, 1, size / 2 + 1, 0);
    return read_and_answer(HERD_POINTS_TSV, line);
}

static void test_whatever_the_length(void **state)
{
    (void)state;
    int (*const scenarios[])(int size) = {grow_overpass, grow_geojson, grow_types, grow_tsv};
    for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++)
        for (int size = 0; size < 260; size++)
            for (long n = 1; n < 60; n++) {
                alloc_fail_at = n;
                int err = scenarios[i](size);
                bool met = alloc_fail_at <= 0;
                alloc_fail_at = 0;
                assert_true(met ? err == HERD_E_NOMEM || err == 0 : err == 0);
                if (!met)
                    break;
                assert_true(n < 59);
            }
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_everything),
                                       cmocka_unit_test(test_wherever_a_buffer_ends),
                                       cmocka_unit_test(test_whatever_the_length)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
