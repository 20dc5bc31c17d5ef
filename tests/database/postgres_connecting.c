/* SPDX-License-Identifier: MIT */
/* libherd-postgres opens, connects and makes its tables where one call of libpq, of the system or of the loop fails, or a table gives what it
 * never should: each is told once and says why, nothing is left open, and everything works the next time. */
#include "postgres_calls.h"

#include "../unit/open_files.h"

/* ---- opening ---- */

static void test_opening(void **state)
{
    (void)state;
    static const char *const blank[] = {"", " ", " \t\r\n\v\f"};
    struct herd_diagnostic diagnostic = {0};
    struct herd_database *database = NULL;
    for (size_t i = 0; i < sizeof blank / sizeof *blank; i++) { /* libpq has defaults for everything */
        const struct herd_database_options options = {.dsn = herd_span_of(blank[i])};
        assert_int_equal(DRIVER->open(&database, base, &options, &side_events, &one, &diagnostic), 0);
        assert_string_equal(database->dsn, "");
        DRIVER->close(database);
    }
    static const char *const calls[] = {"PQconninfoParse", "strdup", "calloc"};
    const struct herd_database_options options = {.dsn = herd_span_of("\n host=/x \n"), .herd = "city"};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        arm(calls[i], 1, FAILS);
        assert_int_equal(DRIVER->open(&database, base, &options, &side_events, &one, &diagnostic), HERD_E_NOMEM);
        assert_string_equal(diagnostic.message, "out of memory");
        disarm();
    }
    assert_int_equal(DRIVER->open(&database, base, &options, &side_events, &one, &diagnostic), 0);
    assert_string_equal(database->dsn, "host=/x");
    DRIVER->close(database);
}

/* ---- connecting ---- */

static void test_connecting(void **state)
{
    (void)state;
    static const struct {
        const char *call;
        unsigned first;
        int err; /* of connect; 0: what it tells */
        enum herd_database_result result;
        const char *message;
    } table[] = {
        {"eventfd", 1, HERD_E_NOMEM, 0, NULL},
        {"eventfd", 2, HERD_E_NOMEM, 0, NULL},
        {"pthread_mutex_init", 1, HERD_E_NOMEM, 0, NULL},
        {"pthread_attr_init", 1, HERD_E_NOMEM, 0, NULL},
        {"pthread_create", 1, HERD_E_NOMEM, 0, NULL},
        {"PQconnectStartParams", 1, 0, HERD_DATABASE_RETRY, "out of memory"},
        {"poll", 1, 0, HERD_DATABASE_RETRY, ""},
        {"PQserverVersion", 1, 0, HERD_DATABASE_REFUSED, "PostgreSQL is older than 12"},
        {"PQsetnonblocking", 1, 0, HERD_DATABASE_RETRY, "out of memory"},
        {"PQenterPipelineMode", 1, 0, HERD_DATABASE_RETRY, "out of memory"},
        {"herd_buf_add", 1, 0, HERD_DATABASE_RETRY, "out of memory"}, /* the statement that writes */
    };
    open_fresh(&one);
    check_works();
    DRIVER->disconnect(one.database);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const unsigned files = open_files(), downs = one.disconnected.times, ups = one.connected.times;
        arm(table[i].call, table[i].first, FAILS);
        assert_int_equal(DRIVER->connect(one.database), table[i].err);
        if (table[i].err == 0) {
            wait_times(&one, &one.disconnected.times, downs + 1);
            check_says(&one.disconnected, table[i].result, table[i].message);
        }
        assert_int_equal(one.disconnected.times, downs + (table[i].err == 0));
        assert_int_equal(one.connected.times, ups);
        assert_int_equal(open_files(), files);
        check_works();
        DRIVER->disconnect(one.database);
    }
    /* A signal is none of its business. */
    arm_one(0, "poll", 1, 3, AGAIN);
    side_connect(&one);
    assert_true(atomic_load(&armed[0].calls) > 3);
    side_close(&one);
    disarm();
}

/* The thread that was given up is done, and the next one cannot be begun. */
static void test_connecting_after_one_given_up(void **state)
{
    (void)state;
    open_fresh(&one);
    assert_int_equal(DRIVER->connect(one.database), 0);
    DRIVER->disconnect(one.database);
    assert_int_equal(DRIVER->connect(one.database), 0);
    arm("eventfd", 1, FAILS);
    wait_times(&one, &one.disconnected.times, 1);
    check_says(&one.disconnected, HERD_DATABASE_RETRY, "out of memory");
    check_works();
    side_close(&one);
}

/* What a server warns of while it is connected to is nobody's answer. */
static void test_warned(void **state)
{
    (void)state;
    open_fresh(&one);
    sql("SET client_min_messages = warning; ALTER DATABASE fresh SET default_text_search_config = 'nowhere'");
    check_works();
    assert_int_equal(one.disconnected.times, 0);
    side_close(&one);
}

/* ---- tables ---- */

static void test_preparing(void **state)
{
    (void)state;
#define AT_NAMES(body)                                                                    \
    "CREATE FUNCTION bad() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN " body " END $$;" \
    "CREATE TRIGGER bad BEFORE INSERT ON herd_name FOR EACH ROW EXECUTE FUNCTION bad()"
    static const struct {
        bool before; /* any table is there */
        const char *sql;
        enum herd_database_result result;
        const char *words;
    } table[] = {
        {true, "CREATE TABLE herd_newest (x int)", HERD_DATABASE_REFUSED, "herd_newest"},
        {true, "CREATE TABLE herd_schema (x int)", HERD_DATABASE_REFUSED, "version"},
        {true, "CREATE TABLE herd_schema (version int); INSERT INTO herd_schema VALUES (-1)", HERD_DATABASE_REFUSED,
         "the tables have version -1,"},
        {true, "CREATE TABLE herd_schema (version int); INSERT INTO herd_schema VALUES (99)", HERD_DATABASE_REFUSED,
         "the tables have version 99,"},
        /* A state that blames a record, where there is none. */
        {false, AT_NAMES("RAISE SQLSTATE '22000';"), HERD_DATABASE_REFUSED, "22000"},
        {false, AT_NAMES("RETURN NULL;"), HERD_DATABASE_RETRY, "the herd was removed from the database"},
        {false, "CREATE TABLE herd_sample_2 (x int)", HERD_DATABASE_REFUSED, "herd_sample_2"},
    };
    const struct herd_database_options first = {.dsn = herd_span_of(fresh_dsn()), .herd = "city"};
    cluster_database(&cluster, "fresh");
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        empty_schema();
        if (!table[i].before) {
            side_open_with(&one, base, DRIVER, &first);
            side_connect(&one);
            side_close(&one);
        }
        sql(table[i].sql);
        const struct herd_database_options options = {
            .dsn = herd_span_of(fresh_dsn()), .herd = "town", .history = true};
        side_open_with(&one, base, DRIVER, &options);
        assert_int_equal(side_connect_fails(&one), table[i].result);
        check_says(&one.disconnected, table[i].result, table[i].words);
        empty_schema();
        check_works();
        assert_int_equal(one.disconnected.times, 1);
        side_close(&one);
    }
    /* No row where there has to be one: tables are looked for once more, and found. */
    side_open_with(&one, base, DRIVER, &first);
    for (unsigned times = 1; times <= 4; times++) {
        arm_one(0, "PQntuples", 1, times, FAILS);
        check_works();
        DRIVER->disconnect(one.database);
    }
    assert_string_equal(sql("SELECT count(*) FROM herd_schema"), "1");
    assert_int_equal(one.disconnected.times, 0);
    side_close(&one);
}

/* PostGIS was there before the tables. */
static void test_preparing_places(void **state)
{
    (void)state;
    cluster_database(&cluster, "fresh");
    if (strcmp(sql("SELECT count(*) FROM pg_available_extensions WHERE name = 'postgis'"), "1") != 0) {
        printf("PostGIS (package postgresql-postgis) is not installed\n");
        skip();
    }
    sql("CREATE EXTENSION postgis; CREATE DOMAIN herd_geo AS int");
    const struct herd_database_options options = {.dsn = herd_span_of(fresh_dsn()), .herd = "city", .geo = true};
    side_open_with(&one, base, DRIVER, &options);
    assert_int_equal(side_connect_fails(&one), HERD_DATABASE_REFUSED);
    check_says(&one.disconnected, HERD_DATABASE_REFUSED, "herd_geo");
    empty_schema();
    sql("CREATE EXTENSION postgis");
    check_works();
    assert_null(strstr(one.server, "no PostGIS"));
    assert_int_equal(atoi(sql("SELECT count(*) FROM herd_geo")), ROWS);
    side_close(&one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_LOOP(test_opening), ON_LOOP(test_connecting), ON_LOOP(test_connecting_after_one_given_up),
        ON_LOOP(test_warned),  ON_LOOP(test_preparing),  ON_LOOP(test_preparing_places),
    };
    return run_on_cluster(tests, sizeof tests / sizeof *tests, "");
}
