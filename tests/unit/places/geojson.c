/* SPDX-License-Identifier: MIT */
#include "read_points.h"
#include "reader.h"

#define POINT(lon, lat, name)                                                              \
    "{\"type\":\"Feature\",\"geometry\":{\"type\":\"Point\",\"coordinates\":[" lon "," lat \
    "]},\"properties\":{\"name\":\"" name "\"}}"
#define COLLECTION(features) "{\"type\":\"FeatureCollection\",\"features\":[" features "]}"

static struct herd_points *read_good(const char *text, size_t want, size_t want_skipped)
{
    struct herd_points *points;
    struct herd_points_summary summary;
    struct herd_diagnostic diagnostic = {0};
    if (read_points(HERD_POINTS_GEOJSON, text, &points, &summary, &diagnostic) < 0)
        fail_msg("line %u: %s in %s", diagnostic.line, diagnostic.message, text);
    assert_int_equal(herd_points_count(points), want);
    assert_int_equal(summary.skipped, want_skipped);
    return points;
}

static void test_collections_and_lines(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t count;
    } rows[] = {
        {COLLECTION(""), 0},
        {COLLECTION(POINT("2.35", "48.85", "Paris")), 1},
        {"\n{ \"type\" : \"FeatureCollection\" ,\n \"features\" : [\n" POINT("1", "2", "a") " ,\n" POINT(
             "3", "4", "b") "\n]\n}\n",
         2},
        {"{\"features\":[" POINT("1", "2", "a") "],\"x\":{\"features\":[1]},\"type\":\"FeatureCollection\"}", 1},
        {"{\"name\":\"features\",\"bbox\":[1,2,3,4],\"type\":\"FeatureCollection\",\"features\":[" POINT(
             "1", "2", "}]{[") "]}",
         1},
        {"{\"type\":\"FeatureCollection\",\"feat\\u0075res\":[" POINT("1", "2", "a") "]}", 1},
        {POINT("1", "2", "a") "\n" POINT("3", "4", "b") "\n", 2},
        {"\x1e" POINT("1", "2", "a") "\n\x1e" POINT("3", "4", "b") "\n", 2},
        {POINT("1", "2", "a") POINT("3", "4", "b"), 2},
        {COLLECTION(POINT("1", "2", "a")) "\n" POINT("3", "4", "b"), 2},
        {COLLECTION(POINT("-180", "-90", "a") "," POINT("1.8e2", "9E1", "b\\\"\\\\") "," POINT("0", "0", "c")), 3},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        herd_points_free(read_good(rows[i].text, rows[i].count, 0));
}

static void assert_text(struct herd_span got, const char *want)
{
    if (!herd_span_equal(got, herd_span_of(want)))
        fail_msg("got %.*s, not %s", (int)got.len, got.at, want);
}

static void test_what_is_taken(void **state)
{
    (void)state;
    static const struct {
        const char *members, *name, *id, *vicinity, *types;
    } rows[] = {
        {"\"id\":\"x1\",\"properties\":{\"name\":\"Caf\\u00e9\",\"amenity\":\"cafe\",\"addr:street\":\"S\",\"addr:"
         "housenumber\":\"5\",\"addr:city\":\"C\"}",
         "Caf\\u00e9", "x1", "5 S, C", "\"cafe\", \"point_of_interest\", \"establishment\""},
        {"\"id\":12782971787189354742,\"properties\":{\"title\":\"T\",\"types\":[\"a\",1,\"b\"],\"address\":\"A\"}",
         "T", "12782971787189354742", "A", "\"a\", \"b\""},
        {"\"properties\":{\"@id\":\"node/3\",\"shop\":\"books\"}", "books", "node/3", "",
         "\"books\", \"point_of_interest\", \"establishment\""},
        {"\"properties\":{\"names\":{\"primary\":\"O\"},\"categories\":{\"primary\":\"bar\"},\"addr:city\":\"C\"}",
         "O", "", "C", "\"bar\", \"point_of_interest\", \"establishment\""},
        {"\"properties\":{\"name\":\"n\",\"types\":[],\"addr:housenumber\":7,\"addr:street\":\"S\"}", "n", "",
         "7 S", ""},
        {"\"properties\":{\"name\":\"n\",\"types\":\"a\",\"addr:housenumber\":7,\"addr:city\":\"C\"}", "n", "", "C",
         "\"point_of_interest\", \"establishment\""},
        {"\"id\":true,\"properties\":{\"name\":\"n\",\"types\":[1,\"b\"],\"addr:street\":\"S\",\"addr:city\":"
         "\"C\"}",
         "n", "", "S, C", "\"b\""},
        {"\"id\":\"only\",\"properties\":null", "only", "only", "", "\"point_of_interest\", \"establishment\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[600];
        snprintf(
            text, sizeof text,
            "{\"type\":\"Feature\",\"geometry\":{\"type\":\"Point\",\"coordinates\":[2.5,48.123456789,35]},%s}",
            rows[i].members);
        struct herd_points *points = read_good(text, 1, 0);
        struct herd_point point;
        herd_points_get(points, 0, &point);
        assert_int_equal(point.lat_e7, 481234568);
        assert_int_equal(point.lon_e7, 25000000);
        assert_text(point.name, rows[i].name);
        assert_text(point.id, rows[i].id);
        assert_text(point.vicinity, rows[i].vicinity);
        assert_text(point.types, rows[i].types);
        herd_points_free(points);
    }
}

/* Neither a place nor a name: counted. */
static void test_skipped(void **state)
{
    (void)state;
    static const char *const geometries[] = {
        "null",
        "{}",
        "5",
        "{\"type\":\"Circle\",\"coordinates\":[1,2]}",
        "{\"type\":\"Point\",\"coordinates\":[]}",
        "{\"type\":\"MultiPolygon\",\"coordinates\":[]}",
        "{\"type\":\"Polygon\",\"coordinates\":[[]]}",
        "{\"type\":\"GeometryCollection\",\"geometries\":[]}",
        "{\"type\":\"GeometryCollection\"}",
        "{\"type\":\"GeometryCollection\",\"geometries\":{\"type\":\"Point\"}}",
    };
    char text[400];
    for (size_t i = 0; i < sizeof geometries / sizeof geometries[0]; i++) {
        snprintf(text, sizeof text,
                 COLLECTION("{\"type\":\"Feature\",\"geometry\":%s,\"properties\":{\"name\":\"a\"}}," POINT(
                     "1", "2", "a")),
                 geometries[i]);
        herd_points_free(read_good(text, 1, 1));
    }
    herd_points_free(read_good(
        COLLECTION(
            "{\"type\":\"Feature\",\"geometry\":{\"type\":\"Point\",\"coordinates\":[1,2]},\"properties\":{}},"
            "{\"type\":\"Feature\",\"properties\":{\"name\":\"a\"}}"),
        0, 2));
}

/* The centre of the box around it. */
static void test_not_points(void **state)
{
    (void)state;
    static const struct {
        const char *geometry;
        int32_t lon_e7, lat_e7;
    } rows[] = {
        {"\"LineString\",\"coordinates\":[[1,2],[3,5]]", 20000000, 35000000},
        {"\"MultiPoint\",\"coordinates\":[[1,2,99],[-3,5],[0,-8]]", -10000000, -15000000},
        {"\"Polygon\",\"coordinates\":[[[0,0],[4,0],[4,2],[0,2],[0,0]],[[1,1],[2,1],[2,1.5],[1,1]]]", 20000000,
         10000000},
        {"\"MultiLineString\",\"coordinates\":[[[1,2],[3,5]],[[9,9],[7,7]]]", 50000000, 55000000},
        {"\"MultiPolygon\",\"coordinates\":[[[[0,0],[4,0],[4,2],[0,0]]],[],[[[8,8],[9,8],[9,10],[8,8]]]]", 45000000,
         50000000},
        {"\"GeometryCollection\",\"geometries\":[{\"type\":\"Point\",\"coordinates\":[1,1]},null,"
         "{\"type\":\"GeometryCollection\",\"geometries\":[{\"type\":\"LineString\",\"coordinates\":[[3,1],[2,7]]}]"
         "},"
         "{\"type\":\"Circle\"}]",
         20000000, 40000000},
        /* Fiji, cut at the antimeridian as RFC 7946 has it: not somewhere in Africa. */
        {"\"MultiPolygon\",\"coordinates\":[[[[177,-19],[180,-19],[180,-16],[177,-16],[177,-19]]],"
         "[[[-180,-19],[-178,-19],[-178,-16],[-180,-16],[-180,-19]]]]",
         1795000000, -175000000},
        {"\"MultiLineString\",\"coordinates\":[[[178,0],[180,0]],[[-180,0],[-174,2]]]", -1780000000, 10000000},
        {"\"GeometryCollection\",\"geometries\":[{\"type\":\"Point\",\"coordinates\":[179,1]},"
         "{\"type\":\"Point\",\"coordinates\":[-177,1]}]",
         -1790000000, 10000000},
        /* One part that reaches from end to end, or past Greenwich, is not cut at all: lines are straight on the map. */
        {"\"Polygon\",\"coordinates\":[[[-180,-90],[180,-90],[180,90],[-180,90],[-180,-90]]]", 0, 0},
        {"\"MultiPolygon\",\"coordinates\":[[[[-180,-90],[180,-90],[180,90],[-180,90],[-180,-90]]]]", 0, 0},
        {"\"LineString\",\"coordinates\":[[179,0],[-179,0]]", 0, 0},
        {"\"MultiPoint\",\"coordinates\":[[-10,0],[10,0]]", 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[600];
        struct herd_point point;
        snprintf(text, sizeof text,
                 "{\"type\":\"Feature\",\"geometry\":{\"type\":%s},\"properties\":{\"name\":\"a\"}}",
                 rows[i].geometry);
        struct herd_points *points = read_good(text, 1, 0);
        herd_points_get(points, 0, &point);
        if (point.lon_e7 != rows[i].lon_e7 || point.lat_e7 != rows[i].lat_e7)
            fail_msg("%s: %d %d", rows[i].geometry, point.lon_e7, point.lat_e7);
        herd_points_free(points);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const struct bad_row rows[] = {
        {"", HERD_E_SYNTAX, 1, "no GeoJSON"},
        {"\n\n[1]", HERD_E_SYNTAX, 3, "expected an object"},
        {"{}", HERD_E_SYNTAX, 1, "not a GeoJSON Feature"},
        {"{\"type\":\"Topology\"}", HERD_E_SYNTAX, 1, "not a GeoJSON Feature"},
        {"{\"type\":\"FeatureCollection\",\"features\":{}}", HERD_E_SYNTAX, 1, "not a GeoJSON Feature"},
        {"{\"type\":\"Point\",\"coordinates\":[1,2]}", HERD_E_SYNTAX, 1, "a geometry alone has no name"},
        {"{\"type\":\"GeometryCollection\",\"geometries\":[]}", HERD_E_SYNTAX, 1, "a geometry alone has no name"},
        {"{[1]}", HERD_E_SYNTAX, 1, "expected a string"},
        {"{features:[1]}", HERD_E_SYNTAX, 1, "expected a string"},
        {POINT("1", "", "b"), HERD_E_SYNTAX, 1, "expected a value"},
        {"{\"type\":\"Feature\",\"geometry\":{\"type\":\"MultiPoint\",\"coordinates\":[[]]}}", HERD_E_SYNTAX, 1,
         "two numbers"},
        {"{\"features\":[]}", HERD_E_SYNTAX, 1, "outside a FeatureCollection"},
        {"{\"type\":\"FeatureCollection\",\"features\":[],\"features\":[]}", HERD_E_SYNTAX, 1, "a second time"},
        {"{\"type\":\"FeatureCollection\",\"features\":[1]}", HERD_E_SYNTAX, 1, "expected a feature"},
        {POINT("1", "1e999", "b"), HERD_E_RANGE, 1, "longitude first"},
        {POINT("1", "-90.1", "b"), HERD_E_RANGE, 1, "longitude first"},
        {POINT("1", "90.1", "b"), HERD_E_RANGE, 1, "longitude first"},
        {POINT("-180.1", "2", "b"), HERD_E_RANGE, 1, "beyond 180"},
        {POINT("1e999", "1e999", "b"), HERD_E_RANGE, 1, "beyond 180 or latitude beyond 90"},
        {POINT("1", "\"2\"", "b"), HERD_E_SYNTAX, 1, "two numbers"},
        {"{\"type\":\"Feature\",\"geometry\":{\"type\":\"Point\",\"coordinates\":{\"lon\":1}}}", HERD_E_SYNTAX, 1,
         "two numbers"},
        {"{\"typ\\n\":\"Feature\"}", HERD_E_SYNTAX, 1, "not a GeoJSON Feature"},
        {"{\"t\\u0079\":\"Feature\",\"type\":\"Featur\"}", HERD_E_SYNTAX, 1, "not a GeoJSON Feature"},
        {POINT("\"1\"", "2", "b"), HERD_E_SYNTAX, 1, "two numbers"},
        {POINT("null", "2", "b"), HERD_E_SYNTAX, 1, "two numbers"},
        {POINT("NaN", "2", "b"), HERD_E_SYNTAX, 1, "expected a value"},
        {POINT("1", "2", "\xff"), HERD_E_SYNTAX, 1, "not UTF-8"},
        {POINT("1", "2", "\\ud800"), HERD_E_SYNTAX, 1, "lone surrogate"},
        {"{\"type\":\"Feature\",\n\"geometry\":\n{\"type\":\"Point\",\n\"coordinates\":[1]}}", HERD_E_SYNTAX, 4,
         "two numbers"},
        {"{\"type\":\"Feature\",\"geometry\":{\"type\":\"Point\"}}", HERD_E_SYNTAX, 1, "without coordinates"},
        {"{\"type\":\"Feature\",\"geometry\":{\"type\":\"Point\",\"coordinates\":[[1,2],[3,4]]}}", HERD_E_SYNTAX, 1,
         "two numbers"},
        {"{\"type\":\"Feature\",\"geometry\":{\"type\":\"LineString\",\"coordinates\":[1,2]}}", HERD_E_SYNTAX, 1,
         "two numbers"},
        {"{\"type\":\"Feature\",\"geometry\":{\"type\":\"Polygon\",\"coordinates\":[[[1,2],\n[3,\"4\"]]]}}",
         HERD_E_SYNTAX, 2, "two numbers"},
        {"{\"type\":\"Feature\",\"geometry\":{\"type\":\"MultiPolygon\",\"coordinates\":{}}}", HERD_E_SYNTAX, 1,
         "not nested"},
        {"{\"type\":\"Feature\",\"geometry\":{\"type\":\"Polygon\"}}", HERD_E_SYNTAX, 1, "without coordinates"},
        {"{\"type\":\"Feature\",\"geometry\":{\"type\":\"LineString\",\"coordinates\":[[1,2],\n[34,-118]]}}",
         HERD_E_RANGE, 2, "longitude first"},
        {"{\"type\":\"Feature\",\"geometry\":{\"type\":\"GeometryCollection\",\"geometries\":[\n{\"type\":"
         "\"Point\",\"coordinates\":[181,0]}]}}",
         HERD_E_RANGE, 2, "beyond 180"},
        {"{\"a", HERD_E_SYNTAX, 1, "cut short"},
    };
    refuse_rows(HERD_POINTS_GEOJSON, rows, sizeof rows / sizeof rows[0]);
    struct herd_points *points;
    struct herd_points_summary summary;
    struct herd_diagnostic diagnostic;
    static const char nul[] = {'\0', '{', '}'};
    assert_int_equal(
        read_points_in_pieces(HERD_POINTS_GEOJSON, nul, sizeof nul, sizeof nul, &points, &summary, &diagnostic),
        HERD_E_SYNTAX);
}

/* What is wrong with one feature, or between two, takes nothing from the others. */
static void test_noted(void **state)
{
    (void)state;
#define GOOD POINT("1", "2", "a")
    static const struct noted_row rows[] = {
        {{COLLECTION(GOOD ","), HERD_E_SYNTAX, 1, "expected a feature"}, 1, 0, 1},
        {{COLLECTION(GOOD GOOD), HERD_E_SYNTAX, 1, "expected a comma"}, 2, 0, 1},
        {{COLLECTION("," GOOD), HERD_E_SYNTAX, 1, "expected a feature"}, 1, 0, 1},
        {{COLLECTION(GOOD ",,\n," GOOD), HERD_E_SYNTAX, 1, "expected a feature"}, 2, 0, 1},
        {{"{\"type\":\"FeatureCollection\",\n\"features\":[\n" GOOD ",\n" POINT("34.05", "-118.24", "swapped") "]}",
          HERD_E_RANGE, 4, "longitude first"},
         1,
         1,
         1},
        {{GOOD "\n" POINT("181", "2", "b"), HERD_E_RANGE, 2, "beyond 180"}, 1, 1, 1},
        {{GOOD "\n" GOOD "\nx", HERD_E_SYNTAX, 3, "expected an object"}, 2, 0, 1},
        {{GOOD "\nx y z\n" GOOD "\nx", HERD_E_SYNTAX, 2, "expected an object"}, 2, 0, 2},
        {{GOOD "\n{\"type\":\n\n\"Feature\"", HERD_E_SYNTAX, 4, "begins on line 2"}, 1, 1, 1},
        {{"{\"type\":\"FeatureCollection\",\"features\":[" GOOD "] \"x\":1}", HERD_E_SYNTAX, 1,
          "around the features"},
         1,
         0,
         1},
        {{"{\"features\":[" GOOD "],\"features\":[{}]}\n" GOOD, HERD_E_SYNTAX, 1, "a second time"}, 2, 0, 2},
        /* Elements that are no features. */
        {{COLLECTION("null," GOOD ",\nnull,7,[1,{\"a\":2}],\"x}\",tru , {}," GOOD), HERD_E_SYNTAX, 1,
          "expected a feature"},
         2,
         7,
         7},
        {{COLLECTION(GOOD ",null"), HERD_E_SYNTAX, 1, "expected a feature"}, 1, 1, 1},
        /* A coordinate that is none, and one that is hardly beyond the edge. */
        {{COLLECTION(POINT("null", "2", "b") "," GOOD), HERD_E_SYNTAX, 1, "two numbers"}, 1, 1, 1},
        {{COLLECTION(POINT("180.0000001", "2", "b") "," GOOD), HERD_E_RANGE, 1, "beyond 180"}, 1, 1, 1},
        {{"{\"type\":\"Feature\",\"geometry\":{\"type\":\"LineString\",\"coordinates\":[\n[180.0000001,0],[170,1],["
          "178,2],"
          "[180,-90.00001]]},\"properties\":{\"name\":\"a\"}}",
          HERD_E_RANGE, 2, "beyond 180 or latitude beyond 90"},
         1,
         0,
         1},
        /* A string without end: up to the end of the line, if the feature is on one. */
        {{COLLECTION("\n{\"type\":\"Feature\",\"properties\":{\"name\":\"a}},\n" GOOD ",\n" GOOD "\n"),
          HERD_E_SYNTAX, 2, "control character"},
         2,
         1,
         1},
        {{GOOD "\n{\"type\":\"Feature\\\n" GOOD "\n" GOOD, HERD_E_SYNTAX, 2, "control character"}, 3, 1, 1},
        /* Record separators begin anew, whatever came before. */
        {{"\x1e" GOOD "\n\x1e{\"type\":\"Feature\",\n\x1e" GOOD "\n", HERD_E_SYNTAX, 3, "begins on line 2"},
         2,
         1,
         1},
        {{"\x1e{\"type\":\"Fea\x1e" GOOD "\n", HERD_E_SYNTAX, 1, "control character"}, 1, 1, 1},
        {{"\x1e{\"features\":[" GOOD ",\n\x1e" GOOD "\n", HERD_E_SYNTAX, 2, "begins on line 1"}, 2, 0, 1},
        {{"\x1e{\"features\":[" GOOD ",{\"type\":\"Fea\x1e" GOOD "\n", HERD_E_SYNTAX, 1, "control character"},
         2,
         1,
         1},
        {{"\x1e{\"features\":[" GOOD ",{\x1e" GOOD "\n", HERD_E_SYNTAX, 1, "begins on line 1"}, 2, 1, 1},
        /* Cut short: between features, in one, in front of the end. */
        {{"{\"type\":\"FeatureCollection\",\"features\":[" GOOD ",", HERD_E_SYNTAX, 1, "cut short"}, 1, 0, 1},
        {{"{\"type\":\"FeatureCollection\",\"features\":[" GOOD ",{\"ty", HERD_E_SYNTAX, 1, "cut short"}, 1, 1, 1},
        {{"{\"type\":\"FeatureCollection\",\"features\":[" GOOD "]", HERD_E_SYNTAX, 1, "cut short"}, 1, 1, 1},
        {{"{\"type\":\"FeatureCollection\",\"features\":[" GOOD "}", HERD_E_SYNTAX, 1, "expected a comma"},
         1,
         0,
         2},
        {{POINT("1", "2", "\xff") "\n" GOOD, HERD_E_SYNTAX, 1, "not UTF-8"}, 1, 1, 1},
    };
    note_rows(HERD_POINTS_GEOJSON, rows, sizeof rows / sizeof rows[0]);
    /* The number of the feature, which a file of one line needs. */
    struct herd_points *points;
    struct herd_points_summary summary;
    struct herd_diagnostic diagnostic = {0};
    assert_int_equal(
        read_points(HERD_POINTS_GEOJSON, COLLECTION(GOOD "," GOOD ",null"), &points, &summary, &diagnostic), 0);
    assert_int_equal(summary.first_item, 3);
    herd_points_free(points);
    assert_int_equal(read_points(HERD_POINTS_GEOJSON, GOOD "\n" GOOD "{", &points, &summary, &diagnostic), 0);
    assert_int_equal(summary.first_item, 3);
    assert_true(summary.cut_short);
    herd_points_free(points);
}

/* What a feature is called, in the words of those who make such files; NULL: not a place. */
static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *members, *name;
    } rows[] = {
        {"\"properties\":{\"NAME\":\"Lyon\",\"SCALERANK\":3}", "Lyon"},
        {"\"properties\":{\"Name\":\"Lyon\",\"description\":\"\"}", "Lyon"},
        {"\"properties\":{\"wof:id\":101749159,\"wof:name\":\"Lyon\",\"wof:placetype\":\"locality\"}", "Lyon"},
        {"\"properties\":{\"type\":\"node\",\"id\":7,\"tags\":{\"shop\":\"books\",\"name\":\"Lyon\"}}", "Lyon"},
        {"\"properties\":{\"name:en\":\"Lyons\",\"name\":\"Lyon\"}", "Lyon"},
        {"\"properties\":{\"NAME\":\"LYON\",\"name\":\"Lyon\"}", "Lyon"},
        {"\"properties\":{\"name\":\"\",\"name:en\":\"Lyons\"}", "Lyons"},
        {"\"properties\":{\"name\":null,\"Title\":\"Lyon\"}", "Lyon"},
        {"\"properties\":{\"n\\u0061me\":\"Lyon\"}", "Lyon"},
        {"\"properties\":{\"n\\u0061mes\":\"Lyon\",\"title\":\"Lyons\"}", "Lyons"},
        {"\"properties\":{\"title\":\"Lyons\",\"name\":true,\"Title\":\"Lyon\"}", "Lyons"},
        {"\"properties\":{\"name\":\"Lyon\",\"types\":7,\"name\":\"Lyons\"}", "Lyon"},
        {"\"text\":\"Lyon\",\"place_name\":\"Lyon, France\",\"properties\":{}", "Lyon"},
        {"\"properties\":{\"tags\":{\"amenity\":\"bench\"}}", "bench"},
        {"\"id\":2,\"properties\":{}", NULL},
        {"\"id\":\"2\",\"properties\":null", NULL},
        {"\"properties\":{\"id\":2,\"ele\":14}", NULL},
        {"\"properties\":{\"@id\":\"node/123\"}", NULL},
        {"\"id\":\"way/7\",\"properties\":{\"tags\":{}}", NULL},
        {"\"id\":\"urn:x:y\",\"properties\":{}", NULL},
        {"\"id\":\"4f0e-aa31\",\"properties\":{}", NULL},
        {"\"properties\":{\"tags\":\"name=Lyon\"}", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[600];
        struct herd_point point;
        snprintf(text, sizeof text,
                 COLLECTION("{\"type\":\"Feature\",\"geometry\":{\"type\":\"Point\",\"coordinates\":[1,2]},%s}"),
                 rows[i].members);
        struct herd_points *points = read_good(text, rows[i].name ? 1 : 0, rows[i].name ? 0 : 1);
        if (rows[i].name) {
            herd_points_get(points, 0, &point);
            assert_text(point.name, rows[i].name);
        }
        herd_points_free(points);
    }
}

/* What has no end is given up, with what follows it; what was read before it stays. */
static void test_too_large(void **state)
{
    (void)state;
    enum { CHUNK = 1 << 22 };
    char *filler = malloc(CHUNK + 1000);
    assert_non_null(filler);
    memset(filler, 'x', CHUNK);
    static const struct {
        const char *head, *tail;
        size_t taken, skipped;
    } rows[] = {
        {GOOD "\n{\"type\":\"", "\"}\n" GOOD, 1, 1},
        {GOOD "\n{\"type\":\"", "\"}\n" GOOD, 1, 1},
        {"{\"features\":[" GOOD ",{\"type\":\"", "\"}," GOOD "]}", 1, 1},
        {"{\"features\":[" GOOD ",{\"type\":\"", "\"}," GOOD "]}", 1, 1},
        {"{\"x\":\"", "\",\"y\":[1]}", 0, 1},
        {"{\"x\":\"", "\",\"y\":[1]}", 0, 1},
        {"{\"features\":[" GOOD "],\"x\":\"", "\",\"y\":[1]}", 1, 1},
        {"{\"features\":[" GOOD "],\"x\":\"", "\",\"y\":[1]}", 1, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct herd_points *points;
        struct herd_points_reader *reader;
        struct herd_diagnostic diagnostic = {0};
        assert_int_equal(herd_points_new(&points, "", ""), 0);
        assert_int_equal(herd_points_reader_new(&reader, HERD_POINTS_GEOJSON, points), 0);
        assert_int_equal(herd_points_read(reader, herd_span_of(rows[i].head), &diagnostic), 0);
        /* The last piece holds its end too, or it does not. */
        const bool whole = i % 2;
        const size_t tail_len = strlen(rows[i].tail);
        for (size_t bytes = whole ? CHUNK : 0; bytes < HERD_READER_ITEM_MAX; bytes += CHUNK)
            assert_int_equal(herd_points_read(reader, (struct herd_span){filler, CHUNK}, &diagnostic), 0);
        memcpy(filler + CHUNK, rows[i].tail, tail_len);
        assert_int_equal(herd_points_read(reader,
                                          whole ? (struct herd_span){filler, CHUNK + tail_len}
                                                : (struct herd_span){filler + CHUNK, tail_len},
                                          &diagnostic),
                         0);
        assert_int_equal(herd_points_read(reader, herd_span_of("\n" GOOD), &diagnostic), 0); /* lost */
        assert_int_equal(herd_points_read_end(reader, &diagnostic), rows[i].taken ? 0 : HERD_E_LIMIT);
        const struct herd_points_summary *summary = herd_points_reader_summary(reader);
        assert_string_equal(summary->first.message, "a feature this large is no place");
        if (summary->taken != rows[i].taken || summary->skipped != rows[i].skipped)
            fail_msg("row %zu: taken %zu, skipped %zu", i, summary->taken, summary->skipped);
        assert_true(summary->cut_short);
        herd_points_reader_free(reader);
        herd_points_free(points);
    }
    free(filler);
}

static void test_deep(void **state)
{
    (void)state;
    char text[2200] = "{\"type\":\"Feature\",\"x\":";
    size_t len = strlen(text);
    memset(text + len, '[', 1000);
    memset(text + len + 1000, ']', 1000);
    memcpy(text + len + 2000, "}", 2);
    struct herd_points *points;
    struct herd_points_summary summary;
    struct herd_diagnostic diagnostic;
    assert_int_equal(read_points_in_pieces(HERD_POINTS_GEOJSON, text, strlen(text), strlen(text), &points, &summary,
                                           &diagnostic),
                     HERD_E_SYNTAX);
    assert_string_equal(diagnostic.message, "nested too deep");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_collections_and_lines),
        cmocka_unit_test(test_what_is_taken),
        cmocka_unit_test(test_skipped),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_noted),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_not_points),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_deep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
