/* SPDX-License-Identifier: MIT */
/*
 * A record as the value of a key. The byte order of two values of one id is the order of their records:
 *
 *     01621464827959498503 1621464827959498503 A Riley +0.263873386 +34.068930-118.445127 1621464827.959498503
 *     effective time       time                |  server, diff, position, time as in an AT line
 *                                              A: a report, G: a tombstone, whose position is empty
 *
 * Times are nanoseconds. The effective time is 0 and 19 digits; a negative one is - and how far it is above the least
 * there is. Behind the 19 digits of the time follow its decimals beyond the ninth, zeros at the end cut. A space is less
 * than every byte that a field has.
 */
#ifndef HERD_REDIS_VALUE_H
#define HERD_REDIS_VALUE_H

#include <herd/database.h>

/* Appends the value of a row. HERD_E_NOMEM. */
int herd_redis_value_add(struct herd_buf *out, const struct herd_database_row *row);
/* The row of an id with that value, whose spans are of these two. False: it is no value. `expires_ns` is INT64_MAX. */
bool herd_redis_value_parse(struct herd_span id, struct herd_span value, struct herd_database_row *ret_row);

#endif
