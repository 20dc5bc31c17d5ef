/* SPDX-License-Identifier: MIT */
/*
 * libherd-postgres where one call of libpq, of the system or of the loop fails, or a table gives what it never should: each operation
 * is told once and says why, nothing is left open, and everything works the next time.
 */
#include "fresh.h"

#include "../unit/failing_calls.h"
#include "../unit/open_files.h"

#include "postgres_impl.h"

#include <errno.h>
#include <event2/event.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>

/* ---- calls that go wrong ---- */

enum wrong {
    FAILS,
    AGAIN,    /* it was interrupted, or did nothing yet */
    LEFT,     /* PQflush: not all is sent */
    WAITS,    /* PQflush: returns when the answer is there by now */
    NONSENSE, /* PQgetCopyData: bytes that are no row */
    HANGS     /* poll: the server says nothing */
};

static struct {
    _Atomic(const char *) name;
    atomic_uint calls;
    unsigned first, times; /* of the calls that go wrong */
    enum wrong wrong;
} armed[2];

/* Of calls from now on, of the program or of a thread of the adapter, which runs only while the loop waits for it. */
static void arm_one(size_t i, const char *name, unsigned first, unsigned times, enum wrong wrong)
{
    atomic_store(&armed[i].calls, 0);
    armed[i].first = first, armed[i].times = times, armed[i].wrong = wrong;
    atomic_store(&armed[i].name, name);
}

static void arm(const char *name, unsigned first, enum wrong wrong)
{
    arm_one(0, name, first, 1, wrong);
}

static void disarm(void)
{
    for (size_t i = 0; i < sizeof armed / sizeof *armed; i++)
        atomic_store(&armed[i].name, NULL);
}

/* Whether this call is to go wrong, and how. */
static bool goes_wrong(const char *name, enum wrong *ret_wrong)
{
    for (size_t i = 0; i < sizeof armed / sizeof *armed; i++) {
        const char *mine = atomic_load(&armed[i].name);
        if (!mine || strcmp(mine, name) != 0)
            continue;
        const unsigned call = atomic_fetch_add(&armed[i].calls, 1) + 1;
        *ret_wrong = armed[i].wrong;
        return call >= armed[i].first && call - armed[i].first < armed[i].times;
    }
    return false;
}

static bool fails(const char *name)
{
    enum wrong wrong;
    return goes_wrong(name, &wrong);
}

FAILING_TO_BEGIN_A_THREAD
FAILING(void *, calloc, NULL, (size_t count, size_t size), count, size)
FAILING(char *, strdup, NULL, (const char *text), text)
FAILING(int, event_add, -1, (struct event * event, const struct timeval *after), event, after)
FAILING(int, herd_buf_add, HERD_E_NOMEM, (struct herd_buf * buf, const void *bytes, size_t len), buf, bytes, len)
FAILING(int, herd_buf_reserve, HERD_E_NOMEM, (struct herd_buf * buf, size_t more), buf, more)
FAILING(PQconninfoOption *, PQconninfoParse, NULL, (const char *text, char **reterr), text, reterr)
FAILING(PGconn *, PQconnectStartParams, NULL, (const char *const *keys, const char *const *values, int expand),
        keys, values, expand)
FAILING(int, PQsetnonblocking, -1, (PGconn * conn, int on), conn, on)
FAILING(int, PQenterPipelineMode, 0, (PGconn * conn), conn)
FAILING(int, PQexitPipelineMode, 0, (PGconn * conn), conn)
FAILING(int, PQsendQuery, 0, (PGconn * conn, const char *text), conn, text)
FAILING(PGresult *, PQgetResult, NULL, (PGconn * conn), conn)
FAILING(PGresult *, PQcopyResult, NULL, (const PGresult *result, int flags), result, flags)
FAILING(int, PQsetvalue, 0, (PGresult * result, int row, int field, char *value, int len), result, row, field,
        value, len)
FAILING(int, PQntuples, 0, (const PGresult *result), result)
FAILING(int, PQserverVersion, 119999, (const PGconn *conn), conn)

int __real_PQconsumeInput(PGconn *conn);
int __wrap_PQconsumeInput(PGconn *conn);
int __wrap_PQconsumeInput(PGconn *conn)
{
    enum wrong wrong;
    return goes_wrong("PQconsumeInput", &wrong) ? wrong == AGAIN : __real_PQconsumeInput(conn);
}

int __real_poll(struct pollfd *fds, nfds_t count, int timeout);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout)
{
    enum wrong wrong;
    if (!goes_wrong("poll", &wrong))
        return __real_poll(fds, count, timeout);
    if (wrong == HANGS) {
        fds[0].events = 0;
        return __real_poll(fds, count, timeout);
    }
    errno = wrong == AGAIN ? EINTR : ENOMEM;
    return -1;
}

int __real_PQflush(PGconn *conn);
int __wrap_PQflush(PGconn *conn);
int __wrap_PQflush(PGconn *conn)
{
    enum wrong wrong;
    if (!goes_wrong("PQflush", &wrong))
        return __real_PQflush(conn);
    if (wrong == FAILS)
        return -1;
    int left = __real_PQflush(conn);
    if (wrong == LEFT)
        return 1;
    struct pollfd answer = {.fd = PQsocket(conn), .events = POLLIN};
    assert_int_equal(__real_poll(&answer, 1, WAIT_S * 1000), 1);
    return left;
}

int __real_PQgetCopyData(PGconn *conn, char **ret_text, int async);
int __wrap_PQgetCopyData(PGconn *conn, char **ret_text, int async);
int __wrap_PQgetCopyData(PGconn *conn, char **ret_text, int async)
{
    enum wrong wrong;
    int len = __real_PQgetCopyData(conn, ret_text, async);
    if (len <= 0 || !goes_wrong("PQgetCopyData", &wrong))
        return len;
    if (wrong == NONSENSE) {
        (*ret_text)[0] ^= 0x55;
        return len;
    }
    PQfreemem(*ret_text);
    *ret_text = NULL;
    return -2;
}

/* ---- the world ---- */

#define ROWS 40

static struct side one;
static char ids[ROWS][8];
static struct herd_database_row rows[ROWS];

static void draw_rows(void)
{
    for (int i = 0; i < ROWS; i++) {
        snprintf(ids[i], sizeof ids[i], "%05d", i);
        rows[i] = row_of(herd_span_of(ids[i]), "Riley", "+1.5-2.5", "1600000000");
    }
}

static void empty_schema(void)
{
    sql("SET client_min_messages = warning; DROP SCHEMA public CASCADE; CREATE SCHEMA public");
}

static void start_with_rows(void)
{
    connect_fresh(&one);
    draw_rows();
    assert_int_equal(side_write(&one, rows, ROWS), HERD_DATABASE_DONE);
}

/* Not connected: it connects, writes and finds. */
static void check_works(void)
{
    disarm();
    side_connect(&one);
    draw_rows();
    assert_int_equal(side_write(&one, rows, ROWS), HERD_DATABASE_DONE);
    assert_true(side_find(&one, rows[7].record.id));
    check_equal(&one.row.record, &rows[7].record);
}

static void check_says(const struct told *told, enum herd_database_result result, const char *words)
{
    if (told->result != result || !strstr(told->message, words))
        fail_msg("%d \"%s\" instead of %d \"%s\"", told->result, told->message, result, words);
}

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

/* ---- operations ---- */

static const struct told *operate(char which)
{
    unsigned writes = one.written.times, finds = one.found.times, lists = one.writers.times;
    switch (which) {
    case 'w':
        assert_int_equal(DRIVER->write(one.database, 5, rows, ROWS, &some_writer), 0);
        wait_times(&one, &one.written.times, writes + 1);
        assert_int_equal(one.written.times, writes + 1);
        return &one.written;
    case 'f':
        assert_int_equal(DRIVER->find(one.database, 5, rows[3].record.id), 0);
        wait_times(&one, &one.found.times, finds + 1);
        assert_int_equal(one.found.times, finds + 1);
        return &one.found;
    default:
        assert_int_equal(DRIVER->read_writers(one.database, 5), 0);
        wait_times(&one, &one.writers.times, lists + 1);
        assert_int_equal(one.writers.times, lists + 1);
        return &one.writers;
    }
}

static void test_operations(void **state)
{
    (void)state;
    static const struct {
        const char *call;
        unsigned first, times;
        enum wrong wrong;
        const char *also; /* fails each time */
        char operation;
        enum herd_database_result result;
        const char *message;
    } table[] = {
        {"PQflush", 1, 1, FAILS, NULL, 'w', HERD_DATABASE_LOST, "out of memory"},
        {"PQflush", 2, 1, FAILS, NULL, 'w', HERD_DATABASE_LOST, ""},
        {"PQflush", 1, 1, LEFT, NULL, 'w', HERD_DATABASE_DONE, ""},
        {"PQflush", 1, 1, LEFT, "event_add", 'w', HERD_DATABASE_LOST, "out of memory"},
        {"PQconsumeInput", 1, 1, FAILS, NULL, 'w', HERD_DATABASE_LOST, ""},
        {"PQconsumeInput", 1, 1, AGAIN, NULL, 'w', HERD_DATABASE_DONE, ""},
        {"PQgetResult", 1, 3, FAILS, NULL, 'w', HERD_DATABASE_DONE, ""},
        {"PQgetResult", 1, 9, FAILS, NULL, 'w', HERD_DATABASE_LOST, "the server answered something else"},
        {"PQcopyResult", 1, 1, FAILS, NULL, 'f', HERD_DATABASE_RETRY, "out of memory"},
        {"PQcopyResult", 2, 1, FAILS, NULL, 'f', HERD_DATABASE_RETRY, "out of memory"},
        {"PQsetvalue", 1, 1, FAILS, NULL, 'f', HERD_DATABASE_RETRY, "out of memory"},
        {"PQsetvalue", 9, 1, FAILS, NULL, 'f', HERD_DATABASE_RETRY, "out of memory"},
        /* Of the rows behind none counts. */
        {"PQsetvalue", 1, 1, FAILS, NULL, 'l', HERD_DATABASE_RETRY, "out of memory"},
    };
    start_with_rows();
    sql("INSERT INTO herd_writer SELECT herd, 'B', 1, 1, 1, at FROM herd_writer");
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const unsigned downs = one.disconnected.times;
        const bool lost = table[i].result == HERD_DATABASE_LOST;
        arm_one(0, table[i].call, table[i].first, table[i].times, table[i].wrong);
        if (table[i].also)
            arm_one(1, table[i].also, 1, 1, FAILS);
        const struct told *told = operate(table[i].operation);
        check_says(told, table[i].result, table[i].message);
        assert_true(atomic_load(&armed[0].calls) >= table[i].first);
        disarm();
        if (lost) {
            wait_times(&one, &one.disconnected.times, downs + 1);
            check_says(&one.disconnected, HERD_DATABASE_LOST, table[i].message);
            check_works();
        }
        assert_int_equal(one.disconnected.times, downs + lost);
        assert_int_equal(operate('w')->result, HERD_DATABASE_DONE);
        assert_int_equal(operate('f')->result, HERD_DATABASE_DONE);
        assert_int_equal(operate('l')->result, HERD_DATABASE_DONE);
        assert_int_equal(one.writer_count, 2);
        assert_int_equal(one.disconnected.times, downs + lost);
    }
    /* A batch without room is not begun. */
    arm("herd_buf_reserve", 1, FAILS);
    assert_int_equal(DRIVER->write(one.database, 5, rows, ROWS, &some_writer), HERD_E_NOMEM);
    disarm();
    assert_int_equal(operate('w')->result, HERD_DATABASE_DONE);
    assert_false(side_find(&one, (struct herd_span){NULL, 0}));
    side_close(&one);
}

/* Tables that are not what they were. */
static void test_tables_replaced(void **state)
{
    (void)state;
#define AS_VIEW(diff, from)                                                                                       \
    "ALTER TABLE herd_newest RENAME TO kept; CREATE VIEW herd_newest AS SELECT herd, key, long_id, server, " diff \
    " AS diff, position, time, time_ns, accepted_ns, effective_ns, expires_ns FROM " from
    static const char back[] = "DROP VIEW herd_newest; ALTER TABLE kept RENAME TO herd_newest";
    start_with_rows();
    /* More rows than an operation keeps: none of them is the one that was asked for. */
    sql(AS_VIEW("diff", "kept, generate_series(1, 5000)"));
    assert_int_equal(operate('f')->result, HERD_DATABASE_DONE);
    assert_true(one.absent);
    sql(back);
    /* No memory for the first row, and then an error: what was first is told. */
    sql(AS_VIEW("'+' || 1 / (3 - n)", "kept, generate_series(1, 5) n"));
    arm("PQsetvalue", 10, FAILS); /* behind the three of herd_postgres_plan_sql */
    check_says(operate('f'), HERD_DATABASE_RETRY, "out of memory");
    disarm();
    check_says(operate('f'), HERD_DATABASE_BAD, "22012");
    /* The same read as a whole: the reading fails, and the connection stays. */
    assert_int_equal(DRIVER->read_page(one.database, 6, ROWS, true), 0);
    wait_times(&one, &one.page.times, 1);
    check_says(&one.page, HERD_DATABASE_RETRY, "22012");
    sql(back);
    assert_int_equal(side_read_all(&one, 10), ROWS);
    sql("ALTER TABLE herd_newest RENAME TO kept");
    unsigned pages = one.page.times;
    assert_int_equal(DRIVER->read_page(one.database, 6, ROWS, true), 0);
    wait_times(&one, &one.page.times, pages + 1);
    check_says(&one.page, HERD_DATABASE_REFUSED, "herd_newest");
    check_says(operate('f'), HERD_DATABASE_REFUSED, "herd_newest");
    check_says(operate('w'), HERD_DATABASE_REFUSED, "herd_newest");
    sql("ALTER TABLE kept RENAME TO herd_newest");
    assert_int_equal(side_read_all(&one, 10), ROWS);
    assert_int_equal(one.disconnected.times, 0);
    side_close(&one);
}

static void disconnect_on_loss(struct side *side)
{
    if (side->written.times > 1)
        DRIVER->disconnect(side->database);
}

/* Whoever is told that an operation was lost may end it all there: nothing is told after that. */
static void test_ended_when_told(void **state)
{
    (void)state;
    start_with_rows();
    for (int i = 0; i < 2; i++)
        assert_int_equal(DRIVER->find(one.database, 5, rows[0].record.id), 0);
    one.then = disconnect_on_loss;
    arm("PQgetResult", 1, FAILS);
    armed[0].times = 9;
    assert_int_equal(DRIVER->write(one.database, 5, rows, ROWS, &some_writer), 0);
    assert_int_equal(DRIVER->read_writers(one.database, 5), 0);
    wait_times(&one, &one.written.times, 2);
    disarm();
    assert_int_equal(one.written.result, HERD_DATABASE_LOST);
    assert_int_equal(one.found.times, 2);
    for (int i = 0; i < 3; i++)
        event_base_loop(base, EVLOOP_NONBLOCK);
    assert_int_equal(one.writers.times, 0);
    assert_int_equal(one.disconnected.times, 0);
    one.then = NULL;
    check_works();
    side_close(&one);
}

/* A notice of libpq itself has no SQLSTATE: it is not what the server said last. */
static void test_own_notice(void **state)
{
    (void)state;
    start_with_rows();
    PGresult *result = PQmakeEmptyPGresult(one.database->pipeline.conn, PGRES_TUPLES_OK);
    assert_null(PQgetvalue(result, 5, 5));
    PQclear(result);
    assert_string_equal(one.database->pipeline.last_words.message, "");
    assert_int_equal(operate('w')->result, HERD_DATABASE_DONE);
    side_close(&one);
}

/* ---- upkeep ---- */

static void test_upkeep(void **state)
{
    (void)state;
    start_with_rows();
    for (int sweeping = 0; sweeping < 2; sweeping++) {
        /* A statement that fails ends the sweep, not the connection. */
        sql("ALTER TABLE herd_name RENAME TO kept_name; ALTER TABLE herd_newest RENAME TO kept");
        one.database->sweeping = sweeping;
        event_active(one.database->upkeep, EV_TIMEOUT, 0);
        event_base_loop(base, EVLOOP_NONBLOCK);
        assert_int_equal(operate('l')->result, HERD_DATABASE_DONE); /* behind it */
        assert_false(one.database->sweeping);
        assert_true(event_pending(one.database->upkeep, EV_TIMEOUT, NULL));
        assert_int_equal(one.disconnected.times, (unsigned)sweeping);
        sql("ALTER TABLE kept_name RENAME TO herd_name; ALTER TABLE kept RENAME TO herd_newest");
        /* It is lost with the connection, and begun anew with the next. */
        one.database->sweeping = sweeping;
        arm("PQflush", 1, FAILS);
        event_active(one.database->upkeep, EV_TIMEOUT, 0);
        wait_times(&one, &one.disconnected.times, (unsigned)sweeping + 1);
        assert_int_equal(one.disconnected.result, HERD_DATABASE_LOST);
        assert_false(event_pending(one.database->upkeep, EV_TIMEOUT, NULL));
        check_works();
        assert_true(event_pending(one.database->upkeep, EV_TIMEOUT, NULL));
    }
    side_close(&one);
}

/* ---- reading ---- */

/* The next page, or the first. */
static enum herd_database_result page(size_t limit, bool first)
{
    unsigned before = one.page.times;
    assert_int_equal(DRIVER->read_page(one.database, 78, limit, first), 0);
    wait_times(&one, &one.page.times, before + 1);
    assert_int_equal(one.page.times, before + 1);
    return one.page.result;
}

static void test_reading(void **state)
{
    (void)state;
    static const struct {
        const char *call;
        unsigned first;
        enum wrong wrong;
        const char *also;
        unsigned also_first;
        enum herd_database_result result;
        const char *message;
    } table[] = {
        {"PQexitPipelineMode", 1, FAILS, NULL, 0, HERD_DATABASE_RETRY, ""},
        {"PQsendQuery", 1, FAILS, NULL, 0, HERD_DATABASE_RETRY, ""},
        {"PQflush", 1, FAILS, NULL, 0, HERD_DATABASE_RETRY, ""},
        {"PQflush", 1, LEFT, NULL, 0, HERD_DATABASE_DONE, ""},
        {"PQflush", 1, LEFT, "event_add", 3, HERD_DATABASE_RETRY, ""},
        {"PQflush", 2, FAILS, NULL, 0, HERD_DATABASE_RETRY, ""},
        {"PQflush", 2, LEFT, NULL, 0, HERD_DATABASE_DONE, ""},
        {"PQflush", 2, LEFT, "event_add", 3, HERD_DATABASE_RETRY, ""},
        {"PQconsumeInput", 1, FAILS, NULL, 0, HERD_DATABASE_RETRY, ""},
        {"PQconsumeInput", 1, AGAIN, NULL, 0, HERD_DATABASE_DONE, ""},
        {"PQgetCopyData", 1, FAILS, NULL, 0, HERD_DATABASE_RETRY, ""},
        {"PQgetCopyData", 5, FAILS, NULL, 0, HERD_DATABASE_RETRY, ""},
        {"PQgetCopyData", 1, NONSENSE, NULL, 0, HERD_DATABASE_REFUSED, "herd_newest has other columns"},
        {"PQgetCopyData", 5, NONSENSE, NULL, 0, HERD_DATABASE_REFUSED, "herd_newest has other columns"},
    };
    start_with_rows();
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const unsigned files = open_files();
        arm(table[i].call, table[i].first, table[i].wrong);
        if (table[i].also)
            arm_one(1, table[i].also, table[i].also_first, 1, FAILS);
        assert_int_equal(page(10, true), table[i].result);
        check_says(&one.page, table[i].result, table[i].message);
        assert_true(atomic_load(&armed[0].calls) >= table[i].first);
        disarm();
        if (table[i].result != HERD_DATABASE_DONE)
            assert_int_equal(open_files(), files);
        /* What is left to be done where no page is asked for. */
        for (int turns = 0; turns < 3; turns++)
            event_base_loop(base, EVLOOP_NONBLOCK);
        size_t before = one.row_count - (table[i].result == HERD_DATABASE_DONE ? 10 : 0);
        bool first = table[i].result != HERD_DATABASE_DONE;
        do {
            assert_int_equal(page(10, first), HERD_DATABASE_DONE);
            first = false;
        } while (!one.last);
        assert_int_equal(one.row_count - before, ROWS);
        assert_int_equal(open_files(), files);
    }
    assert_int_equal(one.disconnected.times, 0);
    side_close(&one);
}

/* The last bytes of the statement go out late, and the answer is there before the socket is looked at again: there will be no
 * other word of it. */
static void test_answered_at_once(void **state)
{
    (void)state;
    start_with_rows();
    one.database->reader.patience = (struct timeval){WAIT_S / 4, 0};
    arm_one(0, "PQflush", 1, 1, LEFT);
    assert_int_equal(DRIVER->read_page(one.database, 78, 2 * ROWS, true), 0);
    while (one.database->reader.dial)
        event_base_loop(base, EVLOOP_ONCE);
    arm_one(0, "PQflush", 1, 1, WAITS);
    wait_times(&one, &one.page.times, 1);
    disarm();
    assert_int_equal(one.page.result, HERD_DATABASE_DONE);
    assert_int_equal(one.row_count, ROWS);
    side_close(&one);
}

/* Pages are as long as may be in bytes too. */
static void test_long_rows(void **state)
{
    (void)state;
    static char texts[12][50000];
    connect_fresh(&one);
    for (int i = 0; i < 12; i++) {
        memset(texts[i], 'a' + i, sizeof texts[i]);
        rows[i] = row_of((struct herd_span){texts[i], sizeof texts[i]}, "Riley", "+1-1", "1600000000");
    }
    assert_int_equal(side_write(&one, rows, 12), HERD_DATABASE_DONE);
    assert_int_equal(page(ROWS, true), HERD_DATABASE_DONE);
    assert_int_equal(one.row_count, 6);
    assert_false(one.last);
    while (!one.last)
        assert_int_equal(page(ROWS, false), HERD_DATABASE_DONE);
    assert_int_equal(one.row_count, 12);
    side_close(&one);
}

/* No connection for it: read in pages over the one that is there. */
static void test_reading_by_key(void **state)
{
    (void)state;
    static const struct {
        const char *call;
        unsigned first;
    } table[] = {{"calloc", 2}, {"herd_buf_add", 1}};
    start_with_rows();
    /* It hangs, and is given up. */
    one.database->reader.patience = (struct timeval){0, 1};
    arm_one(0, "poll", 1, UINT32_MAX, HANGS);
    assert_int_equal(page(10, true), HERD_DATABASE_DONE);
    disarm();
    assert_int_equal(one.row_count, 10);
    while (!one.last)
        assert_int_equal(page(10, false), HERD_DATABASE_DONE);
    assert_int_equal(one.row_count, ROWS);
    one.database->reader.patience = (struct timeval){WAIT_S, 0};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        arm("PQconnectStartParams", 1, FAILS);
        arm_one(1, table[i].call, table[i].first, 1, FAILS);
        assert_int_equal(page(10, true), HERD_DATABASE_RETRY);
        assert_string_equal(one.page.message, "out of memory");
        disarm();
        /* It is gone on with, over the same connection. */
        one.row_count = 0;
        assert_int_equal(page(10, false), HERD_DATABASE_DONE);
        assert_int_equal(one.row_count, 10);
        arm("calloc", 1, FAILS);
        assert_int_equal(DRIVER->read_page(one.database, 78, 10, false), HERD_E_NOMEM);
        disarm();
        arm("herd_buf_add", 1, FAILS);
        assert_int_equal(page(10, false), HERD_DATABASE_RETRY);
        disarm();
        sql("ALTER TABLE herd_newest RENAME TO kept");
        assert_int_equal(page(10, false), HERD_DATABASE_REFUSED);
        sql("ALTER TABLE kept RENAME TO herd_newest");
        assert_int_equal(one.row_count, 10);
        while (!one.last)
            assert_int_equal(page(10, false), HERD_DATABASE_DONE);
        assert_int_equal(one.row_count, ROWS);
    }
    assert_int_equal(one.disconnected.times, 0);
    side_close(&one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_LOOP(test_opening),          ON_LOOP(test_connecting),      ON_LOOP(test_connecting_after_one_given_up),
        ON_LOOP(test_warned),           ON_LOOP(test_preparing),       ON_LOOP(test_preparing_places),
        ON_LOOP(test_operations),       ON_LOOP(test_tables_replaced), ON_LOOP(test_ended_when_told),
        ON_LOOP(test_own_notice),       ON_LOOP(test_upkeep),          ON_LOOP(test_reading),
        ON_LOOP(test_answered_at_once), ON_LOOP(test_long_rows),       ON_LOOP(test_reading_by_key),
    };
    return run_on_cluster(tests, sizeof tests / sizeof *tests, "");
}
