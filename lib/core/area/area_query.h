/* SPDX-License-Identifier: MIT */
/* A question under way. */
#ifndef HERD_CORE_AREA_QUERY_H
#define HERD_CORE_AREA_QUERY_H

#include "area_impl.h"

/* The best so far, in a heap: the worst of them, in order of key and slot, is the first. */
struct herd_query_hit {
    double key; /* haversine of the distance, or the slot */
    uint32_t slot;
};

enum herd_query_phase {
    HERD_QUERY_CELLS,  /* cell by cell of a box */
    HERD_QUERY_SCAN,   /* slot by slot */
    HERD_QUERY_VERIFY, /* something changed meanwhile: each hit again */
    HERD_QUERY_DONE,
};

#define HERD_QUERY_AHEAD 16

struct herd_area_query {
    struct herd_list link; /* in area->queries */
    struct herd_area *area;
    struct herd_area_question question;
    enum herd_query_phase phase;
    double cos_lat;
    double
        ring_m; /* of the nearest: what is searched is a circle so large, and larger ones after it; 0: no circle */
    /* CELLS: the cells of `ring_box` or of the shape's, row by row. Those of `ahead` are being fetched. */
    uint32_t row, row_end, column, columns, column_at;
    uint32_t ahead[HERD_QUERY_AHEAD];
    uint64_t ahead_hash[HERD_QUERY_AHEAD];
    unsigned ahead_count, ahead_at;
    struct herd_grid_walk walk;
    uint32_t scan_at, verify_at;
    uint64_t changes;  /* grid.changes when it began; when it is done, when the hits were verified */
    uint64_t verified; /* when that began */
    bool recheck;      /* rights changed meanwhile: each hit is judged again before it is given */
    uint64_t steps;
    bool truncated;
    size_t count, next;
    size_t fetched; /* hits whose records are on their way into the cache */
    struct herd_query_hit hits[];
};

#endif
