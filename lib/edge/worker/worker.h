/* SPDX-License-Identifier: MIT */
/*
 * A thread for blocking file operations: it runs one job at a time, and the loop polls whether it is done.
 *
 *     IDLE --begin--> BUSY --the job returned--> DONE --poll, wait--> IDLE
 *
 * While BUSY what the job works on belongs to the thread. No call but herd_worker_wait and herd_worker_fini waits
 * for a job, and these wait up to their time-out. Without a thread, begin runs the job before it returns.
 */
#ifndef HERD_EDGE_WORKER_H
#define HERD_EDGE_WORKER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum herd_worker_state { HERD_WORKER_IDLE, HERD_WORKER_BUSY, HERD_WORKER_DONE };

/* Returns 0 or an errno. */
typedef int herd_worker_job(void *arg);

struct herd_worker {
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    enum herd_worker_state state;
    herd_worker_job *job;
    void *arg;
    int result; /* when DONE */
    int notify_fd;
    bool quit;
    bool threaded;
    void (*release)(void *arg); /* given up: what the thread calls last */
    void *release_arg;
};

/* Starts the thread. `notify_fd` is an eventfd that is written to after each job, borrowed until herd_worker_fini;
 * -1: none. */
void herd_worker_init(struct herd_worker *worker, int notify_fd);
/* Ends the thread, then calls `release` (NULL: nothing to do), which may free the worker itself. A job that is not
 * done within `timeout_ms` keeps the thread, and the thread calls `release` when it is: then it returns false. */
bool herd_worker_fini(struct herd_worker *worker, int64_t timeout_ms, void (*release)(void *arg),
                      void *release_arg);

/* Gives the thread a job. Only when IDLE. */
void herd_worker_begin(struct herd_worker *worker, herd_worker_job *job, void *arg);
/* Returns the state. DONE is returned once for each job, with its result; then the worker is IDLE again. */
enum herd_worker_state herd_worker_poll(struct herd_worker *worker, int *ret_result);
/* As poll, but waits up to `timeout_ms` while it is BUSY. */
enum herd_worker_state herd_worker_wait(struct herd_worker *worker, int64_t timeout_ms, int *ret_result);

#endif
