/* SPDX-License-Identifier: MIT */
/* The histogram's percentiles are near the true ones, never below them, over the whole range. */
#include "histogram.h"

#include <cm.h>

static struct histogram h;

static int empty(void **state)
{
    (void)state;
    h = (struct histogram){.count = 0};
    return 0;
}

static void small_values_are_exact(void **state)
{
    int64_t ns;

    (void)state;
    for (ns = 0; ns < 64; ns++)
        histogram_add(&h, ns, 1);
    assert_int_equal(histogram_at(&h, 0.5), 32);
    assert_int_equal(histogram_at(&h, 1.0), 63);
    assert_int_equal(h.count, 64);
}

static void percentiles_are_within_two_percent(void **state)
{
    static const double quantiles[] = {0.5, 0.9, 0.99, 0.999};
    size_t i;
    int64_t ns;

    (void)state;
    for (ns = 1; ns <= 1000000; ns++)
        histogram_add(&h, ns * 1000, 1);
    for (i = 0; i < 4; i++) {
        double exact = quantiles[i] * 1e9, told = (double)histogram_at(&h, quantiles[i]);

        assert_true(told >= exact && told <= exact * 1.02);
    }
    assert_int_equal(histogram_at(&h, 1.0), 1000000000);
}

static void each_value_is_told_as_itself_or_a_little_more(void **state)
{
    int64_t ns;

    (void)state;
    for (ns = 1; ns < INT64_C(1000000000000); ns = ns * 5 / 4 + 1) {
        empty(NULL);
        histogram_add(&h, ns, 1);
        histogram_add(&h, INT64_C(1000000000000), 1);
        assert_true(histogram_at(&h, 0.4) >= ns);
        assert_true(histogram_at(&h, 0.4) <= ns + ns / 50 + 1);
    }
}

static void what_is_off_the_scale_is_kept_as_the_largest(void **state)
{
    (void)state;
    histogram_add(&h, -5, 1);
    histogram_add(&h, INT64_MAX, 3);
    assert_int_equal(histogram_at(&h, 0.0), 0);
    assert_true(histogram_at(&h, 0.9) > INT64_C(1000000000000));
    assert_true(h.max_ns == INT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(small_values_are_exact, empty),
        cmocka_unit_test_setup(percentiles_are_within_two_percent, empty),
        cmocka_unit_test_setup(each_value_is_told_as_itself_or_a_little_more, empty),
        cmocka_unit_test_setup(what_is_off_the_scale_is_kept_as_the_largest, empty),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
