/* SPDX-License-Identifier: MIT */
/*
 * Traccar Client 9, and others that send JSON to where queries go:
 *
 *     {"device_id": "1234", "location": {"timestamp": "2026-11-26T09:19:55Z", "coords": {"latitude": 48.8568, ...}}}
 *     {"device_id": "1234", "location": [{...}, ...]}
 *     {"id": "1234", "lat": 48.8568, "lon": 2.2927, "timestamp": 1795694395}
 */
#include "trackers_impl.h"

/* Place and time of an object; the id is made already. */
static int read_location(struct herd_tracker *tracker, struct herd_span location,
                         struct herd_tracker_report *ret_report)
{
    struct herd_osmand outer, coords;
    int err = herd_osmand_object_read(location, &outer);
    if (err >= 0 && outer.coords.len > 0) {
        err = herd_osmand_object_read(outer.coords, &coords);
        outer.lat = coords.lat;
        outer.lon = coords.lon;
    }
    if (err < 0)
        return herd_tracker_end(tracker, HERD_TRACKER_INVALID, ret_report);
    return herd_tracker_json_point(tracker, outer.lat, outer.lon, outer.time, ret_report);
}

static int read_next(struct herd_tracker *tracker, struct herd_tracker_report *ret_report)
{
    struct herd_span location;
    if (!herd_raw_element(&tracker->walk, &location)) {
        tracker->read = NULL;
        return 0;
    }
    if (tracker->points++ < HERD_TRACKER_POINTS_MAX)
        return read_location(tracker, location, ret_report);
    tracker->read = NULL;
    return herd_tracker_end(tracker, HERD_TRACKER_TOO_MANY, ret_report);
}

int herd_tracker_osmand_json(struct herd_tracker *tracker, struct herd_span name,
                             struct herd_tracker_report *ret_report)
{
    struct herd_osmand said;
    int err = 0;
    if (herd_osmand_json_read(tracker->request.body, &said) < 0)
        return herd_tracker_end(tracker, HERD_TRACKER_INVALID, ret_report);
    if (name.len == 0) /* else it may be in the room that the object's would take */
        err = herd_tracker_json_text(tracker, HERD_TRACKER_NAME, said.id, &name);
    if (err < 0)
        return herd_tracker_bad_name(tracker, err, ret_report);
    err = herd_tracker_name(tracker, name.len > 0 ? name : tracker->request.user, ret_report);
    if (err != 0)
        return err;
    char kind = herd_raw_kind(said.location);
    if (kind == '{')
        return read_location(tracker, said.location, ret_report);
    if (kind == '[') {
        tracker->walk = herd_raw_walk(said.location);
        tracker->read = read_next;
        return read_next(tracker, ret_report);
    }
    if (said.location.len > 0)
        return herd_tracker_end(tracker, HERD_TRACKER_INVALID, ret_report);
    return herd_tracker_json_point(tracker, said.lat, said.lon, said.time, ret_report);
}
