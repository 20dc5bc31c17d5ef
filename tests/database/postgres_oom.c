/* SPDX-License-Identifier: MIT */
/*
 * libherd-postgres without memory: every allocation of a story failed once, and from one on for a while; and each call of libpq that
 * sends. The story: open, connect, make tables and partitions, write, read, find, upkeep, disconnect. Whatever failed, nothing leaks or
 * breaks, each operation that began is told once, and when memory is back all works.
 */
#include "fresh.h"

#include "postgres_impl.h"

#include "../edge/failing_memory.h"

#include <event2/event.h>
#include <pthread.h>

static struct side one;
static pthread_t loop_thread;
static bool inside; /* allocations count */
static unsigned at, count, more;
static unsigned failures;

/* Of the adapter, in the loop's thread or in the one that connects: threads make the numbers of the calls differ from run to run, so
 * that only those of the loop count. */
static bool fails_now(void)
{
    if (!inside || !pthread_equal(pthread_self(), loop_thread))
        return false;
    count++;
    if (at == 0 || count < at || count >= at + more)
        return false;
    failures++;
    return true;
}

int __real_PQsendQueryParams(PGconn *conn, const char *command, int n, const Oid *types, const char *const *values,
                             const int *lengths, const int *formats, int format);
int __wrap_PQsendQueryParams(PGconn *conn, const char *command, int n, const Oid *types, const char *const *values,
                             const int *lengths, const int *formats, int format);
int __wrap_PQsendQueryParams(PGconn *conn, const char *command, int n, const Oid *types, const char *const *values,
                             const int *lengths, const int *formats, int format)
{
    return fails_now() ? 0 : __real_PQsendQueryParams(conn, command, n, types, values, lengths, formats, format);
}

int __real_PQpipelineSync(PGconn *conn);
int __wrap_PQpipelineSync(PGconn *conn);
int __wrap_PQpipelineSync(PGconn *conn)
{
    return fails_now() ? 0 : __real_PQpipelineSync(conn);
}

struct event *__real_event_new(struct event_base *b, evutil_socket_t fd, short what, event_callback_fn fn,
                               void *arg);
struct event *__wrap_event_new(struct event_base *b, evutil_socket_t fd, short what, event_callback_fn fn,
                               void *arg);
struct event *__wrap_event_new(struct event_base *b, evutil_socket_t fd, short what, event_callback_fn fn,
                               void *arg)
{
    return fails_now() ? NULL : __real_event_new(b, fd, what, fn, arg);
}

int __real_event_add(struct event *event, const struct timeval *after);
int __wrap_event_add(struct event *event, const struct timeval *after);
int __wrap_event_add(struct event *event, const struct timeval *after)
{
    return fails_now() ? -1 : __real_event_add(event, after);
}

/* ---- the story ---- */

static unsigned ends(void)
{
    return one.written.times + one.writers.times + one.page.times + one.found.times;
}

/* A turn in which allocations fail only in the adapter: the loop's own are none of ours. */
static void turn(void)
{
    const struct timeval soon = {0, 20000};
    bool was = inside;
    inside = false;
    event_base_loopexit(base, &soon);
    inside = was;
    event_base_loop(base, EVLOOP_ONCE);
}

static bool connect_story(void)
{
    unsigned ups = one.connected.times, downs = one.disconnected.times;
    if (DRIVER->connect(one.database) < 0)
        return false;
    time_t deadline = time(NULL) + WAIT_S;
    while (one.connected.times == ups && one.disconnected.times == downs && time(NULL) < deadline)
        turn();
    return one.connected.times > ups;
}

/* Begins an operation; if it began it is told once. */
static void step(int which, const struct herd_database_row *rows, size_t row_count)
{
    unsigned ended = ends(), downs = one.disconnected.times;
    int err;
    switch (which) {
    case 0: err = DRIVER->write(one.database, 1, rows, row_count, &some_writer); break;
    case 1: err = DRIVER->read_writers(one.database, 2); break;
    case 2: err = DRIVER->read_page(one.database, 3, 10, true); break;
    case 3: err = DRIVER->read_page(one.database, 3, 10, false); break;
    case 4: err = DRIVER->find(one.database, 4, rows[0].record.id); break;
    default:
        err = 0;
        event_active(one.database->upkeep, EV_TIMEOUT, 0);
        for (int i = 0; i < 4 && one.disconnected.times == downs; i++)
            turn();
        return;
    }
    assert_true(err == 0 || err == HERD_E_NOMEM || err == HERD_E_STATE);
    if (err == 0) {
        time_t deadline = time(NULL) + WAIT_S;
        while (ends() == ended && time(NULL) < deadline)
            turn();
        assert_int_equal(ends(), ended + 1);
    }
}

static void story(void)
{
    struct herd_database_row rows[20];
    char ids[20][8];
    struct herd_diagnostic diagnostic;
    const struct herd_database_options options = {
        .dsn = herd_span_of(fresh_dsn()), .herd = "city", .history = true, .retention_ns = INT64_C(86400000000000)};
    for (int i = 0; i < 20; i++) {
        snprintf(ids[i], sizeof ids[i], "%03d", i);
        rows[i] = row_of(herd_span_of(ids[i]), "Riley", i ? "+1-1" : "", "1600000000");
    }
    sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    one = (struct side){.driver = DRIVER, .base = base};
    inside = true;
    int err = DRIVER->open(&one.database, base, &options, &side_events, &one, &diagnostic);
    if (err < 0) {
        assert_int_equal(err, HERD_E_NOMEM);
        inside = false;
        assert_int_equal(DRIVER->open(&one.database, base, &options, &side_events, &one, &diagnostic), 0);
        inside = true;
    }
    bool up = connect_story();
    for (int which = 0; which < 6 && up; which++) {
        unsigned downs = one.disconnected.times;
        step(which, rows, 20);
        /* Lost for want of memory: told by now, or with the next turn. */
        for (int i = 0; i < 2 && one.database->pipeline.broken; i++)
            turn();
        if (one.disconnected.times > downs)
            up = connect_story();
    }
    inside = false;
    /* Memory is back. */
    DRIVER->disconnect(one.database);
    assert_true(connect_story());
    assert_int_equal(side_write(&one, rows, 20), HERD_DATABASE_DONE);
    assert_true(side_find(&one, rows[7].record.id));
    check_equal(&one.row.record, &rows[7].record);
    side_close(&one);
}

static void test_memory(void **state)
{
    (void)state;
    loop_thread = pthread_self();
    cluster_database(&cluster, "fresh");
    at = 0, count = 0, more = 1;
    story();
    unsigned all = count;
    assert_true(all > 40);
    for (unsigned first = 1; first <= all; first++) {
        at = first, count = 0, more = 1;
        story();
    }
    for (unsigned first = 1; first <= all; first += 7) {
        at = first, count = 0, more = 20;
        story();
    }
    at = 0;
    printf("%u calls, %u failures\n", all, failures);
}

int main(void)
{
    const struct CMUnitTest tests[] = {ON_LOOP(test_memory)};
    return run_on_cluster(tests, 1, "");
}
