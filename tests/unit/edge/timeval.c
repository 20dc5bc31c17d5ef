/* SPDX-License-Identifier: MIT */
/* Time-outs as libevent takes them: whole, rounded up where the caller's clock is finer, bounded for a time_t of 32
 * bits. */
#include "cm.h"

#include "../../../lib/edge/clock.h"

static void check(struct timeval got, int64_t s, int64_t us)
{
    assert_int_equal(got.tv_sec, s);
    assert_int_equal(got.tv_usec, us);
}

static void test_units(void **state)
{
    (void)state;
    check(herd_timeval_us(0), 0, 0);
    check(herd_timeval_us(999999), 0, 999999);
    check(herd_timeval_us(1000000), 1, 0);
    check(herd_timeval_ms(0), 0, 0);
    check(herd_timeval_ms(999), 0, 999000);
    check(herd_timeval_ms(61001), 61, 1000);
}

static void test_rounds_up(void **state)
{
    (void)state;
    check(herd_timeval_ns(0), 0, 0);
    check(herd_timeval_ns(1), 0, 1);
    check(herd_timeval_ns(1000), 0, 1);
    check(herd_timeval_ns(1001), 0, 2);
    check(herd_timeval_ns(INT64_C(1999999000)), 1, 999999);
    check(herd_timeval_ns(INT64_C(1999999001)), 2, 0); /* a second more, not a million microseconds */
    check(herd_timeval_ns(INT64_C(2000000000)), 2, 0);
}

static void test_bounds(void **state)
{
    (void)state;
    check(herd_timeval_us(-1), 0, 0);
    check(herd_timeval_ms(-1), 0, 0);
    check(herd_timeval_ns(-1), 0, 0);
    check(herd_timeval_ns(INT64_MIN), 0, 0);
    check(herd_timeval_ns(INT64_MAX), INT64_C(1000000000), 0);
    check(herd_timeval_ms(INT64_MAX), INT64_C(1000000000), 0);
    check(herd_timeval_ms(INT64_MAX / 1000 + 1), INT64_C(1000000000), 0);
    check(herd_timeval_us(INT64_MAX), INT64_C(1000000000), 0);
    check(herd_timeval_us(INT64_C(999999999999999)), 999999999, 999999);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_units),
        cmocka_unit_test(test_rounds_up),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
