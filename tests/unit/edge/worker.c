/* SPDX-License-Identifier: MIT */
/* A thread that runs jobs: each is run once, its result is told once, and nobody waits longer than told to. */
#include "cm.h"

#include "worker.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define LONG_MS 20000

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg);

static bool no_threads;

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
    return no_threads ? EAGAIN : __real_pthread_create(thread, attr, run, arg);
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

struct count {
    int plain; /* handed back and forth: no lock of its own */
    int result;
};

static int add(void *arg)
{
    struct count *count = arg;
    count->plain++;
    return count->result;
}

/* Blocks until there is a byte in a pipe. */
struct gate {
    struct herd_worker worker;
    int pipe[2];
    atomic_int *released;
};

static int pass_gate(void *arg)
{
    struct gate *gate = arg;
    char byte;
    return read(gate->pipe[0], &byte, 1) == 1 ? 0 : EIO;
}

static void release_gate(void *arg)
{
    struct gate *gate = arg;
    atomic_int *released = gate->released;
    close(gate->pipe[0]);
    free(gate);
    atomic_fetch_add(released, 1);
}

static struct gate *make_gate(atomic_int *released)
{
    struct gate *gate = calloc(1, sizeof *gate);
    assert_non_null(gate);
    assert_int_equal(pipe(gate->pipe), 0);
    gate->released = released;
    herd_worker_init(&gate->worker, -1);
    return gate;
}

static void test_jobs(void **state)
{
    (void)state;
    for (int threads = 0; threads < 2; threads++) {
        struct herd_worker worker;
        struct count count = {0};
        int result = -1;
        no_threads = !threads;
        herd_worker_init(&worker, -1);
        no_threads = false;
        assert_int_equal(worker.threaded, threads);
        assert_int_equal(herd_worker_poll(&worker, &result), HERD_WORKER_IDLE);
        assert_int_equal(herd_worker_wait(&worker, LONG_MS, &result), HERD_WORKER_IDLE);
        for (int i = 0; i < 1000; i++) {
            count.result = i;
            herd_worker_begin(&worker, add, &count);
            if (i % 2)
                while (herd_worker_poll(&worker, &result) == HERD_WORKER_BUSY)
                    continue;
            else
                assert_int_equal(herd_worker_wait(&worker, LONG_MS, &result), HERD_WORKER_DONE);
            assert_int_equal(result, i);
            assert_int_equal(count.plain, i + 1);
            assert_int_equal(herd_worker_poll(&worker, &result), HERD_WORKER_IDLE);
        }
        herd_worker_begin(&worker, add, &count); /* never asked for: run all the same */
        assert_true(herd_worker_fini(&worker, LONG_MS, NULL, NULL));
        assert_int_equal(count.plain, 1001);
    }
}

static void test_notifies(void **state)
{
    (void)state;
    struct herd_worker worker;
    struct count count = {0};
    int fd = eventfd(0, 0), result;
    eventfd_t told;
    herd_worker_init(&worker, fd);
    for (int i = 0; i < 100; i++) {
        herd_worker_begin(&worker, add, &count);
        assert_int_equal(eventfd_read(fd, &told), 0); /* blocks until then */
        assert_int_equal(told, 1);
        assert_int_equal(herd_worker_poll(&worker, &result), HERD_WORKER_DONE);
    }
    assert_true(herd_worker_fini(&worker, LONG_MS, NULL, NULL));
    close(fd);
}

static void test_slow_job(void **state)
{
    (void)state;
    atomic_int released = 0;
    int result = -1;
    struct gate *gate = make_gate(&released);
    int door = gate->pipe[1];
    herd_worker_begin(&gate->worker, pass_gate, gate);
    int64_t from_ms = now_ms();
    assert_int_equal(herd_worker_poll(&gate->worker, &result), HERD_WORKER_BUSY);
    assert_int_equal(herd_worker_wait(&gate->worker, 1010, &result), HERD_WORKER_BUSY);
    assert_in_range(now_ms() - from_ms, 1005, LONG_MS);
    assert_int_equal(write(door, "x", 1), 1);
    assert_int_equal(herd_worker_wait(&gate->worker, LONG_MS, &result), HERD_WORKER_DONE);
    assert_int_equal(result, 0);
    assert_true(herd_worker_fini(&gate->worker, LONG_MS, release_gate, gate));
    assert_int_equal(released, 1);
    close(door);
}

/* Given up: the thread ends, and frees, when the job does. */
static void test_job_without_end(void **state)
{
    (void)state;
    atomic_int released = 0;
    struct gate *gate = make_gate(&released);
    int door = gate->pipe[1];
    herd_worker_begin(&gate->worker, pass_gate, gate);
    assert_false(herd_worker_fini(&gate->worker, 10, release_gate, gate));
    assert_int_equal(released, 0);
    assert_int_equal(write(door, "x", 1), 1);
    for (int64_t until_ms = now_ms() + LONG_MS; !released && now_ms() < until_ms;)
        usleep(100);
    assert_int_equal(released, 1);
    close(door);
}

/* Signals are the loop's: the thread has them all blocked. */
static int blocked(void *arg)
{
    sigset_t set;
    (void)arg;
    return pthread_sigmask(SIG_SETMASK, NULL, &set) == 0 && sigismember(&set, SIGTERM) && sigismember(&set, SIGHUP);
}

static void test_takes_no_signals(void **state)
{
    (void)state;
    struct herd_worker worker;
    int result = 0;
    herd_worker_init(&worker, -1);
    herd_worker_begin(&worker, blocked, NULL);
    assert_int_equal(herd_worker_wait(&worker, LONG_MS, &result), HERD_WORKER_DONE);
    assert_int_equal(result, 1);
    assert_true(herd_worker_fini(&worker, LONG_MS, NULL, NULL));
    assert_false(blocked(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_jobs),
        cmocka_unit_test(test_notifies),
        cmocka_unit_test(test_slow_job),
        cmocka_unit_test(test_job_without_end),
        cmocka_unit_test(test_takes_no_signals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
