/* SPDX-License-Identifier: MIT */
/* Numbers into digits: against printf, and that nothing is written behind them. */
#include "cm.h"

#include "guard.h"
#include "print.h"

#include <inttypes.h>
#include <stdio.h>

static void check_number(uint64_t value)
{
    char got[32], want[32];
    memset(got, '#', sizeof got);
    size_t room = value < 100000000 ? 8 : 10;
    size_t len = (size_t)snprintf(want, sizeof want, "%" PRIu64, value);
    assert_ptr_equal(herd_put_number(got, value), got + len);
    assert_memory_equal(got, want, len);
    for (size_t i = room; i < sizeof got; i++)
        assert_int_equal(got[i], '#');
}

static void test_numbers(void **state)
{
    (void)state;
    uint64_t seed = 3, power = 1;
    for (int digits = 1; digits <= 10; digits++, power *= 10) {
        check_number(power - 1);
        check_number(power);
        check_number(power + (digits < 10));
    }
    check_number(0);
    check_number(UINT64_C(9999999999));
    for (uint64_t value = 0; value < 20000; value++)
        check_number(value);
    for (int i = 0; i < 200000; i++)
        check_number((rnd(&seed) >> (i % 64)) % UINT64_C(10000000000));
}

static void check_digits(uint32_t value)
{
    char got[10], want[16];
    snprintf(want, sizeof want, "%09" PRIu32, value);
    memset(got, '#', sizeof got);
    herd_put9(got, value);
    assert_memory_equal(got, want, 9);
    assert_int_equal(got[9], '#');
    if (value < 100000000) {
        herd_put8(got, value);
        assert_memory_equal(got, want + 1, 8);
    }
}

static void test_digits(void **state)
{
    (void)state;
    /* Each step of the division sees every value it can be given. */
    for (uint32_t part = 0; part < 10000; part++) {
        check_digits(part);
        check_digits(part * 10000);
        check_digits(99990000 + part);
    }
    for (uint32_t value = 0; value < 1000000000; value += 1009 * 7)
        check_digits(value);
    check_digits(999999999);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_numbers), cmocka_unit_test(test_digits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
