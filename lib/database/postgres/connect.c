/* SPDX-License-Identifier: MIT */
/* The beginning of a connection. */
#include "postgres_impl.h"

#include <event2/event.h>

static void end_with(struct herd_database *database, const char *message)
{
    struct herd_postgres_outcome outcome;
    herd_postgres_outcome_set(&outcome, HERD_DATABASE_RETRY, message, NULL);
    herd_postgres_end(database, &outcome);
}

static void on_dialed(evutil_socket_t fd, short what, void *arg);

static int wait_for(struct herd_database *database, const struct herd_postgres_dial *dial)
{
    database->dialed = event_new(database->base, herd_postgres_dial_fd(dial), EV_READ, on_dialed, database);
    return database->dialed && event_add(database->dialed, NULL) == 0 ? 0 : HERD_E_NOMEM;
}

static int begin(struct herd_database *database)
{
    int err = herd_postgres_dial_new(&database->dial, database->dsn);
    return err < 0 ? err : wait_for(database, database->dial);
}

static void use(struct herd_database *database)
{
    struct herd_postgres_outcome outcome;
    PGconn *conn = herd_postgres_dial_take(database->dial, &outcome);
    herd_postgres_dial_free(database->dial);
    database->dial = NULL;
    if (!conn) {
        herd_postgres_end(database, &outcome);
    } else if (herd_postgres_pipeline_start(&database->pipeline, conn) < 0) {
        end_with(database, "out of memory");
    } else {
        database->state = HERD_POSTGRES_PREPARING;
        herd_postgres_prepare(database);
    }
}

/* A thread is done: the one of this attempt, or one that was given up and had to end first. */
static void on_dialed(evutil_socket_t fd, short what, void *arg)
{
    struct herd_database *database = arg;
    (void)fd;
    (void)what;
    event_free(database->dialed);
    database->dialed = NULL;
    if (database->dial) {
        use(database);
        return;
    }
    herd_postgres_dial_free(database->given_up);
    database->given_up = NULL;
    if (begin(database) < 0)
        end_with(database, "out of memory");
}

int herd_postgres_connect(struct herd_database *database)
{
    if (database->state != HERD_POSTGRES_IDLE)
        return HERD_E_STATE;
    /* No more than one thread waits for names, however often it is tried. */
    int err = database->given_up ? wait_for(database, database->given_up) : begin(database);
    if (err < 0)
        herd_postgres_disconnect(database);
    else
        database->state = HERD_POSTGRES_DIALING;
    return err;
}
