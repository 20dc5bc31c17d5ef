/* SPDX-License-Identifier: MIT */
/* What points.c fills and nearest.c reads: the memory of a set of points. */
#ifndef HERD_PLACES_POINTS_INDEX_H
#define HERD_PLACES_POINTS_INDEX_H

#include "points.h"

#define HERD_POINTS_STRIPS     360
#define HERD_POINTS_TYPES_MAX  4096
#define HERD_POINTS_TYPE_SLOTS 8192
#define HERD_POINTS_TEXT_MAX   ((uint64_t)1 << 47) /* 48 bits hold where a text begins */

struct herd_points_entry {
    int32_t lat_e7, lon_e7;
    uint64_t text_type; /* where the texts begin, times 65536, and the number of the types */
};

struct herd_points {
    struct herd_points_entry *at;
    size_t count, cap;
    bool indexed;
    size_t strips[HERD_POINTS_STRIPS + 1]; /* where each strip begins */
    struct herd_buf text;                  /* name NUL id NUL vicinity NUL, for each point */
    char *types[HERD_POINTS_TYPES_MAX];
    size_t type_count;
    uint16_t type_slots[HERD_POINTS_TYPE_SLOTS]; /* open addressing; number of the types, 0: free */
    struct herd_buf attributions, id_prefix;
};

/* The strip a longitude in -180..180 lies in; 180 is -180. */
static inline size_t herd_points_strip(int32_t lon_e7)
{
    return (size_t)(((int64_t)lon_e7 + 1800000000) / 10000000) % HERD_POINTS_STRIPS;
}

#endif
