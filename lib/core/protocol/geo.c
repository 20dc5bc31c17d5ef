/* SPDX-License-Identifier: MIT */
/* ISO 6709 decimal degrees. */
#include "decimal.h"
#include "parse_bounded.h"

#define LAT_MAX_DEG 90
#define LON_MAX_DEG 180

/* Scans one signed coordinate. Returns its end, NULL if it is malformed. Sets *io_out_of_range and goes on if the
 * value is too large: a position is out of range only if all of it is well formed. */
static const char *scan_coordinate(const char *at, const char *end, const char *readable_end, uint64_t max_deg,
                                   bool *io_out_of_range)
{
    struct herd_decimal number;
    if (at == end || (*at != '+' && *at != '-'))
        return NULL;
    const char *stop = herd_decimal_scan(at + 1, end, readable_end, &number);
    if (stop &&
        (number.whole > max_deg || (number.whole == max_deg && herd_digits_any(number.frac, number.frac_len))))
        *io_out_of_range = true;
    return stop;
}

int herd_position_parse_bounded(struct herd_span text, const char *readable_end, struct herd_position *ret_position)
{
    const char *end = text.len ? text.at + text.len : text.at; /* an empty span may have no address */
    bool out_of_range = false;
    const char *middle = scan_coordinate(text.at, end, readable_end, LAT_MAX_DEG, &out_of_range);
    if (!middle)
        return HERD_E_SYNTAX;
    const char *stop = scan_coordinate(middle, end, readable_end, LON_MAX_DEG, &out_of_range);
    if (!stop || stop != end)
        return HERD_E_SYNTAX;
    if (out_of_range)
        return HERD_E_RANGE;
    ret_position->lat = (struct herd_span){text.at, (size_t)(middle - text.at)};
    ret_position->lon = (struct herd_span){middle, (size_t)(end - middle)};
    return 0;
}

int herd_position_parse(struct herd_span text, struct herd_position *ret_position)
{
    return herd_position_parse_bounded(text, text.len ? text.at + text.len : text.at, ret_position);
}

#define SHORT_LEN 17 /* sign, point and 15 digits, or 16 digits */

double herd_coordinate_degrees(struct herd_span coordinate)
{
    /* 10^0..10^18 are exact in an x87-free double up to 10^22, and so is a 53-bit mantissa: one division
     * of two exact numbers is correctly rounded for up to 15 digits, within one ulp for 17. */
    static const double power[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8, 1e9,
                                   1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18};
    uint64_t digits = 0;
    size_t decimals = 0, significant = 0;
    bool behind_point = false;
    if (coordinate.len <= SHORT_LEN) { /* nearly all of them: every digit counts */
        size_t point = coordinate.len;
        for (size_t i = 1; i < coordinate.len; i++) {
            if (coordinate.at[i] == '.')
                point = i;
            else
                digits = digits * 10 + (uint64_t)(coordinate.at[i] - '0');
        }
        double value = (double)digits / power[point < coordinate.len ? coordinate.len - point - 1 : 0];
        return coordinate.len && coordinate.at[0] == '-' ? -value : value;
    }
    for (size_t i = 1; i < coordinate.len && significant < 17; i++) {
        if (coordinate.at[i] == '.') {
            behind_point = true;
            continue;
        }
        if (behind_point && decimals == 18)
            break;
        digits = digits * 10 + (uint64_t)(coordinate.at[i] - '0');
        significant += digits != 0;
        decimals += behind_point;
    }
    double value = (double)digits / power[decimals];
    return coordinate.len && coordinate.at[0] == '-' ? -value : value;
}
