/* SPDX-License-Identifier: MIT */
/* The parts of the adapter for PostgreSQL that need no server: outcomes, rows, batches, statements. What libpq says of a result or a
 * connection is said by the test. */
#include "../cm.h"
#include "../edge/alloc.h"
#include "../failing_additions.h"

#include "decode.h"
#include "encode.h"
#include "outcome.h"
#include "statements.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

static bool addition_fails_now(void)
{
    return alloc_fails();
}

/* ---- what libpq says ---- */

static struct {
    const char *sqlstate, *primary, *message, *password;
    bool needs_password;
} said;

char *__wrap_PQresultErrorField(const PGresult *result, int field);
char *__wrap_PQresultErrorMessage(const PGresult *result);
char *__wrap_PQerrorMessage(const PGconn *conn);
char *__wrap_PQpass(const PGconn *conn);
int __wrap_PQconnectionNeedsPassword(const PGconn *conn);

char *__wrap_PQresultErrorField(const PGresult *result, int field)
{
    (void)result;
    return (char *)(uintptr_t)(field == PG_DIAG_SQLSTATE ? said.sqlstate : said.primary);
}

char *__wrap_PQresultErrorMessage(const PGresult *result)
{
    (void)result;
    return (char *)(uintptr_t)said.message;
}

char *__wrap_PQerrorMessage(const PGconn *conn)
{
    (void)conn;
    return (char *)(uintptr_t)said.message;
}

char *__wrap_PQpass(const PGconn *conn)
{
    (void)conn;
    return (char *)(uintptr_t)said.password;
}

int __wrap_PQconnectionNeedsPassword(const PGconn *conn)
{
    (void)conn;
    return said.needs_password;
}

/* ---- outcomes ---- */

static void secrets_left_out(void **state)
{
    (void)state;
    static const struct {
        const char *text, *secret, *want;
    } rows[] = {
        {"no secret", NULL, "no secret"},
        {"no secret", "", "no secret"},
        {"two\nlines\tand\x7f"
         "d\xc3\xa9j\xc3\xa0\n \n",
         NULL, "two lines and d??j??"},
        {"\n", NULL, ""},
        {"user hunter22, ahunter22b", "hunter22", "user ***, a***b"},
        {"hunter2", "hunter22", "hunter2"},
        {"hunter22hunter22", "hunter22", "******"},
        {"of 4 letters: xabcdx", "abcd", "of 4 letters: x***x"},
        /* A short one is left out where it is a word. */
        {"x is x", "x", "*** is ***"},
        {"x-x/x:x@x[x`x{x", "x", "***-***/***:***@***[***`***{***"},
        {"0x 9x ax zx Ax Zx x0 x9 xa xz xA xZ", "x", "0x 9x ax zx Ax Zx x0 x9 xa xz xA xZ"},
        {"max 'abc' abcd", "abc", "max '***' abcd"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct herd_postgres_outcome outcome = {.standby = true};
        herd_postgres_outcome_set(&outcome, HERD_DATABASE_RETRY, rows[i].text, rows[i].secret);
        assert_string_equal(outcome.message, rows[i].want);
        assert_int_equal(outcome.result, HERD_DATABASE_RETRY);
        assert_false(outcome.standby);
    }
    /* A sentence that is cut has no half of it at its end. */
    for (size_t before = 240; before < 260; before++) {
        char text[300];
        struct herd_postgres_outcome outcome;
        memset(text, '-', sizeof text);
        memcpy(text + before, "hunter22", 9);
        herd_postgres_outcome_set(&outcome, HERD_DATABASE_LOST, text, "hunter22");
        assert_null(strchr(outcome.message, 'h'));
        size_t len = strlen(outcome.message);
        assert_true(len >= 240 && len < sizeof outcome.message);
    }
}

static void statements_failed(void **state)
{
    (void)state;
    static const struct {
        const char *sqlstate, *primary, *message, *secret, *want;
        enum herd_database_result result;
        bool standby;
    } rows[] = {
        {NULL, NULL, "server closed hunter22\n", "hunter22", "server closed ***", HERD_DATABASE_LOST, false},
        {"42501", "denied for hunter22", "", "hunter22", "denied for *** (SQLSTATE 42501)", HERD_DATABASE_REFUSED,
         false},
        {"25006", "read only", "", NULL, "read only (SQLSTATE 25006)", HERD_DATABASE_RETRY, true},
        {"25001", "active", "", NULL, "active (SQLSTATE 25001)", HERD_DATABASE_REFUSED, false},
        {"22021", NULL, "", NULL, "error (SQLSTATE 22021)", HERD_DATABASE_BAD, false},
        {"23514", "no partition", "", NULL, "no partition (SQLSTATE 23514)", HERD_DATABASE_REFUSED, false},
        {"23505", "twice", "", NULL, "twice (SQLSTATE 23505)", HERD_DATABASE_BAD, false},
        {"57P01", "ends", "", NULL, "ends (SQLSTATE 57P01)", HERD_DATABASE_RETRY, false},
        {"08006", "broken", "", NULL, "broken (SQLSTATE 08006)", HERD_DATABASE_LOST, false},
        /* The state stands behind a sentence that is cut too, and is not taken for a password. */
        {"40001", "x", "", "40001", "x (SQLSTATE 40001)", HERD_DATABASE_RETRY, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct herd_postgres_outcome outcome = {0};
        said.sqlstate = rows[i].sqlstate, said.primary = rows[i].primary, said.message = rows[i].message;
        herd_postgres_outcome_of(&outcome, NULL, rows[i].secret);
        assert_string_equal(outcome.message, rows[i].want);
        assert_int_equal(outcome.result, rows[i].result);
        assert_int_equal(outcome.standby, rows[i].standby);
    }
    char much[400];
    struct herd_postgres_outcome outcome = {0};
    memset(much, 'a', sizeof much);
    much[sizeof much - 1] = '\0';
    said.sqlstate = "53100", said.primary = much;
    herd_postgres_outcome_of(&outcome, NULL, NULL);
    assert_string_equal(outcome.message + 200, " (SQLSTATE 53100)");
    assert_int_equal(outcome.result, HERD_DATABASE_RETRY);
}

static void connections_failed(void **state)
{
    (void)state;
    static char much[1200];
    memset(much, 'a', sizeof much);
    much[sizeof much - 1] = '\0';
    memcpy(much, "FATAL:  28P01: ", 15);
    memcpy(much + 1100, "\nlast\n", 7);
    static const struct {
        const char *message, *password, *want;
        bool needs_password;
        enum herd_database_result result;
    } rows[] = {
        {"refused\n", NULL, "refused", false, HERD_DATABASE_RETRY},
        {"no password supplied\n", NULL, "no password supplied", true, HERD_DATABASE_REFUSED},
        {"certificate verify failed", NULL, "certificate verify failed", false, HERD_DATABASE_REFUSED},
        {"invalid port \"hunter22\"", "hunter22", "invalid port \"***\"", false, HERD_DATABASE_REFUSED},
        {"FATAL:  28P01: no\nLOCATION:  auth_failed, auth.c:335\n", "", "FATAL:  28P01: no", false,
         HERD_DATABASE_REFUSED},
        {"FATAL:  57P03: starting\nDETAIL:  wait\n", "", "FATAL:  57P03: starting DETAIL:  wait", false,
         HERD_DATABASE_RETRY},
        /* The state of a setting that cannot be: no record is to blame. */
        {"FATAL:  22023: invalid value", "", "FATAL:  22023: invalid value", false, HERD_DATABASE_REFUSED},
        /* The last of several hosts counts. */
        {"a: FATAL:  28P01: no\nb: FATAL:  53300: full\n", "", "a: FATAL:  28P01: no b: FATAL:  53300: full", false,
         HERD_DATABASE_RETRY},
        /* What looks like a state and is none. */
        {"FATAL:  28P01 no\nx:  28P0: no\nx:  28P011: no", "", "FATAL:  28P01 no x:  28P0: no x:  28P011: no",
         false, HERD_DATABASE_RETRY},
        /* A line too long is left out; its state counts. */
        {much, "", "last", false, HERD_DATABASE_REFUSED},
    };
    const PGconn *some = (const PGconn *)(const void *)&said;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct herd_postgres_outcome outcome = {0};
        said.message = rows[i].message, said.password = rows[i].password;
        said.needs_password = rows[i].needs_password;
        herd_postgres_outcome_of_connection(&outcome, some);
        assert_string_equal(outcome.message, rows[i].want);
        assert_int_equal(outcome.result, rows[i].result);
        assert_false(outcome.standby);
    }
    struct herd_postgres_outcome outcome = {0};
    herd_postgres_outcome_of_connection(&outcome, NULL);
    assert_string_equal(outcome.message, "out of memory");
    assert_int_equal(outcome.result, HERD_DATABASE_RETRY);
}

/* ---- rows ---- */

#define FIELDS 10

struct field {
    const char *bytes; /* NULL: NULL */
    int len;
};

static const struct field whole[FIELDS] = {
    {"key", 3},
    {NULL, -1},
    {"Riley", 5},
    {"+1.5", 4},
    {"+1+1", 4},
    {"5.5", 3},
    {"\0\0\0\0\0\0\0\1", 8},
    {"\0\0\0\0\0\0\0\2", 8},
    {"\0\0\0\0\0\0\1\0", 8},
    {"\377\377\377\377\377\377\377\376", 8},
};

static PGresult *result_of(const struct field *fields, int count)
{
    char name[] = "x";
    PGresAttDesc columns[FIELDS + 1];
    PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    assert_non_null(result);
    for (int i = 0; i < count; i++)
        columns[i] = (PGresAttDesc){.name = name, .format = 1};
    assert_true(PQsetResultAttrs(result, count, columns));
    for (int i = 0; i < count; i++)
        assert_true(PQsetvalue(result, 0, i, (char *)(uintptr_t)fields[i].bytes, fields[i].len));
    return result;
}

static void check_span(struct herd_span got, const char *want)
{
    assert_int_equal(got.len, strlen(want));
    assert_memory_equal(got.at, want, got.len);
}

static void check_row(const struct herd_database_row *row, const char *id)
{
    check_span(row->record.id, id);
    check_span(row->record.server, "Riley");
    check_span(row->record.diff, "+1.5");
    check_span(row->record.position, "+1+1");
    check_span(row->record.time, "5.5");
    assert_int_equal(row->record.time_ns, 1);
    assert_int_equal(row->accepted_ns, 2);
    assert_int_equal(row->effective_ns, 256);
    assert_int_equal(row->expires_ns, -2);
}

static void rows_decoded(void **state)
{
    (void)state;
    struct herd_database_row row = {0};
    struct field fields[FIELDS + 1] = {0};
    memcpy(fields, whole, sizeof whole);
    PGresult *result = result_of(fields, FIELDS);
    assert_true(herd_postgres_decode_rows(result, &row));
    check_row(&row, "key");
    PQclear(result);
    fields[1] = (struct field){"the long id", 11};
    result = result_of(fields, FIELDS);
    assert_true(herd_postgres_decode_rows(result, &row));
    check_row(&row, "the long id");
    check_span(herd_postgres_decode_key(result, 0), "key");
    PQclear(result);
    /* Another number of columns; numbers of another type. */
    for (int count = FIELDS - 1; count <= FIELDS + 1; count += 2) {
        result = result_of(fields, count);
        assert_false(herd_postgres_decode_rows(result, &row));
        PQclear(result);
    }
    for (int i = 6; i < FIELDS; i++)
        for (int len = -1; len < 8; len += 5) {
            memcpy(fields, whole, sizeof whole);
            fields[i] = (struct field){len < 0 ? NULL : "\0\0\0\1", len};
            result = result_of(fields, FIELDS);
            assert_false(herd_postgres_decode_rows(result, &row));
            PQclear(result);
        }
}

static void writers_decoded(void **state)
{
    (void)state;
    const struct field good[] = {{"Riley", 5}, whole[6], whole[7], whole[8], whole[9], {"x", 1}};
    struct herd_database_writer writer = {0};
    PGresult *result = result_of(good, 5);
    assert_true(herd_postgres_decode_writers(result, &writer));
    PQclear(result);
    assert_int_equal(writer.incarnation, 1);
    assert_int_equal(writer.sequence, 2);
    assert_int_equal(writer.written_until_ns, 256);
    assert_int_equal(writer.age_ns, -2);
    for (int count = 4; count <= 6; count += 2) {
        result = result_of(good, count);
        assert_false(herd_postgres_decode_writers(result, &writer));
        PQclear(result);
    }
    for (int i = 1; i < 5; i++) {
        struct field fields[5];
        memcpy(fields, good, sizeof fields);
        fields[i] = (struct field){"\0\0\0\1", 4};
        result = result_of(fields, 5);
        assert_false(herd_postgres_decode_writers(result, &writer));
        PQclear(result);
    }
}

/* A row as COPY sends it. */
static size_t copy_of(char out[256], const struct field *fields)
{
    size_t at = 0;
    out[at++] = 0, out[at++] = FIELDS;
    for (int i = 0; i < FIELDS; i++) {
        const uint32_t len = htobe32((uint32_t)fields[i].len);
        memcpy(out + at, &len, sizeof len);
        at += sizeof len;
        if (fields[i].len > 0)
            memcpy(out + at, fields[i].bytes, (size_t)fields[i].len);
        at += fields[i].len > 0 ? (size_t)fields[i].len : 0;
    }
    return at;
}

/* Exactly these bytes, so that a sanitizer sees a read behind them. */
static bool decode_copy(const char *bytes, size_t len)
{
    struct herd_database_row row = {0};
    char *copy = malloc(len + !len);
    assert_non_null(copy);
    memcpy(copy, bytes, len);
    bool good = herd_postgres_decode_copy((struct herd_span){copy, len}, &row);
    if (good)
        check_row(&row, "key");
    free(copy);
    return good;
}

static void copied_rows_decoded(void **state)
{
    (void)state;
    char bytes[256];
    const size_t len = copy_of(bytes, whole);
    assert_true(decode_copy(bytes, len));
    for (size_t cut = 0; cut < len; cut++)
        assert_false(decode_copy(bytes, cut));
    bytes[len] = 'x';
    assert_false(decode_copy(bytes, len + 1));
    bytes[1] = FIELDS - 1;
    assert_false(decode_copy(bytes, len));
    for (int i = 0; i < FIELDS; i++) { /* no other column may be NULL */
        struct field fields[FIELDS];
        memcpy(fields, whole, sizeof whole);
        fields[i] = (struct field){NULL, -1};
        assert_int_equal(decode_copy(bytes, copy_of(bytes, fields)), i == 1);
    }
}

static void copy_headers_decoded(void **state)
{
    (void)state;
    static const struct {
        const char bytes[30];
        size_t len, left;
        bool good;
    } rows[] = {
        {"PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0row", 22, 3, true},
        {"PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19, 0, true},
        {"PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\2xxrow", 24, 3, true},
        {"PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\4xxx", 22, 22, false},
        {"PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0", 18, 18, false},
        {"PGCOPY\n\377\r\n-\0\0\0\0\0\0\0\0row", 22, 22, false},
        {"", 0, 0, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct herd_span tuple = {rows[i].bytes, rows[i].len};
        assert_int_equal(herd_postgres_decode_copy_header(&tuple), rows[i].good);
        assert_int_equal(tuple.len, rows[i].left);
        assert_ptr_equal(tuple.at, rows[i].bytes + rows[i].len - rows[i].left);
    }
}

/* ---- batches ---- */

static struct herd_database_row row_of(const char *position, const char *time)
{
    return (struct herd_database_row){
        .record = {.id = herd_span_of("id"),
                   .server = herd_span_of("Riley"),
                   .diff = herd_span_of("+1"),
                   .position = herd_span_of(position),
                   .time = herd_span_of(time)},
        .effective_ns = 5,
    };
}

/* The only element of a column. */
static void check_element(const struct herd_buf *column, const void *want, size_t len)
{
    uint32_t n;
    assert_true(column->len >= 24);
    memcpy(&n, column->at + 20, sizeof n);
    assert_int_equal(be32toh(n), len);
    if (len == UINT32_MAX)
        len = 0;
    assert_int_equal(column->len, 24 + len);
    if (len)
        assert_memory_equal(column->at + 24, want, len);
}

static void batches_encoded(void **state)
{
    (void)state;
    static const struct {
        const char *position, *time, *rest;
        int64_t time_ns;
        bool placed;
    } rows[] = {
        {"+12.5-45", "1.12345678912300", "123", 1123456789, true},
        {"+12.5-45", "1.123456789000", "", 1123456789, true},
        {"+12.5-45", "1.123456789", "", 1123456789, true},
        {"+12.5-45", "1", "", 1000000000, true},
        {"", "1", "", 1000000000, false},        /* a tombstone is nowhere */
        {"nowhere", "1", "", 1000000000, false}, /* what has no place in it */
        {"nowhere", "", "", 0, false},
    };
    struct herd_postgres_batch batch = {0};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct herd_database_row row = row_of(rows[i].position, rows[i].time);
        char number[8];
        assert_int_equal(herd_postgres_batch_encode(&batch, &row, 1), 0);
        check_element(&batch.column[HERD_POSTGRES_ID], "id", 2);
        check_element(&batch.column[HERD_POSTGRES_POSITION], rows[i].position, strlen(rows[i].position));
        check_element(&batch.column[HERD_POSTGRES_TIME], rows[i].time, strlen(rows[i].time));
        check_element(&batch.column[HERD_POSTGRES_TIME_REST], rows[i].rest, strlen(rows[i].rest));
        herd_postgres_put_int8(number, rows[i].time_ns);
        check_element(&batch.column[HERD_POSTGRES_TIME_NS], number, 8);
        check_element(&batch.column[HERD_POSTGRES_LAT], "\x40\x29\0\0\0\0\0\0", rows[i].placed ? 8 : UINT32_MAX);
        check_element(&batch.column[HERD_POSTGRES_LON], "\xc0\x46\x80\0\0\0\0\0", rows[i].placed ? 8 : UINT32_MAX);
    }
    herd_postgres_batch_fini(&batch);
}

static void batches_refused(void **state)
{
    (void)state;
    struct herd_postgres_batch batch = {0};
    struct herd_database_row row = row_of("+1+1", "1");
    /* More than libpq can send is not even looked at. */
    assert_int_equal(herd_postgres_batch_encode(&batch, NULL, SIZE_MAX), HERD_E_NOMEM);
    row.record.diff.len = (size_t)1 << 30;
    assert_int_equal(herd_postgres_batch_encode(&batch, &row, 1), HERD_E_NOMEM);
    row = row_of("+1+1", "1");
    for (long at = 1; at <= HERD_POSTGRES_COLUMNS; at++) {
        alloc_fail_at = at;
        assert_int_equal(herd_postgres_batch_encode(&batch, &row, 1), HERD_E_NOMEM);
        assert_int_equal(alloc_fail_at, 0);
        assert_int_equal(herd_postgres_batch_encode(&batch, &row, 1), 0);
        check_element(&batch.column[HERD_POSTGRES_SERVER], "Riley", 5);
        herd_postgres_batch_fini(&batch);
    }
}

/* ---- statements ---- */

static void statements_added(void **state)
{
    (void)state;
    static const struct {
        bool history, geo;
        long additions;
    } rows[] = {{false, false, 1}, {true, false, 6}, {false, true, 6}, {true, true, 7}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct herd_buf sql = {0};
        for (long at = 1; at <= rows[i].additions; at++) {
            sql.len = 0;
            alloc_fail_at = at;
            reserved.buf = NULL;
            assert_int_equal(herd_postgres_write_sql(&sql, rows[i].history, rows[i].geo), HERD_E_NOMEM);
            alloc_fail_at = 0;
        }
        sql.len = 0;
        assert_int_equal(herd_postgres_write_sql(&sql, rows[i].history, rows[i].geo), 0);
        assert_int_equal(sql.at[sql.len - 1], '\0');
        assert_int_equal(strlen(sql.at), sql.len - 1);
        assert_int_equal(strstr(sql.at, "herd_newest") != NULL, true);
        assert_int_equal(strstr(sql.at, "herd_sample") != NULL, rows[i].history);
        assert_int_equal(strstr(sql.at, "herd_geo") != NULL, rows[i].geo);
        assert_int_equal(strncmp(sql.at, "WITH newer AS (", 15) == 0, rows[i].history || rows[i].geo);
        herd_buf_fini(&sql);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secrets_left_out),     cmocka_unit_test(statements_failed),
        cmocka_unit_test(connections_failed),   cmocka_unit_test(rows_decoded),
        cmocka_unit_test(writers_decoded),      cmocka_unit_test(copied_rows_decoded),
        cmocka_unit_test(copy_headers_decoded), cmocka_unit_test(batches_encoded),
        cmocka_unit_test(batches_refused),      cmocka_unit_test(statements_added),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
