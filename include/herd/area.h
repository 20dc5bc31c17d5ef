/* SPDX-License-Identifier: MIT */
/*
 * Where clients are: who is near, who is inside, who went in or out.
 *
 * An area follows the changes of a node and keeps each client's position in a grid, about 20 bytes a client. It
 * answers questions without another server, and tells what happens at fences.
 *
 *     herd_area_open(node, key, &area);
 *     while (herd_area_next(area, now, &steps, &event)) ...       after each change, and once a second; a server's area:
 *                                                                 the server does it
 *
 *     struct herd_area_question question = {.by_distance = true, .lat_deg = 48.86, .lon_deg = 2.29, .limit = 10};
 *     herd_area_ask(area, &question, &query);
 *     while (herd_area_step(query, now, 10000)) another turn of the loop;
 *     while (herd_area_hit(query, &hit)) hit.record.id is hit.distance_m away;
 *     herd_area_query_free(query);
 *
 * Everything long is done in steps, of some tens of nanoseconds each, so that no question and no fence holds up a
 * loop. Distances are those on a sphere of radius 6371008.8 m, up to 0.6 % from those on the ellipsoid.
 *
 * What is exact: circles, boxes and distances are decided on the digits of a record, each coordinate as
 * herd_coordinate_degrees gives it. Polygons and fences are decided on positions and corners rounded to 1e-7 degree,
 * 1.1 cm. What lies on a border is inside. 180 degrees east is 180 degrees west.
 */
#ifndef HERD_AREA_H
#define HERD_AREA_H

#include <herd/identity.h>
#include <herd/node.h>
#include <herd/store.h>
#include <herd/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- shapes ---- */

/* A part of the earth's surface. */
struct herd_shape;

/* Positions of a polygon in all, those of holes too. */
#define HERD_SHAPE_POSITIONS_MAX 65536

/* A closed line: `count` pairs of longitude and latitude in degrees, the last pair equal to the first (GeoJSON's order). */
struct herd_ring {
    const double *positions;
    size_t count;
    bool hole; /* of the ring before it that is none */
};

/* What is not further than `radius_m` (0 or more) from a place. HERD_E_RANGE: NaN, |lat| > 90, |lon| > 180, a radius below
 * 0 or infinite. HERD_E_NOMEM. */
HERD_API int herd_shape_circle(struct herd_shape **ret_shape, double lat_deg, double lon_deg, double radius_m);
/* From south to north and from west eastward to east: west > east crosses the date line. HERD_E_RANGE (as above, or south >
 * north), HERD_E_NOMEM. */
HERD_API int herd_shape_box(struct herd_shape **ret_shape, double west_deg, double south_deg, double east_deg,
                            double north_deg);
/* One polygon or more. Each ring that is no hole begins one; a point is in it if it is inside an odd number of its rings, which
 * also is what rings mean that cross themselves or each other. Edges are straight in longitude and latitude (RFC 7946, 3.1.1):
 * what crosses the date line is two polygons, or one whose longitudes go on beyond 180, up to 360.
 * HERD_E_SYNTAX (no ring, a hole first, a ring that is open or of fewer than four positions), HERD_E_RANGE (NaN, |lat| > 90,
 * |lon| > 360, a polygon wider than 360 degrees), HERD_E_LIMIT (HERD_SHAPE_POSITIONS_MAX), HERD_E_NOMEM; each with a static
 * sentence in *reterr_message. */
HERD_API int herd_shape_polygon(struct herd_shape **ret_shape, const struct herd_ring *rings, size_t count,
                                const char **reterr_message);
/* No part of the earth but a distance between two clients, for herd_area_fence_set: one of the group `who`, the other of the
 * group `near` (copied), which may be the same. A group is an id, or what ids begin with and `*` behind it; `*` is every client. A
 * client whose id ends with `*` is in no group of its own: `a*` is everybody whose id begins with `a`.
 * HERD_E_ARG: a group is empty, longer than HERD_PROXIMITY_GROUP_MAX, or has a `*` elsewhere; HERD_E_RANGE: the distance is NaN,
 * below 0 or beyond HERD_PROXIMITY_MAX_M; HERD_E_NOMEM. */
HERD_API int herd_shape_proximity(struct herd_shape **ret_shape, struct herd_span who, struct herd_span near,
                                  double distance_m);
#define HERD_PROXIMITY_MAX_M     100000
#define HERD_PROXIMITY_GROUP_MAX 255
/* NULL is fine. */
HERD_API void herd_shape_free(struct herd_shape *shape);
/* Whether a position, rounded to 1e-7 degree, is in it. False too where it is no position, and of a proximity. */
HERD_API bool herd_shape_contains(const struct herd_shape *shape, double lat_deg, double lon_deg);

/* ---- the area ---- */

struct herd_area;

/* Follows the changes of `node` (borrowed for the area's life) from now on, and takes in what it has. `key` is random, this
 * process's own: against positions chosen to collide. HERD_E_NOMEM. */
HERD_API int herd_area_open(struct herd_node *node, const uint64_t key[2], struct herd_area **ret_area);
/* Before the node is freed; frees its queries too. NULL is fine. */
HERD_API void herd_area_close(struct herd_area *area);

struct herd_area_stats {
    size_t clients;  /* in the grid */
    size_t bytes;    /* of memory for them */
    size_t fences;   /* as herd_area_fence_count */
    uint64_t events; /* given out */
    uint64_t
        events_lost; /* of clients that were removed, began to dwell, or came near others while memory was short */
    size_t pairs;    /* of clients that are near each other, of all proximities */
    uint64_t pairs_missed; /* moves after which there were more clients nearby than are looked at, or remembered */
};
HERD_API struct herd_area_stats herd_area_stats(const struct herd_area *area);

/* Whether changes wait to be taken in by herd_area_next. */
HERD_API bool herd_area_behind(const struct herd_area *area);

/* ---- questions ---- */

/* Hits of one question; more is refused. */
#define HERD_AREA_HITS_MAX 4096

struct herd_area_question {
    const struct herd_shape *shape; /* only clients in it, borrowed until the query is freed; NULL: anywhere */
    bool by_distance; /* nearest first, from lat_deg, lon_deg; else by slot, which is no order at all but stays */
    double lat_deg, lon_deg;
    uint32_t from_slot; /* without by_distance: not those of a lower slot, to go on where one ended */
    size_t limit;       /* 1 to HERD_AREA_HITS_MAX */
    const struct herd_identity *identity; /* only clients that it may ask for; borrowed likewise. NULL: all */
    struct herd_span except;              /* not this client; borrowed likewise. {NULL, 0}: none */
};

struct herd_area_hit {
    struct herd_record record; /* borrowed until the next call on the node or the area */
    uint32_t slot;
    double distance_m; /* with by_distance */
};

/* A question under way. */
struct herd_area_query;

/* Puts a question to what the area has taken in by herd_area_next: call it before, unless a server does. HERD_E_ARG (limit, the shape is a proximity), HERD_E_RANGE (NaN, or no such
 * place), HERD_E_NOMEM. */
HERD_API int herd_area_ask(struct herd_area *area, const struct herd_area_question *question,
                           struct herd_area_query **ret_query);
/* Works for about `steps`; true: there is more to do. Clients that move meanwhile are found where they were or where they are, or,
 * if they moved from what was not yet searched to what was, not at all. Expired clients are not found. */
HERD_API bool herd_area_step(struct herd_area_query *query, struct herd_now now, size_t steps);
/* The next hit of a query that is done, best first. False: no more. What moved or was removed since is looked at again: it is
 * left out if it is no hit any more, and given with its new distance, in its old place, if it is. */
HERD_API bool herd_area_hit(struct herd_area_query *query, struct herd_area_hit *ret_hit);
/* Who asks may ask for other clients from now on, or is another identity (NULL: may ask for all): hits are judged by that.
 * What is found but was not allowed before may be missing. */
HERD_API void herd_area_query_set_identity(struct herd_area_query *query, const struct herd_identity *identity);
/* How many hits there are, and whether there are more than `limit`. */
HERD_API size_t herd_area_hit_count(const struct herd_area_query *query);
HERD_API bool herd_area_truncated(const struct herd_area_query *query);
/* Steps taken so far. */
HERD_API uint64_t herd_area_steps(const struct herd_area_query *query);
/* NULL is fine. */
HERD_API void herd_area_query_free(struct herd_area_query *query);

/* ---- fences ---- */

/* What a fence tells; values are bits. */
enum herd_fence_kind {
    HERD_FENCE_ENTER = 1,  /* a client is in it that was not */
    HERD_FENCE_LEAVE = 2,  /* it was, and is not any more; or it expired or was removed */
    HERD_FENCE_INSIDE = 4, /* a client that was in it reported, and still is */
    HERD_FENCE_CROSS =
        8, /* it was in neither of its last two positions, and the straight line between them meets the fence.
                              Jumps over more than 0.3 degrees of latitude or longitude are not judged */
};

struct herd_fence_options {
    unsigned kinds; /* of enum herd_fence_kind; 0: ENTER and LEAVE */
    /* A client that entered leaves only when it is further than this outside, so that positions that jitter do not tell
     * again and again; 0 to HERD_FENCE_MARGIN_MAX_M. Of polygons it is measured along the earth as flat as a map is, not
     * across a pole. */
    double margin_m;
    /* A client enters only when it has been inside for so long without leaving; who leaves sooner was not there. 0 to
     * HERD_FENCE_DWELL_MAX_MS. */
    int64_t dwell_ms;
};

#define HERD_FENCE_MARGIN_MAX_M 100000
#define HERD_FENCE_DWELL_MAX_MS 86400000
#define HERD_FENCE_NAME_MAX     64
#define HERD_FENCES_MAX         1000000

/*
 * A fence whose shape is a proximity tells of pairs: ENTER when two clients come no further from each other than the distance,
 * LEAVE when they are further than that and the margin apart, or one is gone; INSIDE when one of a pair that is near reported. Each
 * pair that entered leaves once. Positions are rounded to 1e-7 degree, as of other fences.
 *
 * Which pairs are near is remembered, in 24 bytes each; a client of its groups takes about 70, and up to 3800 where these are
 * scattered thinly among others. A client has HERD_PROXIMITY_NEAR_MAX pairs
 * of a fence at most, a fence HERD_PROXIMITY_PAIRS_MAX, and after a move about 2000 clients nearby are looked at: in a greater crowd
 * some are not told of, until they report again with fewer about them; herd_area_stats.pairs_missed counts that.
 */
#define HERD_PROXIMITIES_MAX     16
#define HERD_PROXIMITY_NEAR_MAX  256
#define HERD_PROXIMITY_PAIRS_MAX 1000000

/* Sets up the fence `name` (copied; 1 to 64 bytes as herd_name_valid takes them), in place of one of that name. The shape
 * is the area's from then on, and `options` is not NULL. Nothing is told of clients that are inside already. HERD_E_ARG (the name, kinds, a box;
 * a proximity with CROSS or a dwell), HERD_E_RANGE (the margin, the dwell), HERD_E_LIMIT (HERD_FENCES_MAX, HERD_PROXIMITIES_MAX, or too many fences or corners of fences at one place), HERD_E_NOMEM: nothing has
 * changed, and the shape is the caller's. */
HERD_API int herd_area_fence_set(struct herd_area *area, struct herd_span name, struct herd_shape *shape,
                                 const struct herd_fence_options *options);
/* Nobody leaves it. HERD_E_NOTFOUND. */
HERD_API int herd_area_fence_remove(struct herd_area *area, struct herd_span name);
HERD_API size_t herd_area_fence_count(const struct herd_area *area);
/* The shape of a fence, borrowed until it is set anew or removed; NULL: there is none of this name. */
HERD_API const struct herd_shape *herd_area_fence_shape(const struct herd_area *area, struct herd_span name);
/* How it was set up, kinds said. HERD_E_NOTFOUND. */
HERD_API int herd_area_fence_options(const struct herd_area *area, struct herd_span name,
                                     struct herd_fence_options *ret_options);
/* Names in no particular order: begin with *io_at 0. False: no more. Borrowed until the fence is removed. */
HERD_API bool herd_area_fence_next(const struct herd_area *area, size_t *io_at, struct herd_span *ret_name);

struct herd_fence_event {
    enum herd_fence_kind kind;
    struct herd_span fence;    /* its name */
    bool gone;                 /* LEAVE: the client expired or was removed */
    struct herd_record record; /* of the client, as it is now. With `gone` only its id is there */
    /* Of a proximity alone: `record` is of the client that reported, or is gone, and this is the other one of the pair. */
    struct herd_span other;      /* its id; else empty */
    struct herd_span other_time; /* of its last report; empty with `gone` */
    double distance_m;           /* between both, when it was found; with `gone`, where they were last */
};

/* Takes in changes of the node for about *io_steps, which is reduced by what was done, and gives the next event. True: an event,
 * whose spans are borrowed until the next call on the node or the area. False: all changes are taken in; or *io_steps is 0 and the
 * rest is for another turn; or memory is short, and the rest is for a later time. Records that the node had when the area was
 * opened tell nothing; of a client whose position changed again before it was taken in, the newest counts. A client that is not
 * known yet enters where it appears. For whoever opened the area: of one that a server keeps (herd_server_area) the server does
 * it, and a program that did it too would take events away from it. */
HERD_API bool herd_area_next(struct herd_area *area, struct herd_now now, size_t *io_steps,
                             struct herd_fence_event *ret_event);

#ifdef __cplusplus
}
#endif
#endif
