/* SPDX-License-Identifier: MIT */
/* The inside of a database beside a server, shared by the files that make it. */
#ifndef HERD_EDGE_DATABASE_BESIDE_IMPL_H
#define HERD_EDGE_DATABASE_BESIDE_IMPL_H

#include "beside.h"

/* Tickets of the keeper count from 1. */
#define HERD_BESIDE_TICKET_FIND (UINT64_C(1) << 63)
#define HERD_BESIDE_TICKET_PAGE (UINT64_C(1) << 62)

#define HERD_BESIDE_FLIGHTS 64    /* look-ups under way */
#define HERD_BESIDE_MISSES  65536 /* hashes of ids that were not found */
#define HERD_BESIDE_CACHED  64    /* records that were */
#define HERD_BESIDE_WRITES  8     /* batches whose time is measured */

/* A look-up of one id, and who waits for it. */
struct herd_beside_flight {
    bool used;
    bool late;       /* nobody waits any more; the place is taken until the adapter answers */
    uint64_t ticket; /* tells it from those that had the place before */
    uint64_t hash;
    struct herd_buf id;
    int64_t until_ns;
    struct herd_list readers;
};

/* A record that was found, for a second. */
struct herd_beside_cached {
    uint64_t hash;
    int64_t until_ns;
    struct herd_buf bytes; /* its members, one behind the other */
    size_t lens[5];        /* of id, server, diff, position, time */
};

/* An id that was not found, in the place that its hash has. */
struct herd_beside_miss {
    uint32_t tag;     /* the upper half of the hash */
    uint32_t until_s; /* by the steady clock; 0: nothing was noted */
};

struct herd_read_through {
    uint64_t key[2];                 /* random: of hashes */
    struct herd_beside_miss *misses; /* NULL: there is no read-through */
    struct herd_beside_flight flights[HERD_BESIDE_FLIGHTS];
    struct herd_beside_cached cached[HERD_BESIDE_CACHED];
    uint64_t tickets;
    size_t cached_next;
    unsigned failures;       /* in a row */
    int64_t closed_until_ns; /* the breaker: nothing is asked before */
    uint64_t asked, found, missed, failed;
};

struct herd_warm {
    enum herd_warm_state state;
    int64_t look_ns;       /* steady: when what neighbours have is judged, or a page is asked for again */
    int64_t began_wall_ns; /* the server's start */
    int64_t read_ns;       /* when reading began */
    bool asked;            /* a page is under way */
    bool first;            /* the next page is the first */
    unsigned failures;     /* of this warm start: each reading begins anew */
    uint64_t ticket;
    uint64_t read, taken, invalid;
};

struct herd_beside {
    struct herd_node *node;
    struct herd_log *log;
    const struct herd_database_driver *driver;
    struct herd_database *database;
    struct herd_keeper *keeper;
    char *kind;
    void (*wake)(void *ctx);
    void *ctx;
    bool connected;
    struct {
        uint64_t ticket;
        int64_t began_ns;
    } writes[HERD_BESIDE_WRITES];
    size_t write_next;
    struct herd_histogram batch_seconds;
    struct herd_read_through reads;
    struct herd_warm warm;
};

/* ---- read_through ---- */
int herd_read_through_open(struct herd_read_through *reads);
void herd_read_through_close(struct herd_read_through *reads);
/* The adapter's answer. */
void herd_read_through_found(struct herd_read_through *reads, uint64_t ticket, enum herd_database_result result,
                             const struct herd_database_row *row, struct herd_now now);
/* The connection is gone, and with it what was under way. */
void herd_read_through_lost(struct herd_read_through *reads, struct herd_now now);
/* Whoever waited too long is told. */
void herd_read_through_run(struct herd_read_through *reads, struct herd_now now);
int64_t herd_read_through_next_ns(const struct herd_read_through *reads);

/* ---- warm ---- */
/* `empty`: the journal had nothing. `alone`: there is no neighbour that could know something. */
void herd_warm_open(struct herd_warm *warm, bool wanted, bool empty, bool alone, struct herd_now now);
void herd_warm_page(struct herd_beside *beside, uint64_t ticket, enum herd_database_result result,
                    const struct herd_database_row *rows, size_t count, bool last, struct herd_now now);
void herd_warm_lost(struct herd_warm *warm, struct herd_now now);
void herd_warm_run(struct herd_beside *beside, struct herd_now now);
int64_t herd_warm_next_ns(const struct herd_warm *warm);

#endif
