/* SPDX-License-Identifier: MIT */
/*
 * The threads of a resolver, and what they share with the loop: a list of finished jobs under a lock, and a
 * descriptor that is readable while it is not empty. A job is owned by the thread while it runs, then by the pool,
 * then by the caller that takes it; after the pool is closed, the last thread frees the jobs that are left.
 */
#ifndef HERD_EDGE_NET_RESOLVER_THREAD_H
#define HERD_EDGE_NET_RESOLVER_THREAD_H

#include "sockaddr.h"

struct herd_resolver_pool;

struct herd_resolver_job {
    struct herd_resolver_job *next;
    struct herd_resolver_pool *pool;
    void *query; /* the caller's, for itself */
    struct herd_sockaddr_list found;
    const char *why; /* static; NULL: found */
    bool local;
    int64_t finished_ns; /* on the steady clock */
    uint16_t port;
    char host[]; /* ends with NUL */
};

/* NULL: no memory or descriptor. */
struct herd_resolver_pool *herd_resolver_pool_new(void);
int herd_resolver_pool_fd(const struct herd_resolver_pool *pool);
/* Closes the pool: no job will be taken any more. */
void herd_resolver_pool_close(struct herd_resolver_pool *pool);
/* Begins a job in a thread of its own; without a thread it is finished at once, as a local fault. */
void herd_resolver_pool_run(struct herd_resolver_pool *pool, struct herd_resolver_job *job);
/* Puts a job that was taken to the finished ones again. */
void herd_resolver_pool_finish(struct herd_resolver_pool *pool, struct herd_resolver_job *job);
/* Takes a finished job, or NULL. */
struct herd_resolver_job *herd_resolver_pool_take(struct herd_resolver_pool *pool);
/* False: the C library has no way. */
bool herd_resolver_pool_nameserver(struct herd_resolver_pool *pool, const struct sockaddr_in *address);

/* NULL: out of memory. */
struct herd_resolver_job *herd_resolver_job_new(const char *host, uint16_t port);
void herd_resolver_job_free(struct herd_resolver_job *job);

#endif
