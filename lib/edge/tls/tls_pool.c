/* SPDX-License-Identifier: MIT */
/* Threads that compute steps of handshakes, and free what was kept for them. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* SCHED_IDLE, and how many CPUs there are for us */
#endif
#include "tls_pool.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct herd_tls_pool {
    pthread_mutex_t lock; /* guards what follows; held for moments */
    pthread_cond_t more;
    struct herd_list queue, computed;
    size_t queued;
    unsigned idle;  /* threads that wait */
    uint64_t began; /* jobs that threads took */
    bool quit;
    /* ---- the loop's ---- */
    pthread_t threads[HERD_TLS_THREADS_MAX];
    unsigned thread_count, thread_max;
    uint64_t began_seen;
    int event_fd;
};

static unsigned cpus(void)
{
    cpu_set_t ours;
    int count = sched_getaffinity(0, sizeof ours, &ours) == 0 ? CPU_COUNT(&ours) : 1;
    return count < 1 ? 1 : count > HERD_TLS_THREADS_MAX ? HERD_TLS_THREADS_MAX : (unsigned)count;
}

struct herd_tls_pool *herd_tls_pool_new(void)
{
    struct herd_tls_pool *pool = calloc(1, sizeof *pool);
    if (!pool)
        return NULL;
    pool->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (pool->event_fd < 0) {
        free(pool);
        return NULL;
    }
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->more, NULL);
    herd_list_init(&pool->queue);
    herd_list_init(&pool->computed);
    pool->thread_max = cpus();
    return pool;
}

static struct herd_tls_job *pop(struct herd_list *list)
{
    if (herd_list_empty(list))
        return NULL;
    struct herd_tls_job *job = HERD_CONTAINER_OF(list->next, struct herd_tls_job, link);
    herd_list_remove(&job->link);
    return job;
}

void herd_tls_pool_free(struct herd_tls_pool *pool)
{
    struct herd_tls_job *job;
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->quit = true;
    pthread_cond_broadcast(&pool->more);
    pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->thread_count; i++)
        pthread_join(pool->threads[i], NULL);
    while ((job = pop(&pool->queue)) || (job = pop(&pool->computed)))
        herd_tls_job_free(job);
    close(pool->event_fd);
    pthread_cond_destroy(&pool->more);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

int herd_tls_pool_fd(const struct herd_tls_pool *pool)
{
    return pool->event_fd;
}

/* ---- the threads ---- */

void herd_tls_job_run(struct herd_tls_job *job)
{
    struct herd_span in = {job->in.len ? job->in.at : "", job->in.len};
    if (job->release) {
        herd_tls_stream_release(job->stream);
        return;
    }
    job->state = herd_tls_input(job->stream, in, &job->plain, &job->out);
    job->in.len = 0;
}

void herd_tls_job_free(struct herd_tls_job *job)
{
    if (!job)
        return;
    herd_tls_stream_free(job->stream);
    herd_buf_fini(&job->in);
    herd_buf_fini(&job->plain);
    herd_buf_fini(&job->out);
    free(job);
}

/* Only SCHED_IDLE gives way at once: a thread that is merely nice may finish its slice, which is longer than a step. */
static void give_way(void)
{
    const struct sched_param none = {.sched_priority = 0};
    (void)pthread_setschedparam(pthread_self(), SCHED_IDLE, &none);
}

static void *work(void *arg)
{
    struct herd_tls_pool *pool = arg;
    struct herd_tls_job *job;
    give_way();
    pthread_mutex_lock(&pool->lock);
    while (!pool->quit) {
        if (!(job = pop(&pool->queue))) {
            pool->idle++;
            pthread_cond_wait(&pool->more, &pool->lock);
            pool->idle--;
            continue;
        }
        pool->queued--;
        pool->began++;
        job->taken = true;
        pthread_mutex_unlock(&pool->lock);
        herd_tls_job_run(job);
        pthread_mutex_lock(&pool->lock);
        const bool first = herd_list_empty(&pool->computed), more = !herd_list_empty(&pool->queue);
        herd_list_append(&pool->computed, &job->link);
        pthread_mutex_unlock(&pool->lock);
        if (first)
            (void)eventfd_write(pool->event_fd, 1);
        if (more) /* once the loop has run for long the kernel gives even an idle thread a whole tick */
            sched_yield();
        pthread_mutex_lock(&pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* Signals are handled by the program's own threads. */
static bool start_thread(struct herd_tls_pool *pool)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&pool->threads[pool->thread_count], NULL, work, pool) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pool->thread_count += started;
    return started;
}

/* ---- the loop ---- */

bool herd_tls_pool_submit(struct herd_tls_pool *pool, struct herd_tls_job *job, bool first)
{
    pthread_mutex_lock(&pool->lock);
    bool more = pool->queued >= pool->idle && pool->thread_count < pool->thread_max;
    pthread_mutex_unlock(&pool->lock);
    if (more && !start_thread(pool) && pool->thread_count == 0)
        return false;
    job->taken = false;
    pthread_mutex_lock(&pool->lock);
    herd_list_append(first ? pool->queue.next : &pool->queue, &job->link);
    pool->queued++;
    pthread_mutex_unlock(&pool->lock);
    pthread_cond_signal(&pool->more); /* not before: a thread on another CPU would find the lock taken */
    return true;
}

struct herd_tls_job *herd_tls_pool_take(struct herd_tls_pool *pool)
{
    eventfd_t count;
    pthread_mutex_lock(&pool->lock);
    struct herd_tls_job *job = pop(&pool->computed);
    pthread_mutex_unlock(&pool->lock);
    if (job)
        return job;
    /* What is computed from here on is told anew, and what was before is found. */
    (void)eventfd_read(pool->event_fd, &count);
    pthread_mutex_lock(&pool->lock);
    job = pop(&pool->computed);
    pthread_mutex_unlock(&pool->lock);
    if (job)
        (void)eventfd_write(pool->event_fd, 1); /* more may stand behind it */
    return job;
}

bool herd_tls_pool_cancel(struct herd_tls_pool *pool, struct herd_tls_job *job)
{
    pthread_mutex_lock(&pool->lock);
    bool waits = !job->taken;
    if (waits) {
        herd_list_remove(&job->link);
        pool->queued--;
    }
    pthread_mutex_unlock(&pool->lock);
    return waits;
}

struct herd_tls_job *herd_tls_pool_relieve(struct herd_tls_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    struct herd_tls_job *job = pool->began == pool->began_seen ? pop(&pool->queue) : NULL;
    pool->began_seen = pool->began;
    pool->queued -= job != NULL;
    pthread_mutex_unlock(&pool->lock);
    return job;
}

bool herd_tls_pool_behind(struct herd_tls_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    bool behind = pool->queued > 0;
    pthread_mutex_unlock(&pool->lock);
    return behind;
}

bool herd_tls_pool_at_work(struct herd_tls_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    bool at_work = pool->queued > 0 || pool->idle < pool->thread_count;
    pthread_mutex_unlock(&pool->lock);
    return at_work;
}
