/* SPDX-License-Identifier: MIT */
#include "cm.h"

#include <herd/types.h>

#include <string.h>

static void test_grows_and_keeps(void **state)
{
    (void)state;
    struct herd_buf buf = {0};
    for (int i = 0; i < 10000; i++)
        assert_int_equal(herd_buf_add(&buf, "0123456789", 10), 0);
    assert_int_equal(buf.len, 100000);
    for (size_t i = 0; i < buf.len; i++)
        assert_int_equal(buf.at[i], '0' + (int)(i % 10));
    char *before = buf.at;
    buf.len = 0;
    assert_int_equal(herd_buf_add_text(&buf, "again"), 0);
    assert_ptr_equal(buf.at, before);
    assert_memory_equal(buf.at, "again", 5);
    herd_buf_fini(&buf);
    assert_null(buf.at);
}

static void test_empty_and_impossible(void **state)
{
    (void)state;
    struct herd_buf buf = {0};
    assert_int_equal(herd_buf_add(&buf, NULL, 0), 0);
    assert_int_equal(buf.len, 0);
    assert_int_equal(herd_buf_reserve(&buf, SIZE_MAX), HERD_E_NOMEM);
    assert_int_equal(herd_buf_add_text(&buf, "x"), 0);
    assert_int_equal(herd_buf_reserve(&buf, SIZE_MAX - 1), HERD_E_NOMEM);
    const struct herd_buf vast = {buf.at, SIZE_MAX / 2, SIZE_MAX / 2}; /* doubling its room would pass SIZE_MAX */
    struct herd_buf more = vast;
    assert_int_equal(herd_buf_reserve(&more, 1), HERD_E_NOMEM);
    assert_memory_equal(&more, &vast, sizeof more);
    assert_memory_equal(buf.at, "x", 1);
    herd_buf_fini(&buf);
    herd_buf_fini(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grows_and_keeps),
        cmocka_unit_test(test_empty_and_impossible),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
