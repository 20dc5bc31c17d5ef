/* SPDX-License-Identifier: MIT */
/* Reading decimals exactly: no strtod, no locale, no rounding. */
#include "decimal.h"

#define WHOLE_MAX UINT64_C(1000000000000000000)
#define AT_ONCE   16 /* digits that herd_read_digits reads at most */

/* More than sixteen digits: the value as far as it matters. */
static const char *scan_long(const char *p, const char *readable_end, uint64_t *io_whole)
{
    uint64_t whole = *io_whole;
    while (p < readable_end && herd_is_digit(*p)) {
        if (whole < WHOLE_MAX)
            whole = whole * 10 + (uint64_t)(*p - '0');
        p++;
    }
    *io_whole = whole < WHOLE_MAX ? whole : UINT64_MAX;
    return p;
}

const char *herd_decimal_scan(const char *at, const char *end, const char *readable_end, struct herd_decimal *ret)
{
    if (at == end)
        return NULL;
    unsigned n = herd_read_digits(at, readable_end, &ret->whole);
    if (n == 0)
        return NULL;
    const char *p = at + n;
    if (n == AT_ONCE)
        p = scan_long(p, readable_end, &ret->whole);
    ret->frac = NULL;
    ret->frac_len = 0;
    ret->frac_value = 0;
    if (p < end && *p == '.') {
        const char *frac = p + 1;
        n = frac < end ? herd_read_digits(frac, readable_end, &ret->frac_value) : 0;
        if (n == 0)
            return NULL;
        p = frac + n;
        while (n == AT_ONCE && p < readable_end && herd_is_digit(*p))
            p++;
        ret->frac = frac;
        ret->frac_len = (size_t)(p - frac);
    }
    return p;
}

bool herd_digits_any(const char *at, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (at[i] != '0')
            return true;
    return false;
}
