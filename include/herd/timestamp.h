/* SPDX-License-Identifier: MIT */
/*
 * Time stamps: POSIX seconds as decimal digits, `1621464827.959498503`, and the differences between the
 * clock of a server and that of a client, `+0.263873386`. Any number of decimals is legal and counts
 * when two stamps are ordered.
 */
#ifndef HERD_TIMESTAMP_H
#define HERD_TIMESTAMP_H

#include <herd/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Checks `text` and gives its value in nanoseconds, decimals beyond the ninth cut off.
 * HERD_E_SYNTAX: not digits [. digits]. HERD_E_RANGE: more than INT64_MAX nanoseconds, decided on all
 * digits. */
HERD_API int herd_timestamp_parse(struct herd_span text, int64_t *ret_ns);

/* Orders two stamps that herd_timestamp_parse accepts, exactly: <0, 0, >0. "1.5" and "01.50" are equal. */
HERD_API int herd_timestamp_compare(struct herd_span a, struct herd_span b);

/* Bytes that herd_diff_format writes at most: sign, 10 digits, point, 9 digits. */
#define HERD_DIFF_MAX 21

/* Writes a difference in nanoseconds as sign, seconds, point, nine decimals: never an exponent, sign
 * always. Returns the number of bytes written; there is no NUL. `diff_ns` is the difference of two
 * values from 0 to INT64_MAX. */
HERD_API size_t herd_diff_format(int64_t diff_ns, char out[HERD_DIFF_MAX]);

/* Whether `text` is a difference as an AT line carries it: sign digits [. digits]. */
HERD_API bool herd_diff_valid(struct herd_span text);

#ifdef __cplusplus
}
#endif
#endif
