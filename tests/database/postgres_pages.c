/* SPDX-License-Identifier: MIT */
/* libherd-postgres reads everything: while rows change, over a connection that breaks, without a second connection. */
#include "fresh.h"

#include "decode.h"
#include "postgres_impl.h"

#include <stdlib.h>

static struct side one;

#define COUNT 30000
static char ids[COUNT][8];
static struct herd_database_row rows[COUNT];

/* More than sockets hold. */
static void fill(const char *time)
{
    for (int i = 0; i < COUNT; i++) {
        snprintf(ids[i], sizeof ids[i], "%05d", i);
        rows[i] = row_of(herd_span_of(ids[i]), "Riley", "+34.068930-118.445127", time);
    }
    assert_int_equal(side_write(&one, rows, COUNT), HERD_DATABASE_DONE);
}

static enum herd_database_result page(bool first)
{
    unsigned before = one.page.times;
    assert_int_equal(DRIVER->read_page(one.database, 78, 100, first), 0);
    wait_times(&one, &one.page.times, before + 1);
    return one.page.result;
}

/* Each row is in one page, as it was when the reading began; what is not asked for is not taken from the database. */
static void test_rows_change(void **state)
{
    (void)state;
    struct herd_record record;
    connect_fresh(&one);
    fill("1600000000");
    herd_store_new(&one.rows, NULL);
    one.row_count = 0;
    assert_int_equal(page(true), HERD_DATABASE_DONE);
    assert_int_equal(one.row_count, 100);
    time_t deadline = time(NULL) + WAIT_S;
    while (strcmp(sql("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY (SELECT key%' AND "
                      "wait_event = 'ClientWrite'"),
                  "1") != 0)
        assert_true(time(NULL) < deadline);
    fill("1700000000");
    while (!one.last)
        assert_int_equal(page(false), HERD_DATABASE_DONE);
    assert_int_equal(one.row_count, COUNT);
    assert_int_equal(herd_store_count(one.rows), COUNT);
    assert_true(herd_store_get(one.rows, herd_span_of(ids[COUNT - 1]), &record));
    assert_true(herd_span_equal(record.time, herd_span_of("1600000000")));
    assert_int_equal(side_read_all(&one, 1000), COUNT);
    assert_true(herd_store_get(one.rows, herd_span_of(ids[0]), &record));
    assert_true(herd_span_equal(record.time, herd_span_of("1700000000")));
    herd_store_free(one.rows);
    one.rows = NULL;
    side_close(&one);
}

/* The connection for reading breaks: the reading is over, the other connection is not. */
static void test_reading_breaks(void **state)
{
    (void)state;
    connect_fresh(&one);
    fill("1600000000");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(page(true), HERD_DATABASE_DONE);
        sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'COPY (SELECT key%'");
        while (page(false) == HERD_DATABASE_DONE)
            assert_false(one.last);
        assert_int_equal(one.page.result, HERD_DATABASE_RETRY);
        assert_non_null(one.page.message);
    }
    assert_int_equal(one.disconnected.times, 0);
    assert_int_equal(side_read_all(&one, 1000), COUNT);
    /* Given up in the middle, and with a page under way. */
    assert_int_equal(page(true), HERD_DATABASE_DONE);
    assert_int_equal(DRIVER->read_page(one.database, 78, 100, false), 0);
    DRIVER->disconnect(one.database);
    assert_int_equal(DRIVER->read_page(one.database, 78, 100, false), HERD_E_STATE);
    side_connect(&one);
    assert_int_equal(side_read_all(&one, 1000), COUNT);
    side_close(&one);
}

/* The connection for reading hangs: the reading ends, and the other connection does not wait for it. */
static void test_reading_hangs(void **state)
{
    (void)state;
    connect_fresh(&one);
    fill("1600000000");
    one.database->reader.patience = (struct timeval){0, 100000};
    assert_int_equal(page(true), HERD_DATABASE_DONE);
    pid_t pid = atoi(sql("SELECT pid FROM pg_stat_activity WHERE query LIKE 'COPY (SELECT key%'"));
    assert_true(pid > 1);
    assert_int_equal(kill(pid, SIGSTOP), 0);
    while (page(false) == HERD_DATABASE_DONE) /* what is in sockets */
        assert_false(one.last);
    assert_int_equal(one.page.result, HERD_DATABASE_RETRY);
    assert_string_equal(one.page.message, "no answer");
    assert_int_equal(kill(pid, SIGCONT), 0);
    assert_int_equal(one.disconnected.times, 0);
    one.database->reader.patience = (struct timeval){WAIT_S, 0};
    assert_int_equal(side_read_all(&one, 1000), COUNT);
    side_close(&one);
}

static void test_one_connection(void **state)
{
    (void)state;
    char dsn[256];
    connect_fresh(&one);
    fill("1600000000");
    side_close(&one);
    sql("DROP ROLE IF EXISTS single; CREATE ROLE single LOGIN CONNECTION LIMIT 1;"
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO single");
    snprintf(dsn, sizeof dsn, "host=%s user=single dbname=fresh", cluster.dir);
    side_open(&one, base, DRIVER, dsn);
    side_connect(&one);
    herd_store_new(&one.rows, NULL);
    for (int i = 0; i < 2; i++)
        assert_int_equal(side_read_all(&one, 1000), COUNT);
    assert_int_equal(herd_store_count(one.rows), COUNT);
    assert_int_equal(one.disconnected.times, 0);
    herd_store_free(one.rows);
    one.rows = NULL;
    side_close(&one);
    sql("DROP OWNED BY single; DROP ROLE single");
}

/* Bytes that are no rows: nothing behind them is looked at. */
static void test_not_rows(void **state)
{
    (void)state;
    static const char header[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\2xy";
    static const char tuple[] = "\0\12"
                                "\0\0\0\1k"
                                "\377\377\377\377"
                                "\0\0\0\1A"
                                "\0\0\0\2+1"
                                "\0\0\0\4+1+1"
                                "\0\0\0\0011"
                                "\0\0\0\10\0\0\0\0\0\0\0\1"
                                "\0\0\0\10\0\0\0\0\0\0\0\2"
                                "\0\0\0\10\0\0\0\0\0\0\0\3"
                                "\0\0\0\10\177\377\377\377\377\377\377\377";
    struct herd_database_row row;
    for (size_t len = 0; len < sizeof tuple; len++) {
        char *copy = malloc(len ? len : 1);
        assert_non_null(copy);
        memcpy(copy, tuple, len);
        struct herd_span span = {copy, len};
        assert_int_equal(herd_postgres_decode_copy(span, &row), len == sizeof tuple - 1);
        assert_int_equal(herd_postgres_decode_copy_end(span), len == 0);
        if (len == sizeof tuple - 1) {
            assert_true(herd_span_equal(row.record.id, herd_span_of("k")));
            assert_true(herd_span_equal(row.record.position, herd_span_of("+1+1")));
            assert_int_equal(row.accepted_ns, 2);
            assert_int_equal(row.expires_ns, INT64_MAX);
            for (size_t at = 0; at < len; at++) { /* any byte may be another: it is a row, or none */
                copy[at] ^= (char)0x80;
                (void)!herd_postgres_decode_copy(span, &row);
                copy[at] ^= (char)0x80;
            }
        }
        free(copy);
    }
    for (size_t len = 0; len < sizeof header; len++) {
        char *copy = malloc(len ? len : 1);
        assert_non_null(copy);
        memcpy(copy, header, len);
        struct herd_span span = {copy, len};
        bool whole = herd_postgres_decode_copy_header(&span);
        assert_int_equal(whole, len == sizeof header - 1);
        assert_int_equal(span.len, whole ? 0 : len);
        free(copy);
    }
    assert_true(herd_postgres_decode_copy_end((struct herd_span){"\377\377", 2}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {ON_LOOP(test_rows_change), ON_LOOP(test_reading_breaks),
                                       ON_LOOP(test_reading_hangs), ON_LOOP(test_one_connection),
                                       cmocka_unit_test(test_not_rows)};
    return run_on_cluster(tests, sizeof tests / sizeof *tests, "");
}
