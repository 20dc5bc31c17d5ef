/* SPDX-License-Identifier: MIT */
/* The id, the place and the time of one message. */
#include "../core/http/target.h"
#include "trackers_impl.h"

#include <string.h>

int herd_tracker_end(struct herd_tracker *tracker, enum herd_tracker_outcome outcome,
                     struct herd_tracker_report *ret_report)
{
    struct herd_span none = {"", 0};
    bool reported = outcome == HERD_TRACKER_REPORT;
    *ret_report = (struct herd_tracker_report){
        .outcome = outcome,
        .id = tracker->id.len > 0 ? (struct herd_span){tracker->id.at, tracker->id.len} : none,
        .position = reported ? herd_place_of(&tracker->place_time) : none,
        .time = reported ? herd_time_of(&tracker->place_time) : none,
    };
    return 1;
}

/* ---- the id ---- */

int herd_tracker_bad_name(struct herd_tracker *tracker, int err, struct herd_tracker_report *ret_report)
{
    return herd_tracker_end(tracker, err == HERD_E_LIMIT ? HERD_TRACKER_ID_TOO_LONG : HERD_TRACKER_INVALID,
                            ret_report);
}

static int add(struct herd_tracker *tracker, struct herd_span name, enum herd_client_id_slash slash,
               struct herd_tracker_report *ret_report)
{
    int err = herd_client_id_add(&tracker->id, name, slash, tracker->request.id_max_bytes);
    if (err >= 0 || err == HERD_E_NOMEM)
        return err;
    tracker->id.len = 0;
    return herd_tracker_bad_name(tracker, err, ret_report);
}

int herd_tracker_name(struct herd_tracker *tracker, struct herd_span name, struct herd_tracker_report *ret_report)
{
    tracker->id.len = 0;
    if (name.len == 0)
        return herd_tracker_end(tracker, HERD_TRACKER_NO_ID, ret_report);
    return add(tracker, name, HERD_CLIENT_ID_SLASH, ret_report);
}

int herd_tracker_user_device(struct herd_tracker *tracker, struct herd_span user, struct herd_span device,
                             struct herd_tracker_report *ret_report)
{
    int err;
    tracker->id.len = 0;
    if (user.len == 0 && device.len == 0)
        return herd_tracker_end(tracker, HERD_TRACKER_NO_ID, ret_report);
    err = add(tracker, user, HERD_CLIENT_ID_ESCAPE, ret_report);
    if (err == 0 && user.len > 0 && device.len > 0)
        err = add(tracker, (struct herd_span){"/", 1}, HERD_CLIENT_ID_SLASH, ret_report);
    if (err == 0)
        err = add(tracker, device, HERD_CLIENT_ID_ESCAPE, ret_report);
    return err;
}

/* ---- texts ---- */

int herd_tracker_json_text(struct herd_tracker *tracker, enum herd_tracker_room room, struct herd_span value,
                           struct herd_span *ret_text)
{
    *ret_text = (struct herd_span){"", 0};
    return value.len > 0 ? herd_json_scalar(value, tracker->room[room], HERD_TRACKER_ESCAPED_MAX, ret_text) : 0;
}

int herd_tracker_form_text(struct herd_tracker *tracker, enum herd_tracker_room room, struct herd_span value,
                           struct herd_span *ret_text)
{
    size_t len = 0;
    *ret_text = value.len > 0 ? value : (struct herd_span){"", 0};
    if (value.len == 0 || !(memchr(value.at, '%', value.len) || memchr(value.at, '+', value.len)))
        return 0;
    if (value.len > HERD_TRACKER_ESCAPED_MAX)
        return HERD_E_LIMIT;
    int err = herd_http_unescape(value, HERD_HTTP_BLANK, tracker->room[room], &len);
    *ret_text = (struct herd_span){tracker->room[room], len};
    return err;
}

/* ---- place and time ---- */

int herd_tracker_point(struct herd_tracker *tracker, struct herd_span lat, struct herd_span lon,
                       struct herd_span time, struct herd_tracker_report *ret_report)
{
    if (lat.len == 0 || lon.len == 0)
        return herd_tracker_end(tracker, HERD_TRACKER_NO_POSITION, ret_report);
    int err = herd_place_put(&tracker->place_time, lat, lon);
    if (err >= 0 && time.len > 0)
        err = herd_time_put(&tracker->place_time, time, HERD_TIME_LOOSE);
    else
        herd_time_put_now(&tracker->place_time, tracker->request.wall_ns);
    return herd_tracker_end(tracker,
                            err >= 0              ? HERD_TRACKER_REPORT
                            : err == HERD_E_RANGE ? HERD_TRACKER_OUT_OF_RANGE
                                                  : HERD_TRACKER_INVALID,
                            ret_report);
}

int herd_tracker_json_point(struct herd_tracker *tracker, struct herd_span lat, struct herd_span lon,
                            struct herd_span time, struct herd_tracker_report *ret_report)
{
    const struct herd_span values[3] = {lat, lon, time};
    struct herd_span texts[3];
    for (size_t i = 0; i < 3; i++)
        if (herd_tracker_json_text(tracker, (enum herd_tracker_room)(HERD_TRACKER_LAT + i), values[i], &texts[i]) <
            0)
            return herd_tracker_end(tracker, HERD_TRACKER_INVALID, ret_report);
    return herd_tracker_point(tracker, texts[0], texts[1], texts[2], ret_report);
}
