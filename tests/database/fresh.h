/* SPDX-License-Identifier: MIT */
/* What tests of libherd-postgres share: a cluster for the program, a loop for each test, a database made anew. */
#ifndef TEST_DATABASE_FRESH_H
#define TEST_DATABASE_FRESH_H

#include "world.h"

#include "cluster.h"

#include <herd/postgres.h>

#include <signal.h>

static struct cluster cluster;
static struct event_base *base;

#define DRIVER (&herd_postgres_driver)

static inline const char *fresh_dsn(void)
{
    return cluster_dsn(&cluster, "fresh", "");
}

static inline void open_fresh(struct side *side)
{
    cluster_database(&cluster, "fresh");
    side_open(side, base, DRIVER, fresh_dsn());
}

static inline void connect_fresh(struct side *side)
{
    open_fresh(side);
    side_connect(side);
    assert_string_equal(side->disconnected.message, "");
}

static inline const char *sql(const char *text)
{
    const char *said = cluster_sql(&cluster, "fresh", text);
    assert_non_null(said);
    return said;
}

static inline void check_equal(const struct herd_record *a, const struct herd_record *b)
{
    assert_true(herd_span_equal(a->id, b->id));
    assert_true(herd_span_equal(a->server, b->server));
    assert_true(herd_span_equal(a->diff, b->diff));
    assert_true(herd_span_equal(a->position, b->position));
    assert_true(herd_span_equal(a->time, b->time));
    assert_int_equal(a->time_ns, b->time_ns);
}

static inline int make_base(void **state)
{
    (void)state;
    base = event_base_new();
    return base ? 0 : -1;
}

/* What a test that failed left on it stays. */
static inline int free_base(void **state)
{
    (void)state;
    event_base_free(base);
    return 0;
}

#define ON_LOOP(test) cmocka_unit_test_setup_teardown(test, make_base, free_base)

/* Runs tests on a cluster of their own, with these words on its command line; the exit status. */
static inline int run_on_cluster(const struct CMUnitTest *tests, size_t count, const char *options)
{
    const char *why;
    signal(SIGPIPE, SIG_IGN);
    if (!cluster_make(&cluster, options, &why)) {
        printf("SKIP: %s\n", why);
        return 77;
    }
    int failed = _cmocka_run_group_tests("database", tests, count, NULL, NULL);
    cluster_remove(&cluster);
    return failed;
}

#endif
