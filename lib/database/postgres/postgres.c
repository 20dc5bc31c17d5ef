/* SPDX-License-Identifier: MIT */
/* An adapter of herd/database.h: opening and closing. */
#include "postgres_impl.h"

#include <herd/postgres.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void on_gone(void *owner, const struct herd_postgres_outcome *outcome)
{
    herd_postgres_end(owner, outcome);
}

static void close_database(struct herd_database *database)
{
    if (!database)
        return;
    herd_postgres_disconnect(database);
    herd_postgres_upkeep_fini(database);
    herd_postgres_pipeline_fini(&database->pipeline);
    herd_postgres_dial_free(database->given_up);
    herd_buf_fini(&database->write_sql);
    herd_buf_fini(&database->page_key);
    herd_postgres_batch_fini(&database->batch);
    if (database->dsn)
        memset(database->dsn, 0, strlen(database->dsn));
    free(database->dsn);
    free(database->name);
    free(database);
}

/* A copy without white space at its ends, which a file has behind its line. NULL: no memory. */
static char *copy_trimmed(struct herd_span text)
{
    static const char space[] = " \t\r\n\v\f";
    while (text.len > 0 && strchr(space, text.at[text.len - 1]))
        text.len--;
    while (text.len > 0 && strchr(space, *text.at))
        text.at++, text.len--;
    char *copy = malloc(text.len + 1);
    if (!copy)
        return NULL;
    if (text.len > 0)
        memcpy(copy, text.at, text.len);
    copy[text.len] = '\0';
    return copy;
}

/* libpq's own sentence is not passed on: it quotes what it does not understand, which may be a password. */
static int check_dsn(const char *dsn, struct herd_diagnostic *reterr_diagnostic)
{
    char *why = NULL;
    PQconninfoOption *options = PQconninfoParse(dsn, &why);
    bool good = options != NULL, no_memory = !good && !why;
    PQconninfoFree(options);
    PQfreemem(why);
    if (good)
        return 0;
    *reterr_diagnostic = (struct herd_diagnostic){0};
    snprintf(reterr_diagnostic->message, sizeof reterr_diagnostic->message, "%s",
             no_memory
                 ? "out of memory"
                 : "the DSN is not a connection string of libpq: key=value pairs, or postgresql://host/database");
    return no_memory ? HERD_E_NOMEM : HERD_E_SYNTAX;
}

static int open_database(struct herd_database **ret_database, struct event_base *base,
                         const struct herd_database_options *options, const struct herd_database_events *events,
                         void *ctx, struct herd_diagnostic *reterr_diagnostic)
{
    if (options->dsn.len > 0 && memchr(options->dsn.at, '\0', options->dsn.len)) {
        *reterr_diagnostic = (struct herd_diagnostic){.message = "the DSN has a NUL in it"};
        return HERD_E_SYNTAX;
    }
    struct herd_database *database = calloc(1, sizeof *database);
    if (!database)
        goto no_memory;
    database->base = base;
    database->events = events;
    database->ctx = ctx;
    database->history = options->history;
    database->geo = options->geo;
    database->retention_ns = options->retention_ns > 0 ? options->retention_ns : 0;
    herd_postgres_reader_init(&database->reader, base, &herd_postgres_pages, database);
    database->dsn = copy_trimmed(options->dsn);
    database->name = strdup(options->herd ? options->herd : "");
    if (!database->dsn || !database->name ||
        herd_postgres_pipeline_init(&database->pipeline, base, database, on_gone) < 0 ||
        herd_postgres_upkeep_init(database) < 0)
        goto no_memory;
    int err = check_dsn(database->dsn, reterr_diagnostic);
    if (err < 0) {
        close_database(database);
        return err;
    }
    *ret_database = database;
    return 0;
no_memory:
    close_database(database);
    *reterr_diagnostic = (struct herd_diagnostic){.message = "out of memory"};
    return HERD_E_NOMEM;
}

const struct herd_database_driver herd_postgres_driver = {
    .version = HERD_DATABASE_VERSION,
    .kind = "postgres",
    .open = open_database,
    .close = close_database,
    .connect = herd_postgres_connect,
    .disconnect = herd_postgres_disconnect,
    .write = herd_postgres_write,
    .read_writers = herd_postgres_read_writers,
    .read_page = herd_postgres_read_page,
    .find = herd_postgres_find,
};
