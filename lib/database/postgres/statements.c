/* SPDX-License-Identifier: MIT */
/* Writing and reading, as SQL. */
#include "statements.h"

#include <stdio.h>

/* The key of an id: see tables.c. */
#define KEY(id) "CASE WHEN length(" id ") < 256 THEN " id " ELSE substr(" id ", 1, 224) || sha256(" id ") END"

/* Rows are inserted in the order in which they come, sorted by id: two writers lock what they share in one order. */
static const char newest[] =
    "INSERT INTO herd_newest AS old (herd, key, long_id, effective_ns, time_ns, time_rest, deleted, server, diff, "
    "position,"
    " time, lat, lon, accepted_ns, expires_ns)"
    " SELECT $1, " KEY(
        "id") ", CASE WHEN length(id) < 256 THEN NULL ELSE id END, effective_ns, time_ns, time_rest,"
              " position = '', server, diff, position, time, lat, lon, accepted_ns, expires_ns"
              " FROM unnest($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
              " AS new (id, effective_ns, time_ns, time_rest, server, diff, position, time, lat, lon, accepted_ns, "
              "expires_ns)"
              " ON CONFLICT (herd, key) DO UPDATE SET effective_ns = excluded.effective_ns, time_ns = "
              "excluded.time_ns,"
              " time_rest = excluded.time_rest, deleted = excluded.deleted, server = excluded.server, diff = "
              "excluded.diff,"
              " position = excluded.position, time = excluded.time, lat = excluded.lat, lon = excluded.lon,"
              " accepted_ns = excluded.accepted_ns, expires_ns = excluded.expires_ns"
              " WHERE (excluded.effective_ns, excluded.time_ns, excluded.time_rest, excluded.deleted, "
              "excluded.server,"
              " excluded.diff, excluded.position, excluded.time) >"
              " (old.effective_ns, old.time_ns, old.time_rest, old.deleted, old.server, old.diff, old.position, "
              "old.time)";

static const char returning[] = " RETURNING key, long_id, deleted, server, time_ns, accepted_ns, lat, lon";

/* Only what was newer, by the time of its acceptance: a client's own may be of any day. */
static const char sampled[] =
    ", sampled AS (INSERT INTO herd_sample (herd, at, time_ns, lat, lon, id, server)"
    " SELECT $1, timestamptz 'epoch' + accepted_ns / 1000 * interval '1 microsecond', time_ns, lat, lon,"
    " coalesce(long_id, key), server FROM newer WHERE lat IS NOT NULL)";

/* The rows of herd_newest are locked before those of herd_geo, so these need no order of their own. */
static const char located[] =
    ", located AS (INSERT INTO herd_geo AS old (herd, key, location)"
    " SELECT $1, key, ST_SetSRID(ST_MakePoint(lon, lat), 4326)::geography FROM newer WHERE lat IS NOT NULL"
    " ON CONFLICT (herd, key) DO UPDATE SET location = excluded.location)"
    ", removed AS (DELETE FROM herd_geo g USING newer WHERE g.herd = $1 AND g.key = newer.key AND newer.lat IS "
    "NULL)";

int herd_postgres_write_sql(struct herd_buf *out, bool history, bool geo)
{
    if (!history && !geo)
        return herd_buf_add(out, newest, sizeof newest);
    int err = herd_buf_add_text(out, "WITH newer AS (");
    err = err < 0 ? err : herd_buf_add_text(out, newest);
    err = err < 0 ? err : herd_buf_add_text(out, returning);
    err = err < 0 ? err : herd_buf_add_text(out, ")");
    if (history)
        err = err < 0 ? err : herd_buf_add_text(out, sampled);
    if (geo)
        err = err < 0 ? err : herd_buf_add_text(out, located);
    static const char end[] = " SELECT 1 FROM newer LIMIT 0";
    return err < 0 ? err : herd_buf_add(out, end, sizeof end);
}

/* A transaction of a connection that was given up may be committed late: it takes no later number away. */
const char herd_postgres_writer_sql[] =
    "INSERT INTO herd_writer AS old (herd, server, incarnation, sequence, written_until_ns, at)"
    " VALUES ($1, $2, $3, $4, $5, clock_timestamp())"
    " ON CONFLICT (herd, server) DO UPDATE SET incarnation = excluded.incarnation, sequence = excluded.sequence,"
    " written_until_ns = excluded.written_until_ns, at = excluded.at"
    " WHERE old.incarnation <> excluded.incarnation OR old.sequence <= excluded.sequence";

const char herd_postgres_writers_sql[] =
    "SELECT server, incarnation, sequence, written_until_ns,"
    " (extract(epoch FROM greatest(clock_timestamp() - at, interval '0')) * 1000000000)::int8"
    " FROM herd_writer WHERE herd = $1 ORDER BY server";

const char herd_postgres_plan_sql[] =
    "SELECT set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true),"
    " set_config('enable_sort', 'off', true)";

#define COLUMNS                                                                                               \
    "SELECT key, long_id, server, diff, position, time, time_ns, accepted_ns, effective_ns, expires_ns FROM " \
    "herd_newest"

void herd_postgres_copy_sql(char out[HERD_POSTGRES_COPY_SQL_MAX], int32_t herd)
{
    snprintf(out, HERD_POSTGRES_COPY_SQL_MAX, "COPY (%s WHERE herd = %d) TO STDOUT (FORMAT binary)", COLUMNS,
             (int)herd);
}

const char herd_postgres_page_sql[] = COLUMNS " WHERE herd = $1 AND key > $2 ORDER BY key LIMIT $3";

const char herd_postgres_find_sql[] = COLUMNS " WHERE herd = $1 AND key = " KEY("$2");
