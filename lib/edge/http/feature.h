/* SPDX-License-Identifier: MIT */
/* Records as GeoJSON (RFC 7946). */
#ifndef HERD_EDGE_FEATURE_H
#define HERD_EDGE_FEATURE_H

#include <herd/store.h>
#include <herd/types.h>

/*
 * Appends a Feature: its place and `time` are the digits of the report, `timestamp` is the same as RFC 3339 to the second,
 * where the year has four digits. `id` is text: what is not UTF-8 in it is U+FFFD there, and `href` has every byte.
 * HERD_E_NOMEM; HERD_E_SYNTAX: a tombstone.
 */
int herd_feature_put(struct herd_buf *out, const struct herd_record *record);
/* The same with `distance` among its properties: `distance_m`, 0 to 10^8, in metres, to the centimetre. */
int herd_feature_put_near(struct herd_buf *out, const struct herd_record *record, double distance_m);
/* Appends an id as a segment of a path: what is not unreserved (RFC 3986) is percent-encoded, and so are `.` and `..`. */
int herd_feature_put_segment(struct herd_buf *out, struct herd_span id);

/* Takes a number from the front of a list: up to its comma, which goes too, or to the end. It is read as coordinates of reports
 * are: herd_coordinate_degrees. HERD_E_SYNTAX; HERD_E_RANGE: more than 15 digits before the point. */
int herd_degrees_take(struct herd_span *io_text, double *ret_number);

/* west, south, east, north in degrees; west > east: across the date line. */
struct herd_bbox {
    double west, south, east, north;
};
/* "-10,35.5,30,60". HERD_E_SYNTAX, HERD_E_RANGE (also: south > north). */
int herd_bbox_parse(struct herd_span text, struct herd_bbox *ret_bbox);
/* Whether the place of a record lies in it, borders included; of a tombstone it does not. */
bool herd_bbox_has_place(const struct herd_bbox *bbox, double lat, double lon);
bool herd_bbox_has(const struct herd_bbox *bbox, const struct herd_record *record);

#endif
