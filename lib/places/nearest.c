/* SPDX-License-Identifier: MIT */
/* The nearest points around a centre. */
#include "points_index.h"

#include <math.h>

#define EARTH_MEAN_RADIUS_M 6371008.8
#define RAD                 0.017453292519943295

static double haversine(double lat1_deg, double cos_lat1, double lon1_deg, double lat2_deg, double lon2_deg)
{
    double dlat = sin((lat2_deg - lat1_deg) * (RAD / 2));
    double dlon = sin((lon2_deg - lon1_deg) * (RAD / 2));
    return dlat * dlat + cos_lat1 * cos(lat2_deg * RAD) * dlon * dlon;
}

double herd_points_haversine(double lat1_deg, double lon1_deg, double lat2_deg, double lon2_deg)
{
    return haversine(lat1_deg, cos(lat1_deg * RAD), lon1_deg, lat2_deg, lon2_deg);
}

double herd_points_metres(double haversine)
{
    return 2 * EARTH_MEAN_RADIUS_M * asin(sqrt(haversine < 1 ? haversine : 1));
}

/* A look-up under way. The hits are a short list in order; once it is full, its last entry is the limit that
 * later points have to beat, and the box around the centre shrinks with it. */
struct search {
    const struct herd_points_entry *at;
    double lat_deg, lon_deg, cos_lat;
    int64_t lat_e7, lon_e7;
    double limit;             /* haversine: farther points are of no use */
    int64_t dlat_e7, dlon_e7; /* the box outside of which everything is beyond the limit */
    struct herd_points_hit *hits;
    size_t count, cap;
};

/* The box of a limit, a little too large (1e-6 degree) rather than too small. */
static void shrink_box(struct search *s, double limit)
{
    s->limit = limit;
    double half = limit < 1 ? asin(sqrt(limit)) : 1.5707963267948966; /* half the angle, radians */
    double angle = 2 * half;
    s->dlat_e7 = (int64_t)(angle / RAD * 1e7) + 10;
    /* Where the circle holds a pole every longitude is in it; elsewhere its meridians touch it here. */
    double lat = fabs(s->lat_deg) * RAD;
    if (lat + angle + 2e-8 >= 1.5707963267948966)
        s->dlon_e7 = (int64_t)1800000000;
    else
        s->dlon_e7 = (int64_t)(asin(sin(angle) / s->cos_lat) / RAD * 1e7) + 10;
}

static bool before(const struct herd_points_hit *a, const struct herd_points_hit *b)
{
    return a->haversine < b->haversine || (a->haversine == b->haversine && a->i < b->i);
}

static void take(struct search *s, size_t i)
{
    const struct herd_points_entry *e = &s->at[i];
    int64_t dlon = (int64_t)e->lon_e7 - s->lon_e7;
    if (dlon < 0)
        dlon = -dlon;
    if (dlon > 1800000000)
        dlon = 3600000000 - dlon;
    if (dlon > s->dlon_e7)
        return;
    struct herd_points_hit hit = {haversine(s->lat_deg, s->cos_lat, s->lon_deg, e->lat_e7 / 1e7, e->lon_e7 / 1e7),
                                  i};
    if (hit.haversine > s->limit || (s->count == s->cap && !before(&hit, &s->hits[s->count - 1])))
        return;
    size_t to = s->count < s->cap ? s->count++ : s->cap - 1;
    for (; to && before(&hit, &s->hits[to - 1]); to--)
        s->hits[to] = s->hits[to - 1];
    s->hits[to] = hit;
    if (s->count == s->cap)
        shrink_box(s, s->hits[s->count - 1].haversine);
}

/* Walks one strip from the centre's latitude up and down. */
static void walk_strip(struct search *s, size_t begin, size_t end)
{
    size_t low = begin, high = end;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->at[middle].lat_e7 < s->lat_e7)
            low = middle + 1;
        else
            high = middle;
    }
    for (size_t i = low; i < end && s->at[i].lat_e7 - s->lat_e7 <= s->dlat_e7; i++)
        take(s, i);
    for (size_t i = low; i > begin && s->lat_e7 - s->at[i - 1].lat_e7 <= s->dlat_e7; i--)
        take(s, i - 1);
}

/* Longitude from the centre to the near edge of a strip `steps` away (negative: to the west). */
static int64_t strip_gap_e7(int64_t into_e7, int steps)
{
    if (steps == 0)
        return 0;
    return steps > 0 ? (int64_t)steps * 10000000 - into_e7 : into_e7 + ((int64_t)-steps - 1) * 10000000;
}

size_t herd_points_nearest(const struct herd_points *points, double lat_deg, double lon_deg, double radius_m,
                           struct herd_points_hit *ret_hits, size_t cap)
{
    if (!points->indexed || !cap || !(radius_m >= 0) || !(fabs(lat_deg) <= 90) || !(fabs(lon_deg) <= 180))
        return 0;
    struct search s = {.at = points->at,
                       .lat_deg = lat_deg,
                       .lon_deg = lon_deg,
                       .cos_lat = cos(lat_deg * RAD),
                       .lat_e7 = llround(lat_deg * 1e7),
                       .lon_e7 = llround(lon_deg * 1e7),
                       .hits = ret_hits,
                       .cap = cap};
    double half = radius_m / (2 * EARTH_MEAN_RADIUS_M);
    double sine = half < 1.5707963267948966 ? sin(half) : 1;
    shrink_box(&s, sine * sine);
    size_t home = herd_points_strip((int32_t)s.lon_e7);
    int64_t into_e7 = (s.lon_e7 + 1800000000) % 10000000;
    /* Home first, then one strip to the east and one to the west by turns, farther and farther away. */
    for (int steps = 0; steps <= HERD_POINTS_STRIPS / 2; steps++) {
        bool near = false;
        for (int side = 0; side < (steps == 0 || steps == HERD_POINTS_STRIPS / 2 ? 1 : 2); side++) {
            int to = side ? -steps : steps;
            if (strip_gap_e7(into_e7, to) > s.dlon_e7)
                continue;
            near = true;
            size_t strip = (home + (size_t)(to + HERD_POINTS_STRIPS)) % HERD_POINTS_STRIPS;
            walk_strip(&s, points->strips[strip], points->strips[strip + 1]);
        }
        if (!near)
            break;
    }
    return s.count;
}
