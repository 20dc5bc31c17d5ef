/* SPDX-License-Identifier: MIT */
/* What PostgreSQL answered, as a result of herd/database.h and a sentence for the log. */
#ifndef HERD_POSTGRES_OUTCOME_H
#define HERD_POSTGRES_OUTCOME_H

#include <herd/database.h>

#include <libpq-fe.h>

#define HERD_POSTGRES_MESSAGE_MAX 256

struct herd_postgres_outcome {
    enum herd_database_result result;
    bool standby; /* the server does not take writes: another one may, on a new connection */
    char message[HERD_POSTGRES_MESSAGE_MAX];
};

/* The result that stands for an SQLSTATE of five characters. */
enum herd_database_result herd_postgres_classify(const char *sqlstate);

/* Fills in the outcome of a statement that failed; `secret` as below. */
void herd_postgres_outcome_of(struct herd_postgres_outcome *ret_outcome, const PGresult *result,
                              const char *secret);

/* Fills in the outcome of a connection that was not made. Its error verbosity is PQERRORS_VERBOSE: nothing else says the
 * SQLSTATE of one. NULL: no memory. */
void herd_postgres_outcome_of_connection(struct herd_postgres_outcome *ret_outcome, const PGconn *conn);

/* Sets result and message. Of `text` control bytes and what is not ASCII are replaced, and `secret` (may be NULL or empty) is
 * left out. */
void herd_postgres_outcome_set(struct herd_postgres_outcome *ret_outcome, enum herd_database_result result,
                               const char *text, const char *secret);

#endif
