/* SPDX-License-Identifier: MIT */
/* Calls of libpq, of the system or of the loop that go wrong when a test says so, and what the test has to itself: a side of the
 * adapter, and rows. For one file of an executable, which is linked with all of these wrapped. */
#ifndef TEST_DATABASE_POSTGRES_CALLS_H
#define TEST_DATABASE_POSTGRES_CALLS_H

#include "fresh.h"

#include "../unit/failing_calls.h"

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
static inline void arm_one(size_t i, const char *name, unsigned first, unsigned times, enum wrong wrong)
{
    atomic_store(&armed[i].calls, 0);
    armed[i].first = first, armed[i].times = times, armed[i].wrong = wrong;
    atomic_store(&armed[i].name, name);
}

static inline void arm(const char *name, unsigned first, enum wrong wrong)
{
    arm_one(0, name, first, 1, wrong);
}

static inline void disarm(void)
{
    for (size_t i = 0; i < sizeof armed / sizeof *armed; i++)
        atomic_store(&armed[i].name, NULL);
}

/* Whether this call is to go wrong, and how. */
static inline bool goes_wrong(const char *name, enum wrong *ret_wrong)
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

static inline bool fails(const char *name)
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

static inline void draw_rows(void)
{
    for (int i = 0; i < ROWS; i++) {
        snprintf(ids[i], sizeof ids[i], "%05d", i);
        rows[i] = row_of(herd_span_of(ids[i]), "Riley", "+1.5-2.5", "1600000000");
    }
}

static inline void empty_schema(void)
{
    sql("SET client_min_messages = warning; DROP SCHEMA public CASCADE; CREATE SCHEMA public");
}

static inline void start_with_rows(void)
{
    connect_fresh(&one);
    draw_rows();
    assert_int_equal(side_write(&one, rows, ROWS), HERD_DATABASE_DONE);
}

/* Not connected: it connects, writes and finds. */
static inline void check_works(void)
{
    disarm();
    side_connect(&one);
    draw_rows();
    assert_int_equal(side_write(&one, rows, ROWS), HERD_DATABASE_DONE);
    assert_true(side_find(&one, rows[7].record.id));
    check_equal(&one.row.record, &rows[7].record);
}

static inline void check_says(const struct told *told, enum herd_database_result result, const char *words)
{
    if (told->result != result || !strstr(told->message, words))
        fail_msg("%d \"%s\" instead of %d \"%s\"", told->result, told->message, result, words);
}

#endif
