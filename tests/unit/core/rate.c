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

/* A limit takes over what another one has used: of none, of one that is not used up, and of one much ahead. */
static void test_carried_over(void **state)
{
    (void)state;
    const int64_t now_ns = INT64_C(5000000000);
    struct herd_rate none = {0}, fresh, used, to;
    herd_rate_init(&fresh, 5, 3);
    herd_rate_init(&used, 5, 3);
    assert_int_equal(take(&used, now_ns, 2), 2);
    const struct {
        const struct herd_rate *from;
        int64_t per_second, burst;
        unsigned left;
    } rows[] = {
        {&none, 5, 3, 3},     {&fresh, 5, 3, 3}, {&used, 5, 3, 1},
        {&used, 5, 10, 8},    {&used, 10, 3, 0}, /* 0.4 s are four intervals: all of the burst, and no more than that */
        {&used, 1, 3, 3 - 1}, {&used, 1, 1, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        herd_rate_init(&to, rows[i].per_second, rows[i].burst);
        herd_rate_carry_over(&to, rows[i].from, now_ns);
        unsigned left = take(&to, now_ns, 100);
        if (left != rows[i].left)
            fail_msg("row %zu: %u left", i, left);
    }
    to = none;
    herd_rate_carry_over(&to, &used, now_ns);
    assert_int_equal(take(&to, now_ns, 1000), 1000); /* it has no limit */
    /* What was used up is past. */
    herd_rate_init(&to, 5, 3);
    herd_rate_carry_over(&to, &used, now_ns + 400000000);
    assert_int_equal(take(&to, now_ns + 400000000, 100), 3);
    /* A full debt is no more than the new limit's: one interval later there is one again. */
    herd_rate_init(&used, 1, 1000);
    assert_int_equal(take(&used, now_ns, 2000), 1000);
    herd_rate_init(&to, 10, 2);
    herd_rate_carry_over(&to, &used, now_ns);
    assert_int_equal(take(&to, now_ns, 100), 0);
    assert_int_equal(take(&to, now_ns + 100000000, 100), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_burst_then_rate),
        cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_carried_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
