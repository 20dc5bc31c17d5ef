/* SPDX-License-Identifier: MIT */
/*
 * The numbers of places against exact decimal arithmetic: coordinates in fixed point (JSON numbers, exponents
 * too), texts shifted and trimmed, doubles.
 */
#include "exact.h"

#include "decimal.h"

#include <stdint.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* [+-] digits [. digits]: how much of the text, 0 if there is no such number. */
static long scan_signed(struct herd_span text, bool *ret_negative, struct exact *ret)
{
    long len = (long)text.len, sign = len > 0 && (text.at[0] == '+' || text.at[0] == '-');
    *ret_negative = sign && text.at[0] == '-';
    long digits = exact_scan(text.at + sign, len - sign, ret);
    return digits ? sign + digits : 0;
}

/* Behind a number: nothing, or e, a sign or none, and digits. */
static bool scan_exponent(struct herd_span rest, long *ret)
{
    *ret = 0;
    if (rest.len == 0)
        return true;
    if (rest.at[0] != 'e' && rest.at[0] != 'E')
        return false;
    size_t i = 1;
    bool negative = i < rest.len && rest.at[i] == '-';
    i += i < rest.len && (rest.at[i] == '-' || rest.at[i] == '+');
    if (i == rest.len)
        return false;
    for (; i < rest.len; i++) {
        if (!exact_digit(rest.at, (long)rest.len, (long)i))
            return false;
        *ret = *ret > 100000 ? *ret : *ret * 10 + (rest.at[i] - '0');
    }
    *ret = negative ? -*ret : *ret;
    return true;
}

/* *ret_e7 is the number in units of 1e-7, rounded half away from zero, if it is not far too large. */
static void check_e7(struct herd_span text)
{
    struct exact number;
    bool negative;
    long exponent, used = scan_signed(text, &negative, &number);
    int64_t e7;
    int err = herd_decimal_e7(text, &e7);
    if (!used || !scan_exponent((struct herd_span){text.at + used, text.len - (size_t)used}, &exponent)) {
        MUST(err == HERD_E_SYNTAX);
        return;
    }
    MUST(err != HERD_E_SYNTAX);
    if (exponent > 1000 || exponent < -1000) { /* treated as 1000, where only a text as long as that could tell */
        if (text.len > 500)
            return;
        exponent = exponent > 0 ? 1000 : -1000;
    }
    number.shift = exponent;
    struct exact max = exact_of("400");
    int over = exact_compare_cut(&number, &max, 7);
    MUST((err == HERD_E_RANGE) == (over > 0 || (over == 0 && exact_at(&number, -8) >= 5)));
    if (err)
        return;
    MUST(e7 == 0 || negative == (e7 < 0));
    uint64_t size = e7 < 0 ? 0 - (uint64_t)e7 : (uint64_t)e7;
    size -= exact_at(&number, -8) >= 5;
    char printed[40];
    snprintf(printed, sizeof printed, "%llu.%07llu", (unsigned long long)size / HERD_E7,
             (unsigned long long)size % HERD_E7);
    struct exact back = exact_of(printed);
    MUST(exact_compare_cut(&number, &back, 7) == 0);

    struct herd_buf out = {0};
    int64_t again;
    MUST(herd_decimal_e7_write(&out, e7) == 0 && out.len > 0);
    MUST(!memchr(out.at, '.', out.len) || (out.at[out.len - 1] != '0' && out.at[out.len - 1] != '.'));
    MUST(herd_decimal_e7((struct herd_span){out.at, out.len}, &again) == 0 && again == e7);
    herd_buf_fini(&out);
}

static void check_write(struct herd_span text, unsigned shift, bool trim)
{
    struct exact number, after;
    bool negative, after_negative;
    struct herd_decimal split;
    bool is_number = text.len > 0 && scan_signed(text, &negative, &number) == (long)text.len;
    MUST(herd_decimal_split(text, &split) == (is_number ? 0 : HERD_E_SYNTAX));
    if (!is_number)
        return;
    MUST(split.negative == negative && (long)split.whole.len == number.point);
    struct herd_buf out = {0};
    MUST(herd_decimal_write(&out, &split, shift, trim) == 0);
    struct herd_span written = {out.at, out.len};
    MUST(scan_signed(written, &after_negative, &after) == (long)written.len && written.at[0] != '+');
    number.shift = (long)shift;
    MUST(after_negative == negative && exact_compare(&number, &after) == 0);
    MUST(after.point == 1 || after.at[0] != '0'); /* no zero in front */
    if (trim)
        MUST(after.len == after.point || after.at[after.len - 1] != '0');
    else if (exact_low(&number) < 0)
        MUST(exact_low(&after) <= exact_low(&number)); /* the decimals it came with */
    herd_buf_fini(&out);

    number.shift = 0;
    char *copy = malloc(text.len + 1); /* strtod wants an end */
    MUST(copy);
    memcpy(copy, text.at, text.len);
    copy[text.len] = '\0';
    double want = strtod(copy, NULL), got = herd_decimal_double(text);
    free(copy);
    if (fabs(want) >= 1e17)
        MUST(fabs(got) >= 1e16 && (got < 0) == negative);
    else /* twenty-two decimals are looked at */
        MUST(exact_near(got, want, 2) || fabs(got - want) <= 1.1e-22);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len < 1)
        return 0;
    char *text = exact_text(bytes + 1, len - 1, bytes[0] & 1);
    for (char *p = text; bytes[0] & 1 && p < text + len - 1; p++)
        if (*p == ' ')
            *p = 'e';
    struct herd_span number = {text, len - 1};
    check_e7(number);
    check_write(number, bytes[0] >> 2 & 7, bytes[0] & 2);
    free(text);
    return 0;
}
