/* SPDX-License-Identifier: MIT */
/* What libherd-postgres keeps beside the newest values: samples in partitions, their retention, what expires, an index of places; and
 * a database that was put back to what it was. */
#include "fresh.h"

#include "postgres_impl.h"

#include <event2/event.h>

static struct side one, other;

#define DAY_NS INT64_C(86400000000000)

static void open_history(struct side *side, const char *herd, int64_t retention_ns, bool geo)
{
    const struct herd_database_options options = {
        .dsn = herd_span_of(fresh_dsn()), .herd = herd, .history = true, .retention_ns = retention_ns, .geo = geo};
    side_open_with(side, base, DRIVER, &options);
}

static struct herd_database_row kiwi(const char *position, const char *time)
{
    return row_of(herd_span_of("kiwi"), "Riley", position, time);
}

static void write_one(struct side *side, struct herd_database_row row)
{
    assert_int_equal(side_write(side, &row, 1), HERD_DATABASE_DONE);
}

/* Only what was newer is a sample. */
static void test_samples(void **state)
{
    (void)state;
    cluster_database(&cluster, "fresh");
    open_history(&one, "city", 0, false);
    side_connect(&one);
    write_one(&one, kiwi("+1-1", "1600000000"));
    write_one(&one, kiwi("+2-2", "1600000001"));
    write_one(&one, kiwi("+2-2", "1600000001")); /* again */
    write_one(&one, kiwi("+1-1", "1600000000")); /* older */
    write_one(&one, kiwi("", "1600000002"));     /* deleted */
    static char long_id[65000];
    memset(long_id, 'x', sizeof long_id);
    struct herd_database_row row =
        row_of((struct herd_span){long_id, sizeof long_id}, "Riley", "+3-3", "1600000000");
    write_one(&one, row);
    assert_string_equal(sql("SELECT string_agg(lat::text, ' ' ORDER BY lat) FROM herd_track"), "1 2 3");
    assert_string_equal(sql("SELECT count(DISTINCT tableoid) FROM herd_sample"), "1");
    assert_string_equal(sql("SELECT max(length(id)) FROM herd_sample"), "65000");
    assert_string_equal(sql("SELECT count(*) FROM herd_track WHERE herd = 'city' AND id = 'kiwi' AND"
                            " at BETWEEN now() - interval '1 hour' AND now() + interval '1 hour'"),
                        "2");
    /* Today, the two next days, and what belongs to none. */
    assert_string_equal(sql("SELECT count(*) FROM pg_inherits WHERE inhparent = 'herd_sample_1'::regclass"), "4");
    assert_string_equal(
        sql("SELECT tableoid::regclass::text = 'herd_sample_1_' || to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD')"
            " FROM herd_sample LIMIT 1"),
        "t");
    /* A clock that was far ahead, or behind. */
    row = kiwi("+4-4", "1600000003");
    row.accepted_ns = INT64_MAX;
    write_one(&one, row);
    row = kiwi("+5-5", "1600000004");
    row.accepted_ns = 0;
    write_one(&one, row);
    assert_string_equal(sql("SELECT count(*) FROM herd_sample_1_rest"), "2");
    assert_string_equal(
        sql("SELECT count(*) FROM pg_indexes WHERE tablename LIKE 'herd_sample_1_%' AND indexdef LIKE '%brin%'"),
        "4");
    side_close(&one);
}

/* Lets the adapter do now what it does once an hour, all of it. */
static void upkeep(struct side *side)
{
    struct herd_database *database = side->database;
    event_del(database->upkeep);
    event_active(database->upkeep, EV_TIMEOUT, 0);
    time_t end = time(NULL) + WAIT_S;
    struct timeval when, now;
    do {
        const struct timeval soon = {0, 5000};
        event_base_loopexit(base, &soon);
        assert_true(event_base_loop(base, EVLOOP_ONCE) >= 0);
        gettimeofday(&now, NULL);
        /* A slice follows a slice in a second: not in this test. */
        if (database->sweeping && event_pending(database->upkeep, EV_TIMEOUT, &when)) {
            event_del(database->upkeep);
            event_active(database->upkeep, EV_TIMEOUT, 0);
        }
    } while ((!event_pending(database->upkeep, EV_TIMEOUT, &when) || when.tv_sec < now.tv_sec + 60 ||
              database->sweeping) &&
             time(NULL) < end);
    assert_int_equal(side->disconnected.times, 0);
}

static void test_retention(void **state)
{
    (void)state;
    cluster_database(&cluster, "fresh");
    open_history(&one, "city", 3 * DAY_NS, false);
    open_history(&other, "town", 0, false);
    side_connect(&one);
    side_connect(&other);
    assert_string_equal(sql("SELECT string_agg(herd || number, ' ' ORDER BY herd) FROM herd_name"), "city1 town2");
    sql("CREATE TABLE herd_sample_1_20200101 PARTITION OF herd_sample_1 FOR VALUES FROM ('2020-01-01 00:00+00') TO "
        "('2020-01-02 00:00+00')");
    sql("CREATE TABLE herd_sample_2_20200101 PARTITION OF herd_sample_2 FOR VALUES FROM ('2020-01-01 00:00+00') TO "
        "('2020-01-02 00:00+00')");
    struct herd_database_row row = kiwi("+1-1", "1600000000");
    row.accepted_ns = INT64_C(1577836800000000000); /* 2020-01-01 */
    write_one(&one, row);
    write_one(&other, row);
    row = kiwi("+1-1", "1600000001");
    row.accepted_ns = 0;
    write_one(&one, row);
    write_one(&other, row);
    write_one(&one, kiwi("+1-1", "1600000002"));
    assert_string_equal(sql("SELECT count(*) FROM herd_sample_1"), "3");
    upkeep(&one);
    upkeep(&other);
    assert_string_equal(sql("SELECT count(*) FROM herd_sample_1"), "1");
    assert_string_equal(sql("SELECT to_regclass('herd_sample_1_20200101') IS NULL"), "t");
    assert_string_equal(sql("SELECT count(*) FROM herd_sample_2"), "2"); /* another herd keeps them for ever */
    /* Once an hour is enough for all servers of a herd. */
    sql("CREATE TABLE herd_sample_1_20200101 PARTITION OF herd_sample_1 FOR VALUES FROM ('2020-01-01 00:00+00') TO "
        "('2020-01-02 00:00+00')");
    upkeep(&one);
    assert_string_equal(sql("SELECT to_regclass('herd_sample_1_20200101') IS NULL"), "f");
    sql("UPDATE herd_name SET swept_at = now() - interval '1 hour'");
    upkeep(&one);
    assert_string_equal(sql("SELECT to_regclass('herd_sample_1_20200101') IS NULL"), "t");
    side_close(&one);
    side_close(&other);
}

/* Somebody reads the history for hours: nothing waits for him long, and a partition of a day that has samples in the default one is
 * left out. */
static void test_partitions_in_use(void **state)
{
    (void)state;
    cluster_database(&cluster, "fresh");
    open_history(&one, "city", DAY_NS, false);
    side_connect(&one);
    side_close(&one);
    sql("CREATE TABLE herd_sample_1_20200101 PARTITION OF herd_sample_1 FOR VALUES FROM ('2020-01-01 00:00+00') TO "
        "('2020-01-02 00:00+00')");
    char text[200];
    snprintf(text, sizeof text, "DROP TABLE herd_sample_1_%s",
             sql("SELECT to_char(now() AT TIME ZONE 'UTC' + interval '1 day', 'YYYYMMDD')"));
    sql(text);
    sql("INSERT INTO herd_sample SELECT now() + interval '1 day', 0, 1, 1, 1, 'kiwi', 'Riley'");
    PGconn *reader = PQconnectdb(fresh_dsn());
    PQclear(PQexec(reader, "BEGIN; SELECT count(*) FROM herd_sample_1_20200101"));
    open_history(&one, "city", DAY_NS, false);
    side_connect(&one);
    assert_string_equal(sql("SELECT to_regclass('herd_sample_1_20200101') IS NULL"), "f");
    write_one(&one, kiwi("+1-1", "1600000000"));
    assert_string_equal(sql("SELECT count(*) FROM herd_sample_1_rest"), "1");
    PQfinish(reader);
    upkeep(&one);
    assert_string_equal(sql("SELECT to_regclass('herd_sample_1_20200101') IS NULL"), "t");
    side_close(&one);
}

static void test_expiry(void **state)
{
    (void)state;
    enum { COUNT = 25000 };
    connect_fresh(&one);
    char text[512];
    /* Every third expired two days ago, every third one hour ago, the others never; more than two slices. */
    snprintf(text, sizeof text,
             "INSERT INTO herd_newest SELECT 1, 1, 1, CASE i %% 3 WHEN 0 THEN now_ns - 2 * %lld WHEN 1 THEN now_ns "
             "- 3600000000000"
             " ELSE %lld END, 1, 1, 1, false, to_char(i, 'FM00000')::bytea, '', 'Riley', '+0', '+1+1', '1', NULL"
             " FROM generate_series(1, %d) i, (SELECT (extract(epoch FROM now()) * 1000000000)::int8 AS now_ns) n",
             (long long)DAY_NS, (long long)INT64_MAX, COUNT);
    sql(text);
    upkeep(&one);
    assert_int_equal(atoi(sql("SELECT count(*) FROM herd_newest")), COUNT - COUNT / 3);
    assert_string_equal(sql("SELECT count(*) FROM herd_client"), "8333");
    /* What somebody is changing just then is left for the next time, and nobody waits. */
    sql("UPDATE herd_newest SET expires_ns = 0; UPDATE herd_name SET swept_at = '-infinity'");
    PGconn *writer = PQconnectdb(fresh_dsn());
    PQclear(PQexec(writer, "BEGIN; UPDATE herd_newest SET lat = 2 WHERE key = '00002'"));
    upkeep(&one);
    assert_string_equal(sql("SELECT string_agg(convert_from(key, 'UTF8'), ' ') FROM herd_newest"), "00002");
    PQfinish(writer);
    side_close(&one);
}

static void test_geo(void **state)
{
    (void)state;
    cluster_database(&cluster, "fresh");
    bool has_postgis = strcmp(sql("SELECT count(*) FROM pg_available_extensions WHERE name = 'postgis'"), "1") == 0;
    /* Without the extension there is none, and all else works. */
    open_history(&one, "city", 0, true);
    side_connect(&one);
    assert_non_null(strstr(one.server, "no PostGIS"));
    write_one(&one, kiwi("+1-1", "1600000000"));
    assert_string_equal(sql("SELECT to_regclass('herd_geo') IS NULL"), "t");
    side_close(&one);
    if (!has_postgis) {
        printf("skipped: PostGIS (package postgresql-postgis) is not installed\n");
        return;
    }
    sql("CREATE EXTENSION postgis");
    for (int round = 0; round < 2; round++) { /* made, then found */
        open_history(&one, "city", 0, true);
        side_connect(&one);
        assert_null(strstr(one.server, "no PostGIS"));
        write_one(&one, kiwi("+34.07-118.44", round ? "1600000003" : "1600000001"));
        assert_string_equal(sql("SELECT count(*) FROM herd_geo WHERE ST_DWithin(location, ST_MakePoint(-118.44, "
                                "34.071)::geography, 1000)"),
                            "1");
        write_one(&one, kiwi("", round ? "1600000004" : "1600000002"));
        assert_string_equal(sql("SELECT count(*) FROM herd_geo"), "0");
        side_close(&one);
    }
    open_history(&one, "city", 0, true);
    side_connect(&one);
    write_one(&one, kiwi("+90+0", "1600000005"));
    write_one(&one, kiwi("-90-180", "1600000006"));
    sql("UPDATE herd_newest SET expires_ns = 0; UPDATE herd_name SET swept_at = '-infinity'");
    upkeep(&one);
    assert_string_equal(sql("SELECT count(*) FROM herd_geo"), "0");
    side_close(&one);
}

/* The database is put back to an old dump: the writer's line says so by its sequence. */
static void test_restored(void **state)
{
    (void)state;
    connect_fresh(&one);
    struct herd_database_writer writer = some_writer;
    struct herd_database_row row = kiwi("+1-1", "1600000000");
    writer.sequence = 5;
    assert_int_equal(DRIVER->write(one.database, 1, &row, 1, &writer), 0);
    wait_times(&one, &one.written.times, 1);
    DRIVER->disconnect(one.database);
    cluster_sql(&cluster, "postgres", "DROP DATABASE IF EXISTS dump WITH (FORCE)");
    time_t end = time(NULL) + WAIT_S;
    while (!cluster_sql(&cluster, "postgres", "CREATE DATABASE dump TEMPLATE fresh") && time(NULL) < end)
        ; /* the connection takes a moment to end */
    side_connect(&one);
    row = kiwi("+2-2", "1600000001");
    writer.sequence = 9;
    assert_int_equal(DRIVER->write(one.database, 2, &row, 1, &writer), 0);
    wait_times(&one, &one.written.times, 2);
    assert_int_equal(one.failed, 0);
    cluster_sql(&cluster, "postgres", "DROP DATABASE fresh WITH (FORCE)");
    wait_times(&one, &one.disconnected.times, 1);
    assert_non_null(cluster_sql(&cluster, "postgres", "ALTER DATABASE dump RENAME TO fresh"));
    side_connect(&one);
    assert_int_equal(DRIVER->read_writers(one.database, 3), 0);
    wait_times(&one, &one.writers.times, 1);
    assert_int_equal(one.writer_count, 1);
    assert_int_equal(one.writer[0].sequence, 5);
    write_one(&one, row);
    assert_true(side_find(&one, herd_span_of("kiwi")));
    check_equal(&one.row.record, &row.record);
    side_close(&one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_LOOP(test_samples), ON_LOOP(test_retention), ON_LOOP(test_partitions_in_use),
        ON_LOOP(test_expiry),  ON_LOOP(test_geo),       ON_LOOP(test_restored),
    };
    return run_on_cluster(tests, sizeof tests / sizeof *tests, "");
}
