/* SPDX-License-Identifier: MIT */
/* Statements out, results in. */
#include "pipeline.h"

#include <assert.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

/* PQgetResult returns NULL between two statements; so many in a row mean that it waits for nothing. */
#define NULLS_MAX 3

static const char unexpected[] = "the server answered something else";
static const char too_long[] = "the server's answer is too long";

static void on_ready(evutil_socket_t fd, short what, void *arg);
static void on_check(evutil_socket_t fd, short what, void *arg);

int herd_postgres_pipeline_init(struct herd_postgres_pipeline *pipeline, struct event_base *base, void *owner,
                                void (*gone)(void *owner, const struct herd_postgres_outcome *outcome))
{
    *pipeline = (struct herd_postgres_pipeline){.base = base, .owner = owner, .gone = gone};
    pipeline->end = &pipeline->first;
    pipeline->check = event_new(base, -1, 0, on_check, pipeline);
    return pipeline->check ? 0 : HERD_E_NOMEM;
}

static void op_free(struct herd_postgres_op *op)
{
    PQclear(op->rows);
    PQclear(op->coming);
    free(op);
}

static void drop_connection(struct herd_postgres_pipeline *pipeline)
{
    if (pipeline->readable)
        event_free(pipeline->readable);
    if (pipeline->writable)
        event_free(pipeline->writable);
    pipeline->readable = pipeline->writable = NULL;
    PQfinish(pipeline->conn);
    pipeline->conn = NULL;
    pipeline->broken = false;
    pipeline->statements = 0;
    pipeline->last_words.message[0] = '\0';
}

void herd_postgres_pipeline_stop(struct herd_postgres_pipeline *pipeline)
{
    pipeline->generation++;
    if (pipeline->check)
        event_del(pipeline->check);
    drop_connection(pipeline);
    while (pipeline->first) {
        struct herd_postgres_op *op = pipeline->first;
        pipeline->first = op->next;
        op_free(op);
    }
    pipeline->end = &pipeline->first;
}

void herd_postgres_pipeline_fini(struct herd_postgres_pipeline *pipeline)
{
    herd_postgres_pipeline_stop(pipeline);
    if (pipeline->check)
        event_free(pipeline->check);
    pipeline->check = NULL;
}

/* A server that ends a connection on which nothing is under way says so in a notice. */
static void on_notice(void *arg, const PGresult *result)
{
    struct herd_postgres_pipeline *pipeline = arg;
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    if (sqlstate && strncmp(sqlstate, "57P", 3) == 0)
        herd_postgres_outcome_of(&pipeline->last_words, result, PQpass(pipeline->conn));
}

int herd_postgres_pipeline_start(struct herd_postgres_pipeline *pipeline, PGconn *conn)
{
    int fd = PQsocket(conn);
    pipeline->conn = conn;
    pipeline->readable = event_new(pipeline->base, fd, EV_READ | EV_PERSIST, on_ready, pipeline);
    pipeline->writable = event_new(pipeline->base, fd, EV_WRITE, on_ready, pipeline);
    if (!pipeline->readable || !pipeline->writable || event_add(pipeline->readable, NULL) != 0) {
        drop_connection(pipeline);
        return HERD_E_NOMEM;
    }
    PQsetNoticeReceiver(conn, on_notice, pipeline);
    return 0;
}

/* Tells the first operation its end. False: the connection is another one now. */
static bool finish_first(struct herd_postgres_pipeline *pipeline, const struct herd_postgres_outcome *outcome)
{
    struct herd_postgres_op *op = pipeline->first;
    unsigned generation = pipeline->generation;
    pipeline->first = op->next;
    if (!pipeline->first)
        pipeline->end = &pipeline->first;
    op->done(pipeline->owner, op, outcome);
    op_free(op);
    return pipeline->generation == generation;
}

void herd_postgres_pipeline_lose(struct herd_postgres_pipeline *pipeline,
                                 const struct herd_postgres_outcome *outcome)
{
    struct herd_postgres_outcome lost = *outcome, told;
    pipeline->generation++;
    event_del(pipeline->check);
    drop_connection(pipeline);
    told = lost;
    told.result = HERD_DATABASE_LOST;
    while (pipeline->first) {
        /* What the server said last of it is better than what the socket said. */
        struct herd_postgres_outcome own = pipeline->first->failed ? pipeline->first->outcome : told;
        own.result = HERD_DATABASE_LOST;
        if (!finish_first(pipeline, &own))
            return;
    }
    pipeline->gone(pipeline->owner, &lost);
}

/* The connection is of no more use. */
static void lose_connection(struct herd_postgres_pipeline *pipeline, const char *instead)
{
    struct herd_postgres_outcome outcome = pipeline->last_words;
    if (!outcome.message[0]) {
        herd_postgres_outcome_set(&outcome, HERD_DATABASE_LOST, instead ? instead : PQerrorMessage(pipeline->conn),
                                  PQpass(pipeline->conn));
    }
    outcome.result = HERD_DATABASE_LOST;
    herd_postgres_pipeline_lose(pipeline, &outcome);
}

/* Copies a row behind those before. False: no memory. */
static bool take_row(struct herd_postgres_op *op, const PGresult *row)
{
    int count = op->coming ? PQntuples(op->coming) : 0;
    if (!op->coming)
        op->coming = PQcopyResult(row, PG_COPYRES_ATTRS);
    for (int i = 0; op->coming && i < PQnfields(row); i++) {
        int len = PQgetisnull(row, 0, i) ? -1 : PQgetlength(row, 0, i);
        op->bytes += len > 0 ? (size_t)len : 0;
        if (!PQsetvalue(op->coming, count, i, PQgetvalue(row, 0, i), len))
            return false;
    }
    return op->coming != NULL;
}

/* The statement is answered: its rows are those of the operation. */
static PGresult *take_rows(struct herd_postgres_op *op, PGresult *end)
{
    PGresult *before = op->rows;
    bool none = !op->coming;
    op->rows = none ? end : op->coming;
    op->coming = NULL;
    op->bytes = 0;
    op->answered++;
    PQclear(before);
    return none ? NULL : end;
}

static void take_result(struct herd_postgres_pipeline *pipeline, PGresult *result)
{
    struct herd_postgres_op *op = pipeline->first;
    switch (PQresultStatus(result)) {
    case PGRES_SINGLE_TUPLE:
        if (op->coming && (size_t)PQntuples(op->coming) >= op->limit)
            break;
        if (!op->failed && !take_row(op, result)) {
            op->failed = true;
            herd_postgres_outcome_set(&op->outcome, HERD_DATABASE_RETRY, "out of memory", NULL);
        }
        break;
    case PGRES_TUPLES_OK: result = take_rows(op, result); break;
    case PGRES_COMMAND_OK: op->answered++; break;
    case PGRES_PIPELINE_ABORTED: break; /* a statement before it failed */
    default:
        if (!op->failed) {
            op->failed = true;
            herd_postgres_outcome_of(&op->outcome, result, PQpass(pipeline->conn));
        }
    }
    PQclear(result);
}

/* Whether there is a result, without waiting. */
static bool has_result(struct herd_postgres_pipeline *pipeline)
{
    if (PQstatus(pipeline->conn) != CONNECTION_OK)
        return false;
    PQsetSingleRowMode(pipeline->conn); /* of the statement whose answer is the next; what fails is of none */
    return !PQisBusy(pipeline->conn);
}

/* Takes what results there are. */
static void take_results(struct herd_postgres_pipeline *pipeline)
{
    static const struct herd_postgres_outcome done = {.result = HERD_DATABASE_DONE};
    unsigned nulls = 0;
    if (!pipeline->first)
        PQisBusy(pipeline->conn); /* hands notices over: see on_notice */
    while (pipeline->first && has_result(pipeline)) {
        PGresult *result = PQgetResult(pipeline->conn);
        if (!result) {
            if (++nulls > NULLS_MAX) {
                lose_connection(pipeline, unexpected);
                return;
            }
            continue;
        }
        nulls = 0;
        if (PQresultStatus(result) != PGRES_PIPELINE_SYNC) {
            take_result(pipeline, result);
            if (pipeline->first->bytes <= HERD_POSTGRES_ANSWER_MAX)
                continue;
            lose_connection(pipeline, too_long);
            return;
        }
        PQclear(result);
        struct herd_postgres_op *op = pipeline->first;
        if (!op->failed && op->answered != op->statements) { /* the end of something that never was */
            lose_connection(pipeline, unexpected);
            return;
        }
        struct herd_postgres_outcome outcome = op->failed ? op->outcome : done;
        bool lost = outcome.result == HERD_DATABASE_LOST; /* libpq gave up on what was answered */
        if (!finish_first(pipeline, &outcome))
            return;
        if (lost || outcome.standby) {
            herd_postgres_pipeline_lose(pipeline, &outcome);
            return;
        }
    }
}

/* Sends what is to be sent. False: the connection is gone. */
static bool flush(struct herd_postgres_pipeline *pipeline)
{
    int left = PQflush(pipeline->conn);
    return left == 0 || (left > 0 && event_add(pipeline->writable, NULL) == 0);
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
    struct herd_postgres_pipeline *pipeline = arg;
    (void)fd;
    bool there = true;
    if (what & EV_READ) {
        there = PQconsumeInput(pipeline->conn) != 0;
        /* A record of TLS has up to 16 KiB, a read at least 8: what is left of one in OpenSSL makes no socket readable. */
        if (there && PQsslInUse(pipeline->conn))
            there = PQconsumeInput(pipeline->conn) != 0;
    }
    there = there && flush(pipeline);
    unsigned generation = pipeline->generation;
    if (there)
        take_results(pipeline);
    PGnotify *asked_for_by_nobody = pipeline->generation == generation ? PQnotifies(pipeline->conn) : NULL;
    if (asked_for_by_nobody) { /* libpq would keep them all */
        PQfreemem(asked_for_by_nobody);
        lose_connection(pipeline, unexpected);
        return;
    }
    if (pipeline->generation == generation && (!there || PQstatus(pipeline->conn) != CONNECTION_OK))
        lose_connection(pipeline, NULL);
}

static void on_check(evutil_socket_t fd, short what, void *arg)
{
    struct herd_postgres_pipeline *pipeline = arg;
    (void)fd;
    (void)what;
    assert(pipeline->broken); /* whatever ends the connection takes the event back */
    lose_connection(pipeline, PQstatus(pipeline->conn) == CONNECTION_OK ? "out of memory" : NULL);
}

struct herd_postgres_op *herd_postgres_op_new(herd_postgres_done *done, uint64_t ticket)
{
    struct herd_postgres_op *op = calloc(1, sizeof *op);
    if (!op)
        return NULL;
    op->done = done;
    op->ticket = ticket;
    op->limit = HERD_POSTGRES_ROWS_MAX;
    return op;
}

static void break_connection(struct herd_postgres_pipeline *pipeline)
{
    pipeline->broken = true;
    event_active(pipeline->check, EV_TIMEOUT, 0);
}

bool herd_postgres_send(struct herd_postgres_pipeline *pipeline, const char *sql,
                        const struct herd_postgres_params *params)
{
    static const int binary[] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    static const struct herd_postgres_params none = {.count = 0};
    if (!params)
        params = &none;
    if (!pipeline->broken && !PQsendQueryParams(pipeline->conn, sql, params->count, params->types, params->values,
                                                params->lengths, binary, !params->text))
        break_connection(pipeline);
    pipeline->statements++;
    return !pipeline->broken;
}

int herd_postgres_commit(struct herd_postgres_pipeline *pipeline, struct herd_postgres_op *op)
{
    if (!pipeline->broken && !PQpipelineSync(pipeline->conn))
        break_connection(pipeline);
    if (pipeline->broken) {
        free(op);
        return HERD_E_NOMEM;
    }
    op->next = NULL;
    op->statements = pipeline->statements;
    pipeline->statements = 0;
    *pipeline->end = op;
    pipeline->end = &op->next;
    if (!flush(pipeline))
        break_connection(pipeline); /* what was begun is told LOST */
    return 0;
}
