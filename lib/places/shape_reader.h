/* SPDX-License-Identifier: MIT */
/*
 * GeoJSON geometries as shapes:
 *
 *     shape_rings.c   coordinates to rings to polygons
 *     shape_read.c    geometries, Features, collections; what a fence has besides
 *     shape_write.c   the way back
 */
#ifndef HERD_PLACES_SHAPE_READER_H
#define HERD_PLACES_SHAPE_READER_H

#include "raw.h"

#include <herd/area.h>
#include <herd/config.h>

struct herd_shape_reader {
    struct herd_span text; /* all of it, for lines and columns */
    struct herd_diagnostic *diagnostic;
    double *positions; /* pairs */
    size_t position_count, position_cap;
    struct herd_ring *rings; /* their positions are set when all are read */
    size_t ring_count, ring_cap;
};

void herd_shape_reader_fini(struct herd_shape_reader *reader);
/* Fills the diagnostic with a sentence and the place of a span of the text. Returns `err`. */
int herd_shape_refuse(const struct herd_shape_reader *reader, int err, struct herd_span at, const char *message);
/* In which line of the text a place is, from 1. */
unsigned herd_shape_line(const struct herd_shape_reader *reader, const char *at);
/* [longitude, latitude] in degrees. */
int herd_shape_read_position(const struct herd_shape_reader *reader, struct herd_span position,
                             double ret_lon_lat[2]);
/* The shape of the coordinates of a Polygon, or with `multi` of a MultiPolygon. The text was checked. */
int herd_shape_read_rings(struct herd_shape_reader *reader, struct herd_span coordinates, bool multi,
                          struct herd_shape **ret_shape);

#endif
