/* SPDX-License-Identifier: MIT */
/*
 * A database beside a herd: what an adapter for one does.
 *
 * A server writes the records that it accepted to a database, and may read them again. No client waits for that. libherd
 * decides what is due, in which batches, and what follows from a failure; an *adapter* connects, writes and reads,
 * for one kind of database, and is a library of its own: libherd-postgres, libherd-redis. A server with a `database` in its
 * configuration loads the one for it; a program may bring its own in herd_server_options.
 *
 * The database decides who is newer, by the order of the herd (PROTOCOL.md, 2.1 and 3.7), in the statement that
 * writes: so any server may write any record twice, late and in any order. Of one id the greatest stays by
 *
 *     effective_ns, time_ns, decimals of `time` behind the ninth (zeros at the end cut), a tombstone after a report,
 *     then `server`, `diff`, `position`, `time` as bytes
 *
 * An adapter is used from one loop's thread. Its functions begin something and return; what came of it is told by its
 * events, from the loop, never from inside the function. What was begun on one connection ends in that order, but for pages,
 * which may come any time: they may be read over a connection of their own, and ahead. It sets no time-out for an operation:
 * the caller disconnects. No function waits.
 */
#ifndef HERD_DATABASE_H
#define HERD_DATABASE_H

#include <herd/config.h>
#include <herd/store.h>
#include <herd/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct event_base;

/* A record, and what a database needs to know of it. */
struct herd_database_row {
    struct herd_record
        record;           /* perhaps a tombstone. An id holds any byte that is not white space: NUL and 0xFF too */
    int64_t accepted_ns;  /* when it was accepted, wall time of the server that took it */
    int64_t effective_ns; /* the first key of the order; where records do not expire time_ns */
    int64_t
        expires_ns; /* wall time from which on clients no longer see it; INT64_MAX: never. Read: INT64_MAX where the
                             database does not say */
};

/* What a server says of itself in the database, in the same transaction as its records. */
struct herd_database_writer {
    struct herd_span server; /* its name */
    uint64_t incarnation;    /* tells a restart */
    uint64_t
        sequence; /* of its transactions: one more each time. Less than was acknowledged: the database lost some */
    /* Whatever it accepted before, by its wall clock, is in the database; but for what a clock accepted that was set back since, and
     * where the database lost its memory and the server has not noticed yet. Of these servers write all an hour after they start or adopt it. */
    int64_t written_until_ns;
    int64_t age_ns; /* read: how long ago this was written, by the database's clock. Written: not looked at */
};

/* What came of an operation. */
enum herd_database_result {
    HERD_DATABASE_DONE,
    HERD_DATABASE_RETRY, /* not done; the same may succeed later: deadlock, full disk, the database is being shut down */
    HERD_DATABASE_BAD,     /* not done; a record in it is not taken, and would not be next time */
    HERD_DATABASE_REFUSED, /* not done; an operator must do something: schema, rights, password, version */
    HERD_DATABASE_LOST,    /* the connection is gone; it may be done or not */
};

/* Runs in the loop; `ctx` is what `open` got, `ticket` what the operation got. Everything borrowed for the call. `message`
 * says what the database said, without secrets and control bytes; with DONE it is NULL. The functions of the adapter may be
 * called from inside, but for `close`. */
struct herd_database_events {
    /* `connect` succeeded: tables and scripts are there. `server` is kind and version, for the log. */
    void (*connected)(void *ctx, const char *server);
    /* It failed, or a connection that was there is gone: operations under way have been told LOST before. RETRY, REFUSED or
     * LOST. Not after `disconnect`. */
    void (*disconnected)(void *ctx, enum herd_database_result result, const char *message);
    void (*written)(void *ctx, uint64_t ticket, enum herd_database_result result, const char *message);
    void (*writers)(void *ctx, uint64_t ticket, enum herd_database_result result, const char *message,
                    const struct herd_database_writer *writers, size_t count);
    /* Rows as they are in the database: the caller checks them. `last`: there are no more. */
    void (*page)(void *ctx, uint64_t ticket, enum herd_database_result result, const char *message,
                 const struct herd_database_row *rows, size_t count, bool last);
    /* `row` NULL: not there. */
    void (*found)(void *ctx, uint64_t ticket, enum herd_database_result result, const char *message,
                  const struct herd_database_row *row);
};

struct herd_database_options {
    struct herd_span dsn; /* how to connect, in the words of the adapter; a secret. Copied */
    const char *herd;     /* its name, NULL: none. Copied. Herds in one database are told apart by it */
    bool history;         /* keep samples of where clients were, not the newest alone */
    int64_t retention_ns; /* of samples; 0: for ever */
    bool geo;             /* keep an index of places in the database */
};

struct herd_database; /* an adapter's own */

/* Behind a change of these functions the number is another. */
#define HERD_DATABASE_VERSION 1
/* The library of the adapter for KIND is libherd-KIND.so.0.1. What it exports: `const struct herd_database_driver *const herd_database_driver_1`, a pointer to its
 * driver. The number is HERD_DATABASE_VERSION. Such a library stays loaded: a thread of it may outlive `close` for a moment. */
#define HERD_DATABASE_SYMBOL "herd_database_driver_1"

struct herd_database_driver {
    unsigned version; /* HERD_DATABASE_VERSION */
    const char *kind; /* "postgres": of `database.kind` in the configuration */
    /* Takes the options and connects to nothing yet. `events` is borrowed until `close`. HERD_E_NOMEM; HERD_E_SYNTAX (the
     * DSN), HERD_E_UNSUPPORTED, with a message in which there is no secret. */
    int (*open)(struct herd_database **ret_database, struct event_base *base,
                const struct herd_database_options *options, const struct herd_database_events *events, void *ctx,
                struct herd_diagnostic *reterr_diagnostic);
    /* Ends everything at once, without an event. NULL is fine. */
    void (*close)(struct herd_database *database);
    /* Connects, and makes or moves on the tables. Then `connected` or `disconnected`. HERD_E_NOMEM. */
    int (*connect)(struct herd_database *database);
    /* Drops the connection, or the attempt: what is under way is over without an event. Fine without one. */
    void (*disconnect)(struct herd_database *database);
    /* Those below need a connection, else HERD_E_STATE. HERD_E_NOMEM: nothing was begun. */
    /* Writes rows, each unless the database has a later one of its id, and what the writer says of itself, all or nothing (what
     * of the rows is there without the writer's part is harmless: it is written again). Ids are unique and sorted as bytes, so that two writers do not
     * lock each other out. `rows` and `writer` are borrowed for the call. `count` may be 0. A row of the same writer and
     * incarnation with a greater sequence stays: what was sent on a connection that was dropped may be done later. Then `written`. */
    int (*write)(struct herd_database *database, uint64_t ticket, const struct herd_database_row *rows,
                 size_t count, const struct herd_database_writer *writer);
    /* Reads what all servers of this herd say of themselves. Then `writers`. */
    int (*read_writers)(struct herd_database *database, uint64_t ticket);
    /* Reads some rows, at most about `limit`; `first`: from the beginning, else those behind the page before. Each row that was there all
     * the time is in a page, perhaps in two; expired ones and tombstones may be left out. Then `page`. One at a time: HERD_E_STATE
     * while a page is under way. */
    int (*read_page)(struct herd_database *database, uint64_t ticket, size_t limit, bool first);
    /* Reads the row of one id. Then `found`. */
    int (*find)(struct herd_database *database, uint64_t ticket, struct herd_span id);
};

#ifdef __cplusplus
}
#endif
#endif
