/* SPDX-License-Identifier: MIT */
/*
 * Threads that compute steps of handshakes, and free what OpenSSL kept for connections. A step takes half a millisecond of CPU and cannot be divided: computed by the
 * loop, each would be waited for by everybody who is connected. Making and freeing take locks that all of OpenSSL shares: the
 * loop, which the threads give way to at any moment, would wait for one that has such a lock.
 *
 *     the owner's --submit--> in the queue --a thread--> computed --take--> the owner's
 *                                  |
 *                           cancel, relieve --> the owner's
 *
 * From submit until take or cancel a job, and its stream with all that OpenSSL keeps for it, belong to the pool. The threads
 * run only when nothing else wants the CPU (SCHED_IDLE, where that is allowed), so that the loop is never behind them;
 * where that means never, the loop relieves them. Each is started when a job finds none that is free, up to the number of
 * CPUs.
 */
#ifndef HERD_EDGE_TLS_POOL_H
#define HERD_EDGE_TLS_POOL_H

#include "../../core/base/list.h"
#include "tls.h"

#define HERD_TLS_THREADS_MAX 4

struct herd_tls_pool;

/* A step; or the end, if `release`. */
struct herd_tls_job {
    struct herd_list link; /* of the pool, or of the owner */
    struct herd_tls_stream *stream;
    struct herd_buf in;         /* bytes that arrived */
    struct herd_buf plain, out; /* what herd_tls_input makes of them */
    int state;                  /* what it returned */
    bool release;               /* there are no more steps: what OpenSSL keeps is freed */
    bool taken;                 /* the pool's: a thread has it, or is done */
    void *owner;                /* NULL: given up; for the owner alone */
};

/* NULL: no memory or no descriptor. No thread is started yet. */
struct herd_tls_pool *herd_tls_pool_new(void);
/* Waits for the steps under way, one a thread. Jobs that were not taken are freed, with their streams. NULL is fine. */
void herd_tls_pool_free(struct herd_tls_pool *pool);
/* Readable while jobs are computed that were not taken. */
int herd_tls_pool_fd(const struct herd_tls_pool *pool);

/* Gives the pool a job, before all others if `first`. False: there is no thread and none to be had, the job is still the
 * caller's. */
bool herd_tls_pool_submit(struct herd_tls_pool *pool, struct herd_tls_job *job, bool first);
/* A job that is computed, or NULL. */
struct herd_tls_job *herd_tls_pool_take(struct herd_tls_pool *pool);
/* True: no thread has the job yet, and none will. False: it will come from herd_tls_pool_take. */
bool herd_tls_pool_cancel(struct herd_tls_pool *pool, struct herd_tls_job *job);
/* The first job of the queue, if since the last call no thread took one; NULL if they are at work. */
struct herd_tls_job *herd_tls_pool_relieve(struct herd_tls_pool *pool);
/* Whether jobs wait for a thread; whether they do, or a thread is at work. */
bool herd_tls_pool_behind(struct herd_tls_pool *pool);
bool herd_tls_pool_at_work(struct herd_tls_pool *pool);

/* Computes the step here and now. */
void herd_tls_job_run(struct herd_tls_job *job);
/* With its stream. NULL is fine. */
void herd_tls_job_free(struct herd_tls_job *job);

#endif
