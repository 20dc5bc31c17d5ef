/* SPDX-License-Identifier: MIT */
/* Files of places whose reading hangs, takes long, or cannot begin. Linked with what it takes to read one wrapped. */
#include "places_file.h"

#include "../unit/failing_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

/* A read that hangs, as on a network file system whose server is gone: leaving does not wait for it, and what the
 * thread shares with the loop is freed by the thread, when it comes back. */
static pthread_mutex_t hang = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool hanging;
static atomic_int hung, came_back, reads_first; /* how many reads succeed before one hangs */
static pthread_t loop_thread;

ssize_t __real_read(int fd, void *to, size_t len);
ssize_t __wrap_read(int fd, void *to, size_t len);
ssize_t __wrap_read(int fd, void *to, size_t len)
{
    if (!atomic_load(&hanging) || pthread_equal(pthread_self(), loop_thread))
        return __real_read(fd, to, len);
    if (atomic_fetch_sub(&reads_first, 1) > 0)
        return __real_read(fd, to, len);
    atomic_fetch_add(&hung, 1);
    pthread_mutex_lock(&hang);
    pthread_mutex_unlock(&hang);
    ssize_t got = __real_read(fd, to, len);
    atomic_fetch_add(&came_back, 1);
    return got;
}

/* The start's patience, shortened; and what a poll fails with, one after the other. */
static int patience_ms;
static int poll_errors[4];

int __real_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    if (!atomic_load(&hanging))
        return __real_poll(fds, count, timeout_ms);
    patience_ms = timeout_ms;
    if (poll_errors[0]) {
        errno = poll_errors[0];
        memmove(poll_errors, poll_errors + 1, sizeof poll_errors - sizeof *poll_errors);
        return -1;
    }
    return __real_poll(fds, count, timeout_ms < 100 ? timeout_ms : 100);
}

static void hang_after(int reads)
{
    loop_thread = pthread_self();
    atomic_store(&hung, 0);
    atomic_store(&came_back, 0);
    atomic_store(&reads_first, reads);
    pthread_mutex_lock(&hang);
    atomic_store(&hanging, true);
}

static void let_go(void)
{
    atomic_store(&hanging, false);
    pthread_mutex_unlock(&hang);
}

static void until(atomic_int *count, int least)
{
    for (int turns = 0; atomic_load(count) < least; turns++) {
        assert_true(turns < 10000);
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
}

static void test_hung_mount(void **state)
{
    (void)state;
    struct timespec before, after;
    loop_thread = pthread_self();
    struct world *w = world_open_file(ROW("Old", "34.07", "-118.44"));
    pthread_mutex_lock(&hang);
    atomic_store(&hanging, true);
    herd_places_reload(w->places);
    until(&hung, 1);
    assert_non_null(strstr(ask_now(w), "\"Old\""));
    herd_places_reload(w->places);
    assert_non_null(strstr(ask_now(w), "\"Old\""));
    clock_gettime(CLOCK_MONOTONIC, &before);
    world_free(w);
    clock_gettime(CLOCK_MONOTONIC, &after);
    assert_true(after.tv_sec - before.tv_sec <= 1);
    assert_int_equal(atomic_load(&came_back), 0);
    pthread_mutex_unlock(&hang);
    until(&came_back, 1);
    atomic_store(&hanging, false);
    unlink(path);
    /* The thread is about to let go of the job: a sanitizer would see it use what is freed. */
    nanosleep(&(struct timespec){0, 20000000}, NULL);
}

/* The file, passed over so far, is taken when it comes. */
static void comes_late(struct world *w)
{
    assert_non_null(strstr(ask_now(w), "\"Santa Monica\""));
    let_go();
    run_until_logged(w, "points=1");
    assert_non_null(strstr(ask_now(w), "\"Old\""));
    world_free(w);
}

/* At the start the file is waited for, with a bound; then the chain goes on without it, and takes it when it comes. */
static void test_hung_at_the_start(void **state)
{
    (void)state;
    file_new(ROW("Old", "34.07", "-118.44"));
    hang_after(0);
    struct world *w = world_of_file();
    assert_int_equal(world_begin(w), HERD_E_TIMEOUT);
    assert_non_null(strstr(w->fault.message, "reading it takes too long"));
    world_free(w);
    let_go();
    until(&came_back, 1);

    hang_after(0);
    w = world_of_file();
    world_provider(w, "embedded", NULL);
    world_open(w);
    assert_in_range(patience_ms, 1000, 20000);
    assert_true(world_logged(w, "error places_provider_unusable provider=file why="));
    comes_late(w);
    unlink(path);
}

/* A wait that a signal interrupts goes on; one that fails is over, and the file is taken when it comes. */
static void test_failing_waits(void **state)
{
    (void)state;
    file_new(ROW("Old", "34.07", "-118.44"));
    for (int fatal = 0; fatal < 2; fatal++) {
        hang_after(0);
        struct world *w = world_of_file();
        world_provider(w, "embedded", NULL);
        poll_errors[0] = EINTR;
        poll_errors[1] = fatal ? ENOMEM : EINTR;
        world_open(w);
        assert_int_equal(poll_errors[0], 0);
        assert_true(world_logged(w, "reading it takes too long"));
        comes_late(w);
    }
    unlink(path);
}

/* Calls that begin to read a file, each of which may fail for want of descriptors, memory or threads. */
static struct {
    const char *call; /* NULL: none fails */
    int at;           /* counted down */
} plan;

static bool fails(const char *call)
{
    if (!plan.call || !pthread_equal(pthread_self(), loop_thread) || strcmp(plan.call, call) != 0 || --plan.at != 0)
        return false;
    errno = EMFILE;
    return true;
}

FAILING(int, pipe, -1, (int ends[2]), ends)
FAILING(void *, calloc, NULL, (size_t count, size_t size), count, size)
FAILING(char *, strdup, NULL, (const char *text), text)
FAILING(struct event *, event_new, NULL,
        (struct event_base * base, evutil_socket_t fd, short what, event_callback_fn fn, void *arg), base, fd, what,
        fn, arg)
FAILING(int, event_add, -1, (struct event * event, const struct timeval *wait), event, wait)
FAILING(int, pthread_attr_init, ENOMEM, (pthread_attr_t * attributes), attributes)
FAILING(int, pthread_create, EAGAIN,
        (pthread_t * thread, const pthread_attr_t *attributes, void *(*run)(void *), void *ctx), thread, attributes,
        run, ctx)

static const struct {
    const char *call;
    int at, err;
} beginnings[] = {{"pipe", 1, HERD_E_IO},
                  {"event_new", 1, HERD_E_NOMEM},
                  {"calloc", 1, HERD_E_NOMEM},
                  {"strdup", 1, HERD_E_NOMEM},
                  {"event_add", 1, HERD_E_NOMEM},
                  {"pthread_attr_init", 1, HERD_E_NOMEM},
                  {"pthread_create", 1, HERD_E_NOMEM}};

static void fail_call(const char *call, int at)
{
    loop_thread = pthread_self();
    plan.at = at;
    plan.call = call;
}

static int next_descriptor(void)
{
    int fd = open("/dev/null", O_RDONLY);
    assert_true(fd >= 0);
    close(fd);
    return fd;
}

/* A reload that cannot begin is told, and the old points stay; so is one that was asked for while another was under
 * way. The next one works. */
static void test_reload_cannot_begin(void **state)
{
    (void)state;
    struct world *w = world_open_file(ROW("Old", "34.07", "-118.44"));
    for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++) {
        char failed[100];
        snprintf(failed, sizeof failed, "warn places_reload_failed provider=file why=\"%s\"",
                 herd_strerror(beginnings[i].err));
        const int before = next_descriptor();
        for (int later = 0; later < 2; later++) {
            w->log_text.len = 0;
            if (later) {
                hang_after(0);
                herd_places_reload(w->places);
                until(&hung, 1);
                herd_places_reload(w->places); /* again, then */
                fail_call(beginnings[i].call, beginnings[i].at);
                let_go();
                run_until_logged(w, "places_reload_failed");
                assert_true(world_logged(w, "points=1"));
            } else {
                fail_call(beginnings[i].call, beginnings[i].at);
                herd_places_reload(w->places);
            }
            plan.call = NULL;
            if (!world_logged(w, failed))
                fail_msg("%s, %s: %.*s", beginnings[i].call, later ? "later" : "at once", (int)w->log_text.len,
                         w->log_text.at);
            assert_non_null(strstr(ask_now(w), "\"Old\""));
            assert_int_equal(next_descriptor(), before);
        }
        w->log_text.len = 0;
        herd_places_reload(w->places);
        run_until_logged(w, "points=1");
    }
    world_free(w);
    unlink(path);
}

/* Nor does a start: it says why, and another one works. */
static void test_start_cannot_begin(void **state)
{
    (void)state;
    file_new(ROW("Old", "34.07", "-118.44"));
    for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++) {
        struct world *w = world_of_file();
        const int before = next_descriptor();
        /* Those that make the chain and its provider come first. */
        int at = strcmp(beginnings[i].call, "calloc") == 0 ? 4 : strcmp(beginnings[i].call, "strdup") == 0 ? 3 : 1;
        fail_call(beginnings[i].call, at);
        int err = world_begin(w);
        assert_int_equal(plan.at, 0);
        plan.call = NULL;
        if (err != beginnings[i].err || !strstr(w->fault.message, path) ||
            !strstr(w->fault.message, herd_strerror(err)))
            fail_msg("%s: %d %s", beginnings[i].call, err, w->fault.message);
        assert_int_equal(next_descriptor(), before);
        world_open(w);
        assert_non_null(strstr(ask_now(w), "\"Old\""));
        world_free(w);
    }
    unlink(path);
}

static void test_no_memory_for_a_path(void **state)
{
    (void)state;
    struct world *w = world_new();
    world_provider(w, "file", NULL)->file = (char *)(uintptr_t) "/nonexistent/file";
    fail_call("strdup", 2); /* the first one is of the provider's name */
    assert_int_equal(world_begin(w), HERD_E_NOMEM);
    plan.call = NULL;
    assert_string_equal(w->fault.message, "out of memory");
    assert_null(w->places);
    world_free(w);
}

/* Rows of about 64 bytes. */
static void write_many(int count, const char *last)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (int i = 0; i < count; i++)
        fputs(ROW("Many", "34.07", "-118.44"), file);
    fputs(last, file);
    fclose(file);
}

static struct world *renewed(int64_t timeout_ms)
{
    struct world *w = world_new();
    struct herd_config_provider *provider = world_provider(w, "file", NULL);
    provider->file = path;
    provider->timeout_ms = timeout_ms;
    world_provider(w, "embedded", NULL);
    assert_int_equal(herd_places_renew(&w->places, w->base, &w->config, w->log, &w->fault), 0);
    return w;
}

/* While the loop serves, a file is judged by its begin, and look-ups wait for the rest. */
static void test_renewed(void **state)
{
    (void)state;
    close(temp_file(path));
    write_many(3000, "");
    hang_after(1);
    struct world *w = renewed(5000);
    until(&hung, 1);
    assert_non_null(world_ask(w, UCLA, 5));
    assert_int_equal(w->answered, 0);
    let_go();
    run_until(w->base, &w->answered, 1);
    assert_string_equal(w->origins[0], "file");
    assert_true(world_logged(w, "points=3000"));
    world_free(w);

    /* A start waits for the whole of it. */
    w = world_of_file();
    world_open(w);
    assert_true(world_logged(w, "points=3000"));
    world_free(w);

    /* A reload of more than 64 KiB: told of by a byte in the pipe, and taken when it is done, not before. */
    hang_after(0);
    w = renewed(5000);
    let_go();
    run_until_logged(w, "points=3000");
    write_many(3000, ROW("Last", "34.07", "-118.44"));
    hang_after(1);
    herd_places_reload(w->places);
    until(&hung, 1);
    fail_call("event_add", 1); /* nothing needs memory to wait on */
    for (int turns = 0; turns < 3; turns++) {
        struct timeval moment = {0, 1000};
        event_base_loopexit(w->base, &moment);
        event_base_dispatch(w->base);
    }
    plan.call = NULL;
    assert_false(world_logged(w, "points=3001"));
    assert_null(strstr(ask_now(w), "\"Last\""));
    let_go();
    run_until_logged(w, "points=3001");
    world_free(w);
    write_many(3000, "");

    /* One that hangs costs the provider's time, and a reload is not lost. */
    hang_after(1);
    w = renewed(30);
    until(&hung, 1);
    herd_places_reload(w->places);
    assert_non_null(world_ask(w, UCLA, 5));
    run_until(w->base, &w->answered, 1);
    assert_string_equal(w->origins[0], "embedded");
    let_go();
    run_until_logged(w, "points=3000");
    world_free(w);

    /* What is wrong in the begin is an error of the call; later, the provider is passed over, and those who waited are
     * answered. */
    w = world_new();
    struct herd_config_provider *provider = world_provider(w, "file", NULL);
    provider->file = path;
    write_file("{\"type\":\"Topology\"}");
    assert_true(herd_places_renew(&w->places, w->base, &w->config, w->log, &w->fault) < 0);
    assert_non_null(strstr(w->fault.message, path));
    world_free(w);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file,
            "{\"type\":\"FeatureCollection\",%100000s\"features\":[\n{\"type\":\"Feature\",\"geometry\":{\"type\":"
            "\"Point\",\"coordinates\":[34,-118]}}]}",
            "");
    fclose(file);
    hang_after(1);
    w = renewed(5000);
    until(&hung, 1);
    assert_non_null(world_ask(w, UCLA, 5));
    let_go();
    run_until(w->base, &w->answered, 1);
    assert_string_equal(w->origins[0], "embedded");
    assert_true(world_logged(w, "error places_provider_unusable provider=file why="));
    assert_true(world_logged(w, "latitude beyond 90"));
    world_free(w);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hung_mount),
        cmocka_unit_test(test_hung_at_the_start),
        cmocka_unit_test(test_failing_waits),
        cmocka_unit_test(test_reload_cannot_begin),
        cmocka_unit_test(test_start_cannot_begin),
        cmocka_unit_test(test_no_memory_for_a_path),
        cmocka_unit_test(test_renewed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
