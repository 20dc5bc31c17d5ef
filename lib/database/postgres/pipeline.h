/* SPDX-License-Identifier: MIT */
/*
 * A connection in pipeline mode on a libevent loop. An operation is one or more statements and a sync: one transaction, done
 * or undone as a whole, told when the sync is answered. Operations end in the order they were begun in.
 *
 * Rows are taken one by one: libpq would keep all that a server sends before it shows the first.
 *
 * PQgetResult is called only where it cannot wait (PQisBusy) and the connection is there (PQstatus): it returns for ever on
 * one whose server died.
 */
#ifndef HERD_POSTGRES_PIPELINE_H
#define HERD_POSTGRES_PIPELINE_H

#include "outcome.h"

/* The answer to one statement: rows, and bytes of them, which are a thousand ids of the longest kind. */
#define HERD_POSTGRES_ROWS_MAX   4096
#define HERD_POSTGRES_ANSWER_MAX (96u << 20)

struct event;
struct event_base;
struct herd_postgres_op;
struct herd_postgres_pipeline;

/* Runs in the loop when an operation ended. `op` is freed afterwards. It may call all functions of the pipeline. */
typedef void herd_postgres_done(void *owner, struct herd_postgres_op *op,
                                const struct herd_postgres_outcome *outcome);

struct herd_postgres_op {
    struct herd_postgres_op *next;
    herd_postgres_done *done;
    uint64_t ticket;
    size_t limit; /* rows that are kept: what else comes is dropped */
    unsigned statements, answered;
    PGresult *rows;   /* of the last statement that gave some; NULL, which has no tuples for PQntuples: none did */
    PGresult *coming; /* of the one that is being answered */
    size_t bytes;     /* of `coming` */
    bool failed;
    struct herd_postgres_outcome outcome;
};

struct herd_postgres_pipeline {
    struct event_base *base;
    void *owner;
    /* The connection is gone, and all operations were told so. */
    void (*gone)(void *owner, const struct herd_postgres_outcome *outcome);
    PGconn *conn; /* NULL: none */
    struct event *readable, *writable, *check;
    struct herd_postgres_op *first, **end;
    unsigned generation;                     /* another one for each connection */
    unsigned statements;                     /* sent since the last operation */
    bool broken;                             /* the protocol cannot be gone on with */
    struct herd_postgres_outcome last_words; /* of a server that ends the connection; no message: none */
};

struct herd_postgres_params {
    int count;
    const unsigned *types;
    const char *const *values;
    const int *lengths;
    bool text; /* results as text, not binary */
};

/* `base` and `owner` are borrowed. HERD_E_NOMEM. */
int herd_postgres_pipeline_init(struct herd_postgres_pipeline *pipeline, struct event_base *base, void *owner,
                                void (*gone)(void *owner, const struct herd_postgres_outcome *outcome));
void herd_postgres_pipeline_fini(struct herd_postgres_pipeline *pipeline);

/* Takes a connection of herd_postgres_dial_take, in any case. HERD_E_NOMEM. */
int herd_postgres_pipeline_start(struct herd_postgres_pipeline *pipeline, PGconn *conn);
/* Closes the connection and forgets what is under way, without a word. Fine without one. */
void herd_postgres_pipeline_stop(struct herd_postgres_pipeline *pipeline);
/* Tells all operations and the owner that the connection is gone, and closes it. Only from the loop. */
void herd_postgres_pipeline_lose(struct herd_postgres_pipeline *pipeline,
                                 const struct herd_postgres_outcome *outcome);

/* A new operation, not begun yet; the caller's until herd_postgres_commit. NULL: no memory. */
struct herd_postgres_op *herd_postgres_op_new(herd_postgres_done *done, uint64_t ticket);
/* Sends a statement of the operation that is begun. `params` may be NULL. False: no memory. Then herd_postgres_commit fails. */
bool herd_postgres_send(struct herd_postgres_pipeline *pipeline, const char *sql,
                        const struct herd_postgres_params *params);
/* Ends the statements of `op`, which is the pipeline's. HERD_E_NOMEM: it was not begun, is freed, and the connection will be
 * lost: what of it is on its way is not known. */
int herd_postgres_commit(struct herd_postgres_pipeline *pipeline, struct herd_postgres_op *op);

#endif
