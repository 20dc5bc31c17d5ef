/* SPDX-License-Identifier: MIT */
/* A connection that only reads. */
#include "reader.h"

#include "decode.h"
#include "statements.h"

#include <event2/event.h>
#include <stdlib.h>

/* A page is full with so many bytes too. */
#define PAGE_BYTES 262144
/* Nothing comes for so long: nothing will. A table may be read that long without a row of this herd. */
#define PATIENCE_S 60

struct herd_postgres_page {
    size_t limit, count, bytes;
    struct herd_database_row *rows; /* point into `texts` */
    char *texts[HERD_POSTGRES_PAGE_MAX];
};

static void page_free(struct herd_postgres_page *page)
{
    if (!page)
        return;
    for (size_t i = 0; i < page->count; i++)
        PQfreemem(page->texts[i]);
    free(page->rows);
    free(page);
}

static struct herd_postgres_page *page_new(size_t limit)
{
    struct herd_postgres_page *page = malloc(sizeof *page);
    if (!page)
        return NULL;
    page->limit = limit;
    page->count = page->bytes = 0;
    page->rows = malloc(limit * sizeof *page->rows);
    if (page->rows)
        return page;
    free(page);
    return NULL;
}

void herd_postgres_reader_init(struct herd_postgres_reader *reader, struct event_base *base,
                               const struct herd_postgres_reader_events *events, void *owner)
{
    *reader = (struct herd_postgres_reader){
        .base = base, .events = events, .owner = owner, .patience = {.tv_sec = PATIENCE_S}};
}

static void drop_event(struct event **event)
{
    if (*event)
        event_free(*event);
    *event = NULL;
}

void herd_postgres_reader_stop(struct herd_postgres_reader *reader)
{
    drop_event(&reader->dialed);
    drop_event(&reader->ready);
    drop_event(&reader->writable);
    herd_postgres_dial_free(reader->dial);
    PQfinish(reader->conn);
    page_free(reader->page);
    reader->dial = NULL;
    reader->conn = NULL;
    reader->page = NULL;
    reader->copies = reader->begun = reader->ended = false;
}

bool herd_postgres_reader_reads(const struct herd_postgres_reader *reader)
{
    return reader->conn != NULL;
}

/* ---- telling ---- */

static void fail(struct herd_postgres_reader *reader, const struct herd_postgres_outcome *outcome)
{
    herd_postgres_reader_stop(reader);
    reader->events->page(reader->owner, outcome, NULL, 0, false);
}

/* What libpq said last, of a connection that is of no more use; the other one tells whether the database is gone. */
static void fail_conn(struct herd_postgres_reader *reader)
{
    struct herd_postgres_outcome outcome;
    herd_postgres_outcome_set(&outcome, HERD_DATABASE_RETRY, PQerrorMessage(reader->conn), PQpass(reader->conn));
    fail(reader, &outcome);
}

static void fail_result(struct herd_postgres_reader *reader, PGresult *result)
{
    struct herd_postgres_outcome outcome;
    herd_postgres_outcome_of(&outcome, result, PQpass(reader->conn));
    PQclear(result);
    if (outcome.result != HERD_DATABASE_REFUSED)
        outcome.result = HERD_DATABASE_RETRY;
    fail(reader, &outcome);
}

static void tell(struct herd_postgres_reader *reader, bool last)
{
    static const struct herd_postgres_outcome done = {.result = HERD_DATABASE_DONE};
    struct herd_postgres_page *page = reader->page;
    reader->page = NULL;
    event_del(reader->ready);
    if (last)
        herd_postgres_reader_stop(reader);
    reader->events->page(reader->owner, &done, page->rows, page->count, last);
    page_free(page);
}

/* ---- rows ---- */

/* A message, which is a row; the first one perhaps has the header in front, the last one is none. False: it was told. */
static bool take(struct herd_postgres_reader *reader, char *text, size_t len)
{
    struct herd_postgres_page *page = reader->page;
    struct herd_span tuple = {text, len};
    bool good = reader->begun || herd_postgres_decode_copy_header(&tuple);
    reader->begun = true;
    if (good && herd_postgres_decode_copy_end(tuple)) {
        PQfreemem(text);
        return true;
    }
    if (!good || !herd_postgres_decode_copy(tuple, &page->rows[page->count])) {
        struct herd_postgres_outcome outcome;
        PQfreemem(text);
        herd_postgres_outcome_set(&outcome, HERD_DATABASE_REFUSED, "herd_newest has other columns", NULL);
        fail(reader, &outcome);
        return false;
    }
    page->texts[page->count++] = text;
    page->bytes += len;
    return true;
}

/* Whether rows come by now. */
static bool begins(struct herd_postgres_reader *reader)
{
    if (reader->copies)
        return true;
    if (PQisBusy(reader->conn))
        return false;
    PGresult *result = PQgetResult(reader->conn);
    if (PQresultStatus(result) != PGRES_COPY_OUT) {
        fail_result(reader, result);
        return false;
    }
    PQclear(result);
    return reader->copies = true;
}

static void ends(struct herd_postgres_reader *reader)
{
    if (PQisBusy(reader->conn))
        return;
    PGresult *result = PQgetResult(reader->conn);
    if (PQresultStatus(result) != PGRES_COMMAND_OK) {
        fail_result(reader, result);
        return;
    }
    PQclear(result);
    tell(reader, true);
}

static void go_on(struct herd_postgres_reader *reader)
{
    struct herd_postgres_page *page = reader->page;
    if (!begins(reader))
        return;
    while (!reader->ended && page->count < page->limit && page->bytes < PAGE_BYTES) {
        char *text = NULL;
        int len = PQgetCopyData(reader->conn, &text, 1);
        if (len == 0)
            return;
        if (len < -1) {
            fail_conn(reader);
            return;
        }
        if (len > 0 && !take(reader, text, (size_t)len))
            return;
        reader->ended = len < 0;
    }
    if (reader->ended)
        ends(reader);
    else
        tell(reader, false);
}

/* ---- the connection ---- */

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
    struct herd_postgres_reader *reader = arg;
    (void)fd;
    if (what & EV_TIMEOUT) {
        struct herd_postgres_outcome outcome;
        herd_postgres_outcome_set(&outcome, HERD_DATABASE_RETRY, "no answer", NULL);
        fail(reader, &outcome);
        return;
    }
    int left = PQflush(reader->conn);
    bool good = left == 0 || (left > 0 && event_add(reader->writable, NULL) == 0);
    /* Without being readable too: of TLS a part of a record may be left, and of rows those behind a full page. */
    good = good && PQconsumeInput(reader->conn) != 0;
    if (good && PQsslInUse(reader->conn))
        good = PQconsumeInput(reader->conn) != 0;
    if (!good)
        fail_conn(reader);
    else if (reader->page)
        go_on(reader);
}

/* False: no memory. */
static bool start(struct herd_postgres_reader *reader)
{
    char text[HERD_POSTGRES_COPY_SQL_MAX];
    int fd = PQsocket(reader->conn);
    reader->ready = event_new(reader->base, fd, EV_READ | EV_PERSIST, on_ready, reader);
    reader->writable = event_new(reader->base, fd, EV_WRITE, on_ready, reader);
    if (!reader->ready || !reader->writable || event_add(reader->ready, &reader->patience) != 0)
        return false;
    herd_postgres_copy_sql(text, reader->herd);
    if (!PQexitPipelineMode(reader->conn) || !PQsendQuery(reader->conn, text))
        return false;
    int left = PQflush(reader->conn);
    return left == 0 || (left > 0 && event_add(reader->writable, NULL) == 0);
}

static void on_dialed(evutil_socket_t fd, short what, void *arg)
{
    struct herd_postgres_reader *reader = arg;
    struct herd_postgres_outcome outcome;
    (void)fd;
    drop_event(&reader->dialed);
    if (what & EV_READ) /* else it takes too long */
        reader->conn = herd_postgres_dial_take(reader->dial, &outcome);
    herd_postgres_dial_free(reader->dial);
    reader->dial = NULL;
    if (!reader->conn) {
        herd_postgres_reader_stop(reader);
        reader->events->unavailable(reader->owner);
    } else if (!start(reader)) {
        fail_conn(reader);
    }
}

int herd_postgres_reader_begin(struct herd_postgres_reader *reader, const char *dsn, int32_t herd, size_t limit)
{
    herd_postgres_reader_stop(reader);
    reader->herd = herd;
    reader->page = page_new(limit);
    int err = reader->page ? herd_postgres_dial_new(&reader->dial, dsn) : HERD_E_NOMEM;
    if (err >= 0) {
        reader->dialed = event_new(reader->base, herd_postgres_dial_fd(reader->dial), EV_READ, on_dialed, reader);
        err = reader->dialed && event_add(reader->dialed, &reader->patience) == 0 ? 0 : HERD_E_NOMEM;
    }
    if (err < 0)
        herd_postgres_reader_stop(reader);
    return err;
}

int herd_postgres_reader_next(struct herd_postgres_reader *reader, size_t limit)
{
    reader->page = page_new(limit);
    if (!reader->page || event_add(reader->ready, &reader->patience) != 0) {
        herd_postgres_reader_stop(reader);
        return HERD_E_NOMEM;
    }
    event_active(reader->ready, EV_READ, 0);
    return 0;
}
