/* SPDX-License-Identifier: MIT */
/* Place and time as lines have them. */
#include "place_time.h"

#include "../core/base/print.h"
#include "iso_time.h"

#include <herd/timestamp.h>

#include <string.h>

#define LAT_MAX_DEG 90
#define LON_MAX_DEG 180
#define NS_PER_S    1000000000

/* A number of seconds is below it, one of milliseconds is not. Seconds come to that in the year 5138, milliseconds did in
 * 1973. (Traccar takes 2^31, which is to go wrong in 2038.) */
#define MILLISECONDS_FROM UINT64_C(100000000000)

static int put_degrees(struct herd_span text, uint32_t max_deg, char *out, size_t *io_len)
{
    struct herd_number number;
    int err = herd_number_read(text, &number);
    if (err < 0)
        return err;
    if (herd_number_compare(&number, max_deg) > 0)
        return HERD_E_RANGE;
    out[*io_len] = number.negative ? '-' : '+';
    *io_len += 1 + herd_number_put(&number, out + *io_len + 1);
    return 0;
}

int herd_place_put(struct herd_place_time *pt, struct herd_span lat, struct herd_span lon)
{
    char place[sizeof pt->place];
    size_t len = 0;
    int err = put_degrees(lat, LAT_MAX_DEG, place, &len);
    if (err >= 0)
        err = put_degrees(lon, LON_MAX_DEG, place, &len);
    if (err < 0)
        return err;
    memcpy(pt->place, place, len);
    pt->place_len = len;
    return 0;
}

/* Whether all of 0..INT64_MAX nanoseconds hold the seconds. */
static int set_time(struct herd_place_time *pt, const char *text, size_t len)
{
    int64_t ns;
    int err = herd_timestamp_parse((struct herd_span){text, len}, &ns);
    if (err < 0)
        return err;
    memcpy(pt->time, text, len);
    pt->time_len = len;
    return 0;
}

static int put_number(struct herd_place_time *pt, struct herd_span text)
{
    char time[HERD_NUMBER_TEXT_MAX];
    struct herd_number number;
    int err = herd_number_read(text, &number);
    if (err < 0)
        return err;
    if (number.negative && !herd_number_is_zero(&number))
        return HERD_E_RANGE;
    if (herd_number_compare(&number, MILLISECONDS_FROM) >= 0)
        number.exponent -= 3;
    size_t len = herd_number_put(&number, time);
    return len == 0 ? HERD_E_RANGE : set_time(pt, time, len);
}

int herd_time_put(struct herd_place_time *pt, struct herd_span text, enum herd_time_form form)
{
    struct herd_iso_time iso;
    char time[HERD_NUMBER_TEXT_MAX];
    if (!herd_iso_time_begins(text))
        return put_number(pt, text);
    int err = herd_iso_time_read(text, form == HERD_TIME_STRICT, &iso);
    if (err < 0)
        return err;
    if (iso.seconds < 0 || iso.seconds > INT64_MAX / NS_PER_S)
        return HERD_E_RANGE;
    char *to = herd_put_number(time, (uint64_t)iso.seconds);
    size_t decimals = iso.fraction.len < HERD_NUMBER_DECIMALS_MAX ? iso.fraction.len : HERD_NUMBER_DECIMALS_MAX;
    if (decimals > 0) {
        *to++ = '.';
        memcpy(to, iso.fraction.at, decimals);
        to += decimals;
    }
    return set_time(pt, time, (size_t)(to - time));
}

void herd_time_put_now(struct herd_place_time *pt, int64_t wall_ns)
{
    uint64_t ns = wall_ns > 0 ? (uint64_t)wall_ns : 0;
    char *to = herd_put_number(pt->time, ns / NS_PER_S);
    *to++ = '.';
    herd_put9(to, (uint32_t)(ns % NS_PER_S));
    pt->time_len = (size_t)(to + 9 - pt->time);
}
