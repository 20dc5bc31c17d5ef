/* SPDX-License-Identifier: MIT */
/* The body of a report by the native API. */
#include "native.h"

#include "../places/raw.h"
#include "members.h"

#define TIME_TEXT_MAX 128

static int fail(int err, const char *message, const char **reterr_message)
{
    *reterr_message = message;
    return err;
}

int herd_native_report_read(struct herd_span body, int64_t wall_ns, struct herd_place_time *ret_place_time,
                            const char **reterr_message)
{
    enum { LAT, LON, TIME, MEMBERS };
    struct herd_json_member members[MEMBERS] = {{.name = "lat"}, {.name = "lon"}, {.name = "time"}};
    struct herd_place_time pt;
    struct herd_span time;
    char room[TIME_TEXT_MAX];
    int err = herd_json_read_only(body, members, MEMBERS, reterr_message);
    if (err == HERD_E_RANGE)
        return fail(err, "a report has lat, lon and time, and no other member", reterr_message);
    if (err < 0)
        return err;
    if (herd_raw_kind(members[LAT].value) != '0' || herd_raw_kind(members[LON].value) != '0')
        return fail(HERD_E_SYNTAX, "lat and lon are needed, as numbers", reterr_message);
    err = herd_place_put(&pt, members[LAT].value, members[LON].value);
    if (err < 0)
        return fail(err, "lat is from -90 to 90, lon from -180 to 180", reterr_message);
    if (!members[TIME].value.at) {
        herd_time_put_now(&pt, wall_ns);
    } else {
        if (herd_json_scalar(members[TIME].value, room, sizeof room, &time) < 0)
            return fail(HERD_E_SYNTAX, "time has to be a number or a string", reterr_message);
        err = herd_time_put(&pt, time, HERD_TIME_STRICT);
        if (err == HERD_E_RANGE)
            return fail(err, "time is from 1970 to 2262", reterr_message);
        if (err < 0)
            return fail(err, "time is neither seconds since 1970 nor a date and time of RFC 3339", reterr_message);
    }
    *ret_place_time = pt;
    return 0;
}
