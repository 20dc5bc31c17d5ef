/* SPDX-License-Identifier: MIT */
/* Fences as GeoJSON: circles and polygons with the positions that they are decided on, rounded to 1e-7 degree. */
#include "../core/area/shape.h"
#include "decimal.h"
#include "raw.h"

#include <herd/geojson.h>

#include <math.h>
#include <stdio.h>

static int put_text(struct herd_buf *out, const char *text, int err)
{
    return err < 0 ? err : herd_buf_add_text(out, text);
}

static int put_position(struct herd_buf *out, int64_t lon_e7, int64_t lat_e7, int err)
{
    err = put_text(out, "[", err);
    if (err >= 0)
        err = herd_decimal_e7_write(out, lon_e7);
    err = put_text(out, ",", err);
    if (err >= 0)
        err = herd_decimal_e7_write(out, lat_e7);
    return put_text(out, "]", err);
}

/* Metres to the millimetre: as whole ones, because printf's point is the locale's, of one byte or more. No fence
 * has more than HERD_GEOJSON_RADIUS_MAX_M. */
static int put_metres(struct herd_buf *out, double metres, int err)
{
    int64_t mm = llround(fmin(metres, HERD_GEOJSON_RADIUS_MAX_M) * 1000);
    return err < 0 ? err : herd_decimal_e7_write(out, mm * (HERD_E7 / 1000));
}

/* Rings follow from the edges: one ends where it comes back to where it began. */
static int put_polygon(struct herd_buf *out, const struct herd_polygon *polygon, int err)
{
    int64_t west = polygon->box.west;
    if (west + polygon->box.width > HERD_E7_CIRCLE)
        west -= HERD_E7_CIRCLE;
    const struct herd_edge *first = NULL;
    err = put_text(out, "[", err);
    for (size_t i = 0; i < polygon->edge_count && err >= 0; i++) {
        const struct herd_edge *edge = &polygon->edges[i];
        if (!first) {
            err = put_position(out, west + edge->x1, edge->y1, put_text(out, i ? ",[" : "[", err));
            first = edge;
        }
        err = put_position(out, west + edge->x2, edge->y2, put_text(out, ",", err));
        if (edge->x2 != first->x1 || edge->y2 != first->y1)
            continue;
        if (i - (size_t)(first - polygon->edges) == 1) /* there and back: a ring has four positions */
            err = put_position(out, west + edge->x2, edge->y2, put_text(out, ",", err));
        err = put_text(out, "]", err);
        first = NULL;
    }
    return put_text(out, "]", err);
}

static int put_geometry(struct herd_buf *out, const struct herd_shape *shape, int err)
{
    if (shape->kind == HERD_SHAPE_PROXIMITY)
        return put_text(out, "null", err);
    if (shape->kind != HERD_SHAPE_POLYGON) {
        err = put_text(out, "{\"type\":\"Point\",\"coordinates\":", err);
        err = put_position(out, llround(shape->lon_deg * HERD_E7_DEGREE), llround(shape->lat_deg * HERD_E7_DEGREE),
                           err);
        return put_text(out, "}", err);
    }
    err = put_text(out, "{\"type\":\"MultiPolygon\",\"coordinates\":[", err);
    for (size_t i = 0; i < shape->polygon_count; i++)
        err = put_polygon(out, &shape->polygons[i], put_text(out, i ? "," : "", err));
    return put_text(out, "]}", err);
}

static int put_group(struct herd_buf *out, const char *member, struct herd_span group, int err)
{
    err = put_text(out, member, err);
    if (err >= 0)
        err = herd_raw_escape(out, group);
    return put_text(out, "\"", err);
}

static int put_proximity(struct herd_buf *out, const struct herd_shape *shape, int err)
{
    err = put_metres(out, shape->radius_m, put_text(out, ",\"proximity\":", err));
    err = put_group(out, ",\"who\":\"", shape->who, err);
    return put_group(out, ",\"near\":\"", shape->near, err);
}

int herd_fence_put_geojson(struct herd_buf *out, struct herd_span name, const struct herd_shape *shape,
                           const struct herd_fence_options *options)
{
    static const char *const kinds[] = {"\"enter\"", "\"leave\"", "\"inside\"", "\"cross\""};
    const unsigned told = options->kinds ? options->kinds : HERD_FENCE_ENTER | HERD_FENCE_LEAVE;
    char dwell[64];
    int err = put_geometry(out, shape, put_text(out, "{\"type\":\"Feature\",\"geometry\":", 0));
    err = put_text(out, ",\"properties\":{\"name\":\"", err);
    if (err >= 0)
        err = herd_raw_escape(out, name);
    err = put_text(out, "\",\"kinds\":[", err);
    bool any = false;
    for (unsigned i = 0; i < 4; i++) {
        if (!(told & 1u << i))
            continue;
        err = put_text(out, kinds[i], put_text(out, any ? "," : "", err));
        any = true;
    }
    err = put_text(out, "]", err);
    if (shape->kind == HERD_SHAPE_CIRCLE)
        err = put_metres(out, shape->radius_m, put_text(out, ",\"radius\":", err));
    if (shape->kind == HERD_SHAPE_PROXIMITY)
        err = put_proximity(out, shape, err);
    if (options->margin_m > 0)
        err = put_metres(out, options->margin_m, put_text(out, ",\"margin\":", err));
    snprintf(dwell, sizeof dwell, ",\"dwell\":%lld", (long long)options->dwell_ms);
    err = put_text(out, options->dwell_ms > 0 ? dwell : "", err);
    return put_text(out, "}}", err);
}
