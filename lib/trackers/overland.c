/* SPDX-License-Identifier: MIT */
/*
 * Overland: batches of GeoJSON features.
 *
 *     {"locations": [{"type": "Feature", "geometry": {"type": "Point", "coordinates": [lon, lat]},
 *                     "properties": {"timestamp": "2026-11-26T09:19:55Z", "device_id": "ann"}}]}
 *
 * The id is device_id, or the user of Basic authentication where an app has none.
 */
#include "trackers_impl.h"

static int read_id(struct herd_tracker *tracker, struct herd_span device_id, struct herd_tracker_report *ret_report)
{
    struct herd_span name;
    int err = herd_tracker_json_text(tracker, HERD_TRACKER_NAME, device_id, &name);
    if (err < 0)
        return herd_tracker_bad_name(tracker, err, ret_report);
    return herd_tracker_name(tracker, name.len > 0 ? name : tracker->request.user, ret_report);
}

static int read_feature(struct herd_tracker *tracker, struct herd_span feature,
                        struct herd_tracker_report *ret_report)
{
    struct herd_json_member outer[] = {{.name = "geometry"}, {.name = "properties"}};
    struct herd_json_member geometry[] = {{.name = "type"}, {.name = "coordinates"}};
    struct herd_json_member properties[] = {{.name = "timestamp"}, {.name = "device_id"}};
    struct herd_span lon, lat;
    tracker->id.len = 0;
    if (herd_json_read_inside(feature, outer, 2) < 0 ||
        (outer[1].value.len > 0 && herd_json_read_inside(outer[1].value, properties, 2) < 0))
        return herd_tracker_end(tracker, HERD_TRACKER_INVALID, ret_report);
    int err = read_id(tracker, properties[1].value, ret_report);
    if (err != 0)
        return err;
    if (outer[0].value.len == 0) /* null: RFC 7946, 3.2, a feature without a place */
        return herd_tracker_end(tracker, HERD_TRACKER_NO_POSITION, ret_report);
    if (herd_json_read_inside(outer[0].value, geometry, 2) < 0)
        return herd_tracker_end(tracker, HERD_TRACKER_INVALID, ret_report);
    if (!herd_raw_is(geometry[0].value, "Point"))
        return herd_tracker_end(tracker, HERD_TRACKER_NOT_A_LOCATION, ret_report);
    struct herd_raw_walk walk = herd_raw_walk(geometry[1].value);
    if (herd_raw_kind(geometry[1].value) != '[' || !herd_raw_element(&walk, &lon) || !herd_raw_element(&walk, &lat))
        return herd_tracker_end(tracker, HERD_TRACKER_INVALID, ret_report);
    return herd_tracker_json_point(tracker, lat, lon, properties[0].value, ret_report);
}

static int read_next(struct herd_tracker *tracker, struct herd_tracker_report *ret_report)
{
    struct herd_span feature;
    if (!herd_raw_element(&tracker->walk, &feature)) {
        tracker->read = NULL;
        return 0;
    }
    if (tracker->points++ < HERD_TRACKER_POINTS_MAX)
        return read_feature(tracker, feature, ret_report);
    tracker->read = NULL;
    tracker->id.len = 0;
    return herd_tracker_end(tracker, HERD_TRACKER_TOO_MANY, ret_report);
}

int herd_tracker_overland(struct herd_tracker *tracker, struct herd_tracker_report *ret_report)
{
    struct herd_json_member locations = {.name = "locations"};
    const char *message;
    tracker->read = NULL;
    if (herd_raw_trim(tracker->request.body).len == 0)
        return herd_tracker_end(tracker, HERD_TRACKER_EMPTY, ret_report);
    if (herd_json_read(tracker->request.body, &locations, 1, &message) < 0)
        return herd_tracker_end(tracker, HERD_TRACKER_INVALID, ret_report);
    if (locations.value.len == 0)
        return herd_tracker_end(tracker, HERD_TRACKER_NOT_A_LOCATION, ret_report);
    if (herd_raw_kind(locations.value) != '[')
        return herd_tracker_end(tracker, HERD_TRACKER_INVALID, ret_report);
    tracker->walk = herd_raw_walk(locations.value);
    tracker->read = read_next;
    return read_next(tracker, ret_report);
}
