/* SPDX-License-Identifier: MIT */
/*
 * Positions in units of 1e-7 degree, about 1.1 cm. A position of seven decimals or fewer is one of these exactly, and
 * then `e7 / 1e7` is the double that its text stands for.
 */
#ifndef HERD_CORE_E7_H
#define HERD_CORE_E7_H

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

static inline double herd_e7_degrees(int64_t e7)
{
    return (double)e7 / HERD_E7_DEGREE;
}

#endif
