/* SPDX-License-Identifier: MIT */
/*
 * The tables, before anything is written: found as they should be, made, or moved on. A server without the right to make tables
 * needs none where they are there. Two servers that find none at once: one waits for the lock of the other, and then finds
 * them.
 *
 *     what is there? -- herd_schema --> its version -- ours --> the number of the herd -> partitions -> connected
 *           |                              | less
 *           +--- nothing --> BEGIN, lock, version --> statements of each version, COMMIT --^
 */
#include "postgres_impl.h"
#include "tables.h"
#include "types.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void on_found(void *owner, struct herd_postgres_op *op, const struct herd_postgres_outcome *outcome);
static void on_version(void *owner, struct herd_postgres_op *op, const struct herd_postgres_outcome *outcome);
static void on_locked(void *owner, struct herd_postgres_op *op, const struct herd_postgres_outcome *outcome);
static void on_moved(void *owner, struct herd_postgres_op *op, const struct herd_postgres_outcome *outcome);
static void on_geo(void *owner, struct herd_postgres_op *op, const struct herd_postgres_outcome *outcome);
static void on_number(void *owner, struct herd_postgres_op *op, const struct herd_postgres_outcome *outcome);
static void on_partitions(void *owner, struct herd_postgres_op *op, const struct herd_postgres_outcome *outcome);

static const struct herd_postgres_params as_text = {.text = true};

static void fail(struct herd_database *database, enum herd_database_result result, const char *message)
{
    struct herd_postgres_outcome outcome;
    herd_postgres_outcome_set(&outcome, result, message, NULL);
    herd_postgres_end(database, &outcome);
}

/* Goes on with a step, the statements of which were sent. */
static void step(struct herd_database *database, herd_postgres_done *done)
{
    struct herd_postgres_op *op = herd_postgres_op_new(done, 0);
    if (!op || herd_postgres_commit(&database->pipeline, op) < 0)
        fail(database, HERD_DATABASE_RETRY, "out of memory");
}

/* Whether a step succeeded. With the connection goes what it had begun and the lock. A batch is what BAD is for. */
static bool went_well(struct herd_database *database, const struct herd_postgres_outcome *outcome)
{
    if (outcome->result == HERD_DATABASE_DONE)
        return true;
    struct herd_postgres_outcome failed = *outcome;
    if (failed.result == HERD_DATABASE_BAD)
        failed.result = HERD_DATABASE_REFUSED;
    if (outcome->result != HERD_DATABASE_LOST) /* else it is told by the pipeline */
        herd_postgres_end(database, &failed);
    return false;
}

static bool is_true(const struct herd_postgres_op *op, int field)
{
    return PQntuples(op->rows) == 1 && strcmp(PQgetvalue(op->rows, 0, field), "t") == 0;
}

void herd_postgres_prepare(struct herd_database *database)
{
    herd_postgres_send(&database->pipeline,
                       "SELECT to_regclass('herd_schema') IS NOT NULL, to_regclass('herd_geo') IS NOT NULL,"
                       " EXISTS (SELECT FROM pg_extension WHERE extname = 'postgis')",
                       &as_text);
    step(database, on_found);
}

static void ask_number(struct herd_database *database)
{
    const unsigned types[] = {HERD_POSTGRES_TEXT};
    const char *const values[] = {database->name};
    const int lengths[] = {(int)strlen(database->name)};
    const struct herd_postgres_params params = {1, types, values, lengths, .text = true};
    herd_postgres_send(&database->pipeline,
                       "INSERT INTO herd_name (herd) SELECT $1 WHERE NOT EXISTS"
                       " (SELECT FROM herd_name WHERE herd = $1) ON CONFLICT DO NOTHING",
                       &params);
    herd_postgres_send(&database->pipeline, "SELECT number FROM herd_name WHERE herd = $1", &params);
    step(database, on_number);
}

static void send_all(struct herd_database *database, const char *const *statements)
{
    for (; *statements; statements++)
        herd_postgres_send(&database->pipeline, *statements, NULL);
}

static void lock(struct herd_database *database)
{
    herd_postgres_send(&database->pipeline, "BEGIN", NULL);
    herd_postgres_send(&database->pipeline, "SELECT pg_advisory_xact_lock(" HERD_POSTGRES_LOCK_TABLES ")", NULL);
}

static void make_geo(struct herd_database *database)
{
    database->has_geo = true;
    lock(database);
    send_all(database, herd_postgres_tables_geo());
    herd_postgres_send(&database->pipeline, "COMMIT", NULL);
    step(database, on_geo);
}

static void on_found(void *owner, struct herd_postgres_op *op, const struct herd_postgres_outcome *outcome)
{
    struct herd_database *database = owner;
    if (!went_well(database, outcome))
        return;
    bool has_table = is_true(op, 1), has_extension = is_true(op, 2);
    database->has_geo = database->geo && has_extension && has_table;
    database->makes_geo = database->geo && has_extension && !has_table;
    if (is_true(op, 0)) {
        herd_postgres_send(&database->pipeline, "SELECT max(version) FROM herd_schema", &as_text);
        step(database, on_version);
        return;
    }
    lock(database);
    herd_postgres_send(&database->pipeline, "CREATE TABLE IF NOT EXISTS herd_schema (version int4 NOT NULL)", NULL);
    herd_postgres_send(&database->pipeline, "SELECT coalesce(max(version), 0) FROM herd_schema", &as_text);
    step(database, on_locked);
}

/* Reads the version of the tables. False: there is nothing that this library could do with them; it was told. */
static bool read_version(struct herd_database *database, const struct herd_postgres_op *op)
{
    long version = PQntuples(op->rows) == 1 ? strtol(PQgetvalue(op->rows, 0, 0), NULL, 10) : 0;
    if (version >= 0 && version <= HERD_POSTGRES_SCHEMA_VERSION) {
        database->schema_version = (unsigned)version;
        return true;
    }
    char text[128];
    snprintf(text, sizeof text,
             "the tables have version %ld, made by a later libherd than this one, which knows %d", version,
             HERD_POSTGRES_SCHEMA_VERSION);
    fail(database, HERD_DATABASE_REFUSED, text);
    return false;
}

static void on_version(void *owner, struct herd_postgres_op *op, const struct herd_postgres_outcome *outcome)
{
    struct herd_database *database = owner;
    if (!went_well(database, outcome) || !read_version(database, op))
        return;
    if (database->schema_version == HERD_POSTGRES_SCHEMA_VERSION) {
        if (database->makes_geo)
            make_geo(database);
        else
            ask_number(database);
        return;
    }
    lock(database);
    herd_postgres_send(&database->pipeline, "SELECT coalesce(max(version), 0) FROM herd_schema", &as_text);
    step(database, on_locked);
}

static void on_locked(void *owner, struct herd_postgres_op *op, const struct herd_postgres_outcome *outcome)
{
    struct herd_database *database = owner;
    if (!went_well(database, outcome) || !read_version(database, op))
        return;
    if (database->schema_version < HERD_POSTGRES_SCHEMA_VERSION) {
        char set[64];
        for (unsigned version = database->schema_version + 1; version <= HERD_POSTGRES_SCHEMA_VERSION; version++)
            send_all(database, herd_postgres_tables(version));
        snprintf(set, sizeof set, "INSERT INTO herd_schema VALUES (%d)", HERD_POSTGRES_SCHEMA_VERSION);
        herd_postgres_send(&database->pipeline, set, NULL);
    }
    herd_postgres_send(&database->pipeline, "COMMIT", NULL);
    step(database, on_moved);
}

static void on_moved(void *owner, struct herd_postgres_op *op, const struct herd_postgres_outcome *outcome)
{
    struct herd_database *database = owner;
    (void)op;
    if (!went_well(database, outcome))
        return;
    if (database->makes_geo)
        make_geo(database);
    else
        ask_number(database);
}

static void on_geo(void *owner, struct herd_postgres_op *op, const struct herd_postgres_outcome *outcome)
{
    (void)op;
    if (went_well(owner, outcome))
        ask_number(owner);
}

static void tell_connected(struct herd_database *database)
{
    char server[96];
    int version = PQserverVersion(database->pipeline.conn);
    database->state = HERD_POSTGRES_READY;
    herd_postgres_upkeep_start(database);
    snprintf(server, sizeof server, "PostgreSQL %d.%d%s", version / 10000, version % 10000,
             database->geo && !database->has_geo ? ", no PostGIS: no index of places" : "");
    database->events->connected(database->ctx, server);
}

static void on_number(void *owner, struct herd_postgres_op *op, const struct herd_postgres_outcome *outcome)
{
    struct herd_database *database = owner;
    if (!went_well(database, outcome))
        return;
    if (PQntuples(op->rows) != 1) {
        fail(database, HERD_DATABASE_RETRY, "the herd was removed from the database");
        return;
    }
    database->number_value = (int32_t)strtol(PQgetvalue(op->rows, 0, 0), NULL, 10);
    herd_postgres_put_int4(database->number, database->number_value);
    database->write_sql.len = 0;
    if (herd_postgres_write_sql(&database->write_sql, database->history, database->has_geo) < 0) {
        fail(database, HERD_DATABASE_RETRY, "out of memory");
        return;
    }
    if (!database->history) {
        tell_connected(database);
        return;
    }
    herd_postgres_send_partitions(database);
    step(database, on_partitions);
}

static void on_partitions(void *owner, struct herd_postgres_op *op, const struct herd_postgres_outcome *outcome)
{
    (void)op;
    if (went_well(owner, outcome))
        tell_connected(owner);
}
