/* SPDX-License-Identifier: MIT */
/* A GeoJSON geometry (RFC 7946, section 3.1) as one point: itself, or the centre of the box around it. */
#include "decimal.h"
#include "raw.h"
#include "reader.h"

#include <stdlib.h>

#define FULL_E7  (360 * (int64_t)HERD_E7)
#define NOISE_E7 100 /* a metre: so far out of range rounding and projecting put what lies on the edge */

struct range {
    int64_t least, most;
};

/*
 * The box around all positions so far, in 1e-7 degrees. What crosses the antimeridian comes in parts, cut there
 * (RFC 7946, 3.1.9), so a box from -180 to 180 may be meant to be a narrow one at 180: longitudes are kept a second
 * time with western parts moved around the earth. A part that goes past Greenwich is on neither side, and then
 * there is nothing to move.
 */
struct box {
    struct herd_span geometry;
    struct herd_raw_fault *fault;
    size_t positions, part_positions, left_out;
    struct range lat, lon, moved, part_lon;
    bool is_on_both_sides;
};

static int refuse(const struct box *box, int err, const char *what, struct herd_span at)
{
    *box->fault = (struct herd_raw_fault){(size_t)(at.at - box->geometry.at), what};
    return err;
}

static void widen(struct range *range, int64_t value, bool first)
{
    if (first || value < range->least)
        range->least = value;
    if (first || value > range->most)
        range->most = value;
}

static void end_part(struct box *box)
{
    bool first = box->positions == box->part_positions, west = box->part_lon.least < 0;
    if (!box->part_positions)
        return;
    if (west && box->part_lon.most > 0)
        box->is_on_both_sides = true;
    widen(&box->lon, box->part_lon.least, first);
    widen(&box->lon, box->part_lon.most, false);
    widen(&box->moved, box->part_lon.least + (west ? FULL_E7 : 0), first);
    widen(&box->moved, box->part_lon.most + (west ? FULL_E7 : 0), false);
    box->part_positions = 0;
}

/* [longitude, latitude, and what else may follow] */
static int add_position(struct box *box, struct herd_span position)
{
    struct herd_span lon, lat;
    struct herd_raw_walk walk = herd_raw_walk(position);
    if (herd_raw_kind(position) != '[' || !herd_raw_element(&walk, &lon) || !herd_raw_element(&walk, &lat) ||
        herd_raw_kind(lon) != '0' || herd_raw_kind(lat) != '0')
        return refuse(box, HERD_E_SYNTAX, "a position is [longitude, latitude], two numbers", position);
    int64_t lon_e7 = 2 * FULL_E7, lat_e7 = 2 * FULL_E7; /* as far out as can be, where they are beyond reading */
    (void)herd_decimal_e7(lon, &lon_e7);
    (void)herd_decimal_e7(lat, &lat_e7);
    int64_t lon_over = llabs(lon_e7) - 180 * (int64_t)HERD_E7, lat_over = llabs(lat_e7) - 90 * (int64_t)HERD_E7;
    if (lon_over > 0 || lat_over > 0) {
        static const char swapped[] = "latitude beyond 90: GeoJSON has the longitude first";
        static const char beyond[] = "longitude beyond 180 or latitude beyond 90";
        if (lon_over > NOISE_E7 || lat_over > NOISE_E7)
            return refuse(box, HERD_E_RANGE, lon_over > 0 ? beyond : swapped, position);
        if (!box->left_out++)
            (void)refuse(box, HERD_E_RANGE, beyond, position);
        return 0;
    }
    widen(&box->lat, lat_e7, !box->positions++);
    widen(&box->part_lon, lon_e7, !box->part_positions++);
    return 0;
}

/* Arrays of arrays, `depth` of them, and positions in the innermost. The elements of the array that is
 * `parts_depth` deep, counted likewise, are parts of their own. */
static int add_positions(struct box *box, struct herd_span coordinates, unsigned depth, unsigned parts_depth)
{
    struct herd_raw_walk walk = herd_raw_walk(coordinates);
    struct herd_span element;
    int err = 0;
    if (!depth)
        return add_position(box, coordinates);
    if (herd_raw_kind(coordinates) != '[')
        return refuse(box, HERD_E_SYNTAX, "coordinates are not nested as this geometry's are", coordinates);
    while (err == 0 && herd_raw_element(&walk, &element)) {
        err = add_positions(box, element, depth - 1, parts_depth);
        if (depth == parts_depth)
            end_part(box);
    }
    return err;
}

/* Geometries of no type that is known add nothing. The check of the text bounds how deep collections nest. */
static int add_geometry(struct box *box, struct herd_span geometry)
{
    static const struct {
        const char *type;
        unsigned depth, parts_depth;
    } types[] = {{"Point", 0, 0},   {"MultiPoint", 1, 1},      {"LineString", 1, 0},
                 {"Polygon", 2, 0}, {"MultiLineString", 2, 2}, {"MultiPolygon", 3, 3}};
    struct herd_span type, inside, element;
    int err = 0;
    if (!herd_raw_get(geometry, "type", &type))
        return 0;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (!herd_raw_is(type, types[i].type))
            continue;
        if (!herd_raw_get(geometry, "coordinates", &inside))
            return refuse(box, HERD_E_SYNTAX, "a geometry without coordinates", geometry);
        /* Empty coordinates may be taken for no geometry (3.1). */
        struct herd_raw_walk walk = herd_raw_walk(inside);
        bool empty = herd_raw_kind(inside) == '[' && !herd_raw_element(&walk, &element);
        err = empty ? 0 : add_positions(box, inside, types[i].depth, types[i].parts_depth);
        end_part(box);
        return err;
    }
    if (herd_raw_is(type, "GeometryCollection") && herd_raw_get(geometry, "geometries", &inside)) {
        struct herd_raw_walk walk = herd_raw_walk(inside);
        while (err == 0 && herd_raw_kind(inside) == '[' && herd_raw_element(&walk, &element))
            err = add_geometry(box, element);
    }
    return err;
}

int herd_geometry_centre(struct herd_span geometry, bool *ret_found, struct herd_point *io_point,
                         size_t *ret_left_out, struct herd_raw_fault *reterr_diagnostic)
{
    struct box box = {.geometry = geometry, .fault = reterr_diagnostic};
    int err = herd_raw_kind(geometry) == '{' ? add_geometry(&box, geometry) : 0;
    if (err < 0)
        return err;
    *ret_found = box.positions > 0;
    *ret_left_out = box.left_out;
    if (!box.positions)
        return 0;
    bool moved = !box.is_on_both_sides && box.moved.most - box.moved.least < box.lon.most - box.lon.least;
    int64_t lon_e7 = moved ? (box.moved.least + box.moved.most) / 2 : (box.lon.least + box.lon.most) / 2;
    if (lon_e7 > FULL_E7 / 2)
        lon_e7 -= FULL_E7;
    io_point->lon_e7 = (int32_t)lon_e7;
    io_point->lat_e7 = (int32_t)((box.lat.least + box.lat.most) / 2);
    return 0;
}
