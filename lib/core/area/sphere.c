/* SPDX-License-Identifier: MIT */
/* Spherical trigonometry. */
#include "sphere.h"

#include <math.h>
#include <stdlib.h>

#define QUARTER_TURN 1.5707963267948966
#define SLACK_E7     20 /* two decimetres */

double herd_cosine_deg(double deg)
{
    return cos(deg * HERD_RADIANS);
}

double herd_haversine(double lat1_deg, double cos_lat1, double lon1_deg, double lat2_deg, double lon2_deg)
{
    double dlat = sin((lat2_deg - lat1_deg) * (HERD_RADIANS / 2));
    double dlon = sin((lon2_deg - lon1_deg) * (HERD_RADIANS / 2));
    return dlat * dlat + cos_lat1 * cos(lat2_deg * HERD_RADIANS) * dlon * dlon;
}

double herd_haversine_metres(double haversine)
{
    return 2 * HERD_EARTH_RADIUS_M * asin(sqrt(haversine < 1 ? haversine : 1));
}

/* Rounding may put two antipodes a little beyond 1. */
#define HAVERSINE_ALL 2.0

double herd_metres_haversine(double metres)
{
    double half = metres / (2 * HERD_EARTH_RADIUS_M);
    if (half >= QUARTER_TURN)
        return HAVERSINE_ALL;
    double sine = sin(half);
    return sine * sine;
}

static int32_t clamp_lat(int64_t lat_e7)
{
    return (int32_t)(lat_e7 < -HERD_E7_LAT_MAX  ? -HERD_E7_LAT_MAX
                     : lat_e7 > HERD_E7_LAT_MAX ? HERD_E7_LAT_MAX
                                                : lat_e7);
}

static int64_t turn_west(int64_t lon_e7)
{
    if (lon_e7 < -HERD_E7_LON_MAX)
        lon_e7 += HERD_E7_CIRCLE;
    return lon_e7 >= HERD_E7_LON_MAX ? lon_e7 - HERD_E7_CIRCLE : lon_e7;
}

static struct herd_box whole_circle(int64_t south, int64_t north)
{
    return (struct herd_box){clamp_lat(south), clamp_lat(north), -HERD_E7_LON_MAX, HERD_E7_CIRCLE};
}

struct herd_box herd_box_of_circle(double lat_deg, double lon_deg, double radius_m)
{
    double angle = radius_m / HERD_EARTH_RADIUS_M;
    if (angle >= 2 * QUARTER_TURN)
        return whole_circle(-HERD_E7_LAT_MAX, HERD_E7_LAT_MAX);
    int64_t lat = llround(lat_deg * HERD_E7_DEGREE), lon = llround(lon_deg * HERD_E7_DEGREE);
    int64_t dlat = (int64_t)(angle / HERD_RADIANS * HERD_E7_DEGREE) + SLACK_E7;
    /* Where the circle holds a pole every longitude is in it; elsewhere its meridians touch it here. */
    if (fabs(lat_deg) * HERD_RADIANS + angle + 1e-6 >= QUARTER_TURN)
        return whole_circle(lat - dlat, lat + dlat);
    double touch = asin(sin(angle) / cos(lat_deg * HERD_RADIANS)) / HERD_RADIANS;
    /* A slack in metres is more degrees of longitude near a pole. */
    int64_t slack =
        (int64_t)(SLACK_E7 / cos((double)(llabs(lat) + dlat) / HERD_E7_DEGREE * HERD_RADIANS)) + SLACK_E7;
    int64_t dlon = (int64_t)(touch * HERD_E7_DEGREE) + slack;
    if (dlon >= HERD_E7_LON_MAX)
        return whole_circle(lat - dlat, lat + dlat);
    return (struct herd_box){clamp_lat(lat - dlat), clamp_lat(lat + dlat), turn_west(lon - dlon), 2 * dlon};
}

/* How wide a box from the west end of `a` is that holds `b` too. */
static int64_t width_from(const struct herd_box *a, const struct herd_box *b)
{
    int64_t width = herd_box_offset(a->west, b->west) + b->width;
    return width > a->width ? width : a->width;
}

struct herd_box herd_box_union(const struct herd_box *a, const struct herd_box *b)
{
    int64_t from_a = width_from(a, b), from_b = width_from(b, a);
    struct herd_box both = {a->south < b->south ? a->south : b->south, a->north > b->north ? a->north : b->north,
                            from_a <= from_b ? a->west : b->west, from_a <= from_b ? from_a : from_b};
    return both.width < HERD_E7_CIRCLE ? both : whole_circle(both.south, both.north);
}

struct herd_box herd_box_grow(const struct herd_box *box, double metres)
{
    double degrees = metres / HERD_EARTH_RADIUS_M / HERD_RADIANS;
    int64_t south = box->south, north = box->north;
    int64_t farthest = llabs(south) > llabs(north) ? llabs(south) : llabs(north);
    int64_t dlat = degrees < 180 ? (int64_t)(degrees * HERD_E7_DEGREE) + SLACK_E7 : HERD_E7_LON_MAX;
    if (farthest + dlat >= HERD_E7_LAT_MAX - HERD_E7_DEGREE / 100)
        return whole_circle(south - dlat, north + dlat);
    int64_t dlon =
        (int64_t)((double)dlat / cos((double)(farthest + dlat) / HERD_E7_DEGREE * HERD_RADIANS)) + SLACK_E7;
    if (box->width + 2 * dlon >= HERD_E7_CIRCLE)
        return whole_circle(south - dlat, north + dlat);
    return (struct herd_box){clamp_lat(south - dlat), clamp_lat(north + dlat), turn_west(box->west - dlon),
                             box->width + 2 * dlon};
}
