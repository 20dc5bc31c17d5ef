/* SPDX-License-Identifier: MIT */
#include "read_points.h"
#include "reader.h"

#define ROW(id, name, lat, lon, class, country)                          \
    id "\t" name "\tascii\t\t" lat "\t" lon "\t" class "\tPPL\t" country \
                                                       "\t\t1\t\t\t\t5\t\t7\tEurope/Paris\t2020-01-01"

static void test_rows(void **state)
{
    (void)state;
    struct herd_points *points;
    struct herd_points_summary summary;
    struct herd_diagnostic diagnostic = {0};
    static const char text[] = ROW("2988507", "Paris", "48.85341", "2.3488", "P", "FR") "\n" ROW(
        "5", "Say \"x\"\\", "-90", "-180", "T",
        "QQ") "\r\n\n" ROW("6", "S\xc3\xa3o", "1e1", "2", "",
                           "BR") "\n" ROW("7", "County", "11", "180", "A",
                                          "FR") "\n" ROW("8", "Road", "12", "-180", "R",
                                                         "FR") "\n" ROW("9", "Spot", "90", "2", "S",
                                                                        "FR") "\n" ROW("10", "Two letters", "14",
                                                                                       "2", "PP", "FR");
    assert_int_equal(read_points(HERD_POINTS_TSV, text, &points, &summary, &diagnostic), 0);
    assert_int_equal(herd_points_count(points), 7);
    static const struct {
        int32_t lat_e7;
        const char *name, *vicinity, *types;
    } want[] = {
        {488534100, "Paris", "France", "\"locality\", \"political\""},
        {-900000000, "Say \\\"x\\\"\\\\", "QQ", "\"natural_feature\""},
        {100000000, "S\xc3\xa3o", "Brazil", "\"point_of_interest\""},
        {110000000, "County", "France", "\"political\""},
        {120000000, "Road", "France", "\"route\""},
        {900000000, "Spot", "France", "\"point_of_interest\", \"establishment\""},
        {140000000, "Two letters", "France", "\"point_of_interest\""},
    };
    for (size_t i = 0; i < 7; i++) {
        bool found = false;
        for (size_t k = 0; k < 7; k++) {
            struct herd_point point;
            herd_points_get(points, k, &point);
            if (point.lat_e7 != want[i].lat_e7)
                continue;
            found = true;
            assert_true(herd_span_equal(point.name, herd_span_of(want[i].name)));
            assert_true(herd_span_equal(point.vicinity, herd_span_of(want[i].vicinity)));
            assert_true(herd_span_equal(point.types, herd_span_of(want[i].types)));
        }
        assert_true(found);
    }
    herd_points_free(points);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct bad_row rows[] = {
        {"1\tshort\n", HERD_E_SYNTAX, 1, "2 columns"},
        {ROW("1", "a", "91", "2", "P", "FR"), HERD_E_RANGE, 1, "latitude is beyond 90: 91"},
        {ROW("1", "a", "1", "-180.0000001", "P", "FR"), HERD_E_RANGE, 1, "longitude is beyond 180"},
        {ROW("1", "a", "", "2", "P", "FR"), HERD_E_SYNTAX, 1, "latitude is not a number"},
        {ROW("1", "a", "x", "2", "P", "FR"), HERD_E_SYNTAX, 1, "latitude is not a number: x"},
        {ROW("1", "a", "-90.00000005", "2", "P", "FR"), HERD_E_RANGE, 1, "latitude is beyond 90: -90.00000005"},
        {ROW("1", "a", "1e99", "2", "P", "FR"), HERD_E_RANGE, 1, "latitude is beyond 90: 1e99"},
        {ROW("1", "a", "x23456789012345678901234567890123456789TOO LONG", "2", "P", "FR"), HERD_E_SYNTAX, 1,
         "latitude is not a number: x23456789012345678901234567890123456789T"},
        {ROW("1", "a", "1234567890123456789012345678901234567890", "2", "P", "FR"), HERD_E_RANGE, 1,
         "latitude is beyond 90: 12345"},
        {ROW("1", "a", "nan", "2", "P", "FR"), HERD_E_SYNTAX, 1, "latitude is not a number"},
        {"\n\n" ROW("1", "\xff", "1", "2", "P", "FR"), HERD_E_SYNTAX, 3, "not UTF-8 at byte 2"},
        {"name,lat,lon\n", HERD_E_SYNTAX, 1, "1 columns"},
    };
    refuse_rows(HERD_POINTS_TSV, rows, sizeof rows / sizeof rows[0]);
}

/* What is wrong with some rows takes nothing from the others. */
static void test_noted(void **state)
{
    (void)state;
#define GOOD ROW("1", "a", "1", "2", "P", "FR")
    static const struct noted_row rows[] = {
        {{GOOD "\n" ROW("1", "a", "1", "2", "P", "FR") "\tmore\n", HERD_E_SYNTAX, 2, "20 columns"}, 1, 1, 1},
        {{"geonameid\tname\tasciiname\talternatenames\tlatitude\tlongitude\tfeature class\tfeature code\tcountry "
          "code\tcc2\tadmin1 code\tadmin2 code\tadmin3 code\tadmin4 code\tpopulation\televation\tdem\t"
          "timezone\tmodification date\n" GOOD,
          HERD_E_SYNTAX, 1, "latitude is not a number: latitude"},
         1,
         1,
         1},
        {{GOOD "\n1\tshort\n" GOOD "\n" GOOD, HERD_E_SYNTAX, 2, "2 columns"}, 3, 1, 1},
        {{GOOD "\n" ROW("1", "a", "", "", "P", "FR") "\n" ROW("1", "a", "1", "-180.0000001", "P", "FR") "\n" GOOD,
          HERD_E_SYNTAX, 2, "latitude is not a number"},
         2,
         2,
         2},
        {{ROW("1", "\xff", "1", "2", "P", "FR") "\n" GOOD "\n" ROW("1", "", "1", "2", "P", "FR"), HERD_E_SYNTAX, 1,
          "not UTF-8"},
         1,
         2,
         1}, /* one without a name is no fault */
    };
    note_rows(HERD_POINTS_TSV, rows, sizeof rows / sizeof rows[0]);
}

/* A line without end is left out, up to its end. */
static void test_too_long(void **state)
{
    (void)state;
    struct herd_points *points;
    struct herd_points_reader *reader;
    struct herd_diagnostic diagnostic = {0};
    enum { CHUNK = 1 << 20 };
    char *blanks = malloc(CHUNK);
    assert_non_null(blanks);
    memset(blanks, ' ', CHUNK);
    assert_int_equal(herd_points_new(&points, "", ""), 0);
    assert_int_equal(herd_points_reader_new(&reader, HERD_POINTS_TSV, points), 0);
    assert_int_equal(herd_points_read(reader, herd_span_of(GOOD "\n1\t"), &diagnostic), 0);
    for (size_t bytes = 0; bytes <= HERD_READER_ITEM_MAX + CHUNK; bytes += CHUNK)
        assert_int_equal(herd_points_read(reader, (struct herd_span){blanks, CHUNK}, &diagnostic), 0);
    assert_int_equal(herd_points_read(reader, herd_span_of("x"), &diagnostic), 0);
    assert_int_equal(herd_points_read(reader, herd_span_of("y\n" GOOD "\nshort\n" GOOD), &diagnostic), 0);
    assert_int_equal(herd_points_read_end(reader, &diagnostic), 0);
    const struct herd_points_summary *summary = herd_points_reader_summary(reader);
    assert_int_equal(summary->first_err, HERD_E_LIMIT);
    assert_int_equal(summary->first.line, 2);
    assert_string_equal(summary->first.message, "a line this long is no table");
    assert_int_equal(summary->taken, 3);
    assert_int_equal(summary->skipped, 2);
    assert_int_equal(summary->faulty, 2);
    herd_points_reader_free(reader);
    herd_points_free(points);
    free(blanks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_refused),
                                       cmocka_unit_test(test_noted), cmocka_unit_test(test_too_long)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
