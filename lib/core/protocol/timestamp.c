/* SPDX-License-Identifier: MIT */
/* Time stamps and clock differences. */
#include "../base/print.h"
#include "decimal.h"
#include "parse_bounded.h"

#include <string.h>

#define NS_PER_S       1000000000
#define STAMP_DECIMALS 9

int herd_timestamp_parse_bounded(struct herd_span text, const char *readable_end, int64_t *ret_ns)
{
    static const uint32_t power[] = {1000000000, 100000000, 10000000, 1000000, 100000, 10000, 1000, 100, 10, 1};
    const char *end = text.len ? text.at + text.len : text.at; /* an empty span may have no address */
    struct herd_decimal number;
    if (text.len == 0 || herd_decimal_scan(text.at, end, readable_end, &number) != end)
        return HERD_E_SYNTAX;
    if (number.whole > (uint64_t)(INT64_MAX / NS_PER_S))
        return HERD_E_RANGE;

    int64_t frac_ns;
    if (number.frac_len <= STAMP_DECIMALS) {
        frac_ns = (int64_t)(number.frac_value * power[number.frac_len]);
    } else {
        frac_ns = 0;
        for (size_t i = 0; i < STAMP_DECIMALS; i++)
            frac_ns = frac_ns * 10 + (number.frac[i] - '0');
    }
    int64_t whole_ns = (int64_t)number.whole * NS_PER_S;
    if (frac_ns > INT64_MAX - whole_ns)
        return HERD_E_RANGE;
    if (frac_ns == INT64_MAX - whole_ns && number.frac_len > STAMP_DECIMALS &&
        herd_digits_any(number.frac + STAMP_DECIMALS, number.frac_len - STAMP_DECIMALS))
        return HERD_E_RANGE;
    *ret_ns = whole_ns + frac_ns;
    return 0;
}

int herd_timestamp_parse(struct herd_span text, int64_t *ret_ns)
{
    return herd_timestamp_parse_bounded(text, text.len ? text.at + text.len : text.at, ret_ns);
}

/* Splits a valid stamp into its whole digits without leading zeros and its decimals without trailing
 * ones, so that equal values have equal parts. */
static void normal_parts(struct herd_span text, struct herd_span *ret_whole, struct herd_span *ret_frac)
{
    const char *point = memchr(text.at, '.', text.len);
    size_t whole_len = point ? (size_t)(point - text.at) : text.len;
    struct herd_span whole = {text.at, whole_len};
    struct herd_span frac = {text.at + whole_len, 0};
    if (point)
        frac = (struct herd_span){point + 1, text.len - whole_len - 1};
    while (whole.len > 0 && whole.at[0] == '0') {
        whole.at++;
        whole.len--;
    }
    while (frac.len > 0 && frac.at[frac.len - 1] == '0')
        frac.len--;
    *ret_whole = whole;
    *ret_frac = frac;
}

int herd_timestamp_compare(struct herd_span a, struct herd_span b)
{
    struct herd_span a_whole, a_frac, b_whole, b_frac;
    normal_parts(a, &a_whole, &a_frac);
    normal_parts(b, &b_whole, &b_frac);
    if (a_whole.len != b_whole.len)
        return a_whole.len < b_whole.len ? -1 : 1;
    int order = herd_span_compare(a_whole, b_whole);
    return order ? order : herd_span_compare(a_frac, b_frac);
}

size_t herd_diff_format(int64_t diff_ns, char out[HERD_DIFF_MAX])
{
    uint64_t ns = diff_ns < 0 ? 0 - (uint64_t)diff_ns : (uint64_t)diff_ns;
    out[0] = diff_ns < 0 ? '-' : '+';
    char *p = herd_put_number(out + 1, ns / NS_PER_S);
    *p++ = '.';
    herd_put9(p, (uint32_t)(ns % NS_PER_S));
    return (size_t)(p + STAMP_DECIMALS - out);
}

bool herd_diff_valid(struct herd_span text)
{
    struct herd_decimal number;
    const char *end = text.len ? text.at + text.len : text.at;
    if (text.len < 2 || (text.at[0] != '+' && text.at[0] != '-'))
        return false;
    return herd_decimal_scan(text.at + 1, end, end, &number) == end;
}
