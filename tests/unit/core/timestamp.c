/* SPDX-License-Identifier: MIT */
/*
 * Time stamps and differences against decimal arithmetic done here the slow way: a stamp is padded to 64
 * digits before and 64 behind the point, and compared as text.
 */
#include "cm.h"

#include "guard.h"

#include <herd/timestamp.h>

#include <stdio.h>

#define SIDE 64

/* "1.5" -> 63 zeros, 1, 5, 63 zeros. */
static void pad(const char *text, char wide[2 * SIDE])
{
    memset(wide, '0', 2 * SIDE);
    const char *point = strchr(text, '.');
    size_t whole = point ? (size_t)(point - text) : strlen(text);
    memcpy(wide + SIDE - whole, text, whole);
    if (point)
        memcpy(wide + SIDE, point + 1, strlen(point + 1));
}

static int sign(int x)
{
    return (x > 0) - (x < 0);
}

/* INT64_MAX nanoseconds, padded: what is greater does not fit. */
static bool naive_fits(const char *text)
{
    char wide[2 * SIDE], most[2 * SIDE];
    pad(text, wide);
    pad("9223372036.854775807", most);
    return memcmp(wide, most, sizeof wide) <= 0;
}

static int64_t naive_ns(const char *text)
{
    char wide[2 * SIDE];
    pad(text, wide);
    int64_t ns = 0;
    for (size_t i = SIDE - 10; i < SIDE + 9; i++)
        ns = ns * 10 + (wide[i] - '0');
    return ns;
}

/* Stamps that are often equal, nearly equal, or at the bound. */
static void random_stamp(uint64_t *seed, char *text)
{
    static const char *const wholes[] = {"0",          "1",
                                         "9223372036", "9223372037",
                                         "1621464827", "18446744073709551616",
                                         "10",         "99",
                                         "922337203",  "9999999999999999999999999"};
    static const char *const fracs[] = {"",           "0",         "5",
                                        "50",         "854775807", "8547758070",
                                        "8547758071", "854775808", "000000000000000000000000000000000000001",
                                        "999999999",  "9999999999"};
    size_t zeros = rnd_below(seed, 4);
    memset(text, '0', zeros);
    strcpy(text + zeros, wholes[rnd_below(seed, 10)]);
    const char *frac = fracs[rnd_below(seed, 11)];
    if (*frac) {
        strcat(text, ".");
        strcat(text, frac);
        for (size_t more = rnd_below(seed, 3); more > 0; more--)
            strcat(text, "0");
    }
    if (rnd_below(seed, 3) == 0)
        snprintf(text, SIDE, "%u.%09u", (unsigned)rnd_below(seed, 3), (unsigned)rnd_below(seed, 1000000000));
}

static void test_against_decimal_arithmetic(void **state)
{
    (void)state;
    uint64_t seed = 1;
    for (int i = 0; i < 300000; i++) {
        char a[2 * SIDE], b[2 * SIDE], wide_a[2 * SIDE], wide_b[2 * SIDE];
        random_stamp(&seed, a);
        random_stamp(&seed, b);
        int64_t a_ns = -1, b_ns = -1;
        int a_err = herd_timestamp_parse(guarded(herd_span_of(a)), &a_ns);
        assert_int_equal(a_err, naive_fits(a) ? 0 : HERD_E_RANGE);
        if (a_err < 0)
            assert_true(a_ns == -1);
        else if (a_ns != naive_ns(a))
            fail_msg("%s", a);
        int b_err = herd_timestamp_parse(herd_span_of(b), &b_ns);
        if (a_err < 0 || b_err < 0)
            continue;
        pad(a, wide_a);
        pad(b, wide_b);
        int expected = sign(memcmp(wide_a, wide_b, sizeof wide_a));
        if (sign(herd_timestamp_compare(guarded(herd_span_of(a)), herd_span_of(b))) != expected)
            fail_msg("%s against %s", a, b);
        assert_int_equal(sign(herd_timestamp_compare(herd_span_of(b), herd_span_of(a))), -expected);
        if (a_ns != b_ns)
            assert_int_equal(a_ns < b_ns ? -1 : 1, expected); /* the order of ns refines to the exact order */
    }
}

static void test_syntax(void **state)
{
    (void)state;
    static const char *const bad[] = {"",    ".",   "1.",   ".1",    "+1",  "-1",
                                      " 1",  "1 ",  "1..2", "1.2.3", "1e3", "0x1",
                                      "nan", "inf", "1,2",  "a",     "1a",  "99999999999999999999x"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t ns = 77;
        assert_int_equal(herd_timestamp_parse(guarded(herd_span_of(bad[i])), &ns), HERD_E_SYNTAX);
        assert_true(ns == 77);
    }
    int64_t ns;
    assert_int_equal(herd_timestamp_parse((struct herd_span){"1\0", 2}, &ns), HERD_E_SYNTAX);
    assert_int_equal(herd_timestamp_parse((struct herd_span){NULL, 0}, &ns), HERD_E_SYNTAX);
}

static void test_long(void **state)
{
    (void)state;
    size_t len = 60000;
    char *a = malloc(len), *b = malloc(len);
    memset(a, '0', len);
    memset(b, '0', len);
    a[len / 2] = b[len / 2] = '.';
    a[len / 2 - 1] = b[len / 2 - 1] = '7';
    struct herd_span sa = {a, len}, sb = {b, len};
    int64_t ns;
    assert_int_equal(herd_timestamp_parse(sa, &ns), 0);
    assert_true(ns == INT64_C(7000000000));
    assert_int_equal(herd_timestamp_compare(sa, sb), 0);
    assert_int_equal(herd_timestamp_compare(sa, herd_span_of("7")), 0);
    a[len - 1] = '1';
    assert_true(herd_timestamp_compare(sa, sb) > 0);
    assert_true(herd_timestamp_compare(sa, herd_span_of("7.0")) > 0);
    assert_true(herd_timestamp_compare(sa, herd_span_of("7.000000001")) < 0);
    free(a);
    free(b);
}

static void check_diff(int64_t ns, const char *expected)
{
    char out[HERD_DIFF_MAX + 1];
    out[HERD_DIFF_MAX] = 'G';
    size_t len = herd_diff_format(ns, out);
    assert_int_equal(len, strlen(expected));
    assert_memory_equal(out, expected, len);
    assert_int_equal(out[HERD_DIFF_MAX], 'G');
    assert_true(herd_diff_valid(guarded((struct herd_span){out, len})));
}

static void test_diff_format(void **state)
{
    (void)state;
    check_diff(0, "+0.000000000");
    check_diff(1, "+0.000000001");
    check_diff(-1, "-0.000000001");
    check_diff(263873386, "+0.263873386");
    check_diff(-263873386, "-0.263873386");
    check_diff(999999999, "+0.999999999");
    check_diff(1000000000, "+1.000000000");
    check_diff(-1000000000, "-1.000000000");
    check_diff(INT64_C(-1621464827959498503), "-1621464827.959498503");
    check_diff(INT64_MAX, "+9223372036.854775807");
    check_diff(-INT64_MAX, "-9223372036.854775807");
    check_diff(INT64_MIN, "-9223372036.854775808");
    uint64_t seed = 2;
    for (int i = 0; i < 100000; i++) {
        int64_t ns = (int64_t)(rnd(&seed) >> rnd_below(&seed, 64));
        char expected[32];
        uint64_t size = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
        snprintf(expected, sizeof expected, "%c%llu.%09llu", ns < 0 ? '-' : '+',
                 (unsigned long long)(size / 1000000000), (unsigned long long)(size % 1000000000));
        check_diff(ns, expected);
    }
}

static void test_diff_valid(void **state)
{
    (void)state;
    static const char *const good[] = {"+0", "-0", "+1.5", "-000.000", "+99999999999999999999999999.1"};
    static const char *const bad[] = {"",    "+",    "-",    "0",   "1.5", "+.5",    "+5.", "++1",
                                      "+-1", "+1e5", "+nan", "+1 ", " +1", "+1.2.3", "+0x1"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(herd_diff_valid(guarded(herd_span_of(good[i]))));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(herd_diff_valid(guarded(herd_span_of(bad[i]))));
    assert_false(herd_diff_valid((struct herd_span){NULL, 0}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_decimal_arithmetic),
        cmocka_unit_test(test_syntax),
        cmocka_unit_test(test_long),
        cmocka_unit_test(test_diff_format),
        cmocka_unit_test(test_diff_valid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
