/* SPDX-License-Identifier: MIT */
/* Circles, boxes and polygons. */
#include "shape.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CIRCLE_STEPS   2
#define EDGES_PER_STEP 8

static bool is_place(double lat_deg, double lon_deg)
{
    return fabs(lat_deg) <= 90 && fabs(lon_deg) <= 180; /* false of NaN */
}

static struct herd_e7 rounded(double lat_deg, double lon_deg)
{
    return (struct herd_e7){(int32_t)llround(lat_deg * HERD_E7_DEGREE), (int32_t)llround(lon_deg * HERD_E7_DEGREE)};
}

int herd_shape_circle(struct herd_shape **ret_shape, double lat_deg, double lon_deg, double radius_m)
{
    if (!is_place(lat_deg, lon_deg) || !(radius_m >= 0) || isinf(radius_m))
        return HERD_E_RANGE;
    struct herd_shape *shape = calloc(1, sizeof *shape);
    if (!shape)
        return HERD_E_NOMEM;
    shape->kind = HERD_SHAPE_CIRCLE;
    shape->lat_deg = lat_deg;
    shape->cos_lat = herd_cosine_deg(lat_deg);
    shape->lon_deg = lon_deg;
    shape->radius_m = radius_m;
    shape->haversine = herd_metres_haversine(radius_m);
    shape->haversine_out = herd_metres_haversine(radius_m + 0.1);
    shape->box = herd_box_of_circle(lat_deg, lon_deg, radius_m);
    *ret_shape = shape;
    return 0;
}

int herd_shape_box(struct herd_shape **ret_shape, double west_deg, double south_deg, double east_deg,
                   double north_deg)
{
    if (!is_place(south_deg, west_deg) || !is_place(north_deg, east_deg) || south_deg > north_deg)
        return HERD_E_RANGE;
    struct herd_shape *shape = calloc(1, sizeof *shape);
    if (!shape)
        return HERD_E_NOMEM;
    shape->kind = HERD_SHAPE_BOX;
    shape->west_deg = west_deg;
    shape->south_deg = south_deg;
    shape->east_deg = east_deg;
    shape->north_deg = north_deg;
    double width_deg = east_deg - west_deg + (west_deg > east_deg ? 360 : 0);
    struct herd_e7 corner = rounded(south_deg, west_deg);
    struct herd_box box = {corner.lat, rounded(north_deg, 0).lat, herd_box_offset(-HERD_E7_LON_MAX, corner.lon),
                           llround(width_deg * HERD_E7_DEGREE)};
    box.west -= HERD_E7_LON_MAX;
    shape->box = herd_box_grow(&box, 0);
    *ret_shape = shape;
    return 0;
}

int herd_shape_polygon(struct herd_shape **ret_shape, const struct herd_ring *rings, size_t count,
                       const char **reterr_message)
{
    size_t polygons = 0, positions = 0;
    for (size_t i = 0; i < count; i++) {
        polygons += !rings[i].hole;
        positions += rings[i].count <= HERD_SHAPE_POSITIONS_MAX ? rings[i].count : HERD_SHAPE_POSITIONS_MAX + 1;
        if (positions > HERD_SHAPE_POSITIONS_MAX) {
            *reterr_message = "more than 65536 positions";
            return HERD_E_LIMIT;
        }
    }
    if (count == 0 || rings[0].hole) {
        *reterr_message = "a polygon begins with its outer ring";
        return HERD_E_SYNTAX;
    }
    struct herd_shape *shape = calloc(1, sizeof *shape + polygons * sizeof shape->polygons[0]);
    if (!shape) {
        *reterr_message = "out of memory";
        return HERD_E_NOMEM;
    }
    shape->kind = HERD_SHAPE_POLYGON;
    for (size_t i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && rings[end].hole;)
            end++;
        struct herd_polygon *polygon = &shape->polygons[shape->polygon_count];
        int err = herd_polygon_init(polygon, rings + i, end - i, reterr_message);
        if (err < 0) {
            herd_shape_free(shape);
            return err;
        }
        shape->box = shape->polygon_count ? herd_box_union(&shape->box, &polygon->box) : polygon->box;
        shape->polygon_count++;
    }
    *ret_shape = shape;
    return 0;
}

static bool is_group(struct herd_span group)
{
    const char *star = group.len > 0 ? memchr(group.at, '*', group.len) : NULL;
    return group.len > 0 && group.len <= HERD_PROXIMITY_GROUP_MAX && (!star || star == group.at + group.len - 1);
}

int herd_shape_proximity(struct herd_shape **ret_shape, struct herd_span who, struct herd_span near,
                         double distance_m)
{
    if (!is_group(who) || !is_group(near))
        return HERD_E_ARG;
    if (!(distance_m >= 0 && distance_m <= HERD_PROXIMITY_MAX_M))
        return HERD_E_RANGE;
    struct herd_shape *shape = calloc(1, sizeof *shape);
    char *groups = malloc(who.len + near.len);
    if (!shape || !groups) {
        free(shape);
        free(groups);
        return HERD_E_NOMEM;
    }
    memcpy(groups, who.at, who.len);
    memcpy(groups + who.len, near.at, near.len);
    shape->kind = HERD_SHAPE_PROXIMITY;
    shape->radius_m = distance_m;
    shape->groups = groups;
    shape->who = (struct herd_span){groups, who.len};
    shape->near = (struct herd_span){groups + who.len, near.len};
    *ret_shape = shape;
    return 0;
}

void herd_shape_free(struct herd_shape *shape)
{
    if (!shape)
        return;
    free(shape->groups);
    for (size_t i = 0; i < shape->polygon_count; i++)
        herd_polygon_fini(&shape->polygons[i]);
    free(shape);
}

bool herd_shape_has_exactly(const struct herd_shape *shape, double lat_deg, double lon_deg)
{
    if (shape->kind == HERD_SHAPE_CIRCLE)
        return herd_haversine(shape->lat_deg, shape->cos_lat, shape->lon_deg, lat_deg, lon_deg) <= shape->haversine;
    if (lat_deg < shape->south_deg || lat_deg > shape->north_deg)
        return false;
    /* The meridian at 180 degrees has two names. */
    double other_deg = lon_deg == 180 ? -180 : lon_deg == -180 ? 180 : lon_deg;
    if (shape->west_deg > shape->east_deg)
        return lon_deg >= shape->west_deg || lon_deg <= shape->east_deg;
    return (lon_deg >= shape->west_deg && lon_deg <= shape->east_deg) ||
           (other_deg >= shape->west_deg && other_deg <= shape->east_deg);
}

bool herd_shape_has_e7(const struct herd_shape *shape, struct herd_e7 position)
{
    if (!herd_box_has(&shape->box, position))
        return false;
    if (shape->kind != HERD_SHAPE_POLYGON)
        return herd_shape_has_exactly(shape, herd_e7_degrees(position.lat), herd_e7_degrees(position.lon));
    for (size_t i = 0; i < shape->polygon_count; i++)
        if (herd_polygon_has(&shape->polygons[i], position))
            return true;
    return false;
}

bool herd_shape_contains(const struct herd_shape *shape, double lat_deg, double lon_deg)
{
    return shape->kind != HERD_SHAPE_PROXIMITY && is_place(lat_deg, lon_deg) &&
           herd_shape_has_e7(shape, rounded(lat_deg, lon_deg));
}

static double distance_m(const struct herd_shape *circle, struct herd_e7 position)
{
    return herd_haversine_metres(herd_haversine(circle->lat_deg, circle->cos_lat, circle->lon_deg,
                                                herd_e7_degrees(position.lat), herd_e7_degrees(position.lon)));
}

bool herd_shape_is_near(const struct herd_shape *shape, struct herd_e7 position, double metres)
{
    if (shape->kind == HERD_SHAPE_CIRCLE)
        return distance_m(shape, position) <= shape->radius_m + metres;
    struct herd_box box = herd_box_grow(&shape->box, metres);
    if (!herd_box_has(&box, position))
        return false;
    for (size_t i = 0; i < shape->polygon_count; i++)
        if (herd_polygon_is_near(&shape->polygons[i], position, metres))
            return true;
    return false;
}

/* The distance of a circle's centre from a line, in the plane that touches the earth at the centre. */
static bool circle_is_crossed(const struct herd_shape *circle, struct herd_e7 from, struct herd_e7 to)
{
    const double unit_m = HERD_EARTH_RADIUS_M * HERD_RADIANS;
    double y1 = herd_e7_degrees(from.lat) - circle->lat_deg, y2 = herd_e7_degrees(to.lat) - circle->lat_deg;
    double x1 = remainder(herd_e7_degrees(from.lon) - circle->lon_deg, 360) * circle->cos_lat;
    double dx = remainder(herd_e7_degrees((int64_t)to.lon - from.lon), 360) * circle->cos_lat, dy = y2 - y1;
    double length = dx * dx + dy * dy, along = length > 0 ? -(x1 * dx + y1 * dy) / length : 0;
    along = along < 0 ? 0 : along > 1 ? 1 : along;
    double x = (x1 + along * dx) * unit_m, y = (y1 + along * dy) * unit_m;
    return x * x + y * y <= circle->radius_m * circle->radius_m;
}

bool herd_shape_is_crossed(const struct herd_shape *shape, struct herd_e7 from, struct herd_e7 to)
{
    if (shape->kind == HERD_SHAPE_CIRCLE)
        return circle_is_crossed(shape, from, to);
    for (size_t i = 0; i < shape->polygon_count; i++)
        if (herd_polygon_is_crossed(&shape->polygons[i], from, to))
            return true;
    return false;
}

size_t herd_shape_steps(const struct herd_shape *shape)
{
    size_t steps = CIRCLE_STEPS;
    for (size_t i = 0; i < shape->polygon_count; i++)
        steps += 1 + shape->polygons[i].longest / EDGES_PER_STEP;
    return steps;
}

size_t herd_shape_all_steps(const struct herd_shape *shape)
{
    size_t steps = CIRCLE_STEPS;
    for (size_t i = 0; i < shape->polygon_count; i++)
        steps += 1 + shape->polygons[i].edge_count / EDGES_PER_STEP;
    return steps;
}
