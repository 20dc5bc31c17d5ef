/* SPDX-License-Identifier: MIT */
/* Arrays that grow: what is in them stays, sizes that overflow and failing memory leave them as they were. */
#include "cm.h"

#include "alloc.h"
#include "array.h"

#include <stdint.h>
#include <string.h>

static void test_grows(void **state)
{
    (void)state;
    uint32_t *array = NULL;
    size_t cap = 0, moves = 0;
    for (uint32_t i = 0; i < 100000; i++) {
        size_t old = cap;
        uint32_t *larger = herd_array_reserve(array, &cap, i + 1, sizeof *array);
        assert_non_null(larger);
        assert_true(cap > i);
        assert_true(cap == old || cap >= 2 * old);
        moves += cap != old;
        array = larger;
        array[i] = i;
    }
    assert_true(moves < 17);
    for (uint32_t i = 0; i < 100000; i++)
        assert_int_equal(array[i], i);
    free(array);
}

static void test_has_room(void **state)
{
    (void)state;
    size_t cap = 0;
    char *array = herd_array_reserve(NULL, &cap, 1, 1);
    assert_non_null(array);
    memset(array, 'x', cap);
    alloc_plan = (struct alloc_plan){.armed = true};
    for (size_t count = 1; count <= cap; count++)
        assert_ptr_equal(herd_array_reserve(array, &cap, count, 1), array);
    assert_int_equal(alloc_plan.count, 0);
    alloc_plan.armed = false;
    free(array);
}

/* More than twice as many at once: exactly those. */
static void test_many_at_once(void **state)
{
    (void)state;
    size_t cap = 0;
    uint16_t *array = herd_array_reserve(NULL, &cap, 5000, sizeof *array);
    assert_non_null(array);
    assert_int_equal(cap, 5000);
    memset(array, 0xff, cap * sizeof *array);
    uint16_t *larger = herd_array_reserve(array, &cap, 5001, sizeof *array);
    assert_non_null(larger);
    assert_int_equal(cap, 10000);
    assert_int_equal(larger[4999], 0xffff);
    free(larger);
}

/* None of these reaches realloc, where a product that wrapped round would get a small array. */
static void test_overflow(void **state)
{
    (void)state;
    static const struct {
        size_t cap, count, size;
    } rows[] = {
        {0, SIZE_MAX, 1},
        {0, SIZE_MAX, 8},
        {0, SIZE_MAX / 8 + 2, 8},
        {0, (size_t)PTRDIFF_MAX + 1, 1},
        {0, (size_t)PTRDIFF_MAX / 8 + 1, 8},
        {0, 1, SIZE_MAX / 2},
        {0, 1, SIZE_MAX / 16 + 1},
        {SIZE_MAX / 2, SIZE_MAX / 2 + 1, 2},
        {SIZE_MAX / 2 + 1, SIZE_MAX / 2 + 2, 1},
        {SIZE_MAX / 8, SIZE_MAX / 8 + 1, 8},
        {SIZE_MAX - 1, SIZE_MAX, 1},
    };
    char array[] = "as it was";
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t cap = rows[i].cap;
        alloc_plan = (struct alloc_plan){.armed = true};
        assert_null(herd_array_reserve(array, &cap, rows[i].count, rows[i].size));
        assert_int_equal(alloc_plan.count, 0);
        alloc_plan.armed = false;
        assert_true(cap == rows[i].cap);
        assert_string_equal(array, "as it was");
    }
}

static void test_no_memory(void **state)
{
    (void)state;
    size_t cap = 0;
    alloc_plan = (struct alloc_plan){.armed = true, .fail = 1};
    assert_null(herd_array_reserve(NULL, &cap, 1, 4));
    assert_int_equal(cap, 0);
    alloc_plan.armed = false;

    uint32_t *array = herd_array_reserve(NULL, &cap, 1, sizeof *array);
    assert_non_null(array);
    size_t old = cap;
    for (size_t i = 0; i < cap; i++)
        array[i] = (uint32_t)i;
    alloc_plan = (struct alloc_plan){.armed = true, .fail = 1};
    assert_null(herd_array_reserve(array, &cap, cap + 1, sizeof *array));
    assert_int_equal(alloc_plan.count, 1);
    assert_int_equal(cap, old);
    for (size_t i = 0; i < cap; i++)
        assert_int_equal(array[i], i);
    uint32_t *larger = herd_array_reserve(array, &cap, cap + 1, sizeof *array); /* the second time it succeeds */
    alloc_plan.armed = false;
    assert_non_null(larger);
    for (size_t i = 0; i < old; i++)
        assert_int_equal(larger[i], i);
    free(larger);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grows),    cmocka_unit_test(test_has_room),  cmocka_unit_test(test_many_at_once),
        cmocka_unit_test(test_overflow), cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
