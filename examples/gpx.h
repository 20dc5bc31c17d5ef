/* SPDX-License-Identifier: MIT */
/* Reads the points of a GPX file (tracks, routes and waypoints; any version, size and namespace prefix). */
#ifndef EXAMPLES_GPX_H
#define EXAMPLES_GPX_H

#include <stdbool.h>
#include <stddef.h>

struct gpx_point {
    double lat_deg, lon_deg;
};

struct gpx;

/* Opens a file. NULL: `reterr_why` says why, `why_size` bytes at most. */
struct gpx *gpx_open(const char *path, char *reterr_why, size_t why_size);
/* The next point, in the order of the file. False at the end, or at a fault: gpx_fault() tells which. */
bool gpx_next(struct gpx *gpx, struct gpx_point *ret_point);
/* What is wrong with the file, with its line; NULL: nothing so far. */
const char *gpx_fault(const struct gpx *gpx);
void gpx_close(struct gpx *gpx);

#endif
