/* SPDX-License-Identifier: MIT */
/* A report as the body of the native API: {"lat": 48.8568, "lon": 2.2927, "time": 1795694395.123}. */
#ifndef HERD_TRACKERS_NATIVE_H
#define HERD_TRACKERS_NATIVE_H

#include "place_time.h"

/* Reads a body, strictly. `lat` and `lon` are numbers; `time` is a number, its digits as a string, or RFC 3339, as for
 * herd_time_put; without it, it is `wall_ns`. HERD_E_SYNTAX, HERD_E_RANGE (also: another member, which may be
 * one that is misspelt, and would change what the report says) with a static sentence
 * that says what is wrong and holds nothing of the body. */
int herd_native_report_read(struct herd_span body, int64_t wall_ns, struct herd_place_time *ret_place_time,
                            const char **reterr_message);

#endif
