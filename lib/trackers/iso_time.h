/* SPDX-License-Identifier: MIT */
/* A date and time of ISO 8601 as POSIX seconds. */
#ifndef HERD_TRACKERS_ISO_TIME_H
#define HERD_TRACKERS_ISO_TIME_H

#include <herd/types.h>

struct herd_iso_time {
    int64_t seconds;           /* since 1970, may be negative */
    struct herd_span fraction; /* decimals of the second as sent; {"", 0}: none */
};

/* Whether it looks like one: four digits and a hyphen. */
bool herd_iso_time_begins(struct herd_span text);
/* Reads all of `text`: `strict` is RFC 3339; else what HERD_TIME_LOOSE says. Years 0000 to 9999. HERD_E_SYNTAX, also for
 * a day or an hour that there is not. */
int herd_iso_time_read(struct herd_span text, bool strict, struct herd_iso_time *ret_time);

#endif
