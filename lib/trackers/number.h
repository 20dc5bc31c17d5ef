/* SPDX-License-Identifier: MIT */
/* Decimal numbers as phones write them, exponents included, kept as digits: nothing goes through a double, and nothing
 * depends on the locale. */
#ifndef HERD_TRACKERS_NUMBER_H
#define HERD_TRACKERS_NUMBER_H

#include <herd/types.h>

/* Decimals beyond these are cut off when a number is written; comparisons look at all. 1e-40 degree is no distance. */
#define HERD_NUMBER_DECIMALS_MAX 40
/* Digits before the point that a number may have when it is written. */
#define HERD_NUMBER_WHOLE_MAX 15
/* Bytes that herd_number_put writes at most. */
#define HERD_NUMBER_TEXT_MAX (HERD_NUMBER_WHOLE_MAX + 1 + HERD_NUMBER_DECIMALS_MAX)

/* The value is whole.fraction times 10 to the power of `exponent`; spans of the text that was read. */
struct herd_number {
    bool negative;
    struct herd_span whole, fraction;
    int64_t exponent;
    size_t zeros; /* digits before the first that is not 0 */
};

/* Reads all of `text`: [+-] digits [. digits] [e[+-]digits], where digits may be missing on one side of the point.
 * Whatever is a number of JSON is one here. HERD_E_SYNTAX: also NaN, infinities, a comma, blanks. */
int herd_number_read(struct herd_span text, struct herd_number *ret_number);

bool herd_number_is_zero(const struct herd_number *number);

/* Compares the number without its sign with `other`, decided on all digits: <0, 0, >0. `other` is below
 * 10^18. */
int herd_number_compare(const struct herd_number *number, uint64_t other);

/* Writes the number without its sign: digits [. digits], no superfluous zero in front, decimals as they were sent. Returns
 * how many bytes; 0: more than HERD_NUMBER_WHOLE_MAX digits before the point. */
size_t herd_number_put(const struct herd_number *number, char out[HERD_NUMBER_TEXT_MAX]);

#endif
