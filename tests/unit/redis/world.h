/* SPDX-License-Identifier: MIT */
/* The adapter with a real Redis, or Valkey, which each test starts; skipped where there is none. */
#ifndef TEST_UNIT_REDIS_WORLD_H
#define TEST_UNIT_REDIS_WORLD_H

#include "adapter.h"
#include "server.h"

#include "redis_impl.h"

#include <herd/store.h>

static struct event_base *base;
static struct redis_server server;
static struct adapter a;

static inline void dsn_of(char text[128], const char *user)
{
    snprintf(text, 128, "unix://%s%s", user, server.socket);
}

static inline int open_adapter(struct adapter *at, const char *user, bool geo)
{
    char dsn[128];
    dsn_of(dsn, user);
    return adapter_open(at, base, dsn, geo);
}

static inline int setup(void **state)
{
    (void)state;
    base = event_base_new();
    redis_make(&server);
    return open_adapter(&a, "", false);
}

static inline int teardown(void **state)
{
    (void)state;
    herd_redis_driver.close(a.database);
    redis_end(&server);
    event_base_free(base);
    return 0;
}

static inline int setup_geo(void **state)
{
    int err = setup(state);
    herd_redis_driver.close(a.database);
    return err ? err : open_adapter(&a, "", true);
}

static inline void connected(void)
{
    unsigned before = a.connected;
    adapter_connect(&a);
    if (a.connected == before)
        fail_msg("%s", a.message);
}

#define MANY 5000

/* Rows of ids of their own, the first of which a test writes. */
static struct herd_database_row many[MANY];

static inline void connected_with_rows(size_t count)
{
    static char ids[MANY][8];
    assert_true(count <= MANY);
    connected();
    for (size_t i = 0; i < count; i++) {
        snprintf(ids[i], sizeof ids[0], "%06u", (unsigned)i % 1000000);
        many[i] = adapter_row(herd_span_of(ids[i]), "Riley", "+1+1", "5");
    }
}

/* With each kind of server that is installed. */
static inline int run_with_servers(const struct CMUnitTest *tests, size_t count)
{
    static const char *const programs[] = {"redis-server", "valkey-server"};
    int failed = 0, installed = 0;
    for (size_t i = 0; i < 2; i++) {
        if (!redis_installed(programs[i])) {
            fprintf(stderr, "%s is not installed: not tested with it\n", programs[i]);
            continue;
        }
        installed++;
        redis_program = programs[i];
        failed += _cmocka_run_group_tests(programs[i], tests, count, NULL, NULL);
    }
    return installed ? failed != 0 : 77;
}

#define TEST(name)     cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_GEO(name) cmocka_unit_test_setup_teardown(name, setup_geo, teardown)

#endif
