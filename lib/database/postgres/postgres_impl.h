/* SPDX-License-Identifier: MIT */
/*
 * What the files of the adapter share.
 *
 *     IDLE -> DIALING (connect.c, dial.c) -> PREPARING (prepare.c) -> READY (operations.c, upkeep.c) -> gone -> IDLE
 */
#ifndef HERD_POSTGRES_IMPL_H
#define HERD_POSTGRES_IMPL_H

#include "dial.h"
#include "encode.h"
#include "pipeline.h"
#include "reader.h"
#include "statements.h"

enum herd_postgres_state {
    HERD_POSTGRES_IDLE,
    HERD_POSTGRES_DIALING,
    HERD_POSTGRES_PREPARING,
    HERD_POSTGRES_READY
};

struct herd_database {
    struct event_base *base;
    const struct herd_database_events *events;
    void *ctx;
    char *dsn, *name; /* of the herd, "": none */
    bool history, geo;
    int64_t retention_ns;

    enum herd_postgres_state state;
    struct herd_postgres_dial *dial, *given_up; /* under way; one that was cancelled and may not be done yet */
    struct event *dialed;                       /* one of them is done */
    struct herd_postgres_pipeline pipeline;

    /* Of the connection: */
    bool has_geo;            /* PostGIS and its table are there */
    bool makes_geo;          /* PostGIS is there, its table is to be made */
    unsigned schema_version; /* of the tables that were found */
    char number[4];          /* of the herd, as a parameter */
    int32_t number_value;
    struct herd_buf write_sql;

    struct herd_postgres_batch batch;
    bool paging;
    uint64_t page_ticket;
    size_t page_limit;
    struct herd_postgres_reader reader;
    bool by_key; /* there was no connection for it: pages are read in the order of keys over this one */
    struct herd_buf page_key; /* of the last row that was told */

    /* upkeep.c */
    struct event *upkeep;
    struct herd_buf sweep_key; /* of the last row that a sweep looked at */
    bool sweeping;
};

/* prepare.c: makes or moves on the tables of a connection that was made just now; then tells `connected`, or
 * `disconnected`. */
void herd_postgres_prepare(struct herd_database *database);

/* operations.c: those of herd/database.h. */
int herd_postgres_write(struct herd_database *database, uint64_t ticket, const struct herd_database_row *rows,
                        size_t count, const struct herd_database_writer *writer);
int herd_postgres_read_writers(struct herd_database *database, uint64_t ticket);
int herd_postgres_read_page(struct herd_database *database, uint64_t ticket, size_t limit, bool first);
int herd_postgres_find(struct herd_database *database, uint64_t ticket, struct herd_span id);

/* operations.c */
extern const struct herd_postgres_reader_events herd_postgres_pages;

/* upkeep.c: partitions of the history, and removal of what expired, while the connection is ready. */
int herd_postgres_upkeep_init(struct herd_database *database);
void herd_postgres_upkeep_start(struct herd_database *database);
void herd_postgres_upkeep_stop(struct herd_database *database);
void herd_postgres_upkeep_fini(struct herd_database *database);
/* Sends the statement that makes the partitions of the next days and drops those behind the retention. False: no
 * memory. */
bool herd_postgres_send_partitions(struct herd_database *database);

/* end.c: the connection, or the attempt, is dropped. */
void herd_postgres_disconnect(struct herd_database *database);
/* The same, and the owner is told. Only from the loop. */
void herd_postgres_end(struct herd_database *database, const struct herd_postgres_outcome *outcome);

/* connect.c: that of herd/database.h. HERD_E_STATE: there is a connection, or an attempt. */
int herd_postgres_connect(struct herd_database *database);

#endif
