/* SPDX-License-Identifier: MIT */
/* Reading decimals exactly: no strtod, no locale, no rounding. */
#include "decimal.h"

#define WHOLE_MAX UINT64_C(1000000000000000000)

const char *herd_decimal_scan(const char *at, const char *end, struct herd_decimal *ret)
{
    const char *p = at;
    uint64_t whole = 0;
    while (p < end && herd_is_digit(*p)) {
        if (whole < WHOLE_MAX)
            whole = whole * 10 + (uint64_t)(*p - '0');
        p++;
    }
    if (p == at)
        return NULL;
    ret->whole = whole < WHOLE_MAX ? whole : UINT64_MAX;
    ret->frac = NULL;
    ret->frac_len = 0;
    if (p < end && *p == '.') {
        const char *frac = ++p;
        while (p < end && herd_is_digit(*p))
            p++;
        if (p == frac)
            return NULL;
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
