/* SPDX-License-Identifier: MIT */
/* The compiled-in places, whole answers from them, and files read from disk. */
#include "read_points.h"
#include "temp.h"

#include "answer.h"
#include "query.h"
#include "raw.h"

#include <unistd.h>

static struct herd_buf answer(const struct herd_points *points, const char *place, const char *radius_km,
                              unsigned bound)
{
    struct herd_places_question q = {0};
    struct herd_buf out = {0};
    struct herd_answer_shape shape;
    char why[100];
    assert_int_equal(herd_places_query_make_iso(&q, herd_span_of(place), herd_span_of(radius_km), bound), 0);
    assert_int_equal(herd_points_answer(points, &q.query, &out), 0);
    if (herd_answer_read((struct herd_span){out.at, out.len}, &shape, why, sizeof why) < 0)
        fail_msg("%s: %.*s", why, (int)out.len, out.at);
    assert_true(shape.results.at && shape.result_count <= bound);
    assert_null(memmem(out.at, out.len, "\n\n", 2));
    assert_int_equal(herd_buf_add(&out, "", 1), 0);
    herd_places_query_fini(&q);
    return out;
}

static void test_gazetteer(void **state)
{
    (void)state;
    struct herd_points *points;
    assert_int_equal(herd_points_gazetteer(&points), 0);
    assert_true(herd_points_count(points) > 5000);
    struct herd_raw_fault fault;
    for (size_t i = 0; i < herd_points_count(points); i++) {
        struct herd_point point;
        char quoted[600];
        herd_points_get(points, i, &point);
        assert_in_range(point.lat_e7 + 900000000, 0, 1800000000);
        assert_in_range((int64_t)point.lon_e7 + 1800000000, 0, 3600000000);
        assert_true(point.name.len && point.id.len && point.vicinity.len);
        int len = snprintf(quoted, sizeof quoted, "\"%.*s\"", (int)point.name.len, point.name.at);
        assert_int_equal(herd_raw_check((struct herd_span){quoted, (size_t)len}, &fault), 0);
    }
    static const struct {
        const char *place, *name, *vicinity;
    } known[] = {
        {"+48.8566+002.3522", "Paris", "France"},
        {"-33.8688+151.2093", "Sydney", "Australia"},
        {"-18.1416+178.4419", "Suva", "Fiji"},
    };
    for (size_t i = 0; i < 3; i++) {
        struct herd_buf json = answer(points, known[i].place, "10", 1);
        char name[64];
        snprintf(name, sizeof name, "\"name\" : \"%s\"", known[i].name);
        if (!strstr(json.at, name) || !strstr(json.at, known[i].vicinity) || !strstr(json.at, "geonames.org"))
            fail_msg("%s", json.at);
        herd_buf_fini(&json);
    }
    struct herd_buf json = answer(points, "+00.0-030.0", "50", 20);
    assert_non_null(strstr(json.at, "\"results\" : [],\n   \"status\" : \"ZERO_RESULTS\""));
    herd_buf_fini(&json);
    json = answer(points, "+48.8566+002.3522", "50", 0);
    assert_non_null(strstr(json.at, "\"results\" : [],\n   \"status\" : \"OK\""));
    herd_buf_fini(&json);
    herd_points_free(points);
}

static void test_countries(void **state)
{
    (void)state;
    assert_true(herd_span_equal(herd_country_name(herd_span_of("FR")), herd_span_of("France")));
    assert_true(herd_span_equal(herd_country_name(herd_span_of("XK")), herd_span_of("Kosovo")));
    assert_int_equal(herd_country_name(herd_span_of("Q")).len, 0);
    assert_int_equal(herd_country_name(herd_span_of("QQ")).len, 0);
    assert_int_equal(herd_country_name(herd_span_of("fr")).len, 0);
    assert_int_equal(herd_country_name(herd_span_of("FRA")).len, 0);
}

static int load(const char *text, size_t len, const struct herd_points_watch *watch,
                struct herd_points **ret_points, struct herd_diagnostic *diagnostic)
{
    char path[TEMP_LEN];
    int fd = temp_file(path);
    assert_int_equal(write(fd, text, len), (ssize_t)len);
    close(fd);
    struct herd_points_summary summary;
    int err = herd_points_load(ret_points, path, watch, &summary, diagnostic);
    unlink(path);
    return err;
}

static void test_files(void **state)
{
    (void)state;
    static const char geojson[] =
        "\xef\xbb\xbf\n{\"type\":\"Feature\",\"geometry\":{\"type\":\"Point\",\"coordinates\":[0.5,0.25]},"
        "\"properties\":{\"name\":\"Here\"}}\n";
    struct herd_points *points;
    struct herd_diagnostic diagnostic = {0};
    assert_int_equal(load(geojson, sizeof geojson - 1, NULL, &points, &diagnostic), 0);
    struct herd_buf json = answer(points, "+0.25+0.5", "0", 5);
    assert_non_null(strstr(json.at, "\"place_id\" : \"geo:0.25,0.5\""));
    assert_non_null(strstr(json.at, "\"html_attributions\" : [],"));
    herd_buf_fini(&json);
    herd_points_free(points);

    points = NULL;
    assert_int_equal(load("", 0, NULL, &points, &diagnostic), HERD_E_SYNTAX);
    assert_string_equal(diagnostic.message, "empty file");
    assert_int_equal(load("1\t2\n", 4, NULL, &points, &diagnostic), HERD_E_SYNTAX);
    assert_int_equal(diagnostic.line, 1);
    const struct herd_points_watch watch = {.stop = true};
    assert_int_equal(load(geojson, sizeof geojson - 1, &watch, &points, &diagnostic), HERD_E_STATE);
    struct herd_points_summary summary;
    assert_int_equal(herd_points_load(&points, "/nonexistent/x", NULL, &summary, &diagnostic), HERD_E_IO);
    assert_int_equal(herd_points_load(&points, "/tmp", NULL, &summary, &diagnostic), HERD_E_IO);
    assert_null(points);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gazetteer),
        cmocka_unit_test(test_countries),
        cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
