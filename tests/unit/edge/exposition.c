/* SPDX-License-Identifier: MIT */
/* Figures as Prometheus reads them: numbers without the locale's point, labels with their escapes, histograms. */
#include "cm.h"

#include "../locales.h"
#include "exposition.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void expect(struct herd_buf *out, const char *want)
{
    if (!herd_span_equal((struct herd_span){out->at, out->len}, herd_span_of(want)))
        fail_msg("%.*s, not %s", (int)out->len, out->at, want);
    out->len = 0;
}

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        double number;
        const char *text;
    } rows[] = {
        {0, "0"},
        {-1, "-1"},
        {0.5, "0.5"},
        {-2.25, "-2.25"},
        {1e-7, "1e-07"},
        {1.5e-9, "1.5e-09"},
        {123456789.25, "123456789.25"},
        {1795694395.123456, "1795694395.12346"},
        {1.25e300, "1.25e+300"},
        {INFINITY, "inf"},
    };
    struct herd_buf out = {0};
    struct herd_exposition exposition = {.out = &out, .family = "f"};
    for (size_t n = 0; n < LOCALES * sizeof rows / sizeof *rows; n++) {
        const size_t i = n / LOCALES;
        char want[64];
        if (!setlocale(LC_NUMERIC, locales[n % LOCALES]))
            continue;
        herd_exposition_number(&exposition, NULL, (struct herd_span){"", 0}, rows[i].number);
        snprintf(want, sizeof want, "f %s\n", rows[i].text);
        expect(&out, want);
    }
    setlocale(LC_NUMERIC, "C");
    herd_exposition_number(&exposition, "who", herd_span_of("a\"b\\c\nd"), 1.5);
    expect(&out, "f{who=\"a\\\"b\\\\c\\nd\"} 1.5\n");
    assert_int_equal(exposition.err, 0);
    herd_buf_fini(&out);
}

static void test_histogram(void **state)
{
    (void)state;
    struct herd_buf out = {0}, first = {0};
    struct herd_exposition exposition = {.out = &out, .family = "h"};
    struct herd_histogram histogram = {.count = 3, .sum_s = 0.75};
    histogram.counts[0] = 1;
    histogram.counts[HERD_HISTOGRAM_BOUNDS] = 2;
    for (size_t n = 0; n < LOCALES; n++) {
        if (!setlocale(LC_NUMERIC, locales[n]))
            continue;
        out.len = 0;
        herd_exposition_histogram(&exposition, NULL, (struct herd_span){"", 0}, &histogram);
        assert_int_equal(herd_buf_add(&out, "", 1), 0);
        assert_non_null(strstr(out.at, "h_bucket{le=\"+Inf\"} 3\nh_sum 0.75\nh_count 3\n"));
        assert_non_null(strstr(out.at, "h_bucket{le=\"0."));
        assert_null(strchr(out.at, ','));
        if (n == 0)
            assert_int_equal(herd_buf_add(&first, out.at, out.len), 0);
        assert_string_equal(out.at, first.at);
    }
    setlocale(LC_NUMERIC, "C");
    herd_buf_fini(&out);
    herd_buf_fini(&first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_numbers), cmocka_unit_test(test_histogram)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
