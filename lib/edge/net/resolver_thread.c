/* SPDX-License-Identifier: MIT */
/* getaddrinfo in threads. */
#define _GNU_SOURCE /* EAI_NODATA: what glibc says of a name that has records, and no address among them */
#include "resolver_thread.h"

#include "../clock.h"

#include <arpa/nameser.h>
#include <assert.h>
#include <limits.h>
#include <netdb.h>
#include <pthread.h>
#include <resolv.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* getaddrinfo itself needs 64 KiB at most; modules of nsswitch.conf and sanitizers want some more. */
#define STACK_BYTES (512 * 1024)

struct herd_resolver_pool {
    pthread_mutex_t lock;
    unsigned references; /* the resolver's, and one a running job */
    bool closed;
    int event_fd;
    struct herd_resolver_job *finished, **finished_end;
    bool nameserver_set;
    struct sockaddr_in nameserver;
};

struct herd_resolver_pool *herd_resolver_pool_new(void)
{
    struct herd_resolver_pool *pool = calloc(1, sizeof *pool);
    if (!pool)
        return NULL;
    pool->references = 1;
    pool->finished_end = &pool->finished;
    pool->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (pool->event_fd < 0 || pthread_mutex_init(&pool->lock, NULL) != 0) {
        if (pool->event_fd >= 0)
            close(pool->event_fd);
        free(pool);
        return NULL;
    }
    return pool;
}

int herd_resolver_pool_fd(const struct herd_resolver_pool *pool)
{
    return pool->event_fd;
}

/* Releases a reference, and frees the pool with the last. The lock is held before and released after. */
static void unreference(struct herd_resolver_pool *pool)
{
    assert(pool->references > 0);
    bool last = --pool->references == 0;
    pthread_mutex_unlock(&pool->lock);
    if (!last)
        return;
    while (pool->finished) {
        struct herd_resolver_job *job = pool->finished;
        pool->finished = job->next;
        free(job);
    }
    close(pool->event_fd);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

void herd_resolver_pool_close(struct herd_resolver_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->closed = true;
    unreference(pool);
}

static void append(struct herd_resolver_pool *pool, struct herd_resolver_job *job)
{
    const uint64_t one = 1;
    job->next = NULL;
    *pool->finished_end = job;
    pool->finished_end = &job->next;
    ssize_t wrote = write(pool->event_fd, &one, sizeof one); /* it fails only where it is readable anyway */
    (void)wrote;
}

void herd_resolver_pool_finish(struct herd_resolver_pool *pool, struct herd_resolver_job *job)
{
    pthread_mutex_lock(&pool->lock);
    append(pool, job);
    pthread_mutex_unlock(&pool->lock);
}

struct herd_resolver_job *herd_resolver_pool_take(struct herd_resolver_pool *pool)
{
    uint64_t count;
    pthread_mutex_lock(&pool->lock);
    struct herd_resolver_job *job = pool->finished;
    if (job) {
        pool->finished = job->next;
        if (!pool->finished)
            pool->finished_end = &pool->finished;
    } else {
        ssize_t got = read(pool->event_fd, &count, sizeof count);
        (void)got;
    }
    pthread_mutex_unlock(&pool->lock);
    return job;
}

bool herd_resolver_pool_nameserver(struct herd_resolver_pool *pool, const struct sockaddr_in *address)
{
#ifdef __GLIBC__
    pthread_mutex_lock(&pool->lock);
    pool->nameserver = *address;
    pool->nameserver_set = true;
    pthread_mutex_unlock(&pool->lock);
    return true;
#else
    (void)pool;
    (void)address;
    return false;
#endif
}

/* In glibc each thread has resolver state of its own, which getaddrinfo uses if it was changed. */
static void use_nameserver(struct herd_resolver_pool *pool)
{
#ifdef __GLIBC__
    pthread_mutex_lock(&pool->lock);
    struct sockaddr_in address = pool->nameserver;
    bool set = pool->nameserver_set;
    pthread_mutex_unlock(&pool->lock);
    if (!set || res_init() != 0)
        return;
    _res.nscount = 1;
    _res.nsaddr_list[0] = address;
    _res.retrans = 1;
    _res.retry = 2;
#else
    (void)pool;
#endif
}

static const char *sentence(int code, bool *ret_local)
{
    *ret_local = code == EAI_MEMORY || code == EAI_SYSTEM;
    switch (code) {
    case EAI_NONAME: return "the name is not known";
    case EAI_AGAIN: return "no name server answers";
    case EAI_MEMORY: return "out of memory";
    case EAI_FAIL: return "the name servers refuse";
#if defined EAI_NODATA && EAI_NODATA != EAI_NONAME
    case EAI_NODATA: return "the name has no address";
#endif
    default: return "the name cannot be resolved";
    }
}

static void resolve(struct herd_resolver_job *job)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    char port[8];
    snprintf(port, sizeof port, "%u", (unsigned)job->port);
    int code = getaddrinfo(job->host, port, &hints, &found);
    if (code != 0) {
        job->why = sentence(code, &job->local);
        return;
    }
    herd_sockaddr_list_add(&job->found, found);
    freeaddrinfo(found);
    if (job->found.count == 0)
        job->why = "the name has no address";
}

static void *run_thread(void *arg)
{
    struct herd_resolver_job *job = arg;
    struct herd_resolver_pool *pool = job->pool;
    use_nameserver(pool);
    resolve(job);
    job->finished_ns = herd_clock().steady_ns;
    pthread_mutex_lock(&pool->lock);
    append(pool, job);
    unreference(pool);
    return NULL;
}

static bool start_thread(struct herd_resolver_job *job)
{
    pthread_attr_t attr;
    pthread_t thread;
    sigset_t all, before;
    if (pthread_attr_init(&attr) != 0)
        return false;
    size_t stack = STACK_BYTES > PTHREAD_STACK_MIN ? (size_t)STACK_BYTES : (size_t)PTHREAD_STACK_MIN;
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, stack);
    /* Signals are handled by the program's own threads. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&thread, &attr, run_thread, job);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    return !failed;
}

void herd_resolver_pool_run(struct herd_resolver_pool *pool, struct herd_resolver_job *job)
{
    job->pool = pool;
    pthread_mutex_lock(&pool->lock);
    pool->references++;
    pthread_mutex_unlock(&pool->lock);
    if (start_thread(job))
        return;
    job->why = "no thread for the look-up";
    job->local = true;
    pthread_mutex_lock(&pool->lock);
    append(pool, job);
    unreference(pool);
}

struct herd_resolver_job *herd_resolver_job_new(const char *host, uint16_t port)
{
    size_t size = strlen(host) + 1;
    struct herd_resolver_job *job = calloc(1, sizeof *job + size);
    if (!job)
        return NULL;
    memcpy(job->host, host, size);
    job->port = port;
    return job;
}

void herd_resolver_job_free(struct herd_resolver_job *job)
{
    free(job);
}
