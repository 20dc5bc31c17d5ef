/* SPDX-License-Identifier: MIT */
/*
 * Shapes and fences from GeoJSON (RFC 7946).
 *
 *     struct herd_shape *shape;
 *     struct herd_diagnostic diagnostic;
 *     if (herd_shape_geojson(&shape, text, &diagnostic) < 0)
 *         fprintf(stderr, "%u:%u: %s\n", diagnostic.line, diagnostic.column, diagnostic.message);
 *
 * What is a shape: a Polygon; a MultiPolygon; a Point with a member `radius` in metres, 0 to HERD_GEOJSON_RADIUS_MAX_M, which
 * is a circle; a Feature whose geometry is one of these, with the `radius` in its properties. A third number of a position is not looked at.
 * Rings are closed and have four positions or more; at most HERD_SHAPE_POSITIONS_MAX positions in all.
 *
 * What more a fence has stands in the properties of its Feature (of a geometry alone: beside its type), each if it is
 * wanted; members that are not known mean nothing:
 *
 *     name    herd_name_valid, 1 to 64 bytes
 *     kinds   what it tells: a list of "enter", "leave", "inside", "cross"; by default ["enter", "leave"]
 *     margin  metres, herd_fence_options.margin_m
 *     dwell   milliseconds, herd_fence_options.dwell_ms
 *
 * A fence about two clients that are near each other (herd_shape_proximity) is a Feature whose geometry is null, with
 *
 *     proximity   metres, 0 to HERD_PROXIMITY_MAX_M
 *     who, near   the two groups: an id, or what ids begin with and `*` behind it; each "*" if it is not there
 *
 * in its properties. It has no dwell, and does not tell "cross".
 *
 * Texts are read strictly, as JSON says it (RFC 8259), and without recursion. Numbers have no exponents where they are
 * metres or milliseconds. A member that is looked at and is there twice is refused.
 */
#ifndef HERD_GEOJSON_H
#define HERD_GEOJSON_H

#include <herd/area.h>
#include <herd/config.h>
#include <herd/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Half the way round the earth: a circle of that radius has everything in it. */
#define HERD_GEOJSON_RADIUS_MAX_M 20015115

/* Reads a shape, which is the caller's. HERD_E_SYNTAX, HERD_E_RANGE, HERD_E_LIMIT (HERD_SHAPE_POSITIONS_MAX), HERD_E_NOMEM,
 * each with a sentence and, if there is one, the place in *reterr_diagnostic. */
HERD_API int herd_shape_geojson(struct herd_shape **ret_shape, struct herd_span text,
                                struct herd_diagnostic *reterr_diagnostic);

struct herd_geojson_fence {
    char name[HERD_FENCE_NAME_MAX + 1]; /* NUL-terminated; "": none is given */
    struct herd_shape *shape;
    struct herd_fence_options options;
};

/* Reads one fence; its shape is the caller's. Errors as above. */
HERD_API int herd_fence_geojson(struct herd_geojson_fence *ret_fence, struct herd_span text,
                                struct herd_diagnostic *reterr_diagnostic);

/* Takes one of several fences; its shape is the callee's from then on, whatever it returns. < 0 ends the reading, and is
 * what herd_fences_geojson returns. `line` is where its Feature begins, from 1. */
typedef int herd_geojson_fence_fn(void *ctx, const struct herd_geojson_fence *fence, unsigned line);

/* Reads a FeatureCollection, or a Feature alone, each with a name. Errors as above, HERD_E_SYNTAX too for a Feature without a
 * name; or what `on_fence` returned, with *reterr_diagnostic untouched. Those before a fault were given out. */
HERD_API int herd_fences_geojson(struct herd_span text, herd_geojson_fence_fn *on_fence, void *ctx,
                                 struct herd_diagnostic *reterr_diagnostic);

/* Appends a fence as a Feature that herd_fence_geojson takes again. HERD_E_NOMEM. */
HERD_API int herd_fence_put_geojson(struct herd_buf *out, struct herd_span name, const struct herd_shape *shape,
                                    const struct herd_fence_options *options);

#ifdef __cplusplus
}
#endif
#endif
