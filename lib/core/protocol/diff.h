/* SPDX-License-Identifier: MIT */
/* Clock differences as sloppy printers write them. */
#ifndef HERD_CORE_DIFF_H
#define HERD_CORE_DIFF_H

#include <herd/types.h>

#define HERD_DIFF_WHOLE_MAX    19 /* digits in front of the point */
#define HERD_DIFF_EXPONENT_MAX 99
#define HERD_DIFF_LENIENT_MAX  (1 + HERD_DIFF_WHOLE_MAX + 1 + 9)

/* Reads a difference without a sign, with "+-" for a sign, with an exponent, or with no digit on one side of its
 * point, and writes it as a sign, digits and nine decimals; what is smaller is cut off. Returns its length, 0 if it
 * is none of these or out of range: more than 19 digits in front of the point, or an exponent beyond 99. */
size_t herd_diff_read_lenient(struct herd_span text, char out[HERD_DIFF_LENIENT_MAX]);

#endif
