/* SPDX-License-Identifier: MIT */
/*
 * Polygons: edges in units of 1e-7 degree, straight in longitude and latitude (RFC 7946, 3.1.1), sorted into strips of
 * latitude, so that a point is compared with the edges beside it alone. All of it is integer arithmetic: a point on an
 * edge is on it, for every server.
 */
#ifndef HERD_CORE_POLYGON_H
#define HERD_CORE_POLYGON_H

#include "sphere.h"

#include <herd/area.h>

/* x: how far east of the west end of its polygon. */
struct herd_edge {
    uint32_t x1, x2;
    int32_t y1, y2;
};

/* One exterior ring and its holes. */
struct herd_polygon {
    struct herd_box box;
    struct herd_edge *edges;
    size_t edge_count;
    uint32_t *strips; /* strip_count + 1 places in `listed` */
    uint32_t *listed; /* numbers of edges, strip by strip */
    uint32_t strip_count;
    uint32_t longest; /* edges in one strip */
};

/* Makes a polygon of `count` rings, the first its border, the others holes. HERD_E_SYNTAX, HERD_E_RANGE, HERD_E_NOMEM, with
 * a static sentence in *reterr_message; nothing is to be freed then. */
int herd_polygon_init(struct herd_polygon *polygon, const struct herd_ring *rings, size_t count,
                      const char **reterr_message);
void herd_polygon_fini(struct herd_polygon *polygon);

/* Inside an odd number of rings, or on an edge. */
bool herd_polygon_has(const struct herd_polygon *polygon, struct herd_e7 position);
/* Whether an edge is no further than `metres` away, in a plane that touches the earth at `position`. */
bool herd_polygon_is_near(const struct herd_polygon *polygon, struct herd_e7 position, double metres);
/* Whether the line between two positions, the short way round the earth, meets an edge. */
bool herd_polygon_is_crossed(const struct herd_polygon *polygon, struct herd_e7 from, struct herd_e7 to);

#endif
