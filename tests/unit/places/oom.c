/* SPDX-License-Identifier: MIT */
/* Every allocation of the room fails once, one after the other: the call says so, or succeeds, and nothing is
 * lost (the sanitizers and valgrind look on). */
#include "cm.h"

#define RESERVATIONS_FAIL
#include "../edge/alloc.h"
#include "../failing_additions.h"
#include "../temp.h"
#include "google.h"
#include "points.h"
#include "query.h"

#include <herd/geojson.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static long addition_fail_at; /* as alloc_fail_at, of additions to buffers, whether or not they have room */

static bool addition_fails_now(void)
{
    return addition_fail_at != 0 && --addition_fail_at == 0;
}

/* Runs a scenario until it gets through without meeting the failure. */
static void fail_each_of(long *counter, int (*scenario)(void), long least)
{
    for (long n = 1;; n++) {
        *counter = n;
        int err = scenario();
        bool met = *counter <= 0;
        *counter = 0;
        if (!met) {
            assert_int_equal(err, 0);
            assert_true(n > least);
            return;
        }
        assert_true(err == HERD_E_NOMEM || err == 0);
        assert_true(n < 10000);
    }
}

static void fail_each(int (*scenario)(void), long least)
{
    fail_each_of(&alloc_fail_at, scenario, least);
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

/* A file, of either form: nothing of it is kept. */
static int load_file(const char *text)
{
    char path[TEMP_LEN];
    struct herd_points *points = NULL;
    struct herd_points_summary summary;
    struct herd_diagnostic diagnostic = {0};
    long allocations = alloc_fail_at, additions = addition_fail_at;
    alloc_fail_at = addition_fail_at = 0;
    int fd = temp_file(path);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    alloc_fail_at = allocations;
    addition_fail_at = additions;
    int err = herd_points_load(&points, path, NULL, &summary, &diagnostic);
    if (err < 0) {
        assert_null(points);
        assert_string_equal(diagnostic.message, "out of memory");
    } else {
        assert_int_equal(herd_points_count(points), 2);
    }
    herd_points_free(points);
    unlink(path);
    return err;
}

#define FEATURE                                                                                                   \
    "{\"type\":\"Feature\",\"id\":\"i\",\"geometry\":{\"type\":\"Point\",\"coordinates\":[1,2]},\"properties\":{" \
    "\"name\":"                                                                                                   \
    "\"n\",\"shop\":\"s\",\"addr:street\":\"S\",\"addr:housenumber\":\"7\",\"addr:city\":\"C\"}}"
#define TYPED                                                                                                 \
    "{\"type\":\"Feature\",\"geometry\":{\"type\":\"Point\",\"coordinates\":[1,2]},\"properties\":{\"name\":" \
    "\"n\","                                                                                                  \
    "\"types\":[\"a\",\"b\"]}}"
#define ROWS "1\tA\t\t\t2\t1\tP\t\tFR\t\t\t\t\t\t\t\t\t\t\n2\tB\t\t\t2\t1\tP\t\tQQ\t\t\t\t\t\t\t\t\t\t\n"

static int load_geojson(void)
{
    return load_file("{\"type\":\"FeatureCollection\",\"features\":[" FEATURE "," FEATURE "]}");
}

static int load_rows(void)
{
    return load_file(ROWS);
}

/* The same in two pieces, cut one byte later each time: what is kept of the first may need memory. */
static int read_in_pieces(enum herd_points_format format, const char *text, size_t cut)
{
    struct herd_points *points = NULL;
    struct herd_points_reader *reader = NULL;
    struct herd_diagnostic diagnostic = {0};
    size_t len = strlen(text);
    if (cut > len)
        cut = len;
    int err = herd_points_new(&points, "", "");
    if (err == 0)
        err = herd_points_reader_new(&reader, format, points);
    if (err == 0)
        err = herd_points_read(reader, (struct herd_span){text, cut}, &diagnostic);
    if (err == 0)
        err = herd_points_read(reader, (struct herd_span){text + cut, len - cut}, &diagnostic);
    if (err == 0)
        err = herd_points_read_end(reader, &diagnostic);
    assert_true(err < 0 || herd_points_count(points) == 2);
    herd_points_reader_free(reader);
    herd_points_free(points);
    return err;
}

static size_t cut_at;

static int geojson_in_pieces(void)
{
    return read_in_pieces(HERD_POINTS_GEOJSON,
                          "{\"type\":\"FeatureCollection\",\"x\":[1],\"features\":[" FEATURE "," TYPED "]}",
                          cut_at);
}

static int features_in_pieces(void)
{
    return read_in_pieces(HERD_POINTS_GEOJSON, FEATURE "\n" FEATURE, cut_at);
}

static int rows_in_pieces(void)
{
    return read_in_pieces(HERD_POINTS_TSV, ROWS, cut_at);
}

/* Buffers double, so that few appends need memory: here each of them does once, for what was there before ends
 * a byte later each time. What could not be appended whole is not there. */

#define AHEAD_MAX 1200 /* longer than what any scenario appends */

static int append_url(struct herd_buf *out)
{
    struct herd_places_query query = {.lat = {"1.5", 3}, .lon = {"-2.5", 4}, .radius = {"3000", 4}, .bound = 5};
    return herd_google_legacy_url(out, "http://127.0.0.1/a?b", &query, herd_span_of("+&"));
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

static int append_overpass(struct herd_buf *out)
{
    static const char reply[] =
        "{\"elements\":[{\"type\":\"node\",\"id\":1,\"lat\":1,\"lon\":2,\"tags\":{\"name\":\"n\",\"shop\":\"s\","
        "\"addr:street\":\"S\",\"addr:city\":\"C\",\"addr:housenumber\":\"7\"}},"
        "{\"type\":\"way\",\"id\":2,\"center\":{\"lat\":1,\"lon\":2},\"tags\":{\"name\":\"m\"}}]}";
    struct herd_places_query query = {.lat = {"1", 1},
                                      .lon = {"2", 1},
                                      .radius = {"3", 1},
                                      .lat_deg = 1,
                                      .lon_deg = 2,
                                      .radius_m = 3,
                                      .bound = 5};
    struct herd_reply_class j;
    return herd_overpass_classify(&(struct herd_reply){200, herd_span_of(reply)}, &query, out, &j);
}

static struct herd_points *two_points; /* one without an id */

static int append_points(struct herd_buf *out)
{
    struct herd_places_query query = {.lat_deg = 2, .lon_deg = 1, .radius_m = 1000, .bound = 5};
    return herd_points_answer(two_points, &query, out);
}

static struct herd_shape *shapes[3];
static size_t shape_at;

static int append_fence(struct herd_buf *out)
{
    static const struct herd_fence_options options = {
        .kinds = HERD_FENCE_ENTER | HERD_FENCE_INSIDE, .margin_m = 1.5, .dwell_ms = 7};
    return herd_fence_put_geojson(out, herd_span_of("name"), shapes[shape_at], &options);
}

/* Each addition fails, behind bytes that are none of its business; the next time all of it is there. Of an answer
 * nothing is left, of a request there may be. */
static void fail_each_addition(int (*append)(struct herd_buf *out), bool is_answer, long least)
{
    struct herd_buf whole = {0}, out = {0};
    assert_int_equal(append(&whole), 0);
    assert_int_equal(herd_buf_add_text(&out, "before"), 0);
    bool met = true;
    long n = 0;
    while (met) {
        reserved.buf = NULL; /* of the attempt before */
        addition_fail_at = ++n;
        int err = append(&out);
        met = addition_fail_at <= 0;
        addition_fail_at = 0;
        assert_int_equal(err, met ? HERD_E_NOMEM : 0);
        assert_true(is_answer && met ? out.len == 6 : out.len >= 6);
        assert_memory_equal(out.at, "before", 6);
        if (!met)
            assert_true(out.len == 6 + whole.len && memcmp(out.at + 6, whole.at, whole.len) == 0);
        out.len = 6;
    }
    if (n <= least)
        fail_msg("%ld additions are not more than %ld: %.*s", n - 1, least, (int)whole.len, whole.at);
    herd_buf_fini(&out);
    herd_buf_fini(&whole);
}

static void test_every_addition(void **state)
{
    (void)state;
    static const char *const fences[] = {
        "{\"type\":\"Polygon\",\"coordinates\":[[[0,0],[10,0],[10,10],[0,0]],[[5,4],[6,4],[6,5],[5,4]]]}",
        "{\"type\":\"Point\",\"coordinates\":[1,2],\"radius\":3}",
    };
    fail_each_addition(append_url, false, 9);
    fail_each_addition(append_body, false, 6);
    fail_each_addition(append_form, false, 9);
    fail_each_addition(append_failure, true, 5);
    fail_each_addition(append_cut, true, 2);
    fail_each_addition(append_legacy, true, 60);
    fail_each_addition(append_overpass, true, 80);
    assert_int_equal(herd_points_new(&two_points, "\"a\"", "p:"), 0);
    assert_int_equal(herd_points_add(two_points,
                                     &(struct herd_point){
                                         .lat_e7 = 20000000, .lon_e7 = 10000000, .name = {"n", 1}, .id = {"i", 1}}),
                     0);
    assert_int_equal(herd_points_add(two_points,
                                     &(struct herd_point){
                                         .lat_e7 = 20000001, .lon_e7 = -1, .name = {"m", 1}, .types = {"t", 1}}),
                     0);
    assert_int_equal(
        herd_points_add(two_points, &(struct herd_point){.lat_e7 = 20000001, .lon_e7 = 10000001, .name = {"m", 1}}),
        0);
    assert_int_equal(herd_points_build_index(two_points), 0);
    fail_each_addition(append_points, true, 60);
    herd_points_free(two_points);
    for (size_t i = 0; i < 2; i++) {
        struct herd_diagnostic diagnostic = {0};
        assert_int_equal(herd_shape_geojson(&shapes[i], herd_span_of(fences[i]), &diagnostic), 0);
    }
    assert_int_equal(herd_shape_proximity(&shapes[2], herd_span_of("a*"), herd_span_of("b"), 7), 0);
    for (shape_at = 0; shape_at < 3; shape_at++) {
        fail_each_addition(append_fence, false, 15);
        herd_shape_free(shapes[shape_at]);
    }
    fail_each_of(&addition_fail_at, make_query, 5);
    fail_each_of(&addition_fail_at, geojson, 8);
    fail_each_of(&addition_fail_at, tsv, 8);
    fail_each_of(&addition_fail_at, load_geojson, 20);
    fail_each_of(&addition_fail_at, load_rows, 10);
}

/* Wherever the first piece ends. */
static void test_every_addition_in_pieces(void **state)
{
    (void)state;
    for (cut_at = 0; cut_at < 2 * sizeof FEATURE; cut_at++) {
        fail_each_of(&addition_fail_at, geojson_in_pieces, 10);
        fail_each_of(&addition_fail_at, features_in_pieces, 10);
    }
    for (cut_at = 0; cut_at < sizeof ROWS; cut_at++)
        fail_each_of(&addition_fail_at, rows_in_pieces, 10);
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
    fail_each(load_geojson, 8);
    fail_each(load_rows, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything), cmocka_unit_test(test_wherever_a_buffer_ends),
        cmocka_unit_test(test_every_addition), cmocka_unit_test(test_every_addition_in_pieces),
        cmocka_unit_test(test_whatever_the_length)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
