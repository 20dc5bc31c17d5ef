/* SPDX-License-Identifier: MIT */
/* Each allocation of the adapter fails once: it says so, loses nothing of its own, and works afterwards. */
#define RESERVATIONS_FAIL
#include "../edge/alloc.h"
#include "../failing_additions.h"
#include "adapter.h"
#include "server.h"

static bool addition_fails_now(void)
{
    return alloc_fails();
}

static struct redis_server server;
static struct event_base *base;

#define ROWS 102

/* All that it does, once. False: something said that it failed. */
static bool everything(struct adapter *a)
{
    struct herd_database_row rows[ROWS];
    char ids[ROWS][8];
    for (size_t i = 0; i < ROWS; i++) {
        /* Deleted, nowhere, somewhere. */
        const char *position = i == 0 ? "" : i == 1 ? "nowhere" : "+1+1";
        snprintf(ids[i], sizeof ids[i], "%06zu", i);
        rows[i] = adapter_row(herd_span_of(ids[i]), "Riley", position, "5.00000000001");
    }
    adapter_forget(a);
    if (herd_redis_driver.connect(a->database) < 0)
        return false;
    adapter_until(a, a->connected || a->disconnected);
    if (!a->connected)
        return false;
    long fail_at = alloc_fail_at;
    alloc_fail_at = 0;
    redis_run(&server, "SCRIPT FLUSH"); /* it has to be loaded again */
    alloc_fail_at = fail_at;
    bool ok = herd_redis_driver.write(a->database, 1, rows, ROWS, &adapter_writer) == 0;
    ok = ok && herd_redis_driver.write(a->database, 5, NULL, 0, &adapter_writer) == 0;
    ok = ok && herd_redis_driver.read_writers(a->database, 2) == 0;
    ok = ok && herd_redis_driver.read_page(a->database, 3, 10, true) == 0;
    ok = ok && herd_redis_driver.find(a->database, 4, herd_span_of("000001")) == 0;
    if (!ok)
        return false;
    adapter_until(a, a->told == 5);
    for (unsigned t = 1; t <= 5; t++)
        ok = ok && a->results[t] == HERD_DATABASE_DONE;
    return ok && !a->disconnected;
}

static void each_allocation(void **state)
{
    (void)state;
    static struct adapter a;
    char dsn[128];
    snprintf(dsn, sizeof dsn, "unix://:x@%s", server.socket);
    redis_run(&server, "CONFIG SET requirepass x");
    long at = 1;
    for (bool done = false; !done; at++) {
        assert_true(at < 10000);
        alloc_fail_at = at;
        bool ok = adapter_open(&a, base, dsn, true) == 0;
        ok = ok && everything(&a);
        done = alloc_fail_at > 0;
        alloc_fail_at = 0;
        assert_true(ok || !done);
        if (a.database) {
            assert_true(everything(&a));
            herd_redis_driver.close(a.database);
        }
    }
    assert_true(at > 20);
}

int main(void)
{
    redis_program = "redis-server";
    if (!redis_installed(redis_program)) {
        fprintf(stderr, "%s is not installed: not tested\n", redis_program);
        return 77;
    }
    base = event_base_new();
    redis_make(&server);
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_allocation)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    redis_end(&server);
    event_base_free(base);
    return failed != 0;
}
