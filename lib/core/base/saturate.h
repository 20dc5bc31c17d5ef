/* SPDX-License-Identifier: MIT */
/* Sums and differences of times that stop at the ends of int64_t: clocks and records may say anything. */
#ifndef HERD_CORE_SATURATE_H
#define HERD_CORE_SATURATE_H

#include <stdint.h>

static inline int64_t herd_add_saturated(int64_t a, int64_t b)
{
    int64_t sum;
    if (!__builtin_add_overflow(a, b, &sum))
        return sum;
    return b < 0 ? INT64_MIN : INT64_MAX;
}

static inline int64_t herd_sub_saturated(int64_t a, int64_t b)
{
    int64_t difference;
    if (!__builtin_sub_overflow(a, b, &difference))
        return difference;
    return b < 0 ? INT64_MAX : INT64_MIN;
}

#endif
