/* SPDX-License-Identifier: MIT */
/*
 * The inside of trackers:
 *
 *     trackers                        which format, one message after the other
 *     osmand, overland, owntracks     the formats
 *     osmand_json, osmand_names       parts of the first
 *     point                           the id, place and time of one message
 *     client_id, members, place_time, iso_time, number
 *
 * Files call downward only. What reads a message ends it with 1 and *ret_report, or fails with HERD_E_NOMEM.
 */
#ifndef HERD_TRACKERS_IMPL_H
#define HERD_TRACKERS_IMPL_H

#include "client_id.h"
#include "members.h"
#include "trackers.h"

/* ---- point.c ---- */

/* Ends a message: 1. */
int herd_tracker_end(struct herd_tracker *tracker, enum herd_tracker_outcome outcome,
                     struct herd_tracker_report *ret_report);
/* Makes the id of one name, or of USER/DEVICE if both are there. 0; > 0: *ret_report is the outcome; HERD_E_NOMEM. */
int herd_tracker_name(struct herd_tracker *tracker, struct herd_span name, struct herd_tracker_report *ret_report);
int herd_tracker_user_device(struct herd_tracker *tracker, struct herd_span user, struct herd_span device,
                             struct herd_tracker_report *ret_report);
/* Rooms for texts without their escapes. */
enum herd_tracker_room { HERD_TRACKER_LAT, HERD_TRACKER_LON, HERD_TRACKER_TIME, HERD_TRACKER_NAME };

/* What a string or number of JSON stands for, in a room if it has escapes. {"", 0} for {NULL, 0}. HERD_E_SYNTAX: another
 * kind of value. HERD_E_LIMIT: more than HERD_TRACKER_ESCAPED_MAX. */
int herd_tracker_json_text(struct herd_tracker *tracker, enum herd_tracker_room room, struct herd_span value,
                           struct herd_span *ret_text);
/* The same of a value of a query or form. HERD_E_SYNTAX: a percent sign without two digits, or a NUL. */
int herd_tracker_form_text(struct herd_tracker *tracker, enum herd_tracker_room room, struct herd_span value,
                           struct herd_span *ret_text);
/* Ends a message whose id could not be read. */
int herd_tracker_bad_name(struct herd_tracker *tracker, int err, struct herd_tracker_report *ret_report);
/* Makes place and time, `time` {"", 0} being now, and ends the message. */
int herd_tracker_point(struct herd_tracker *tracker, struct herd_span lat, struct herd_span lon,
                       struct herd_span time, struct herd_tracker_report *ret_report);
/* The same from values of JSON. */
int herd_tracker_json_point(struct herd_tracker *tracker, struct herd_span lat, struct herd_span lon,
                            struct herd_span time, struct herd_tracker_report *ret_report);

/* ---- the formats: each is the first herd_tracker.read of a request ---- */

herd_tracker_read herd_tracker_owntracks, herd_tracker_osmand, herd_tracker_overland;

/* ---- osmand_names.c ---- */

/* What a query, form or object says, under one of the names there are for each; as it stands there, {"", 0} if it does not. */
struct herd_osmand {
    struct herd_span id, lat, lon, location, time;
    struct herd_span coords; /* of objects */
};
/* Of several names the first whose value is not empty. HERD_E_SYNTAX: a name twice; not JSON, not an object. The second
 * takes a whole text, the third a value of a text that was checked. */
int herd_osmand_form_read(struct herd_span text, struct herd_osmand *ret_osmand);
int herd_osmand_json_read(struct herd_span text, struct herd_osmand *ret_osmand);
int herd_osmand_object_read(struct herd_span object, struct herd_osmand *ret_osmand);

/* ---- osmand_json.c ---- */

/* The body as an object. `name` is the client that is known already, decoded, or {"", 0}. */
int herd_tracker_osmand_json(struct herd_tracker *tracker, struct herd_span name,
                             struct herd_tracker_report *ret_report);

#endif
