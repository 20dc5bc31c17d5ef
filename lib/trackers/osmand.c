/* SPDX-License-Identifier: MIT */
/*
 * What OsmAnd, Traccar Client, GPSLogger and PhoneTrack send: values by name in the query, in a form or in JSON.
 *
 *     id=1234&lat=48.8568&lon=2.2927&timestamp=1795694395
 *
 * What the query does not say is looked for in the body: a form, or an object if it begins as one. A place is `lat` and
 * `lon`, or `location=lat,lon`. Speed, altitude, battery and whatever else is sent are skipped.
 */
#include "trackers_impl.h"

#include <string.h>

static struct herd_span trim(struct herd_span text)
{
    while (text.len > 0 && *text.at == ' ') {
        text.at++;
        text.len--;
    }
    while (text.len > 0 && text.at[text.len - 1] == ' ')
        text.len--;
    return text;
}

/* OwnTracks posts to any URL it is given. */
static bool is_owntracks(struct herd_span body)
{
    struct herd_json_member type = {.name = "_type"};
    const char *message;
    return herd_json_read(body, &type, 1, &message) >= 0 && type.value.len > 0;
}

static void fill(struct herd_span *io_value, struct herd_span other)
{
    if (io_value->len == 0)
        *io_value = other;
}

static bool has_place(const struct herd_osmand *said)
{
    return (said->lat.len > 0 && said->lon.len > 0) || said->location.len > 0;
}

/* location=48.8568,2.2927 */
static int read_location(struct herd_tracker *tracker, struct herd_span value, struct herd_span *ret_lat,
                         struct herd_span *ret_lon)
{
    struct herd_span text;
    int err = herd_tracker_form_text(tracker, HERD_TRACKER_LAT, value, &text);
    if (err < 0)
        return err;
    const char *comma = memchr(text.at, ',', text.len);
    if (!comma)
        return HERD_E_SYNTAX;
    size_t len = (size_t)(comma - text.at);
    *ret_lat = trim((struct herd_span){text.at, len});
    *ret_lon = trim((struct herd_span){comma + 1, text.len - len - 1});
    return 0;
}

static int read_point(struct herd_tracker *tracker, const struct herd_osmand *said,
                      struct herd_tracker_report *ret_report)
{
    struct herd_span lat, lon, time;
    int err = herd_tracker_form_text(tracker, HERD_TRACKER_TIME, said->time, &time);
    if (err >= 0 && said->location.len > 0 && !(said->lat.len > 0 && said->lon.len > 0)) {
        err = read_location(tracker, said->location, &lat, &lon);
    } else if (err >= 0) {
        err = herd_tracker_form_text(tracker, HERD_TRACKER_LAT, said->lat, &lat);
        if (err >= 0)
            err = herd_tracker_form_text(tracker, HERD_TRACKER_LON, said->lon, &lon);
    }
    if (err < 0)
        return herd_tracker_end(tracker, HERD_TRACKER_INVALID, ret_report);
    return herd_tracker_point(tracker, trim(lat), trim(lon), trim(time), ret_report);
}

int herd_tracker_osmand(struct herd_tracker *tracker, struct herd_tracker_report *ret_report)
{
    const struct herd_tracker_request *request = &tracker->request;
    struct herd_span body = herd_raw_trim(request->body), name;
    struct herd_osmand said, in_body;
    tracker->read = NULL;
    if (request->query.len == 0 && body.len == 0)
        return herd_tracker_end(tracker, HERD_TRACKER_EMPTY, ret_report);
    if (herd_osmand_form_read(request->query, &said) < 0)
        return herd_tracker_end(tracker, HERD_TRACKER_INVALID, ret_report);
    bool is_json = body.len > 0 && *body.at == '{';
    if (is_json && is_owntracks(body))
        return herd_tracker_owntracks(tracker, ret_report);
    if (!is_json && (said.id.len == 0 || !has_place(&said))) {
        if (herd_osmand_form_read(body, &in_body) < 0)
            return herd_tracker_end(tracker, HERD_TRACKER_INVALID, ret_report);
        fill(&said.id, in_body.id);
        if (!has_place(&said)) {
            in_body.id = said.id;
            said = in_body;
        }
    }
    int err = herd_tracker_form_text(tracker, HERD_TRACKER_NAME, said.id, &name);
    if (err < 0)
        return herd_tracker_bad_name(tracker, err, ret_report);
    if (request->name.len > 0)
        name = request->name;
    if (is_json && !has_place(&said))
        return herd_tracker_osmand_json(tracker, name, ret_report);
    err = herd_tracker_name(tracker, name.len > 0 ? name : request->user, ret_report);
    return err != 0 ? err : read_point(tracker, &said, ret_report);
}
