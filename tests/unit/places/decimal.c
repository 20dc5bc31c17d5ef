/* SPDX-License-Identifier: MIT */
#include "cm.h"

#include "decimal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void test_split_refuses(void **state)
{
    (void)state;
    static const char *const bad[] = {"",    "+",   "-",  ".",  ".5",  "5.",  "+.5", "1e5",   "1.5e1", "0x10",
                                      "nan", "inf", " 1", "1 ", "1,5", "--1", "+-1", "1.2.3", "1/"};
    struct herd_decimal d;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (herd_decimal_split(herd_span_of(bad[i]), &d) != HERD_E_SYNTAX)
            fail_msg("accepted \"%s\"", bad[i]);
    assert_int_equal(herd_decimal_split((struct herd_span){"1\0", 2}, &d), HERD_E_SYNTAX);
}

static void test_write(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        unsigned shift;
        bool trim;
        const char *out;
    } rows[] = {
        {"+34.068930", 0, false, "34.068930"},
        {"-118.445127", 0, false, "-118.445127"},
        {"+0007.50", 0, false, "7.50"},
        {"-000", 0, false, "-0"},
        {"0", 0, false, "0"},
        {"00.00", 0, false, "0.00"},
        {"0.0005", 3, true, "0.5"},
        {"10", 3, true, "10000"},
        {"10.000", 3, true, "10000"},
        {"1.5000", 3, true, "1500"},
        {"0", 3, true, "0"},
        {"0.0", 3, true, "0"},
        {"0.00000", 3, true, "0"},
        {"050", 3, true, "50000"},
        {"12.3456789", 3, true, "12345.6789"},
        {"0.00000000000000000001", 3, true, "0.00000000000000001"},
        {"49.9999999999999999999999999", 3, true, "49999.9999999999999999999999"},
    };
    struct herd_buf out = {0};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct herd_decimal d;
        out.len = 0;
        assert_int_equal(herd_decimal_split(herd_span_of(rows[i].in), &d), 0);
        assert_int_equal(herd_decimal_write(&out, &d, rows[i].shift, rows[i].trim), 0);
        if (!herd_span_equal((struct herd_span){out.at, out.len}, herd_span_of(rows[i].out)))
            fail_msg("%s became %.*s, not %s", rows[i].in, (int)out.len, out.at, rows[i].out);
    }
    herd_buf_fini(&out);
}

static void test_double_is_what_strtod_says(void **state)
{
    (void)state;
    static const char *const fixed[] = {"34.068930",
                                        "-118.445127",
                                        "0",
                                        "90",
                                        "-0.0000001",
                                        "179.9999999",
                                        "50000",
                                        "0.5",
                                        "12.345678901234567890123",
                                        "000000000000000000000000007.5",
                                        "0.000000000000000000000000000001"};
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
        double want = strtod(fixed[i], NULL), got = herd_decimal_double(herd_span_of(fixed[i]));
        double error = got - want;
        if (error > 1e-13 || error < -1e-13)
            fail_msg("%s read as %.17g", fixed[i], got);
    }
    srand(7);
    for (int i = 0; i < 20000; i++) {
        char text[32];
        snprintf(text, sizeof text, "%s%d.%07d", i & 1 ? "-" : "", rand() % 180, rand() % 10000000);
        /* Seven decimals are exact as fixed point too, and both ways agree to the last bit. */
        int64_t e7;
        assert_int_equal(herd_decimal_e7(herd_span_of(text), &e7), 0);
        assert_true(herd_decimal_double(herd_span_of(text)) == strtod(text, NULL));
        assert_true((double)e7 / 1e7 == strtod(text, NULL));
    }
    assert_true(herd_decimal_double(herd_span_of("1000000000000000000000000")) >= 1e18);
    assert_true(herd_decimal_double(herd_span_of("-1000000000000000000000000")) <= -1e18);
    assert_true(herd_decimal_double(herd_span_of("1e3")) == 0); /* no decimal */
}

static void test_fixed_point(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        int64_t e7;
        const char *out;
    } rows[] = {
        {"48.8566", 488566000, "48.8566"},
        {"-118.445127", -1184451270, "-118.445127"},
        {"0", 0, "0"},
        {"-0.00000005", -1, "-0.0000001"},
        {"0.00000004", 0, "0"},
        {"1e2", 1000000000, "100"},
        {"1.5E+1", 150000000, "15"},
        {"1234e-2", 123400000, "12.34"},
        {"179.99999999", 1800000000, "180"},
        {"5e-8", 1, "0.0000001"},
        {"0.5e-7", 1, "0.0000001"},
        {"5e-9", 0, "0"},
        {"1e-999999999999", 0, "0"},
        {"2.000000000000000000000000000000000000001", 20000000, "2"},
    };
    struct herd_buf out = {0};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t e7 = 12345;
        if (herd_decimal_e7(herd_span_of(rows[i].in), &e7) != 0 || e7 != rows[i].e7)
            fail_msg("%s read as %lld", rows[i].in, (long long)e7);
        out.len = 0;
        assert_int_equal(herd_decimal_e7_write(&out, e7), 0);
        assert_int_equal(out.len, strlen(rows[i].out));
        assert_memory_equal(out.at, rows[i].out, out.len);
    }
    herd_buf_fini(&out);
    int64_t e7;
    assert_int_equal(herd_decimal_e7(herd_span_of("401"), &e7), HERD_E_RANGE);
    assert_int_equal(herd_decimal_e7(herd_span_of("-1e400"), &e7), HERD_E_RANGE);
    assert_int_equal(herd_decimal_e7(herd_span_of("400"), &e7), 0);
    assert_int_equal(herd_decimal_e7(herd_span_of("400.00000004"), &e7), 0);
    assert_int_equal(herd_decimal_e7(herd_span_of("400.00000005"), &e7),
                     HERD_E_RANGE); /* it would round out of the range */
    assert_int_equal(herd_decimal_e7(herd_span_of("1e99999999999999999999"), &e7), HERD_E_RANGE);
    assert_int_equal(herd_decimal_e7(herd_span_of("1e"), &e7), HERD_E_SYNTAX);
    assert_int_equal(herd_decimal_e7(herd_span_of("1e+"), &e7), HERD_E_SYNTAX);
    assert_int_equal(herd_decimal_e7(herd_span_of("12x"), &e7), HERD_E_SYNTAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split_refuses),
        cmocka_unit_test(test_write),
        cmocka_unit_test(test_double_is_what_strtod_says),
        cmocka_unit_test(test_fixed_point),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
