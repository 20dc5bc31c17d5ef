/* SPDX-License-Identifier: MIT */
/*
 * Place and time as a line IAMAT has them, made of the texts that a phone or a program sent.
 *
 *     struct herd_place_time pt;
 *     herd_place_put(&pt, herd_span_of("48.8568"), herd_span_of("2.2927"));      +48.8568+2.2927
 *     herd_time_put(&pt, herd_span_of("1795694395123"), HERD_TIME_LOOSE);        1795694395.123
 *     herd_server_report(server, id, herd_place_of(&pt), herd_time_of(&pt), ...)
 *
 * The digits are those that were sent: a sign is added, an exponent moves the point, zeros in front go, decimals beyond
 * HERD_NUMBER_DECIMALS_MAX are cut off. After an error the text is as it was.
 */
#ifndef HERD_TRACKERS_PLACE_TIME_H
#define HERD_TRACKERS_PLACE_TIME_H

#include "number.h"

struct herd_place_time {
    size_t place_len, time_len;
    char place[2 * (1 + HERD_NUMBER_TEXT_MAX)], time[HERD_NUMBER_TEXT_MAX];
};

static inline struct herd_span herd_place_of(const struct herd_place_time *pt)
{
    return (struct herd_span){pt->place, pt->place_len};
}

static inline struct herd_span herd_time_of(const struct herd_place_time *pt)
{
    return (struct herd_span){pt->time, pt->time_len};
}

/* Degrees as numbers (herd_number_read). HERD_E_SYNTAX; HERD_E_RANGE: |lat| > 90 or |lon| > 180, decided on all digits. */
int herd_place_put(struct herd_place_time *pt, struct herd_span lat, struct herd_span lon);

enum herd_time_form {
    /* A number, or a date and time with zone as RFC 3339 has it: 2026-11-26T09:19:55.123Z, ...+01:00. */
    HERD_TIME_STRICT,
    /* Also without a zone, which is UTC then; with a zone that has no colon or no minutes; without seconds; with a comma
     * before decimals; and with a blank for the plus of a zone, as an unescaped one is read from a query. */
    HERD_TIME_LOOSE,
};

/* A time. A number below 10^11 is in seconds, else in milliseconds. A leap second is the second behind
 * it. HERD_E_SYNTAX; HERD_E_RANGE: before 1970, or more than INT64_MAX nanoseconds after it. */
int herd_time_put(struct herd_place_time *pt, struct herd_span text, enum herd_time_form form);
/* The time of the server's clock, with nine decimals; one before 1970 is no clock, and counts as 0. */
void herd_time_put_now(struct herd_place_time *pt, int64_t wall_ns);

#endif
