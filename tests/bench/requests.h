/* SPDX-License-Identifier: MIT */
/*
 * The requests of every mode, and what a right reply to each looks like.
 *
 * All requests of a run have the same length (fields of fixed width), so request k of a stream is at
 * k * stride. The same client ids, places and times serve every mode: what a herd server is told by
 * IAMAT, Redis is told by SET or GEOADD and memcached by set.
 */
#ifndef BENCH_REQUESTS_H
#define BENCH_REQUESTS_H

#include <stddef.h>
#include <stdint.h>

enum request_mode {
    MODE_ECHO, /* the bytes of IAMAT; the reply is the request */
    MODE_IAMAT,
    MODE_WHATSAT,
    MODE_AT, /* what a neighbour sends; never answered */
    MODE_REDIS_SET,
    MODE_REDIS_GEOADD,
    MODE_REDIS_GEOSEARCH,
    MODE_NEAR,       /* clients within 5 km, with their distances */
    MODE_REDIS_NEAR, /* likewise, of as many */
    MODE_MEMCACHED_SET,
    MODE_COUNT
};

#define PLACE_BYTES 21 /* +dd.dddddd-ddd.dddddd */

struct request_plan {
    enum request_mode mode;
    const char *server; /* MODE_AT: the server that took the report */
    unsigned id_bytes;  /* 20 or 28: 28 makes an IAMAT line of 78 bytes */
    int64_t time_ns;    /* client time of request 0; each later one is newer */
    const char *places; /* PLACE_BYTES for every id; NULL: a report is somewhere in a degree by a degree */
    /* The request with holes, and where they are (HOLE_NONE: not in this mode). */
    char text[256];
    size_t stride, id_at, lat_at, lon_at, time_at;
};

/* 0, or -1 if there is no such mode. */
int request_mode_of(const char *name, enum request_mode *ret_mode);
const char *request_mode_name(enum request_mode mode);

/* Fills text, stride and the holes from the members before them. */
void request_plan_init(struct request_plan *plan);
/* Writes `stride` bytes: the report number `sequence`, of client `id`, at its place or else where
 * `random` says. */
void request_write(const struct request_plan *plan, char *out, uint64_t id, uint64_t sequence, uint64_t random);
/* The length of the first reply in `at`; 0: not whole yet; -1: not the right reply to `request`. */
long reply_cut(const struct request_plan *plan, const char *at, size_t len, const char *request);

/* splitmix64: small, seeded, good enough to choose ids with. */
uint64_t random_next(uint64_t *io_state);

#endif
