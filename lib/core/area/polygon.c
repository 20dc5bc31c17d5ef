/* SPDX-License-Identifier: MIT */
/* Points in polygons. */
#include "polygon.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define STRIPS_MAX       4096
#define EDGES_A_STRIP    4
#define LISTED_PER_EDGE  8
#define LON_MAX_RUNS_DEG 360.0 /* longitudes may run on past the date line */

static int refuse(const char **reterr_message, int err, const char *message)
{
    *reterr_message = message;
    return err;
}

static bool same_position(const double *a, const double *b)
{
    return llround(a[0] * HERD_E7_DEGREE) == llround(b[0] * HERD_E7_DEGREE) &&
           llround(a[1] * HERD_E7_DEGREE) == llround(b[1] * HERD_E7_DEGREE);
}

static int check_ring(const struct herd_ring *ring, const char **reterr_message)
{
    for (size_t i = 0; i < ring->count; i++) {
        const double *at = ring->positions + 2 * i;
        if (!(fabs(at[1]) <= 90))
            return refuse(reterr_message, HERD_E_RANGE, "a latitude beyond 90: positions have the longitude first");
        if (!(fabs(at[0]) <= LON_MAX_RUNS_DEG))
            return refuse(reterr_message, HERD_E_RANGE, "a longitude beyond 360");
    }
    if (ring->count < 4)
        return refuse(reterr_message, HERD_E_SYNTAX, "a ring has four positions or more, the last as the first");
    if (!same_position(ring->positions, ring->positions + 2 * (ring->count - 1)))
        return refuse(reterr_message, HERD_E_SYNTAX, "a ring ends where it begins");
    return 0;
}

/* The box of all rings; its west end may still be a turn off. */
static int measure(struct herd_polygon *polygon, const struct herd_ring *rings, size_t count, int64_t *ret_west,
                   const char **reterr_message)
{
    int64_t west = INT64_MAX, east = INT64_MIN, south = INT64_MAX, north = INT64_MIN;
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < rings[i].count; k++) {
            int64_t lon = llround(rings[i].positions[2 * k] * HERD_E7_DEGREE);
            int64_t lat = llround(rings[i].positions[2 * k + 1] * HERD_E7_DEGREE);
            west = lon < west ? lon : west;
            east = lon > east ? lon : east;
            south = lat < south ? lat : south;
            north = lat > north ? lat : north;
        }
    }
    if (east - west > HERD_E7_CIRCLE)
        return refuse(reterr_message, HERD_E_RANGE, "a polygon wider than 360 degrees");
    *ret_west = west;
    int64_t turned = west;
    while (turned < -HERD_E7_LON_MAX)
        turned += HERD_E7_CIRCLE;
    while (turned >= HERD_E7_LON_MAX)
        turned -= HERD_E7_CIRCLE;
    polygon->box = (struct herd_box){(int32_t)south, (int32_t)north, turned, east - west};
    return 0;
}

static uint32_t strip_of(const struct herd_polygon *polygon, int32_t y)
{
    int64_t height = (int64_t)polygon->box.north - polygon->box.south + 1;
    return (uint32_t)(((int64_t)y - polygon->box.south) * polygon->strip_count / height);
}

static void strips_of_edge(const struct herd_polygon *polygon, const struct herd_edge *edge, uint32_t *ret_first,
                           uint32_t *ret_last)
{
    *ret_first = strip_of(polygon, edge->y1 < edge->y2 ? edge->y1 : edge->y2);
    *ret_last = strip_of(polygon, edge->y1 < edge->y2 ? edge->y2 : edge->y1);
}

/* As many strips as leave each edge in few of them. */
static size_t choose_strips(struct herd_polygon *polygon)
{
    size_t count = polygon->edge_count / EDGES_A_STRIP;
    polygon->strip_count = (uint32_t)(count < 1 ? 1 : count > STRIPS_MAX ? STRIPS_MAX : count);
    for (;; polygon->strip_count /= 2) {
        size_t listed = 0;
        for (size_t i = 0; i < polygon->edge_count; i++) {
            uint32_t first, last;
            strips_of_edge(polygon, &polygon->edges[i], &first, &last);
            listed += last - first + 1;
        }
        if (polygon->strip_count == 1 || listed <= LISTED_PER_EDGE * polygon->edge_count)
            return listed;
    }
}

static int sort_into_strips(struct herd_polygon *polygon)
{
    size_t listed = choose_strips(polygon);
    polygon->strips = calloc((size_t)polygon->strip_count + 2, sizeof *polygon->strips);
    polygon->listed = malloc(listed * sizeof *polygon->listed);
    if (!polygon->strips || !polygon->listed)
        return HERD_E_NOMEM;
    /* Counts two places on, then sums: where each strip begins, one place on; filling moves that to its end. */
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < polygon->edge_count; i++) {
            uint32_t first, last;
            strips_of_edge(polygon, &polygon->edges[i], &first, &last);
            for (uint32_t strip = first; strip <= last; strip++) {
                if (pass == 0)
                    polygon->strips[strip + 2]++;
                else
                    polygon->listed[polygon->strips[strip + 1]++] = (uint32_t)i;
            }
        }
        for (uint32_t strip = 2; pass == 0 && strip < polygon->strip_count + 2; strip++) {
            if (polygon->strips[strip] > polygon->longest)
                polygon->longest = polygon->strips[strip];
            polygon->strips[strip] += polygon->strips[strip - 1];
        }
    }
    return 0;
}

int herd_polygon_init(struct herd_polygon *polygon, const struct herd_ring *rings, size_t count,
                      const char **reterr_message)
{
    *polygon = (struct herd_polygon){.edge_count = 0};
    int64_t west;
    size_t positions = 0;
    for (size_t i = 0; i < count; i++) {
        int err = check_ring(&rings[i], reterr_message);
        if (err < 0)
            return err;
        positions += rings[i].count;
    }
    int err = measure(polygon, rings, count, &west, reterr_message);
    if (err < 0)
        return err;
    polygon->edges = malloc(positions * sizeof *polygon->edges);
    for (size_t i = 0; i < count && polygon->edges; i++) {
        for (size_t k = 1; k < rings[i].count; k++) {
            const double *at = rings[i].positions + 2 * k;
            const struct herd_edge edge = {(uint32_t)(llround(at[-2] * HERD_E7_DEGREE) - west),
                                           (uint32_t)(llround(at[0] * HERD_E7_DEGREE) - west),
                                           (int32_t)llround(at[-1] * HERD_E7_DEGREE),
                                           (int32_t)llround(at[1] * HERD_E7_DEGREE)};
            if (edge.x1 != edge.x2 || edge.y1 != edge.y2)
                polygon->edges[polygon->edge_count++] = edge;
        }
    }
    if (polygon->edges && polygon->edge_count == 0)
        err = refuse(reterr_message, HERD_E_SYNTAX, "a polygon that is a single point");
    else if (!polygon->edges || sort_into_strips(polygon) < 0)
        err = refuse(reterr_message, HERD_E_NOMEM, "out of memory");
    if (err < 0)
        herd_polygon_fini(polygon);
    return err;
}

void herd_polygon_fini(struct herd_polygon *polygon)
{
    free(polygon->edges);
    free(polygon->strips);
    free(polygon->listed);
    *polygon = (struct herd_polygon){.edge_count = 0};
}

static bool between(int64_t a, int64_t b, int64_t value)
{
    return a < b ? a <= value && value <= b : b <= value && value <= a;
}

static bool has_point(const struct herd_polygon *polygon, int64_t x, int32_t y)
{
    uint32_t strip = strip_of(polygon, y);
    bool inside = false;
    for (uint32_t i = polygon->strips[strip]; i < polygon->strips[strip + 1]; i++) {
        const struct herd_edge *edge = &polygon->edges[polygon->listed[i]];
        /* Both products are below 2^63: no more than 360 degrees by 180. */
        int64_t left = (x - edge->x1) * ((int64_t)edge->y2 - edge->y1);
        int64_t right = ((int64_t)edge->x2 - edge->x1) * ((int64_t)y - edge->y1);
        if (left == right && between(edge->x1, edge->x2, x) && between(edge->y1, edge->y2, y))
            return true;
        if ((edge->y1 > y) != (edge->y2 > y) && (edge->y2 > edge->y1 ? left < right : left > right))
            inside = !inside;
    }
    return inside;
}

bool herd_polygon_has(const struct herd_polygon *polygon, struct herd_e7 position)
{
    if (!herd_box_has(&polygon->box, position))
        return false;
    int64_t x = herd_box_offset(polygon->box.west, position.lon);
    return has_point(polygon, x, position.lat) ||
           /* Where it goes round the earth, one meridian is both of its ends. */
           (x == 0 && polygon->box.width == HERD_E7_CIRCLE && has_point(polygon, HERD_E7_CIRCLE, position.lat));
}

/* The longitude of `lon` east of `from`, the short way: -180 to 180 degrees. */
static double short_way(double lon, double from)
{
    double way = lon - from;
    while (way > HERD_E7_LON_MAX)
        way -= (double)HERD_E7_CIRCLE;
    while (way < -HERD_E7_LON_MAX)
        way += (double)HERD_E7_CIRCLE;
    return way;
}

bool herd_polygon_is_near(const struct herd_polygon *polygon, struct herd_e7 position, double metres)
{
    const double unit_m = HERD_EARTH_RADIUS_M * HERD_RADIANS / HERD_E7_DEGREE;
    double scale = herd_cosine_deg(herd_e7_degrees(position.lat));
    double x = (double)herd_box_offset(polygon->box.west, position.lon), y = position.lat;
    /* As is_crossed: an edge longer than half the earth has points near the position that are not the short way from its end. */
    for (double turn = -(double)HERD_E7_CIRCLE; turn <= (double)HERD_E7_CIRCLE; turn += (double)HERD_E7_CIRCLE) {
        for (size_t i = 0; i < polygon->edge_count; i++) {
            const struct herd_edge *edge = &polygon->edges[i];
            double x1 = (edge->x1 - x + turn) * scale, y1 = edge->y1 - y;
            double dx = ((double)edge->x2 - edge->x1) * scale, dy = (double)edge->y2 - edge->y1;
            double length = dx * dx + dy * dy, along = length > 0 ? -(x1 * dx + y1 * dy) / length : 0;
            along = along < 0 ? 0 : along > 1 ? 1 : along;
            double nx = x1 + along * dx, ny = y1 + along * dy;
            if ((nx * nx + ny * ny) * unit_m * unit_m <= metres * metres)
                return true;
        }
    }
    return false;
}

/* On which side of the line from 1 to 2 a point is. */
static double side(double x1, double y1, double x2, double y2, double x, double y)
{
    return (x2 - x1) * (y - y1) - (x - x1) * (y2 - y1);
}

/* Whether 1 to 2 and 3 to 4 have a value in common: of two pieces of one straight line the sides say nothing. */
static bool overlap(double a1, double a2, double b1, double b2)
{
    return fmax(fmin(a1, a2), fmin(b1, b2)) <= fmin(fmax(a1, a2), fmax(b1, b2));
}

bool herd_polygon_is_crossed(const struct herd_polygon *polygon, struct herd_e7 from, struct herd_e7 to)
{
    double ax = (double)herd_box_offset(polygon->box.west, from.lon), ay = from.lat;
    double bx = ax + short_way(to.lon, from.lon), by = to.lat;
    /* Seen from the polygon, what lies a little west of it is nearly a circle to the east. */
    for (double turn = -(double)HERD_E7_CIRCLE; turn <= (double)HERD_E7_CIRCLE; turn += (double)HERD_E7_CIRCLE) {
        double x1 = ax + turn, x2 = bx + turn;
        if ((x1 < 0 && x2 < 0) || (x1 > (double)polygon->box.width && x2 > (double)polygon->box.width))
            continue;
        for (size_t i = 0; i < polygon->edge_count; i++) {
            const struct herd_edge *e = &polygon->edges[i];
            double a = side(e->x1, e->y1, e->x2, e->y2, x1, ay), b = side(e->x1, e->y1, e->x2, e->y2, x2, by);
            double c = side(x1, ay, x2, by, e->x1, e->y1), d = side(x1, ay, x2, by, e->x2, e->y2);
            if (((a <= 0 && b >= 0) || (a >= 0 && b <= 0)) && ((c <= 0 && d >= 0) || (c >= 0 && d <= 0)) &&
                overlap(x1, x2, e->x1, e->x2) && overlap(ay, by, e->y1, e->y2))
                return true;
        }
    }
    return false;
}
