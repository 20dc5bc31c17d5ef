/* SPDX-License-Identifier: MIT */
/*
 * Reads the newest values of a herd from the first to the last, over a connection of its own: one COPY, which sees the table
 * as it was when it began. The database reads its pages as they lie on the disk, and sends as fast as rows are taken: the
 * socket is looked at only while a page is asked for.
 *
 *     begin -> a thread connects -> COPY -> rows -> page -> next -> rows -> page ... the last one -> closed
 */
#ifndef HERD_POSTGRES_READER_H
#define HERD_POSTGRES_READER_H

#include "dial.h"

#include <herd/database.h>

#include <sys/time.h>

#define HERD_POSTGRES_PAGE_MAX 1000 /* rows */

struct event;
struct event_base;

struct herd_postgres_reader_events {
    /* A page, from the loop. A result other than DONE: the reading is over. The rows are borrowed for the call, from inside of which
     * all functions of the reader may be called. */
    void (*page)(void *owner, const struct herd_postgres_outcome *outcome, const struct herd_database_row *rows,
                 size_t count, bool last);
    /* There is no connection to be had, in place of the first page. */
    void (*unavailable)(void *owner);
};

struct herd_postgres_page;

struct herd_postgres_reader {
    struct event_base *base;
    const struct herd_postgres_reader_events *events;
    void *owner;
    struct herd_postgres_dial *dial; /* under way */
    PGconn *conn;                    /* NULL: none */
    struct event *dialed, *ready, *writable;
    struct timeval patience; /* for a connection, and for bytes of a page */
    int32_t herd;
    bool copies, begun, ended;       /* rows come; the first of them came; the last one did */
    struct herd_postgres_page *page; /* NULL: none is asked for */
};

void herd_postgres_reader_init(struct herd_postgres_reader *reader, struct event_base *base,
                               const struct herd_postgres_reader_events *events, void *owner);
/* Ends a reading without a word. Fine without one. */
void herd_postgres_reader_stop(struct herd_postgres_reader *reader);
/* Whether there is a reading to go on with. */
bool herd_postgres_reader_reads(const struct herd_postgres_reader *reader);
/* Begins a reading, in place of another, and asks for its first page; `dsn` is copied. HERD_E_NOMEM. */
int herd_postgres_reader_begin(struct herd_postgres_reader *reader, const char *dsn, int32_t herd, size_t limit);
/* Asks for the next page, once the one before was told. HERD_E_NOMEM: the reading is over. */
int herd_postgres_reader_next(struct herd_postgres_reader *reader, size_t limit);

#endif
