/* SPDX-License-Identifier: MIT */
/*
 * The structures of places. Its files, each calling only those above it:
 *
 *     places_fault.c    sentences about what is wrong
 *     places_query.c    equality and hash of queries
 *     places_flight.c   the table of flights: creation, freeing, answering the requests
 *     places_result.c   what a provider's answer or failure makes of a flight
 *     places_key.c      API keys
 *     places_cache.c    answers that may be kept
 *     places_breaker.c  circuit breakers
 *     places_chain.c    a flight's way along the providers: queue, deadline, breaker, cache
 *     places_call.c     how a provider ends a look-up
 *     places_request.c  requests: equal queries share one flight, every request is answered
 *     places_local.c    providers in memory
 *     places_http.c     providers behind HTTP; places_http_new.c sets them up
 *     places_stats.c    how long look-ups took
 *     places_broken.c   what stands for a provider that could not be made
 *     places_check.c    opens what a configuration names, before a start
 *     places.c          the chain, made from a configuration
 */
#ifndef HERD_EDGE_PLACES_TYPES_H
#define HERD_EDGE_PLACES_TYPES_H

#include "../fetch/fetch.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <herd/node.h>
#include <herd/places.h>

#define PLACES_TABLE 256 /* buckets of flights; a power of two */

struct places_cache;
struct herd_answer_shape;

/* A circuit breaker: after failures in a row the circuit is open for a while; then one look-up tries the
 * provider. */
struct places_breaker {
    unsigned failures;         /* in a row */
    int64_t open_until_ms;     /* no look-up before; 0: the circuit is closed */
    int64_t open_ms;           /* how long it was open last; grows */
    char status[24], why[224]; /* of the last failure, for look-ups that come while it is open */
};

/* A provider in the chain, and what the chain keeps about it. */
struct places_backend {
    struct herd_provider provider;
    char *name; /* owned; provider.name points here */
    int64_t timeout_ms;
    size_t in_flight_max, in_flight;
    bool synchronous;   /* start always ends the look-up */
    bool loading;       /* its file is being read for the first time: look-ups wait */
    char unusable[256]; /* why it is passed over until a reload repairs it; empty: it is usable */
    struct places_breaker breaker;
    struct places_cache *cache; /* NULL: not allowed */
    struct herd_provider_call *waiting, **waiting_end;
    struct herd_histogram durations; /* from its turn here to its end, waiting included; of the cache none */
    uint64_t failures;               /* of those */
};

/* Fills backend->provider. The errors of herd_places_new, with a sentence. */
typedef int places_make(struct places_backend *backend, struct herd_places *places,
                        const struct herd_config_provider *config, struct herd_diagnostic *reterr_diagnostic);

/* How a look-up failed. */
struct places_failure {
    const char *status;
    const char *why;
    bool counts_as_failure;    /* of the provider: the breaker counts it; else the query was at fault */
    int64_t retry_after_ms;    /* open the circuit for so long (Retry-After); 0: the breaker's default */
    struct herd_span verbatim; /* the provider's reply, in the legacy shape; at == NULL: none */
    const struct herd_answer_shape *shape; /* of it */
};

enum places_state {
    PLACES_CHOOSING, /* the next provider is to be found */
    PLACES_WAITING,  /* in the queue of its provider */
    PLACES_RUNNING,  /* the provider has it, and counts as in flight */
    PLACES_ENDED,    /* the provider has ended it; the result is in the flight */
    PLACES_FINISHED, /* its requests are being answered, or it was given up */
};

/* A caller that waits for a flight. */
struct herd_places_request {
    struct herd_places_request *next;
    struct herd_provider_call *flight;
    herd_places_answer *answer;
    void *ctx;
    struct herd_places_request *
        *self; /* inside herd_places_lookup: its pointer to this, set to NULL when this is freed;
                                           else NULL */
};

/* A flight: one query on its way along the chain, for one request or many. The public name of it is a look-up
 * handed to a provider. */
struct herd_provider_call {
    struct herd_places *places;
    struct herd_provider_call *bucket_next;
    struct herd_provider_call *waiting_next;
    struct herd_places_request *requests;
    struct herd_places_query query; /* texts behind the struct */
    uint64_t hash;
    enum places_state state;
    bool starting; /* inside provider.start: an end there is handled when it returns */
    bool failed;   /* ENDED: how */
    bool counts_as_failure;
    size_t backend; /* index of the provider it is at */
    struct event deadline;
    bool deadline_set;
    int64_t began_ns;     /* at this provider */
    struct herd_buf json; /* the answer; after a failure the provider's reply, or empty */
    char status[24], why[224];
    int64_t retry_after_ms;
};

struct herd_places {
    struct event_base *base;
    struct herd_log *log;
    struct herd_fetch *fetch;
    struct places_backend **backends;
    size_t backend_count;
    struct herd_provider_call *table[PLACES_TABLE];
    size_t in_flight, in_flight_max, waiting, waiting_max, reply_max_bytes;
    struct herd_buf spare;    /* memory of an answer that was delivered, for the next one */
    bool pumping, pump_again; /* inside places_pump; it has to start over */
    bool serving;             /* made while the loop serves: files are not waited for */
    int64_t load_until_ms;    /* else they are, until this moment */
};

#endif
