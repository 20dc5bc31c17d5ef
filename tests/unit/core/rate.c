/* SPDX-License-Identifier: MIT */
/* A limit of rate: what may come at once, and how many a second in the long run. */
#include "cm.h"

#include "rate.h"

static unsigned take(struct herd_rate *rate, int64_t now_ns, unsigned tries)
{
    unsigned taken = 0;
    for (unsigned i = 0; i < tries; i++)
        taken += herd_rate_take(rate, now_ns);
    return taken;
}

static void test_burst_then_rate(void **state)
{
    (void)state;
    struct herd_rate rate;
    herd_rate_init(&rate, 5, 3);
    assert_int_equal(take(&rate, 1000, 100), 3);
    assert_int_equal(take(&rate, 1000 + 199999999, 100), 0);
    assert_int_equal(take(&rate, 1000 + 200000000, 100), 1);
    assert_int_equal(take(&rate, 1000 + 600000000, 100), 2);
    assert_int_equal(take(&rate, INT64_C(3600000000000), 100), 3);
    unsigned taken = 0;
    herd_rate_init(&rate, 7, 1);
    for (int64_t ms = 0; ms < 10000; ms++)
        taken += take(&rate, ms * 1000000, 2);
    assert_in_range(taken, 69, 71);
}

static void test_extremes(void **state)
{
    (void)state;
    struct herd_rate rate = {0};
    assert_int_equal(take(&rate, 0, 1000), 1000);
    herd_rate_init(&rate, 1000000000, 1000000000);
    assert_int_equal(take(&rate, INT64_MAX / 2, 1000), 1000);
    herd_rate_init(&rate, 1, 1000000000);
    assert_int_equal(take(&rate, 0, 1000), 1000);
    herd_rate_init(&rate, 1, 1);
    assert_int_equal(take(&rate, 0, 10), 1);
    assert_int_equal(take(&rate, 999999999, 10), 0);
    assert_int_equal(take(&rate, 1000000000, 10), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_burst_then_rate),
        cmocka_unit_test(test_extremes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
