/* SPDX-License-Identifier: MIT */
/*
 * Makes a connection in a thread of its own.
 *
 *     herd_postgres_dial_new -> a thread connects -> an eventfd -> herd_postgres_dial_take, in the loop
 *
 * PQconnectPoll itself waits: for names, which it resolves with getaddrinfo when their turn comes, for files (passwords,
 * certificates), for Kerberos. A thread may wait for all that, and names mean what they mean to every program of libpq: several
 * hosts, services, `target_session_attrs`, `sslmode=verify-full`. What is given up goes on until its look-up of a name ends, and
 * owns all it touches.
 */
#ifndef HERD_POSTGRES_DIAL_H
#define HERD_POSTGRES_DIAL_H

#include "outcome.h"

struct herd_postgres_dial;

/* Begins to connect. `dsn` is copied. HERD_E_NOMEM, for threads and descriptors too. */
int herd_postgres_dial_new(struct herd_postgres_dial **ret_dial, const char *dsn);
/* Readable from when the thread is done. */
int herd_postgres_dial_fd(const struct herd_postgres_dial *dial);
/* Once, when it is done: the connection, in pipeline mode, not blocking, and the caller's; or NULL and why. */
PGconn *herd_postgres_dial_take(struct herd_postgres_dial *dial, struct herd_postgres_outcome *ret_outcome);
/* The thread is to end soon, without a connection. */
void herd_postgres_dial_cancel(struct herd_postgres_dial *dial);
/* Cancels, and gives the caller's reference back. NULL is fine. */
void herd_postgres_dial_free(struct herd_postgres_dial *dial);

#endif
