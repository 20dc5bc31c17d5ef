/* SPDX-License-Identifier: MIT */
/* Digits that phones send, as places and times of lines. */
#include "cm.h"

#include "../core/guard.h"
#include "iso_time.h"
#include "number.h"
#include "place_time.h"

#include <herd/geo.h>
#include <herd/timestamp.h>

#include <stdio.h>

struct row {
    const char *in, *out; /* out NULL: HERD_E_SYNTAX, "": HERD_E_RANGE */
};

static int error_of(const struct row *row)
{
    return row->out ? row->out[0] ? 0 : HERD_E_RANGE : HERD_E_SYNTAX;
}

static void latitudes(void **state)
{
    static const struct row rows[] = {
        {"48.8568", "+48.8568"},
        {"+48.8568", "+48.8568"},
        {"-33.45", "-33.45"},
        {"48.8568260", "+48.8568260"},
        {"0", "+0"},
        {"-0", "-0"},
        {"0.0", "+0.0"},
        {"007.5", "+7.5"},
        {"4.8e1", "+48"},
        {"4.85e1", "+48.5"},
        {"4.80E+1", "+48.0"},
        {"1e-7", "+0.0000001"},
        {"-1.25E-3", "-0.00125"},
        {"485e-1", "+48.5"},
        {"0.0048e3", "+4.8"},
        {"0e400", "+0"},
        {"0e-3", "+0.000"},
        {"0.00e1", "+0.0"},
        {".5", "+0.5"},
        {"5.", "+5"},
        {"90", "+90"},
        {"90.000", "+90.000"},
        {"-90", "-90"},
        {"9e1", "+90"},
        {"900e-1", "+90.0"},
        {"1e-400", "+0.0000000000000000000000000000000000000000"},
        {"1.23456789012345678901234567890123456789012345678", "+1.2345678901234567890123456789012345678901"},
        {"91", ""},
        {"-90.0000001", ""},
        {"90.00000000000000000000000000000000000000000000000001", ""},
        {"9.1e1", ""},
        {"1e400", ""},
        {"-1e99999999999999999999999", ""},
        {"99999999999999999999", ""},
        {"1", "+1"},
        {"", NULL},
        {"+", NULL},
        {".", NULL},
        {"-.", NULL},
        {".e1", NULL},
        {"e1", NULL},
        {"1e", NULL},
        {"1e+", NULL},
        {"NaN", NULL},
        {"nan", NULL},
        {"inf", NULL},
        {"-Infinity", NULL},
        {"0x10", NULL},
        {"48,85", NULL},
        {" 48", NULL},
        {"48 ", NULL},
        {"+-48", NULL},
        {"48.8.5", NULL},
        {"48.85N", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct herd_place_time pt = {0};
        struct herd_position position;
        int err = herd_place_put(&pt, guarded(herd_span_of(rows[i].in)), herd_span_of("-2e0"));
        if (err != error_of(&rows[i]))
            fail_msg("%s: %d", rows[i].in, err);
        if (err < 0) {
            assert_int_equal(pt.place_len, 0);
            continue;
        }
        assert_int_equal(herd_position_parse(herd_place_of(&pt), &position), 0);
        assert_true(herd_span_equal(position.lon, herd_span_of("-2")));
        if (!herd_span_equal(position.lat, herd_span_of(rows[i].out)))
            fail_msg("%s: %.*s", rows[i].in, (int)position.lat.len, position.lat.at);
    }
}

static void longitudes(void **state)
{
    struct herd_place_time pt;
    struct herd_span zero = herd_span_of("0");
    (void)state;
    assert_int_equal(herd_place_put(&pt, zero, herd_span_of("-180.0")), 0);
    assert_true(herd_span_equal(herd_place_of(&pt), herd_span_of("+0-180.0")));
    assert_int_equal(herd_place_put(&pt, zero, herd_span_of("180.1")), HERD_E_RANGE);
    assert_int_equal(herd_place_put(&pt, herd_span_of("x"), herd_span_of("181")), HERD_E_SYNTAX);
    /* as it was */
    assert_true(herd_span_equal(herd_place_of(&pt), herd_span_of("+0-180.0")));
}

/* Where strict and loose differ, the row is in the second list. */
static const struct row times[] = {
    {"1795694395", "1795694395"},
    {"1795694395.5", "1795694395.5"},
    {"1795694395123", "1795694395.123"},
    {"1795694395000", "1795694395.000"},
    {"1795694395123.25", "1795694395.12325"},
    {"1.795694395E9", "1795694395"},
    {"1.795694395123e12", "1795694395.123"},
    {"0", "0"},
    {"-0.0", "0.0"},
    {"2147483647", "2147483647"},
    {"2147483647.5", "2147483647.5"},
    {"2147483648", "2147483648"},
    {"4070908800", "4070908800"},
    {"9223372036", "9223372036"},
    {"9223372037", ""},
    {"99999999999.9", ""},
    {"100000000000", "100000000.000"},
    {"9223372036854", "9223372036.854"},
    {"9223372036855", ""},
    {"1795694395123456", ""},
    {"99999999999999999999", ""},
    {"1e400", ""},
    {"-1", ""},
    {"2026-11-26T09:19:55Z", "1795684795"},
    {"2026-11-26t09:19:55.123456z", "1795684795.123456"},
    {"2026-11-26T10:19:55+01:00", "1795684795"},
    {"2026-11-26T04:49:55-04:30", "1795684795"},
    {"2026-11-26 09:19:55Z", "1795684795"},
    {"1970-01-01T00:00:00Z", "0"},
    {"1970-01-01T00:00:00.000Z", "0.000"},
    {"1970-01-01T01:00:00+01:00", "0"},
    {"2000-02-29T12:00:00Z", "951825600"},
    {"2024-02-29T23:59:60Z", "1709251200"},
    {"2099-01-01T00:00:00Z", "4070908800"},
    {"2262-04-11T23:47:16Z", "9223372036"},
    {"2262-04-11T23:47:17Z", ""},
    {"9999-12-31T23:59:59Z", ""},
    {"1969-12-31T23:59:59Z", ""},
    {"1970-01-01T00:00:00+00:01", ""},
    {"0000-01-01T00:00:00Z", ""},
    {"", NULL},
    {"now", NULL},
    {"NaN", NULL},
    {"2023-02-29T00:00:00Z", NULL},
    {"2100-02-29T00:00:00Z", NULL},
    {"2026-13-01T00:00:00Z", NULL},
    {"2026-00-01T00:00:00Z", NULL},
    {"2026-01-00T00:00:00Z", NULL},
    {"2026-04-31T00:00:00Z", NULL},
    {"2026-11-26T24:00:00Z", NULL},
    {"2026-11-26T09:60:00Z", NULL},
    {"2026-11-26T09:19:61Z", NULL},
    {"2026-11-26T09:19:55.Z", NULL},
    {"2026-11-26T09:19:55Zx", NULL},
    {"2026-11-26T09:19:55+24:00", NULL},
    {"2026-11-26T09:19:55+01:60", NULL},
    {"2026-11-26", NULL},
    {"2026-11-26T", NULL},
    {"2026-1-2T00:00:00Z", NULL},
    {"2026-11-26X09:19:55Z", NULL},
    {"123e-5", "0.00123"},
    {"1234-", NULL},
};

static const struct row loose_times[] = {
    {"2026-11-26T09:19:55", "1795684795"},       {"2026-11-26 09:19:55", "1795684795"},
    {"2026-11-26T09:19:55,5", "1795684795.5"},   {"2026-11-26T09:19Z", "1795684740"},
    {"2026-11-26T10:19:55+0100", "1795684795"},  {"2026-11-26T10:19:55+01", "1795684795"},
    {"2026-11-26T10:19:55 01:00", "1795684795"},
};

static void check_time(const struct row *row, enum herd_time_form form, int expected)
{
    struct herd_place_time pt = {0};
    int64_t ns;
    int err = herd_time_put(&pt, guarded(herd_span_of(row->in)), form);
    if (err != expected)
        fail_msg("%s: %d", row->in, err);
    if (err < 0) {
        assert_int_equal(pt.time_len, 0);
        return;
    }
    assert_int_equal(herd_timestamp_parse(herd_time_of(&pt), &ns), 0);
    if (!herd_span_equal(herd_time_of(&pt), herd_span_of(row->out)))
        fail_msg("%s: %.*s", row->in, (int)pt.time_len, pt.time);
}

static void time_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        check_time(&times[i], HERD_TIME_STRICT, error_of(&times[i]));
        check_time(&times[i], HERD_TIME_LOOSE, error_of(&times[i]));
    }
    for (size_t i = 0; i < sizeof loose_times / sizeof *loose_times; i++) {
        check_time(&loose_times[i], HERD_TIME_STRICT, HERD_E_SYNTAX);
        check_time(&loose_times[i], HERD_TIME_LOOSE, 0);
    }
}

/* Cut anywhere, or with another byte anywhere, no date is one. */
static void no_dates(void **state)
{
    static const char whole[] = "2026-11-26T09:19:55Z";
    struct herd_iso_time time;
    (void)state;
    assert_int_equal(herd_iso_time_read(herd_span_of(whole), true, &time), 0);
    assert_true(time.seconds == 1795684795 && time.fraction.len == 0);
    for (size_t len = 0; len < sizeof whole - 1; len++) {
        char other[sizeof whole];
        assert_int_equal(herd_iso_time_read((struct herd_span){whole, len}, true, &time), HERD_E_SYNTAX);
        memcpy(other, whole, sizeof whole);
        other[len] = '#';
        assert_int_equal(herd_iso_time_read(herd_span_of(other), true, &time), HERD_E_SYNTAX);
        assert_int_equal(herd_iso_time_read(herd_span_of(other), false, &time), HERD_E_SYNTAX);
    }
    assert_int_equal(herd_iso_time_read((struct herd_span){NULL, 0}, false, &time), HERD_E_SYNTAX);
}

static void comparisons(void **state)
{
    static const struct {
        const char *text;
        uint64_t other;
        int order;
    } rows[] = {
        {"0", 0, 0},      {"-0.000e7", 0, 0}, {"0", 1, -1},        {"1e-9", 0, 1},     {"90", 90, 0},
        {"9e1", 90, 0},   {"90.000", 90, 0},  {"90.00001", 90, 1}, {"-89.9", 90, -1},  {"0.9e2", 90, 0},
        {"1e400", 90, 1}, {"1e-400", 90, -1}, {".5", 1, -1},       {"000180", 180, 0}, {"1800e-1", 180, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct herd_number number;
        assert_int_equal(herd_number_read(herd_span_of(rows[i].text), &number), 0);
        int order = herd_number_compare(&number, rows[i].other);
        if ((order > 0) - (order < 0) != rows[i].order)
            fail_msg("%s and %u: %d", rows[i].text, (unsigned)rows[i].other, order);
    }
}

/* Every day until 2262 is one day behind the one before. */
static void days(void **state)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    long day = 0;
    (void)state;
    for (int year = 1970; year < 2262; year++)
        for (int month = 0; month < 12; month++) {
            bool leap = month == 1 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            for (int d = 1; d <= lengths[month] + leap; d++, day++) {
                char in[32], out[32];
                snprintf(in, sizeof in, "%04d-%02d-%02dT00:00:01Z", year, month + 1, d);
                snprintf(out, sizeof out, "%ld", day * 86400 + 1);
                check_time(&(struct row){in, out}, HERD_TIME_STRICT, 0);
            }
        }
}

static void now(void **state)
{
    struct herd_place_time pt;
    (void)state;
    herd_time_put_now(&pt, INT64_C(1795694395000000042));
    assert_true(herd_span_equal(herd_time_of(&pt), herd_span_of("1795694395.000000042")));
    herd_time_put_now(&pt, -5);
    assert_true(herd_span_equal(herd_time_of(&pt), herd_span_of("0.000000000")));
    herd_time_put_now(&pt, INT64_MAX);
    assert_true(herd_span_equal(herd_time_of(&pt), herd_span_of("9223372036.854775807")));
}

/* A megabyte of digits is read, and written no longer than it may be. */
static void long_numbers(void **state)
{
    struct herd_place_time pt;
    size_t len = (size_t)1 << 20;
    char *text = malloc(len);
    (void)state;
    assert_non_null(text);
    memset(text, '0', len);
    assert_int_equal(herd_place_put(&pt, (struct herd_span){text, len}, herd_span_of("0")), 0);
    assert_true(herd_span_equal(herd_place_of(&pt), herd_span_of("+0+0")));
    text[1] = '.';
    text[len - 1] = '1';
    assert_int_equal(herd_place_put(&pt, (struct herd_span){text, len}, herd_span_of("0")), 0);
    assert_int_equal(pt.place_len, 2 + 1 + HERD_NUMBER_DECIMALS_MAX + 2);
    memcpy(text, "90.", 3);
    assert_int_equal(herd_place_put(&pt, (struct herd_span){text, len}, herd_span_of("0")), HERD_E_RANGE);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(latitudes), cmocka_unit_test(longitudes),   cmocka_unit_test(time_texts),
        cmocka_unit_test(no_dates),  cmocka_unit_test(comparisons),  cmocka_unit_test(days),
        cmocka_unit_test(now),       cmocka_unit_test(long_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
