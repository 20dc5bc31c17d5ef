/* SPDX-License-Identifier: MIT */
/* Sums and differences at the ends of int64_t, and memory that is wiped. */
#include "cm.h"

#include "saturate.h"
#include "wipe.h"

static void test_sums(void **state)
{
    (void)state;
    static const struct {
        int64_t a, b, sum, difference;
    } rows[] = {
        {0, 0, 0, 0},
        {5, -7, -2, 12},
        {INT64_MAX, 1, INT64_MAX, INT64_MAX - 1},
        {INT64_MAX, -1, INT64_MAX - 1, INT64_MAX},
        {INT64_MIN, 1, INT64_MIN + 1, INT64_MIN},
        {INT64_MIN, -1, INT64_MIN, INT64_MIN + 1},
        {INT64_MAX, INT64_MAX, INT64_MAX, 0},
        {INT64_MIN, INT64_MIN, INT64_MIN, 0},
        {INT64_MAX, INT64_MIN, -1, INT64_MAX},
        {INT64_MIN, INT64_MAX, -1, INT64_MIN},
        {0, INT64_MIN, INT64_MIN, INT64_MAX},
        {-1, INT64_MIN, INT64_MIN, INT64_MAX},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_true(herd_add_saturated(rows[i].a, rows[i].b) == rows[i].sum);
        assert_true(herd_add_saturated(rows[i].b, rows[i].a) == rows[i].sum);
        assert_true(herd_sub_saturated(rows[i].a, rows[i].b) == rows[i].difference);
    }
}

static void test_wiped(void **state)
{
    (void)state;
    char secret[] = "secret";
    herd_wipe(NULL, 0); /* of a buffer that never had any */
    herd_wipe(secret + 1, 0);
    assert_string_equal(secret, "secret");
    herd_wipe(secret + 1, 4);
    assert_memory_equal(secret, "s\0\0\0\0t", sizeof secret);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums),
        cmocka_unit_test(test_wiped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
