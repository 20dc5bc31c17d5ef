/* SPDX-License-Identifier: MIT */
/*
 * What a server writes to a database beside the herd (herd/database.h), when, and what follows from a failure. No database
 * and no clock here: the caller tells what came of things, and takes effects to carry out.
 *
 *     node's changes -> bits -> pass, every flush_ns -> batches, sorted -> WRITE, two under way -> written
 *                        ^                                                                     |
 *                        +---------------------- marked again <------ RETRY, LOST -------------+
 *
 * A reader of the change stream, so it keeps a bit or two a record and no queue: what is written is the newest value at
 * the time of writing, and the memory is the same however long the database is away. It writes the records that its
 * server accepted, and those of servers that do not write: *adopted* ones.
 *
 *     herd_keeper_open(&keeper, node, &options, now);
 *     at herd_keeper_next_ns(keeper): herd_keeper_tick(keeper, now);
 *     after each call on it: while (herd_keeper_next_effect(keeper, &effect)) carry_out(&effect);
 *     what the adapter's events say: herd_keeper_connected, _disconnected, _written, _writers
 *
 * A call does at most about HERD_KEEPER_STEPS of work. What is left goes on at the next tick, which
 * herd_keeper_next_ns asks for at once.
 */
#ifndef HERD_CORE_KEEPER_H
#define HERD_CORE_KEEPER_H

#include <herd/database.h>
#include <herd/node.h>

/* Of a call. A record put into a batch counts four, one looked at and left out one, 64 words of bits one. */
#define HERD_KEEPER_STEPS       1000
#define HERD_KEEPER_BATCH_MAX   10000
#define HERD_KEEPER_WRITERS_MAX 1024 /* servers besides its own that are told apart; of more the first count */

struct herd_keeper;

/* Zero means the default. */
struct herd_keeper_options {
    uint64_t seed[2];     /* random: jitter */
    int64_t flush_ns;     /* 1 s: the newest record of each client is written once in so long, not each */
    size_t batch_max;     /* 1000 records; at most HERD_KEEPER_BATCH_MAX */
    int64_t adopt_ns;     /* 15 s without a sign of life of a server in the database: others write for it */
    uint64_t incarnation; /* tells a restart; 0: the node's own */
};

/* Reads the node's changes from now on, and asks for a connection. One of a node. HERD_E_NOMEM; HERD_E_ARG: batch_max;
 * HERD_E_EXISTS: the node has one. */
int herd_keeper_open(struct herd_keeper **ret_keeper, struct herd_node *node,
                     const struct herd_keeper_options *options, struct herd_now now);
/* Before the node is freed; at once, whatever is under way. NULL is fine. */
void herd_keeper_close(struct herd_keeper *keeper);

/* ---- what is to be done ---- */

enum herd_keeper_effect_kind {
    HERD_KEEPER_CONNECT,      /* the adapter's `connect`; then herd_keeper_connected or _disconnected */
    HERD_KEEPER_DISCONNECT,   /* its `disconnect`: no answer came in time, or an operator has to do something */
    HERD_KEEPER_WRITE,        /* its `write`: ticket, rows, count, writer; then herd_keeper_written */
    HERD_KEEPER_READ_WRITERS, /* its `read_writers`: ticket; then herd_keeper_writers */
    HERD_KEEPER_NOTICE,       /* something an operator should know: `text`, `detail` */
};

/* Which members are set depends on the kind; all borrowed until the next call on the keeper or its node. Where the adapter
 * returns an error its event is given instead: RETRY for HERD_E_NOMEM, LOST for HERD_E_STATE; of `connect`
 * herd_keeper_disconnected with RETRY. */
struct herd_keeper_effect {
    enum herd_keeper_effect_kind kind;
    uint64_t ticket;
    const struct herd_database_row *rows; /* unique ids, sorted as bytes */
    size_t count;                         /* perhaps 0 */
    const struct herd_database_writer *writer;
    /* static: database_gone (`detail`: what it said), database_refused (likewise), database_back (kind and version),
     * database_record_dropped (the id), database_forgot (nothing), writer_adopted, writer_returned (the server) */
    const char *text;
    struct herd_span detail;
};

/* Takes the next effect. False: nothing to do. Take all of them after each call on the keeper. */
bool herd_keeper_next_effect(struct herd_keeper *keeper, struct herd_keeper_effect *ret_effect);

/* ---- what came of it ---- */

/* `server` is kind and version, NULL: unknown. */
void herd_keeper_connected(struct herd_keeper *keeper, const char *server, struct herd_now now);
/* An attempt failed, or the connection is gone: RETRY, REFUSED or LOST. `message`: what the database said, or NULL. */
void herd_keeper_disconnected(struct herd_keeper *keeper, enum herd_database_result result, const char *message,
                              struct herd_now now);
/* Of tickets that are not under way any more nothing follows. */
void herd_keeper_written(struct herd_keeper *keeper, uint64_t ticket, enum herd_database_result result,
                         const char *message, struct herd_now now);
void herd_keeper_writers(struct herd_keeper *keeper, uint64_t ticket, enum herd_database_result result,
                         const char *message, const struct herd_database_writer *writers, size_t count,
                         struct herd_now now);

/* ---- time ---- */

/* The steady time at which to call herd_keeper_tick at the latest; INT64_MAX: not needed. */
int64_t herd_keeper_next_ns(const struct herd_keeper *keeper);
void herd_keeper_tick(struct herd_keeper *keeper, struct herd_now now);
/* What is due is written now: the rest of flush_ns is not waited for. */
void herd_keeper_flush(struct herd_keeper *keeper, struct herd_now now);
/* The server is about to end: what is due is written now, until herd_keeper_stopped. Back-off ends once. */
void herd_keeper_stop(struct herd_keeper *keeper, struct herd_now now);
/* After herd_keeper_stop: all that was accepted before is in the database, or that one is not to be had. */
bool herd_keeper_stopped(const struct herd_keeper *keeper);
/* Everything that this server writes is written once more, at a tenth of the usual rate. */
void herd_keeper_write_all(struct herd_keeper *keeper, struct herd_now now);

/* ---- figures ---- */

struct herd_keeper_stats {
    bool connected;
    bool refused;      /* an operator has to do something; it is tried each minute */
    size_t pending;    /* changes to be looked at, those that other servers write included, and records under way */
    uint64_t written;  /* records in batches that were acknowledged */
    uint64_t retried;  /* records of batches that failed, to be written again */
    uint64_t dropped;  /* records that the database does not take, until they change */
    uint64_t batches;  /* acknowledged, empty ones included */
    uint64_t failures; /* batches, attempts to connect and connections that failed */
    uint64_t forgot;   /* how often the database had lost its memory */
    size_t adopted;    /* servers whose records this one writes now */
    size_t writers;    /* servers, with this one, that gave a sign of life within adopt_ns */
    int64_t success_ns;       /* steady time of the last acknowledgement; 0: none yet */
    int64_t complete_ns;      /* what was accepted before this steady time is in the database; 0: not known yet */
    int64_t written_until_ns; /* the same by this server's wall clock, as its row says; 0: likewise */
    uint64_t steps;           /* work done, in the measure of HERD_KEEPER_STEPS */
};
struct herd_keeper_stats herd_keeper_stats(const struct herd_keeper *keeper);

#endif
