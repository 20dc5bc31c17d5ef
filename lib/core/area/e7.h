/* SPDX-License-Identifier: MIT */
/*
 * Positions in units of 1e-7 degree, about 1.1 cm. A position of seven decimals or fewer is one of these exactly, and
 * then `e7 / 1e7` is the double that its text stands for.
 */
#ifndef HERD_CORE_E7_H
#define HERD_CORE_E7_H

#include "../base/digits.h"

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

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__

/* The same, faster, for what nearly everybody writes: up to seven decimals, no long row of zeros in front. Eight bytes behind
 * each digit may be read, and what follows the position is no digit and no point. NULL: not so; *ret_e7 is untouched. */
static inline const char *herd_e7_coordinate_fast(const char *at, int32_t *ret_e7)
{
    static const uint32_t scale[] = {10000000, 1000000, 100000, 10000, 1000, 100, 10, 1};
    bool negative = *at++ == '-';
    const char *begin = at;
    uint32_t whole = 0, fraction = 0;
    unsigned decimals = 0;
    for (; herd_is_digit(*at); at++)
        whole = whole * 10 + (uint32_t)(*at - '0');
    if (at - begin > 3)
        return NULL;
    if (*at == '.') {
        uint64_t word = herd_load8(++at);
        decimals = herd_digit_run8(word);
        if (decimals > HERD_E7_DECIMALS || decimals == 0)
            return NULL;
        fraction = herd_digits_value8(word, decimals) * scale[decimals];
        at += decimals;
    }
    int32_t value = (int32_t)(whole * HERD_E7_DEGREE + fraction);
    *ret_e7 = negative ? -value : value;
    return at;
}

#else

static inline const char *herd_e7_coordinate_fast(const char *at, int32_t *ret_e7)
{
    (void)at;
    (void)ret_e7;
    return NULL;
}

#endif

static inline double herd_e7_degrees(int64_t e7)
{
    return (double)e7 / HERD_E7_DEGREE;
}

#endif
