/* SPDX-License-Identifier: MIT */
/*
 * What the tables need from time to time. Every PERIOD_S one of the servers of a herd, whichever comes first, makes the partitions
 * of the next days, drops those behind the retention, and then removes from the newest values what expired, a slice each
 * SLICE_S: an index for that would be touched by every update.
 *
 * Nothing here waits long for a lock: somebody who reads the history for hours would stop who drops a partition, and behind him all who
 * write. It is tried again the next time.
 */
#include "postgres_impl.h"
#include "tables.h"
#include "types.h"

#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#define FIRST_S   10
#define PERIOD_S  3600
#define SLICE_S   1
#define NS_PER_US 1000

/* A record that expired is removed so much later: clocks differ, and what it keeps out may come late. */
#define GRACE "86400000000000"

/* %d is the number of the herd, %lld the retention in microseconds, 0 for ever. A day of which the default partition has
 * samples already, of a clock that was ahead, stays there. */
static const char partitions[] =
    "DO $herd$ DECLARE number int := %d; retention bigint := %lld; part text := 'herd_sample_' || number;"
    " child text; since date; cutoff timestamptz; BEGIN"
    " SET LOCAL lock_timeout = '2s';"
    " PERFORM pg_advisory_xact_lock(" HERD_POSTGRES_LOCK_PARTITIONS ");"
    " IF to_regclass(part) IS NULL THEN"
    "  EXECUTE format('CREATE TABLE %%I PARTITION OF herd_sample FOR VALUES IN (%%s) PARTITION BY RANGE (at)', "
    "part, number);"
    "  EXECUTE format('CREATE TABLE %%I PARTITION OF %%I DEFAULT', part || '_rest', part);"
    " END IF;"
    " FOR since IN SELECT (now() AT TIME ZONE 'UTC')::date + n FROM generate_series(0, 2) n LOOP"
    "  child := part || to_char(since, '_YYYYMMDD');"
    "  IF to_regclass(child) IS NULL THEN BEGIN"
    "   EXECUTE format('CREATE TABLE %%I PARTITION OF %%I FOR VALUES FROM (%%L) TO (%%L)', child, part,"
    "    to_char(since, 'YYYY-MM-DD 00:00:00+00'), to_char(since + 1, 'YYYY-MM-DD 00:00:00+00'));"
    "  EXCEPTION WHEN check_violation OR lock_not_available THEN NULL; END; END IF;"
    " END LOOP;"
    " IF retention > 0 THEN"
    "  cutoff := now() - retention * interval '1 microsecond';"
    "  FOR child IN SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
    "   WHERE i.inhparent = part::regclass AND c.relname ~ ('^' || part || '_[0-9]{8}$')"
    "   AND c.relname < part || to_char(cutoff AT TIME ZONE 'UTC', '_YYYYMMDD') LOOP"
    "   BEGIN EXECUTE format('DROP TABLE %%I', child); EXCEPTION WHEN lock_not_available THEN NULL; END;"
    "  END LOOP;"
    "  EXECUTE format('DELETE FROM %%I WHERE at < $1', part || '_rest') USING cutoff;"
    " END IF; END $herd$";

/* One server of a herd gets a row. */
static const char claim[] = "UPDATE herd_name SET swept_at = now() WHERE number = $1 AND swept_at < now() - "
                            "interval '55 minutes' RETURNING number";

/* $1 herd, $2 key of the last row looked at. Whoever holds a lock is not waited for, so that nobody is in a circle. */
#define SLICE_ROWS "10000"
static const char slice_begin[] =
    "WITH slice AS MATERIALIZED (SELECT key, expires_ns FROM herd_newest WHERE herd = $1 AND key > $2 ORDER BY key"
    " LIMIT " SLICE_ROWS "), passed AS (SELECT (extract(epoch FROM now()) * 1000000000)::int8 - " GRACE " AS ns),"
    " old AS MATERIALIZED (SELECT n.key FROM passed, slice s JOIN herd_newest n ON n.herd = $1 AND n.key = s.key"
    " WHERE s.expires_ns < passed.ns AND n.expires_ns < passed.ns FOR UPDATE OF n SKIP LOCKED),"
    " gone AS (DELETE FROM herd_newest n USING old WHERE n.herd = $1 AND n.key = old.key)";
static const char slice_geo[] =
    ", unseen AS (DELETE FROM herd_geo g USING old WHERE g.herd = $1 AND g.key = old.key)";
static const char slice_end[] = " SELECT key FROM slice ORDER BY key DESC LIMIT 1";

static void on_upkeep(evutil_socket_t fd, short what, void *arg);

int herd_postgres_upkeep_init(struct herd_database *database)
{
    database->upkeep = event_new(database->base, -1, 0, on_upkeep, database);
    return database->upkeep ? 0 : HERD_E_NOMEM;
}

static void wait_s(struct herd_database *database, int s)
{
    const struct timeval after = {s, 0};
    event_add(database->upkeep, &after); /* without memory it waits for the next connection */
}

void herd_postgres_upkeep_start(struct herd_database *database)
{
    database->sweeping = false;
    wait_s(database, FIRST_S);
}

void herd_postgres_upkeep_stop(struct herd_database *database)
{
    if (database->upkeep)
        event_del(database->upkeep);
}

void herd_postgres_upkeep_fini(struct herd_database *database)
{
    if (database->upkeep)
        event_free(database->upkeep);
    herd_buf_fini(&database->sweep_key);
}

bool herd_postgres_send_partitions(struct herd_database *database)
{
    char sql[sizeof partitions + 256];
    snprintf(sql, sizeof sql, partitions, (int)database->number_value,
             (long long)(database->retention_ns / NS_PER_US));
    return herd_postgres_send(&database->pipeline, sql, NULL);
}

/* Begins an operation, the statements of which were sent. Without memory it is left for the next time. */
static void begin(struct herd_database *database, herd_postgres_done *done)
{
    struct herd_postgres_op *op = herd_postgres_op_new(done, 0);
    if (op)
        (void)!herd_postgres_commit(&database->pipeline, op);
}

static void on_slice(void *owner, struct herd_postgres_op *op, const struct herd_postgres_outcome *outcome)
{
    struct herd_database *database = owner;
    database->sweeping = false;
    if (outcome->result == HERD_DATABASE_DONE && PQntuples(op->rows) == 1) {
        database->sweep_key.len = 0;
        database->sweeping = herd_buf_add(&database->sweep_key, PQgetvalue(op->rows, 0, 0),
                                          (size_t)PQgetlength(op->rows, 0, 0)) == 0;
    }
    if (outcome->result != HERD_DATABASE_LOST)
        wait_s(database, database->sweeping ? SLICE_S : PERIOD_S);
}

static void send_slice(struct herd_database *database)
{
    static const unsigned types[] = {HERD_POSTGRES_INT4, HERD_POSTGRES_BYTEA};
    char sql[sizeof slice_begin + sizeof slice_geo + sizeof slice_end];
    const char *const values[] = {database->number, database->sweep_key.len > 0 ? database->sweep_key.at : ""};
    const int lengths[] = {sizeof database->number, (int)database->sweep_key.len};
    const struct herd_postgres_params params = {2, types, values, lengths, .text = false};
    snprintf(sql, sizeof sql, "%s%s%s", slice_begin, database->has_geo ? slice_geo : "", slice_end);
    herd_postgres_send(&database->pipeline, herd_postgres_plan_sql, NULL);
    herd_postgres_send(&database->pipeline, sql, &params);
    begin(database, on_slice);
}

/* Partitions that could not be made are made the next time; there are two days for that. */
static void on_partitions(void *owner, struct herd_postgres_op *op, const struct herd_postgres_outcome *outcome)
{
    (void)owner;
    (void)op;
    (void)outcome;
}

static void on_claim(void *owner, struct herd_postgres_op *op, const struct herd_postgres_outcome *outcome)
{
    struct herd_database *database = owner;
    if (outcome->result == HERD_DATABASE_LOST)
        return;
    database->sweep_key.len = 0;
    database->sweeping = outcome->result == HERD_DATABASE_DONE && PQntuples(op->rows) == 1;
    wait_s(database, database->sweeping ? 0 : PERIOD_S);
    if (database->sweeping && database->history) {
        herd_postgres_send_partitions(database);
        begin(database, on_partitions);
    }
}

static void on_upkeep(evutil_socket_t fd, short what, void *arg)
{
    static const unsigned types[] = {HERD_POSTGRES_INT4};
    struct herd_database *database = arg;
    (void)fd;
    (void)what;
    if (database->sweeping) {
        send_slice(database);
        return;
    }
    const char *const values[] = {database->number};
    const int lengths[] = {sizeof database->number};
    const struct herd_postgres_params params = {1, types, values, lengths, .text = false};
    herd_postgres_send(&database->pipeline, claim, &params);
    begin(database, on_claim);
}
