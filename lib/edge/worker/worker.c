/* SPDX-License-Identifier: MIT */
/* A thread that runs one job at a time. */
#include "worker.h"

#include <assert.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <time.h>

static void destroy(struct herd_worker *worker)
{
    pthread_cond_destroy(&worker->changed);
    pthread_mutex_destroy(&worker->lock);
}

static void *work(void *arg)
{
    struct herd_worker *worker = arg;
    pthread_mutex_lock(&worker->lock);
    for (;;) {
        while (worker->state != HERD_WORKER_BUSY && !worker->quit)
            pthread_cond_wait(&worker->changed, &worker->lock);
        if (worker->state != HERD_WORKER_BUSY)
            break;
        herd_worker_job *job = worker->job;
        void *job_arg = worker->arg;
        pthread_mutex_unlock(&worker->lock);
        int result = job(job_arg);
        pthread_mutex_lock(&worker->lock);
        if (worker->release) { /* the owner has gone: see herd_worker_fini */
            void (*release)(void *) = worker->release;
            void *release_arg = worker->release_arg;
            pthread_mutex_unlock(&worker->lock);
            destroy(worker);
            release(release_arg);
            return NULL;
        }
        worker->result = result;
        worker->state = HERD_WORKER_DONE;
        pthread_cond_broadcast(&worker->changed);
        if (worker->notify_fd >= 0)
            (void)eventfd_write(worker->notify_fd, 1);
    }
    pthread_mutex_unlock(&worker->lock);
    return NULL;
}

void herd_worker_init(struct herd_worker *worker, int notify_fd)
{
    sigset_t all, before;
    pthread_condattr_t steady;
    *worker = (struct herd_worker){.notify_fd = notify_fd};
    pthread_mutex_init(&worker->lock, NULL);
    pthread_condattr_init(&steady);
    pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    pthread_cond_init(&worker->changed, &steady);
    pthread_condattr_destroy(&steady);
    /* Signals are handled by the program's own threads. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    worker->threaded = pthread_create(&worker->thread, NULL, work, worker) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void nothing(void *arg)
{
    (void)arg;
}

/* Waits until the job is done. The lock is held. */
static void wait_done(struct herd_worker *worker, int64_t timeout_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(timeout_ms / 1000);
    until.tv_nsec += (long)(timeout_ms % 1000 * 1000000);
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    while (worker->state == HERD_WORKER_BUSY)
        if (pthread_cond_timedwait(&worker->changed, &worker->lock, &until) != 0)
            return;
}

bool herd_worker_fini(struct herd_worker *worker, int64_t timeout_ms, void (*release)(void *arg), void *release_arg)
{
    if (!release)
        release = nothing;
    if (worker->threaded) {
        pthread_mutex_lock(&worker->lock);
        wait_done(worker, timeout_ms);
        if (worker->state == HERD_WORKER_BUSY) {
            pthread_detach(worker->thread);
            worker->release_arg = release_arg;
            worker->release = release;
            pthread_mutex_unlock(&worker->lock);
            return false;
        }
        worker->quit = true;
        pthread_cond_broadcast(&worker->changed);
        pthread_mutex_unlock(&worker->lock);
        pthread_join(worker->thread, NULL);
    }
    destroy(worker);
    release(release_arg);
    return true;
}

void herd_worker_begin(struct herd_worker *worker, herd_worker_job *job, void *arg)
{
    if (!worker->threaded) {
        assert(worker->state == HERD_WORKER_IDLE);
        worker->result = job(arg);
        worker->state = HERD_WORKER_DONE;
        return;
    }
    pthread_mutex_lock(&worker->lock);
    assert(worker->state == HERD_WORKER_IDLE);
    worker->job = job;
    worker->arg = arg;
    worker->state = HERD_WORKER_BUSY;
    pthread_cond_broadcast(&worker->changed);
    pthread_mutex_unlock(&worker->lock);
}

enum herd_worker_state herd_worker_wait(struct herd_worker *worker, int64_t timeout_ms, int *ret_result)
{
    pthread_mutex_lock(&worker->lock);
    if (timeout_ms > 0)
        wait_done(worker, timeout_ms);
    enum herd_worker_state state = worker->state;
    if (state == HERD_WORKER_DONE) {
        *ret_result = worker->result;
        worker->state = HERD_WORKER_IDLE;
    }
    pthread_mutex_unlock(&worker->lock);
    return state;
}

enum herd_worker_state herd_worker_poll(struct herd_worker *worker, int *ret_result)
{
    return herd_worker_wait(worker, 0, ret_result);
}
