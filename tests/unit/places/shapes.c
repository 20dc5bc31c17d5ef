/* SPDX-License-Identifier: MIT */
/* Shapes and fences from GeoJSON: what is taken, what is refused and where, and that a fence comes back as it was. */
#include "cm.h"

#include "../locales.h"

#include <herd/geojson.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SQUARE  "[[0,0],[10,0],[10,10],[0,10],[0,0]]"
#define HOLE    "[[4,4],[6,4],[6,6],[4,6],[4,4]]"
#define POLYGON "{\"type\":\"Polygon\",\"coordinates\":[" SQUARE "]}"

static struct herd_shape *shape_of(const char *text)
{
    struct herd_shape *shape;
    struct herd_diagnostic diagnostic = {0};
    if (herd_shape_geojson(&shape, herd_span_of(text), &diagnostic) < 0)
        fail_msg("%u:%u: %s", diagnostic.line, diagnostic.column, diagnostic.message);
    return shape;
}

static void test_shapes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double in[2], out[2]; /* latitude, longitude */
    } rows[] = {
        {POLYGON, {5, 5}, {5, 11}},
        {" {\"coordinates\":[" SQUARE "," HOLE "] , \"type\":\"Polygon\"}\n", {3, 5}, {5, 5}},
        {"{\"type\":\"MultiPolygon\",\"coordinates\":[[" SQUARE "],[[[20,0],[30,0],[30,10,7],[20,0]]]]}",
         {1, 29},
         {1, 15}},
        {"{\"type\":\"Point\",\"coordinates\":[2.5e0,48],\"radius\":1000.5}", {48.008, 2.5}, {48.01, 2.5}},
        {"{\"type\":\"Feature\",\"geometry\":" POLYGON ",\"properties\":null}", {0, 0}, {-0.0000001, 0}},
        {"{\"type\":\"Feature\",\"properties\":{\"radius\":0},\"geometry\":{\"type\":\"Point\",\"coordinates\":[1,"
         "2]}}",
         {2, 1},
         {2, 1.0000001}},
        /* Across the date line in one: longitudes run on. */
        {"{\"type\":\"Polygon\",\"coordinates\":[[[170,0],[190,0],[190,10],[170,10],[170,0]]]}",
         {5, -175},
         {5, 165}},
        /* One that crosses itself: where it runs round twice is outside. */
        {"{\"type\":\"Polygon\",\"coordinates\":[[[0,0],[10,10],[10,0],[0,10],[0,0]]]}", {5, 1}, {1, 5}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct herd_shape *shape = shape_of(rows[i].text);
        assert_true(herd_shape_contains(shape, rows[i].in[0], rows[i].in[1]));
        assert_false(herd_shape_contains(shape, rows[i].out[0], rows[i].out[1]));
        herd_shape_free(shape);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int err;
        unsigned line, column;
        const char *message;
    } rows[] = {
        {"", HERD_E_SYNTAX, 0, 0, "empty"},
        {"[]", HERD_E_SYNTAX, 1, 1, "expected a Polygon"},
        {"{\"type\":\"Polygon\"}", HERD_E_SYNTAX, 1, 1, "list of rings"},
        {"{\"type\":\"Polygon\",\"coordinates\":[]}", HERD_E_SYNTAX, 1, 33, "list of rings"},
        {"{\"type\":\"MultiPolygon\",\"coordinates\":[]}", HERD_E_SYNTAX, 1, 38, "without a polygon"},
        {"{\"type\":\"MultiPolygon\",\"coordinates\":[[]]}", HERD_E_SYNTAX, 1, 39, "list of rings"},
        {"{\"type\":\"Polygon\",\"coordinates\":[[[0,0],[1,0],[1,1],[0,0.5]]]}", HERD_E_SYNTAX, 1, 33,
         "ends where"},
        {"{\"type\":\"Polygon\",\n\"coordinates\":[[[0,0],[1,0],[0,0]]]}", HERD_E_SYNTAX, 2, 16, "four positions"},
        {"{\"type\":\"Polygon\",\"coordinates\":[[[0,0],[1],[1,1],[0,0]]]}", HERD_E_SYNTAX, 1, 41, "two numbers"},
        {"{\"type\":\"Polygon\",\"coordinates\":[[[0,0],[\"1\",0],[1,1],[0,0]]]}", HERD_E_SYNTAX, 1, 41,
         "two numbers"},
        {"{\"type\":\"Polygon\",\"coordinates\":[[[0,0],[NaN,0],[1,1],[0,0]]]}", HERD_E_SYNTAX, 1, 42, "a value"},
        {"{\"type\":\"Polygon\",\"coordinates\":[[[0,0],[1,91],[1,1],[0,0]]]}", HERD_E_RANGE, 1, 33, "beyond 90"},
        {"{\"type\":\"Polygon\",\"coordinates\":[[[0,0],[1,1e999],[1,1],[0,0]]]}", HERD_E_RANGE, 1, 44,
         "beyond 90"},
        {"{\"type\":\"Polygon\",\"coordinates\":[[[0,0],[361,0],[1,1],[0,0]]]}", HERD_E_RANGE, 1, 33, "beyond 360"},
        {"{\"type\":\"Polygon\",\"coordinates\":[[[-200,0],[200,0],[1,1],[-200,0]]]}", HERD_E_RANGE, 1, 33,
         "wider than 360"},
        {"{\"type\":\"Polygon\",\"coordinates\":[[[1,1],[1,1],[1,1],[1,1]]]}", HERD_E_SYNTAX, 1, 33,
         "single point"},
        {"{\"type\":\"Polygon\",\"type\":\"Polygon\",\"coordinates\":[]}", HERD_E_SYNTAX, 1, 9, "twice"},
        {"{\"type\":\"Feature\",\"geometry\":{\"type\":\"Polygon\",\"type\":\"Point\"}}", HERD_E_SYNTAX, 1, 38,
         "twice"},
        {"{\"type\":\"Polygon\",\"coordinates\":[],\"coordinates\":[]}", HERD_E_SYNTAX, 1, 33, "twice"},
        {"{\"type\":\"Point\",\"radius\":1,\"radius\":2}", HERD_E_SYNTAX, 1, 26, "twice"},
        {"{\"type\":\"Feature\",\"geometry\":null,\"geometry\":null}", HERD_E_SYNTAX, 1, 30, "twice"},
        {"{\"type\":\"Feature\",\"geometry\":null,\"properties\":{},\"properties\":{}}", HERD_E_SYNTAX, 1, 48,
         "twice"},
        {"{\"type\":\"Feature\",\"properties\":{}}", HERD_E_SYNTAX, 1, 9, "expected a Polygon"},
        {"{\"type\":\"MultiPolygon\",\"coordinates\":{}}", HERD_E_SYNTAX, 1, 38, "without a polygon"},
        {"{\"type\":\"Polygon\",\"coordinates\":[{}]}", HERD_E_SYNTAX, 1, 34, "four positions"},
        {"{\"type\":\"LineString\",\"coordinates\":[[0,0],[1,1]]}", HERD_E_SYNTAX, 1, 9, "expected a Polygon"},
        {"{\"type\":\"GeometryCollection\",\"geometries\":[]}", HERD_E_SYNTAX, 1, 9, "expected a Polygon"},
        {"{\"type\":\"Feature\",\"geometry\":null}", HERD_E_SYNTAX, 1, 30, "expected a Polygon"},
        {"{\"type\":\"Point\",\"coordinates\":[1,2]}", HERD_E_SYNTAX, 1, 1, "needs a radius"},
        {"{\"type\":\"Point\",\"coordinates\":[1,2],\"radius\":-1}", HERD_E_SYNTAX, 1, 46, "radius is metres"},
        {"{\"type\":\"Point\",\"coordinates\":[1,2],\"radius\":1e3}", HERD_E_SYNTAX, 1, 46, "radius is metres"},
        {"{\"type\":\"Point\",\"coordinates\":[1,2],\"radius\":\"9\"}", HERD_E_SYNTAX, 1, 46, "radius is metres"},
        {"{\"type\":\"Point\",\"coordinates\":[181,2],\"radius\":1}", HERD_E_RANGE, 1, 31, "beyond 180"},
        {"{\"type\":\"Point\",\"coordinates\":[1,2],\"radius\":20015116}", HERD_E_RANGE, 1, 46,
         "radius is at most"},
        {"{\"type\":\"Point\",\"coordinates\":[1,2],\"radius\":9999999999999999999999999}", HERD_E_RANGE, 1, 46,
         "radius is at most"},
        {POLYGON "x", HERD_E_SYNTAX, 1, 71, "behind the end"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct herd_shape *shape;
        struct herd_diagnostic diagnostic = {0};
        int err = herd_shape_geojson(&shape, herd_span_of(rows[i].text), &diagnostic);
        if (err != rows[i].err || diagnostic.line != rows[i].line || diagnostic.column != rows[i].column ||
            !strstr(diagnostic.message, rows[i].message))
            fail_msg("%s: %d %u:%u: %s", rows[i].text, err, diagnostic.line, diagnostic.column, diagnostic.message);
    }
}

/* A list of so many positions round a circle, closed; of rings of four if `rings`. */
static char *many(size_t count, bool rings)
{
    char *text = malloc(100 + count * 40), *at = text;
    assert_non_null(text);
    at += sprintf(at, "{\"type\":\"Polygon\",\"coordinates\":[[");
    for (size_t i = 0; i < count; i++) {
        double turn =
            6.283185307179586 * (double)(rings ? i % 4 % 3 : i % (count - 1)) / (rings ? 3 : (double)(count - 1));
        at += sprintf(at, "%s[%.7f,%.7f]",
                      i == 0                ? ""
                      : rings && i % 4 == 0 ? "],["
                                            : ",",
                      10 * cos(turn), 10 * sin(turn));
    }
    memcpy(at, "]]}", 4);
    return text;
}

static void test_a_million_positions(void **state)
{
    (void)state;
    static const struct {
        size_t count;
        bool rings;
        int err;
    } rows[] = {{65536, false, 0},
                {65537, false, HERD_E_LIMIT},
                {1000000, false, HERD_E_LIMIT},
                {1000000, true, HERD_E_LIMIT}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct herd_shape *shape = NULL;
        struct herd_diagnostic diagnostic = {0};
        char *text = many(rows[i].count, rows[i].rings);
        if (herd_shape_geojson(&shape, herd_span_of(text), &diagnostic) != rows[i].err)
            fail_msg("%zu positions: %s", rows[i].count, diagnostic.message);
        if (rows[i].err < 0)
            assert_string_equal(diagnostic.message, "more than 65536 positions");
        else
            assert_true(herd_shape_contains(shape, 7, 7) && !herd_shape_contains(shape, 7.1, 7.1));
        herd_shape_free(shape);
        free(text);
    }
    /* Brackets that do not end: nothing recurses. */
    static char deep[1000000];
    struct herd_shape *shape;
    struct herd_diagnostic diagnostic;
    memset(deep, '[', sizeof deep);
    assert_int_equal(herd_shape_geojson(&shape, (struct herd_span){deep, sizeof deep}, &diagnostic), HERD_E_SYNTAX);
    assert_string_equal(diagnostic.message, "nested too deep");
}

/* ---- fences ---- */

static int collect(void *ctx, const struct herd_geojson_fence *fence, unsigned line)
{
    char *at = (char *)ctx + strlen(ctx);
    sprintf(at, "%u:%s:%u:%g:%lld ", line, fence->name, fence->options.kinds, fence->options.margin_m,
            (long long)fence->options.dwell_ms);
    herd_shape_free(fence->shape);
    return strcmp(fence->name, "stop") == 0 ? HERD_E_STATE : 0;
}

#define FEATURE(properties)  "{\"type\":\"Feature\",\"geometry\":" POLYGON ",\"properties\":{" properties "}}"
#define PAIRS(properties)    "{\"type\":\"Feature\",\"geometry\":null,\"properties\":{" properties "}}"
#define COLLECTION(features) "{\"type\":\"FeatureCollection\",\"features\":[" features "]}"

static void test_fences(void **state)
{
    (void)state;
    static const struct {
        const char *text, *got, *message;
        int err;
    } rows[] = {
        {COLLECTION(""), "", NULL, 0},
        {FEATURE("\"name\":\"a\""), "1:a:0:0:0 ", NULL, 0},
        {COLLECTION(
             FEATURE("\"name\":\"a\",\"margin\":12.5,\"dwell\":3000,\"kinds\":[\"enter\",\"cross\"]") ",\n"
                                                                                                      "\n" FEATURE(
                                                                                                          "\"name\""
                                                                                                          ":\"\\u00"
                                                                                                          "62\","
                                                                                                          "\"colour"
                                                                                                          "\":"
                                                                                                          "\"red\","
                                                                                                          "\"kinds"
                                                                                                          "\":["
                                                                                                          "\"inside"
                                                                                                          "\","
                                                                                                          "\"leave"
                                                                                                          "\"]")),
         "1:a:9:12.5:3000 3:b:6:0:0 ", NULL, 0},
        {COLLECTION(FEATURE("\"name\":\"stop\"") "," FEATURE("\"name\":\"b\"")), "1:stop:0:0:0 ", NULL,
         HERD_E_STATE},
        {COLLECTION(FEATURE("\"name\":\"a\"") "," FEATURE("")), "1:a:0:0:0 ", "without a name", HERD_E_SYNTAX},
        {FEATURE("\"name\":\"a b\""), "", "1 to 64 bytes", HERD_E_SYNTAX},
        {FEATURE("\"name\":7"), "", "1 to 64 bytes", HERD_E_SYNTAX},
        {FEATURE("\"name\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\""),
         "1:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:0:0:0 ", NULL, 0},
        {FEATURE("\"name\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\\u20ac\""), "",
         "1 to 64 bytes", HERD_E_SYNTAX},
        {FEATURE("\"name\":\"a\",\"name\":\"b\""), "", "twice", HERD_E_SYNTAX},
        {"{\"type\":\"Feature\",\"geometry\":null,\"geometry\":null}", "", "twice", HERD_E_SYNTAX},
        {FEATURE("\"name\":\"a\",\"kinds\":[],\"kinds\":[]"), "", "twice", HERD_E_SYNTAX},
        {FEATURE("\"name\":\"a\",\"margin\":1,\"margin\":1"), "", "twice", HERD_E_SYNTAX},
        {FEATURE("\"name\":\"a\",\"dwell\":1,\"dwell\":1"), "", "twice", HERD_E_SYNTAX},
        {FEATURE("\"name\":\"a\",\"dwell\":\"1\""), "", "dwell", HERD_E_SYNTAX},
        {PAIRS("\"name\":\"p\",\"proximity\":1,\"who\":\"a\",\"who\":\"b\""), "", "twice", HERD_E_SYNTAX},
        {PAIRS("\"name\":\"p\",\"proximity\":1,\"near\":\"a\",\"near\":\"b\""), "", "twice", HERD_E_SYNTAX},
        {"{\"type\":\"FeatureCollection\",\"features\":[],\"features\":[]}", "", "twice", HERD_E_SYNTAX},
        {"{\"type\":\"FeatureCollection\",\"type\":\"Feature\"}", "", "twice", HERD_E_SYNTAX},
        {FEATURE("\"name\":\"a\",\"kinds\":[\"exit\"]"), "", "kinds are", HERD_E_SYNTAX},
        {FEATURE("\"name\":\"a\",\"kinds\":\"enter\""), "", "kinds are", HERD_E_SYNTAX},
        {FEATURE("\"name\":\"a\",\"margin\":100001"), "", "margin", HERD_E_RANGE},
        {FEATURE("\"name\":\"a\",\"margin\":null"), "", "margin", HERD_E_SYNTAX},
        {FEATURE("\"name\":\"a\",\"dwell\":86400001"), "", "dwell", HERD_E_RANGE},
        {FEATURE("\"name\":\"a\",\"dwell\":99999999999999999999999999"), "", "dwell", HERD_E_RANGE},
        {FEATURE("\"name\":\"a\",\"dwell\":1.5"), "", "dwell", HERD_E_RANGE},
        {PAIRS("\"name\":\"p\",\"proximity\":200"), "1:p:0:0:0 ", NULL, 0},
        {PAIRS("\"name\":\"p\",\"proximity\":0,\"who\":\"a*\",\"near\":\"b\",\"margin\":5,\"kinds\":[\"inside\"]"),
         "1:p:4:5:0 ", NULL, 0},
        {PAIRS("\"name\":\"p\",\"proximity\":100001"), "", "at most 100000", HERD_E_RANGE},
        {PAIRS("\"name\":\"p\",\"proximity\":-1"), "", "a proximity is metres", HERD_E_SYNTAX},
        {PAIRS("\"name\":\"p\",\"proximity\":\"1\""), "", "a proximity is metres", HERD_E_SYNTAX},
        {PAIRS("\"name\":\"p\",\"proximity\":1,\"proximity\":2"), "", "twice", HERD_E_SYNTAX},
        {PAIRS("\"name\":\"p\",\"proximity\":1,\"who\":\"\""), "", "who and near", HERD_E_SYNTAX},
        {PAIRS("\"name\":\"p\",\"proximity\":1,\"near\":\"a*b\""), "", "who and near", HERD_E_SYNTAX},
        {PAIRS("\"name\":\"p\",\"proximity\":1,\"near\":7"), "", "who and near", HERD_E_SYNTAX},
        {PAIRS("\"name\":\"p\",\"proximity\":1,\"dwell\":5"), "", "no dwell", HERD_E_SYNTAX},
        {PAIRS("\"name\":\"p\",\"proximity\":1,\"kinds\":[\"cross\"]"), "", "enter, leave and inside",
         HERD_E_SYNTAX},
        {FEATURE("\"name\":\"p\",\"proximity\":1"), "", "geometry: null", HERD_E_SYNTAX},
        {PAIRS("\"name\":\"p\""), "", "expected a Polygon", HERD_E_SYNTAX},
        {"{\"type\":\"FeatureCollection\"}", "", "list of features", HERD_E_SYNTAX},
        {COLLECTION("7"), "", "expected a Polygon", HERD_E_SYNTAX},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct herd_diagnostic diagnostic = {0};
        char got[400] = "";
        int err = herd_fences_geojson(herd_span_of(rows[i].text), collect, got, &diagnostic);
        if (err != rows[i].err || strcmp(got, rows[i].got) != 0 ||
            (rows[i].message ? !strstr(diagnostic.message, rows[i].message) : diagnostic.message[0] != '\0'))
            fail_msg("%s: %d %s %u:%u: %s", rows[i].text, err, got, diagnostic.line, diagnostic.column,
                     diagnostic.message);
    }
}

static void test_written_and_read_again(void **state)
{
    (void)state;
    static const char *const texts[] = {
        FEATURE("\"name\":\"a\",\"kinds\":[\"enter\",\"leave\",\"inside\",\"cross\"],\"margin\":2.5,\"dwell\":10"),
        PAIRS("\"name\":\"p\",\"proximity\":200.125,\"who\":\"a\\\"b*\",\"near\":\"\\u00e9*\",\"margin\":7"),
        "{\"type\":\"Point\",\"coordinates\":[-179.9999999,-89.5],\"radius\":12345.678,\"name\":\"circle\"}",
        "{\"type\":\"MultiPolygon\",\"coordinates\":[[" SQUARE "," HOLE "],[[[179,0],[360,0],[300,10],[179,0]]]]}",
        "{\"type\":\"Polygon\",\"coordinates\":[[[0,0],[1,0],[0,0],[0,0],[0,0]]]}",
        "{\"type\":\"Polygon\",\"coordinates\":[[[-260,0],[40,0],[40,10],[-260,10],[-260,0]]]}",
        "{\"type\":\"Polygon\",\"coordinates\":[[[0,0],[10,10],[10,0],[0,10],[0,0],[5,9],[0,0]]]}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct herd_geojson_fence first, again;
        struct herd_diagnostic diagnostic = {0};
        struct herd_buf out = {0}, twice = {0};
        if (herd_fence_geojson(&first, herd_span_of(texts[i]), &diagnostic) < 0)
            fail_msg("%s: %s", texts[i], diagnostic.message);
        const char *name = first.name[0] ? first.name : "x";
        assert_int_equal(herd_fence_put_geojson(&out, herd_span_of(name), first.shape, &first.options), 0);
        if (herd_fence_geojson(&again, (struct herd_span){out.at, out.len}, &diagnostic) < 0)
            fail_msg("%.*s: %s", (int)out.len, out.at, diagnostic.message);
        assert_string_equal(again.name, name);
        assert_true(again.options.margin_m == first.options.margin_m &&
                    again.options.dwell_ms == first.options.dwell_ms);
        for (double lat = -89.9; lat < 90; lat += 3.7)
            for (double lon = -180; lon <= 180; lon += 4.9)
                assert_int_equal(herd_shape_contains(first.shape, lat, lon),
                                 herd_shape_contains(again.shape, lat, lon));
        assert_int_equal(herd_fence_put_geojson(&twice, herd_span_of(name), again.shape, &again.options), 0);
        assert_true(herd_span_equal((struct herd_span){out.at, out.len}, (struct herd_span){twice.at, twice.len}));
        herd_shape_free(first.shape);
        herd_shape_free(again.shape);
        herd_buf_fini(&out);
        herd_buf_fini(&twice);
    }
}

/* Metres are written to the millimetre, without zeros that say nothing. */
static void test_metres(void **state)
{
    (void)state;
    static const struct {
        const char *radius, *margin, *want_radius, *want_margin; /* NULL: none is written */
    } rows[] = {
        {"0", "0", "\"radius\":0", NULL},
        {"100", "0.25", "\"radius\":100", "\"margin\":0.25"},
        {"0.0004", "100000", "\"radius\":0", "\"margin\":100000"},
        {"12345.6789", "0.001", "\"radius\":12345.679", "\"margin\":0.001"},
        {"20015115", "1.1", "\"radius\":20015115", "\"margin\":1.1"},
        {"999.9999", "99999.9994", "\"radius\":1000", "\"margin\":99999.999"},
    };
    for (size_t n = 0; n < LOCALES * sizeof rows / sizeof *rows; n++) {
        const size_t i = n / LOCALES;
        char text[200];
        struct herd_geojson_fence fence;
        if (!setlocale(LC_NUMERIC, locales[n % LOCALES]))
            continue;
        struct herd_diagnostic diagnostic = {0};
        struct herd_buf out = {0};
        snprintf(text, sizeof text, "{\"type\":\"Point\",\"coordinates\":[1,2],\"radius\":%s,\"margin\":%s}",
                 rows[i].radius, rows[i].margin);
        assert_int_equal(herd_fence_geojson(&fence, herd_span_of(text), &diagnostic), 0);
        assert_int_equal(herd_fence_put_geojson(&out, herd_span_of("x"), fence.shape, &fence.options), 0);
        assert_int_equal(herd_buf_add(&out, "", 1), 0);
        const char *radius = strstr(out.at, rows[i].want_radius);
        if (!radius || !strchr(",}", radius[strlen(rows[i].want_radius)]))
            fail_msg("%s: %s", text, out.at);
        const char *margin = rows[i].want_margin ? strstr(out.at, rows[i].want_margin) : NULL;
        if (rows[i].want_margin ? !margin || !strchr(",}", margin[strlen(rows[i].want_margin)])
                                : strstr(out.at, "margin") != NULL)
            fail_msg("%s: %s", text, out.at);
        herd_shape_free(fence.shape);
        herd_buf_fini(&out);
    }
    setlocale(LC_NUMERIC, "C");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_a_million_positions),
        cmocka_unit_test(test_fences),
        cmocka_unit_test(test_written_and_read_again),
        cmocka_unit_test(test_metres),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
