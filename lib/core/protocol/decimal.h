/* SPDX-License-Identifier: MIT */
/* Digits, an optional point, at least one digit behind it: the number form of the whole protocol. */
#ifndef HERD_CORE_DECIMAL_H
#define HERD_CORE_DECIMAL_H

#include "../base/digits.h"

#include <herd/types.h>

struct herd_decimal {
    uint64_t whole;   /* the part before the point, or UINT64_MAX when it is larger than 10^18 */
    const char *frac; /* first digit behind the point; NULL without a point */
    size_t frac_len;
    uint64_t frac_value; /* of the first sixteen digits behind the point, or of all if they are fewer */
};

/* Reads the longest decimal that starts at `at`; returns where it ends, NULL if there is none or the
 * point has no digit behind it. Behind `end` there may be anything that is no part of a decimal, and
 * memory may be read up to `readable_end` (digits.h); readable_end == end
 * is always right. */
const char *herd_decimal_scan(const char *at, const char *end, const char *readable_end, struct herd_decimal *ret);

/* Whether any digit of a run is not 0. */
bool herd_digits_any(const char *at, size_t len);

#endif
