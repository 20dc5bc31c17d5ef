/* SPDX-License-Identifier: MIT */
/* Distances on a sphere of the earth's mean radius, which differ from those on the ellipsoid by 0.6 % at most; and the
 * boxes around circles. A haversine is the square of the sine of half an angle: it grows with the distance, so that
 * distances are compared without an arc sine. */
#ifndef HERD_CORE_SPHERE_H
#define HERD_CORE_SPHERE_H

#include "e7.h"

#define HERD_EARTH_RADIUS_M 6371008.8
#define HERD_RADIANS        0.017453292519943295

/* Latitudes from `south` to `north`, longitudes from `west` (-180 up to but not 180) eastward for `width`. */
struct herd_box {
    int32_t south, north;
    int64_t west, width;
};

/* How far east of `west` a longitude is, 0 up to but not a whole circle. */
static inline int64_t herd_box_offset(int64_t west, int64_t lon)
{
    int64_t offset = lon - west;
    if (offset < 0)
        offset += HERD_E7_CIRCLE;
    return offset >= HERD_E7_CIRCLE ? offset - HERD_E7_CIRCLE : offset;
}

static inline bool herd_box_has(const struct herd_box *box, struct herd_e7 position)
{
    return position.lat >= box->south && position.lat <= box->north &&
           herd_box_offset(box->west, position.lon) <= box->width;
}

/* `cos_lat1` is the cosine of lat1_deg. */
double herd_haversine(double lat1_deg, double cos_lat1, double lon1_deg, double lat2_deg, double lon2_deg);
double herd_haversine_metres(double haversine);
double herd_metres_haversine(double metres);
double herd_cosine_deg(double deg);

/* A box that holds the circle, and a little more, so that what is rounded to 1e-7 degree is inside too. */
struct herd_box herd_box_of_circle(double lat_deg, double lon_deg, double radius_m);
/* The smaller of two boxes that hold both. */
struct herd_box herd_box_union(const struct herd_box *a, const struct herd_box *b);
/* A box larger by `metres` on all sides, or a little more. */
struct herd_box herd_box_grow(const struct herd_box *box, double metres);

#endif
