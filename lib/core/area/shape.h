/* SPDX-License-Identifier: MIT */
/* The inside of a shape. */
#ifndef HERD_CORE_SHAPE_H
#define HERD_CORE_SHAPE_H

#include "polygon.h"

enum herd_shape_kind { HERD_SHAPE_CIRCLE, HERD_SHAPE_BOX, HERD_SHAPE_POLYGON, HERD_SHAPE_PROXIMITY };

struct herd_shape {
    enum herd_shape_kind kind;
    struct herd_box box; /* what is outside is not in the shape */
    /* Of a circle; of a proximity, the distance alone: */
    double lat_deg, cos_lat, lon_deg, radius_m;
    double haversine;     /* of the radius */
    double haversine_out; /* what is rounded to 1e-7 degree and further than this is not in it */
    /* Of a box: */
    double west_deg, south_deg, east_deg, north_deg;
    /* Of a proximity: two groups of clients, each an id or what ids begin with and a star. Owned. */
    struct herd_span who, near;
    char *groups;
    /* Of polygons: */
    size_t polygon_count;
    struct herd_polygon polygons[];
};

/* Whether a rounded position is in it. */
bool herd_shape_has_e7(const struct herd_shape *shape, struct herd_e7 position);
/* Whether a circle or box has a position, exactly. */
bool herd_shape_has_exactly(const struct herd_shape *shape, double lat_deg, double lon_deg);
/* Of circles and polygons: whether a position that is not in it is no further than `metres` from it. */
bool herd_shape_is_near(const struct herd_shape *shape, struct herd_e7 position, double metres);
/* Likewise: whether the line between two positions outside of it, some kilometres apart, meets it. */
bool herd_shape_is_crossed(const struct herd_shape *shape, struct herd_e7 from, struct herd_e7 to);
/* How many steps it takes to test a position, and one that all edges are compared with. */
size_t herd_shape_steps(const struct herd_shape *shape);
size_t herd_shape_all_steps(const struct herd_shape *shape);

#endif
