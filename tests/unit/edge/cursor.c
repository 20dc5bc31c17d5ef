/* SPDX-License-Identifier: MIT */
/* What is given out to be brought back: it comes back as it was, and says nothing. */
#include "cm.h"

#include "../../../lib/edge/http/cursor.h"

#include <string.h>

static const uint64_t key[2] = {3, 5}, other_key[2] = {3, 6};

static void comes_back(void **state)
{
    (void)state;
    const uint64_t numbers[] = {0, 1, 2, 8192, UINT32_MAX, UINT64_MAX, UINT64_MAX - 1};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        char text[HERD_CURSOR_DIGITS + 1];
        uint64_t number;
        herd_cursor_write(key, HERD_CURSOR_PAGE, numbers[i], text);
        assert_int_equal(strspn(text, "0123456789abcdef"), HERD_CURSOR_DIGITS);
        assert_int_equal(strlen(text), HERD_CURSOR_DIGITS);
        assert_true(herd_cursor_read(key, HERD_CURSOR_PAGE, herd_span_of(text), &number));
        assert_true(number == numbers[i]);
        assert_false(herd_cursor_read(key, HERD_CURSOR_EVENT, herd_span_of(text), &number));
        assert_false(herd_cursor_read(other_key, HERD_CURSOR_PAGE, herd_span_of(text), &number));
    }
}

static void nothing_else_is_taken(void **state)
{
    (void)state;
    char text[HERD_CURSOR_DIGITS + 1], changed[HERD_CURSOR_DIGITS + 1];
    uint64_t number;
    herd_cursor_write(key, HERD_CURSOR_PAGE, 42, text);
    for (size_t i = 0; i < HERD_CURSOR_DIGITS; i++)
        for (const char *digit = "0123456789abcdefg-"; *digit; digit++) {
            memcpy(changed, text, sizeof text);
            changed[i] = *digit;
            assert_int_equal(herd_cursor_read(key, HERD_CURSOR_PAGE, herd_span_of(changed), &number),
                             *digit == text[i]);
        }
    for (size_t len = 0; len < HERD_CURSOR_DIGITS; len++)
        assert_false(herd_cursor_read(key, HERD_CURSOR_PAGE, (struct herd_span){text, len}, &number));
    assert_false(herd_cursor_read(key, HERD_CURSOR_PAGE, herd_span_of("0000002a"), &number));
}

/* Of two numbers that follow each other about half of the bits differ, in each half: all others together say so. */
static void says_nothing(void **state)
{
    (void)state;
    char before[HERD_CURSOR_DIGITS + 1], text[HERD_CURSOR_DIGITS + 1];
    size_t same[2] = {0, 0}, count = 4096;
    herd_cursor_write(key, HERD_CURSOR_PAGE, 0, before);
    for (uint64_t n = 1; n <= count; n++) {
        herd_cursor_write(key, HERD_CURSOR_PAGE, n, text);
        for (size_t i = 0; i < HERD_CURSOR_DIGITS; i++)
            same[i >= HERD_CURSOR_DIGITS / 2] += text[i] == before[i];
        memcpy(before, text, sizeof text);
    }
    /* One digit of 16 is the same by chance, 4096 of 65536; the standard deviation is 62. */
    for (size_t half = 0; half < 2; half++)
        assert_in_range(same[half], 3700, 4500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back),
        cmocka_unit_test(nothing_else_is_taken),
        cmocka_unit_test(says_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
