/* SPDX-License-Identifier: MIT */
/* The part of the resolver that runs on the loop: look-ups under way, the calls that wait for them, results
 * kept. */
#include "resolver.h"

#include "../../core/base/list.h"
#include "../clock.h"
#include "resolver_thread.h"

#include <arpa/inet.h>
#include <assert.h>
#include <event2/event.h>
#include <event2/util.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Look-ups that run at once, each in a thread; others wait. That many run only while a name server does not
 * answer. */
#define THREADS_MAX 32
/* How long the result of a cancelled look-up is kept: longer than a client waits between attempts. */
#define KEEP_NS  INT64_C(30000000000)
#define KEPT_MAX 64

/* A look-up of a name and port, or its result, kept for later calls. */
struct query {
    struct herd_list link; /* in the resolver's running, waiting or kept */
    struct herd_list calls;
    struct herd_resolver_job *job;
    bool running; /* in that of running */
    int64_t keep_until_ns;
};

struct herd_resolver_call {
    struct herd_list link;
    struct herd_resolver *resolver;
    struct query *query;
    herd_resolver_done *done;
    void *ctx;
};

struct herd_resolver {
    size_t references;
    size_t call_count;
    struct event_base *base;
    struct event *finished_event; /* armed while calls wait */
    struct herd_resolver_pool *pool;
    struct herd_list running, waiting, kept;
    size_t running_count, kept_count;
};

static void on_finished(evutil_socket_t fd, short what, void *arg);

int herd_resolver_new(struct herd_resolver **ret_resolver, struct event_base *base)
{
    struct herd_resolver *resolver = calloc(1, sizeof *resolver);
    if (!resolver)
        return HERD_E_NOMEM;
    resolver->references = 1;
    resolver->base = base;
    herd_list_init(&resolver->running);
    herd_list_init(&resolver->waiting);
    herd_list_init(&resolver->kept);
    resolver->pool = herd_resolver_pool_new();
    if (resolver->pool)
        resolver->finished_event =
            event_new(base, herd_resolver_pool_fd(resolver->pool), EV_READ | EV_PERSIST, on_finished, resolver);
    if (!resolver->finished_event) {
        herd_resolver_release(resolver);
        return HERD_E_NOMEM;
    }
    *ret_resolver = resolver;
    return 0;
}

struct herd_resolver *herd_resolver_acquire(struct herd_resolver *resolver)
{
    assert(resolver->references > 0);
    resolver->references++;
    return resolver;
}

/* Frees a query that is in no list of the resolver; its job too, unless a thread has it. */
static void free_query(struct query *query, bool running)
{
    if (!running)
        herd_resolver_job_free(query->job);
    free(query);
}

static void free_queries(struct herd_list *list, bool running)
{
    while (!herd_list_empty(list)) {
        struct query *query = HERD_CONTAINER_OF(list->next, struct query, link);
        herd_list_remove(&query->link);
        free_query(query, running);
    }
}

void herd_resolver_release(struct herd_resolver *resolver)
{
    if (!resolver || --resolver->references > 0)
        return;
    assert(resolver->call_count == 0); /* each holds a reference */
    free_queries(&resolver->waiting, false);
    free_queries(&resolver->kept, false);
    if (resolver->finished_event)
        event_free(resolver->finished_event);
    if (resolver->pool)
        herd_resolver_pool_close(resolver->pool); /* its threads free their jobs */
    free_queries(&resolver->running, true);
    free(resolver);
}

/* ---- calls ---- */

static void free_call(struct herd_resolver_call *call)
{
    struct herd_resolver *resolver = call->resolver;
    herd_list_remove(&call->link);
    free(call);
    if (--resolver->call_count == 0)
        event_del(resolver->finished_event);
    herd_resolver_release(resolver);
}

/* Keeps the addresses of a query without calls. False: there are none, or they are old. */
static bool keep(struct herd_resolver *resolver, struct query *query)
{
    query->keep_until_ns = query->job->finished_ns + KEEP_NS;
    if (query->job->why || resolver->kept_count == KEPT_MAX || query->keep_until_ns <= herd_clock().steady_ns)
        return false;
    herd_list_append(&resolver->kept, &query->link);
    resolver->kept_count++;
    return true;
}

static void forget_kept(struct herd_resolver *resolver, struct query *query)
{
    herd_list_remove(&query->link);
    resolver->kept_count--;
    free_query(query, false);
}

static void start_waiting(struct herd_resolver *resolver);

/* Runs `done` of every call of a query, which is in no list any more. */
static void deliver(struct herd_resolver *resolver, struct query *query)
{
    if (herd_list_empty(&query->calls) && keep(resolver, query))
        return;
    while (!herd_list_empty(&query->calls)) {
        struct herd_resolver_call *call = HERD_CONTAINER_OF(query->calls.next, struct herd_resolver_call, link);
        herd_resolver_done *done = call->done;
        void *ctx = call->ctx;
        free_call(call);
        done(ctx, &query->job->found, query->job->why, query->job->local);
    }
    free_query(query, false);
}

/* Into the list of those that threads have, or have had. */
static void add_running(struct herd_resolver *resolver, struct query *query)
{
    query->running = true;
    herd_list_append(&resolver->running, &query->link);
    resolver->running_count++;
}

static void remove_running(struct herd_resolver *resolver, struct query *query)
{
    query->running = false;
    herd_list_remove(&query->link);
    resolver->running_count--;
}

/* Delivers what threads have finished. */
static void take_finished(struct herd_resolver *resolver)
{
    struct herd_resolver_job *job;
    herd_resolver_acquire(resolver);
    while ((job = herd_resolver_pool_take(resolver->pool)) != NULL) {
        struct query *query = job->query;
        assert(query->running); /* a cancelled one too, until it is done */
        remove_running(resolver, query);
        start_waiting(resolver);
        deliver(resolver, query);
    }
    herd_resolver_release(resolver);
}

static void on_finished(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    take_finished(arg);
}

static void start(struct herd_resolver *resolver, struct query *query)
{
    add_running(resolver, query);
    herd_resolver_pool_run(resolver->pool, query->job);
}

static void start_waiting(struct herd_resolver *resolver)
{
    while (!herd_list_empty(&resolver->waiting) && resolver->running_count < THREADS_MAX) {
        struct query *query = HERD_CONTAINER_OF(resolver->waiting.next, struct query, link);
        herd_list_remove(&query->link);
        start(resolver, query);
    }
}

static struct query *find(struct herd_list *list, const char *host, uint16_t port)
{
    for (struct herd_list *at = list->next; at != list; at = at->next) {
        struct query *query = HERD_CONTAINER_OF(at, struct query, link);
        if (query->job->port == port && strcasecmp(query->job->host, host) == 0)
            return query;
    }
    return NULL;
}

/* Delivers a kept result like one found now. */
static struct query *take_kept(struct herd_resolver *resolver, const char *host, uint16_t port)
{
    int64_t now_ns = herd_clock().steady_ns;
    while (!herd_list_empty(&resolver->kept)) {
        struct query *oldest = HERD_CONTAINER_OF(resolver->kept.next, struct query, link);
        if (oldest->keep_until_ns > now_ns)
            break;
        forget_kept(resolver, oldest);
    }
    struct query *query = find(&resolver->kept, host, port);
    if (query) {
        herd_list_remove(&query->link);
        resolver->kept_count--;
        add_running(resolver, query);
        herd_resolver_pool_finish(resolver->pool, query->job);
    }
    return query;
}

static struct query *new_query(struct herd_resolver *resolver, const char *host, uint16_t port)
{
    struct query *query = calloc(1, sizeof *query);
    if (!query)
        return NULL;
    query->job = herd_resolver_job_new(host, port);
    if (!query->job) {
        free(query);
        return NULL;
    }
    query->job->query = query;
    herd_list_init(&query->calls);
    if (resolver->running_count < THREADS_MAX)
        start(resolver, query);
    else
        herd_list_append(&resolver->waiting, &query->link);
    return query;
}

int herd_resolver_lookup(struct herd_resolver *resolver, const char *host, uint16_t port, herd_resolver_done *done,
                         void *ctx, struct herd_resolver_call **ret_call)
{
    struct herd_resolver_call *call = calloc(1, sizeof *call);
    if (!call || (resolver->call_count == 0 && event_add(resolver->finished_event, NULL) < 0)) {
        free(call);
        return HERD_E_NOMEM;
    }
    if (resolver->call_count == 0)
        take_finished(resolver); /* only cancelled look-ups: no callback runs */
    struct query *query = find(&resolver->running, host, port);
    if (!query)
        query = find(&resolver->waiting, host, port);
    if (!query)
        query = take_kept(resolver, host, port);
    if (!query)
        query = new_query(resolver, host, port);
    if (!query) {
        if (resolver->call_count == 0)
            event_del(resolver->finished_event);
        free(call);
        return HERD_E_NOMEM;
    }
    *call = (struct herd_resolver_call){
        .resolver = herd_resolver_acquire(resolver), .query = query, .done = done, .ctx = ctx};
    resolver->call_count++;
    herd_list_append(&query->calls, &call->link);
    *ret_call = call;
    return 0;
}

void herd_resolver_cancel(struct herd_resolver_call *call)
{
    if (!call)
        return;
    struct query *query = call->query;
    bool last = query->calls.next == &call->link && query->calls.prev == &call->link;
    if (last && !query->running && herd_list_linked(&query->link)) {
        herd_list_remove(&query->link); /* it waits for a thread: not needed any more */
        herd_list_remove(&call->link);
        free_query(query, false);
    }
    free_call(call);
}

void herd_resolver_flush(struct herd_resolver *resolver)
{
    while (!herd_list_empty(&resolver->kept))
        forget_kept(resolver, HERD_CONTAINER_OF(resolver->kept.next, struct query, link));
}

int herd_resolver_nameserver(struct herd_resolver *resolver, const char *address)
{
    struct sockaddr_in to = {0};
    int len = (int)sizeof to;
    if (evutil_parse_sockaddr_port(address, (struct sockaddr *)&to, &len) < 0) /* no other family fits */
        return HERD_E_ADDRESS;
    return herd_resolver_pool_nameserver(resolver->pool, &to) ? 0 : HERD_E_ADDRESS;
}
