/* SPDX-License-Identifier: MIT */
/* Clock differences as sloppy printers write them. */
#include "cm.h"

#include "diff.h"
#include "guard.h"

#include <stdio.h>
#include <string.h>

static void expect(const char *text, const char *expected)
{
    char out[HERD_DIFF_LENIENT_MAX];
    size_t len = herd_diff_read_lenient(guarded(herd_span_of(text)), out);
    if (len != strlen(expected) || memcmp(out, expected, len) != 0)
        fail_msg("%s: got \"%.*s\", expected \"%s\"", text, (int)len, out, expected);
}

static void test_forms(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"0.500192", "+0.500192000"},
        {"+8.106e-06", "+0.000008106"},
        {"8.106E-06", "+0.000008106"},
        {"-8.106e-06", "-0.000008106"},
        {"+-0.25", "-0.250000000"},
        {"1e-7", "+0.000000100"},
        {"1e-9", "+0.000000001"},
        {"1e-10", "+0.000000000"},
        {"-1e-99", "-0.000000000"},
        {"9.999999999999", "+9.999999999"}, /* cut off, not rounded */
        {"1.5e3", "+1500.000000000"},
        {"1.62146482795949850e+09", "+1621464827.959498500"},
        {"12345e-3", "+12.345000000"},
        {"0.00012345e5", "+12.345000000"},
        {"5", "+5.000000000"},
        {"5.", "+5.000000000"},
        {".5", "+0.500000000"},
        {"+.5e1", "+5.000000000"},
        {"5.e0", "+5.000000000"},
        {"007", "+7.000000000"},
        {"000", "+0.000000000"},
        {"0e99", "+0.000000000"},
        {"0.0e-99", "+0.000000000"},
        {"+0.5", "+0.500000000"},
        {"1e18", "+1000000000000000000.000000000"},
        {"9999999999999999999", "+9999999999999999999.000000000"},
        {"00000000000000000000000000000001.5", "+1.500000000"},
        {"0.00000000000000000000000000000000000012e38", "+12.000000000"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect(rows[i][0], rows[i][1]);
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "+",
        "-",
        ".",
        "+.",
        "e5",
        "1e",
        "1e+",
        "1e-",
        "--1",
        "-+1",
        "++1",
        "+--1",
        "1e100",
        "1e-100",
        "1e19",
        "nan",
        "inf",
        "+inf",
        "0x10",
        "1,5",
        "1.5.5",
        "1e5.",
        "1e5e5",
        "1_000",
        "1 ",
        " 1",
        "1s",
        "1e999999999999999999999999",
        "1f",
        "10000000000000000000",
        ("\xe2\x88\x92"
         "1"),
        "+-",
        "1e+-5",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        expect(rows[i], "");
}

/* What the library's own printing makes of the same number, for all exponents. */
static void test_exponents(void **state)
{
    (void)state;
    for (int shift = -15; shift <= 15; shift++) {
        char text[64], expected[64];
        snprintf(text, sizeof text, "12.345e%d", shift);
        int point = 2 + shift; /* of 12345 */
        size_t len = 0;
        expected[len++] = '+';
        for (int i = point < 1 ? point - 1 : 0; i < point; i++)
            expected[len++] = i >= 0 && i < 5 ? "12345"[i] : '0';
        expected[len++] = '.';
        for (int i = point; i < point + 9; i++)
            expected[len++] = i >= 0 && i < 5 ? "12345"[i] : '0';
        expected[len] = '\0';
        expect(text, expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_exponents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
