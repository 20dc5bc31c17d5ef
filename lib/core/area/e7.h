/* SPDX-License-Identifier: MIT */
/*
 * Positions in units of 1e-7 degree, about 1.1 cm. A position of seven decimals or fewer is one of these exactly, and
 * then `e7 / 1e7` is the double that its text stands for.
 */
#ifndef HERD_CORE_E7_H
#define HERD_CORE_E7_H

#include "../base/digits.h"
#include "../store/pack.h"

#include <herd/types.h>

#define HERD_E7_DEGREE   10000000
#define HERD_E7_LAT_MAX  900000000
#define HERD_E7_LON_MAX  1800000000
#define HERD_E7_CIRCLE   INT64_C(3600000000)
#define HERD_E7_DECIMALS 7

struct herd_e7 {
    int32_t lat, lon;
};

/* One coordinate of a position whose form and range were checked: a sign, digits, perhaps a point and digits. Rounded
 * half away from zero; *io_exact is cleared where that changed the value. Returns its end. */
static inline const char *herd_e7_coordinate(const char *at, const char *end, int32_t *ret_e7, bool *io_exact)
{
    bool negative = *at++ == '-';
    int64_t value = 0;
    unsigned decimals = 0;
    for (; at < end && *at >= '0' && *at <= '9'; at++)
        value = value * 10 + (*at - '0');
    if (at < end && *at == '.') {
        for (at++; at < end && *at >= '0' && *at <= '9' && decimals < HERD_E7_DECIMALS; at++, decimals++)
            value = value * 10 + (*at - '0');
    }
    static const int32_t scale[] = {10000000, 1000000, 100000, 10000, 1000, 100, 10, 1};
    value *= scale[decimals];
    bool up = at < end && *at >= '5' && *at <= '9';
    for (; at < end && *at >= '0' && *at <= '9'; at++)
        if (*at != '0')
            *io_exact = false;
    value += up;
    *ret_e7 = (int32_t)(negative ? -value : value);
    return at;
}

/* Reads a position that herd_position_parse takes. True: *ret_e7 is exactly what the text says. */
static inline bool herd_e7_position(struct herd_span text, struct herd_e7 *ret_e7)
{
    bool exact = true;
    const char *end = text.at + text.len;
    const char *middle = herd_e7_coordinate(text.at, end, &ret_e7->lat, &exact);
    herd_e7_coordinate(middle, end, &ret_e7->lon, &exact);
    return exact;
}

/* Fifteen characters of a packed text (pack.h) from the `at`-th on, four bits each, the first in the highest; at < end. What
 * stands behind the byte of the last character, the one before the `end`-th, is not read: see HERD_PACK_FRONT. */
static inline uint64_t herd_e7_window(const unsigned char *packed, size_t at, size_t end)
{
    const size_t left = herd_packed_size(end) - at / 2, beyond = left < 8 ? 8 - left : 0;
    const unsigned char *p = packed + at / 2 - beyond;
    uint64_t window = 0;
    for (size_t i = 0; i < 8; i++)
        window = window << 8 | p[i];
    return window << 8 * beyond << at % 2 * 4;
}

/* The value of decimal digits of four bits each. */
static inline uint64_t herd_e7_decimal(uint64_t digits)
{
    digits = (digits >> 4 & 0x0f0f0f0f0f0f0f0f) * 10 + (digits & 0x0f0f0f0f0f0f0f0f);
    digits = (digits >> 8 & 0x00ff00ff00ff00ff) * 100 + (digits & 0x00ff00ff00ff00ff);
    digits = (digits >> 16 & 0x0000ffff0000ffff) * 10000 + (digits & 0x0000ffff0000ffff);
    return (digits >> 32) * 100000000 + (digits & 0xffffffff);
}

/* One coordinate as it is kept in a record, for what nearly everybody writes: three digits, a point, seven decimals, or
 * fewer. Something other than a digit ends it within the window. Returns how many characters it has; 0: not so. */
static inline unsigned herd_e7_packed(uint64_t window, int32_t *ret_e7)
{
    const uint64_t tops = 0x8888888888888888;
    const bool negative = window >> 60 == ('-' & 15);
    window <<= 4;
    uint64_t ends = window & (window << 1 | window << 2) & tops; /* a bit in each that is 10 or more: no digit */
    if (ends == 0)
        return 0;
    const unsigned whole = (unsigned)__builtin_clzll(ends) / 4;
    if (whole - 1 > 2)
        return 0;
    uint64_t digits = window >> (64 - 4 * whole) << 4 * HERD_E7_DECIMALS;
    unsigned length = 1 + whole;
    window <<= 4 * whole;
    if (window >> 60 == ('.' & 15)) {
        window <<= 4;
        ends <<= 4 * whole + 4;
        const unsigned decimals = ends ? (unsigned)__builtin_clzll(ends) / 4 : 16;
        if (decimals - 1 > HERD_E7_DECIMALS - 1)
            return 0;
        digits |= window >> (64 - 4 * decimals) << 4 * (HERD_E7_DECIMALS - decimals);
        length += 1 + decimals;
    }
    const int32_t value = (int32_t)herd_e7_decimal(digits);
    *ret_e7 = negative ? -value : value;
    return length;
}

/* Reads the position between the `at`-th and the `end`-th character of a packed text. False: not so, or not exact; *ret_e7 is
 * undefined. */
static inline bool herd_e7_position_packed(const unsigned char *packed, size_t at, size_t end,
                                           struct herd_e7 *ret_e7)
{
    const unsigned latitude = herd_e7_packed(herd_e7_window(packed, at, end), &ret_e7->lat);
    at += latitude;
    if (latitude == 0 || at >= end)
        return false;
    uint64_t window = herd_e7_window(packed, at, end);
    if (end - at < 16)
        window |= UINT64_MAX >> (end - at) * 4; /* what follows is no digit, whatever it is */
    return herd_e7_packed(window, &ret_e7->lon) == end - at;
}

static inline double herd_e7_degrees(int64_t e7)
{
    return (double)e7 / HERD_E7_DEGREE;
}

#endif
