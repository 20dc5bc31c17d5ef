/* SPDX-License-Identifier: MIT */
/*
 * Decimal numbers as texts. Coordinates and radii are handed on with the very digits they came with,
 * so they are shifted, trimmed and compared as texts; binary floating point appears only where a
 * distance is computed. Nothing here depends on the locale.
 */
#ifndef HERD_PLACES_DECIMAL_H
#define HERD_PLACES_DECIMAL_H

#include <herd/types.h>

/* One unit of the fixed-point coordinates: 1e-7 degree, about 1 cm. */
#define HERD_E7 10000000

/* sign, digits, point, digits: spans into the text that was split. */
struct herd_decimal {
    bool negative;
    struct herd_span whole, fraction;
};

/* [+-]digits[.digits], nothing else. HERD_E_SYNTAX. */
int herd_decimal_split(struct herd_span text, struct herd_decimal *ret_decimal);
/* Appends the number times 10^shift: no plus, no superfluous leading zero. With `trim` also no
 * superfluous zero behind the point. HERD_E_NOMEM. */
int herd_decimal_write(struct herd_buf *out, const struct herd_decimal *decimal, unsigned shift, bool trim);
/* The nearest double, give or take one unit in the last place. */
double herd_decimal_double(struct herd_span text);

/* A JSON number (exponents too) in units of 1e-7, rounded half away from zero. HERD_E_SYNTAX; HERD_E_RANGE
 * beyond +-400. */
int herd_decimal_e7(struct herd_span text, int64_t *ret_e7);
/* Appends units of 1e-7 as a decimal number without superfluous zeros: 488566000 is "48.8566". HERD_E_NOMEM. */
int herd_decimal_e7_write(struct herd_buf *out, int64_t e7);

#endif
