/* SPDX-License-Identifier: MIT */
/* The end of a connection, or of an attempt at one. */
#include "postgres_impl.h"

#include <event2/event.h>

void herd_postgres_disconnect(struct herd_database *database)
{
    database->state = HERD_POSTGRES_IDLE;
    database->paging = false;
    herd_postgres_upkeep_stop(database);
    herd_postgres_pipeline_stop(&database->pipeline);
    herd_postgres_reader_stop(&database->reader);
    if (database->dialed)
        event_free(database->dialed);
    database->dialed = NULL;
    if (database->dial) {
        database->given_up = database->dial;
        database->dial = NULL;
        herd_postgres_dial_cancel(database->given_up);
    }
}

void herd_postgres_end(struct herd_database *database, const struct herd_postgres_outcome *outcome)
{
    struct herd_postgres_outcome told = *outcome;
    herd_postgres_disconnect(database);
    database->events->disconnected(database->ctx, told.result, told.message);
}
