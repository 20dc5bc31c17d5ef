/* SPDX-License-Identifier: MIT */
/* Handshakes that threads compute: to their end, given up in every state, and without any thread. */
#include "tls_pair.h"

#include "tls_impl.h"
#include "tls_pool.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>

static struct tls_files files;
static struct herd_tls_context *north, *client;

static bool no_thread;
static void *(*instead)(void *);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
    return no_thread ? EAGAIN : __real_pthread_create(thread, attr, instead ? instead : run, arg);
}

static int begin(void **state)
{
    (void)state;
    tls_north_init(&files, &north, &client);
    return 0;
}

static int end(void **state)
{
    (void)state;
    tls_north_fini(&files, north, client);
    return 0;
}

/* A server's first step: what a client says first. */
struct both {
    struct tls_end client;
    struct herd_tls_job *job;
};

static void both_init(struct both *both)
{
    *both = (struct both){.job = calloc(1, sizeof *both->job)};
    assert_non_null(both->job);
    assert_int_equal(herd_tls_stream_new(&both->client.stream, client, HERD_TLS_CLIENT, NULL), 0);
    assert_int_equal(herd_tls_stream_new(&both->job->stream, north, HERD_TLS_SERVER, NULL), 0);
    both->job->owner = both;
    assert_int_equal(
        herd_tls_input(both->client.stream, (struct herd_span){"", 0}, &both->client.plain, &both->job->in), 0);
}

static void both_fini(struct both *both)
{
    herd_tls_stream_free(both->client.stream);
    herd_buf_fini(&both->client.plain);
    herd_buf_fini(&both->client.out);
}

static struct herd_tls_job *wait_computed(struct herd_tls_pool *pool)
{
    struct pollfd fd = {.fd = herd_tls_pool_fd(pool), .events = POLLIN};
    struct herd_tls_job *job;
    while (!(job = herd_tls_pool_take(pool)))
        assert_int_equal(poll(&fd, 1, 30000), 1);
    return job;
}

/* Gives the client what a step made, and the job what the client says; whether the handshake is over. */
static bool go_on(struct both *both)
{
    struct herd_tls_job *job = both->job;
    assert_true(job->state >= 0 && job->state != HERD_TLS_FAILED);
    (void)herd_tls_input(both->client.stream, tls_span(&job->out), &both->client.plain, &job->in);
    job->out.len = 0;
    return job->state == HERD_TLS_OPEN && herd_tls_stream_state(both->client.stream) == HERD_TLS_OPEN;
}

/* More at once than there are threads, each to its end. */
static void test_many(void **state)
{
    (void)state;
    enum { MANY = 50 };
    struct both all[MANY];
    struct herd_tls_pool *pool = herd_tls_pool_new();
    assert_non_null(pool);
    for (int i = 0; i < MANY; i++) {
        both_init(&all[i]);
        assert_true(herd_tls_pool_submit(pool, all[i].job, i % 7 == 0));
    }
    for (int open = 0; open < MANY;) {
        struct both *both = wait_computed(pool)->owner;
        if (go_on(both))
            open++;
        else
            assert_true(herd_tls_pool_submit(pool, both->job, false));
    }
    assert_null(herd_tls_pool_take(pool));
    assert_false(herd_tls_pool_behind(pool));
    herd_tls_pool_free(pool);
    for (int i = 0; i < MANY; i++) {
        herd_tls_job_free(all[i].job);
        both_fini(&all[i]);
    }
}

/* Given up while they wait, are computed, or are done. */
static void test_given_up(void **state)
{
    (void)state;
    enum { MANY = 200 };
    size_t cancelled = 0, came = 0;
    struct herd_tls_pool *pool = herd_tls_pool_new();
    for (int i = 0; i < MANY; i++) {
        struct both both;
        both_init(&both);
        assert_true(herd_tls_pool_submit(pool, both.job, false));
        if (i % 3 == 0)
            usleep((unsigned)i * 10);
        both.job->owner = NULL;
        if (herd_tls_pool_cancel(pool, both.job)) {
            herd_tls_job_free(both.job);
            cancelled++;
        }
        both_fini(&both);
    }
    for (; cancelled + came < MANY; came++)
        herd_tls_job_free(wait_computed(pool));
    herd_tls_pool_free(pool);
}

/* The pool goes with jobs in every state. */
static void test_freed(void **state)
{
    (void)state;
    for (int n = 1; n < 20; n++) {
        struct herd_tls_pool *pool = herd_tls_pool_new();
        for (int i = 0; i < n; i++) {
            struct both both;
            both_init(&both);
            assert_true(herd_tls_pool_submit(pool, both.job, i % 2));
            both_fini(&both);
        }
        usleep((unsigned)n * 100);
        herd_tls_pool_free(pool);
    }
    herd_tls_pool_free(NULL);
    herd_tls_job_free(NULL);
}

/* Without threads the job stays the caller's; when there are some again, it does not. */
static void test_no_threads(void **state)
{
    (void)state;
    struct both both;
    both_init(&both);
    struct herd_tls_pool *pool = herd_tls_pool_new();
    no_thread = true;
    assert_false(herd_tls_pool_submit(pool, both.job, false));
    herd_tls_job_run(both.job);
    assert_false(go_on(&both));
    no_thread = false;
    assert_true(herd_tls_pool_submit(pool, both.job, false));
    assert_ptr_equal(wait_computed(pool), both.job);
    assert_true(go_on(&both));
    herd_tls_pool_free(pool);
    herd_tls_job_free(both.job);
    both_fini(&both);
}

/* Threads that do not get to run are relieved of the first job: here they are at their end before they began. */
static void *never(void *arg)
{
    (void)arg;
    return NULL;
}

static void test_relieved(void **state)
{
    (void)state;
    struct both first, second;
    both_init(&first);
    both_init(&second);
    struct herd_tls_pool *pool = herd_tls_pool_new();
    assert_null(herd_tls_pool_relieve(pool));
    instead = never;
    assert_true(herd_tls_pool_submit(pool, second.job, false));
    assert_true(herd_tls_pool_submit(pool, first.job, true));
    assert_ptr_equal(herd_tls_pool_relieve(pool), first.job);
    herd_tls_job_run(first.job);
    assert_true(herd_tls_pool_behind(pool));
    assert_ptr_equal(herd_tls_pool_relieve(pool), second.job);
    assert_false(herd_tls_pool_behind(pool));
    assert_null(herd_tls_pool_relieve(pool));
    assert_null(herd_tls_pool_take(pool));
    instead = NULL;
    assert_false(go_on(&first));
    herd_tls_pool_free(pool);
    for (struct both *both = &first; both; both = both == &first ? &second : NULL) {
        herd_tls_job_free(both->job);
        both_fini(both);
    }
}

/* The end of a stream: what OpenSSL kept is freed by a thread, the rest by whoever takes the job. */
static void test_released(void **state)
{
    (void)state;
    struct both both;
    both_init(&both);
    struct herd_tls_pool *pool = herd_tls_pool_new();
    assert_true(herd_tls_pool_submit(pool, both.job, false));
    assert_ptr_equal(wait_computed(pool), both.job);
    assert_non_null(both.job->stream->ssl);
    both.job->release = true;
    assert_true(herd_tls_pool_submit(pool, both.job, false));
    assert_ptr_equal(wait_computed(pool), both.job);
    assert_null(both.job->stream->ssl);
    herd_tls_pool_free(pool);
    herd_tls_job_free(both.job);
    both_fini(&both);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many),       cmocka_unit_test(test_given_up), cmocka_unit_test(test_freed),
        cmocka_unit_test(test_no_threads), cmocka_unit_test(test_relieved), cmocka_unit_test(test_released),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
