/* SPDX-License-Identifier: MIT */
/*
 * The database beside a server: an adapter, the keeper that says what is due, and what is read from it.
 *
 *     node -> keeper -> write, writers -> adapter        what is accepted here, or owed by a server that is gone
 *     node <- warm start <- pages <------ adapter        a herd that began with nothing
 *     WHATSAT, GET <- read-through <- found <- adapter   a client that this server does not know
 *
 * No client waits for a write, and for a read 100 ms at most. Memory does not grow with the time that the database is
 * away.
 */
#ifndef HERD_EDGE_DATABASE_BESIDE_H
#define HERD_EDGE_DATABASE_BESIDE_H

#include "../../core/base/list.h"
#include "../../core/keeper/keeper.h"

#include <herd/config.h>
#include <herd/log.h>
#include <herd/node.h>

struct event_base;
struct herd_beside;

struct herd_beside_options {
    struct event_base *base;
    struct herd_node *node;
    struct herd_log *log;
    const struct herd_config_database *config; /* borrowed for the call */
    const char *herd;                          /* its name; NULL: none */
    const struct herd_database_driver *driver; /* NULL: the configuration's */
    void (*wake)(void *ctx);                   /* something happened: herd_beside_run is wanted in this turn */
    void *ctx;
};

/* What reads need is made, nothing is connected yet. HERD_E_NOMEM; errors of herd_adapter_find and herd_adapter_open, with
 * *reterr_diagnostic. */
int herd_beside_open(struct herd_beside **ret_beside, const struct herd_beside_options *options,
                     struct herd_now now, struct herd_diagnostic *reterr_diagnostic);
/* Whoever waits gets nothing more. NULL is fine. */
void herd_beside_close(struct herd_beside *beside);

/* The end of a turn of the loop, and when it is due. */
void herd_beside_run(struct herd_beside *beside, struct herd_now now);
int64_t herd_beside_next_ns(const struct herd_beside *beside);

/* The server stops: what is due is written now, until herd_beside_stopped. */
void herd_beside_stop(struct herd_beside *beside, struct herd_now now);
bool herd_beside_stopped(const struct herd_beside *beside);

/* ---- read-through ---- */

/* Somebody who waits for the record of a client; zero, and in place until it is told or dropped. */
struct herd_beside_reader {
    struct herd_list link; /* of the database's */
    /* `record` is borrowed for the call; NULL: nothing is to be had. Never from inside herd_beside_read. */
    void (*done)(struct herd_beside_reader *reader, const struct herd_record *record);
};
/* Asks for the record of a client that is not known here. False: nothing is to be had, `done` does not run. True: it is
 * in *ret_record, borrowed for this moment, if that has an id, or `done` will run, within 100 ms. */
bool herd_beside_read(struct herd_beside *beside, struct herd_span id, struct herd_beside_reader *reader,
                      struct herd_now now, struct herd_record *ret_record);
/* It no longer waits. Fine for one that does not. */
void herd_beside_drop(struct herd_beside_reader *reader);

/* ---- figures ---- */

enum herd_warm_state { HERD_WARM_OFF, HERD_WARM_WAITS, HERD_WARM_READS, HERD_WARM_DONE, HERD_WARM_NOT_NEEDED };

struct herd_beside_stats {
    struct herd_keeper_stats keeper;
    const char *kind; /* borrowed for the database's life */
    enum herd_warm_state warm;
    uint64_t warm_read, warm_taken;                      /* records of a warm start, and those that were news */
    uint64_t read, read_found, read_missed, read_failed; /* look-ups of read-through */
    const struct herd_histogram *batch_seconds;          /* from sending a batch to its acknowledgement; borrowed */
};
struct herd_beside_stats herd_beside_stats(const struct herd_beside *beside);

#endif
