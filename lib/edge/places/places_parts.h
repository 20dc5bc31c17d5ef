/* SPDX-License-Identifier: MIT */
/*
 * What the files of places share.
 *
 *   places.c         asks and flights: equal questions share one flight, every asker is answered
 *   places_chain.c   a flight's way along the providers: queue, deadline, breaker, cache
 *   places_call.c  how a look-up at a provider ends
 *   places_breaker.c providers whose circuit is open
 *   places_cache.c   answers that may be kept
 *   places_http.c    providers behind HTTP; places_http_new.c sets them up
 *   places_local.c   providers in memory
 *   places_key.c     API keys
 *   places_broken.c  what stands for a provider that could not be made
 *   places_check.c   opens what a configuration names, before a start
 */
#ifndef HERD_EDGE_PLACES_PARTS_H
#define HERD_EDGE_PLACES_PARTS_H

#include "../fetch/fetch.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <herd/places.h>

#define PLACES_TABLE 256 /* buckets of flights; a power of two */

struct places_cache;
struct herd_answer_shape;

/* When a provider fails again and again its circuit opens for a while; then one question tries it. */
struct places_breaker {
    unsigned failures;         /* in a row */
    int64_t open_until_ms;     /* no question before */
    int64_t open_ms;           /* how long it was open last; grows */
    char status[24], why[224]; /* of the last failure, for those who ask meanwhile */
};

struct places_backend {
    struct herd_provider provider;
    char *name; /* owned; provider.name points here */
    int64_t timeout_ms;
    size_t in_flight_max, in_flight;
    bool synchronous;   /* start always ends the look-up */
    bool loading;       /* its file is read for the first time: look-ups wait */
    char unusable[256]; /* why it is passed over until a reload mends it; empty: it is not */
    struct places_breaker breaker;
    struct places_cache *cache; /* NULL: not allowed */
    struct herd_provider_call *waiting, **waiting_end;
};

/* How a look-up failed. */
struct places_failure {
    const char *status;
    const char *why;
    bool counts_as_failure;    /* of the provider, not of the question */
    int64_t retry_after_ms;    /* open the circuit for so long (Retry-After); 0: the breaker's default */
    struct herd_span verbatim; /* the provider's own words in the legacy shape; at == NULL: none */
};

enum places_state { PLACES_CHOOSING, PLACES_WAITING, PLACES_RUNNING, PLACES_ENDED, PLACES_FINISHED };

struct herd_places_request {
    struct herd_places_request *next;
    struct herd_provider_call *flight;
    herd_places_answer *answer;
    void *ctx;
    struct herd_places_request **alive; /* inside herd_places_lookup: its pointer, NULL once this is gone */
};

/* A flight: one question on its way, for one asker or many. Providers know it as a look-up. */
struct herd_provider_call {
    struct herd_places *places;
    struct herd_provider_call *bucket_next;
    struct herd_provider_call *waiting_next;
    struct herd_places_request *requests;
    struct herd_places_query query; /* texts behind the struct */
    uint64_t hash;
    enum places_state state;
    bool starting; /* inside provider.start: what ends there goes on when it returns */
    bool failed;   /* ENDED: how */
    bool counts_as_failure;
    size_t backend; /* the provider it is at */
    struct event deadline;
    bool deadline_set;
    int64_t began_ns;     /* at this provider */
    struct herd_buf json; /* the answer, or the best that is known */
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
    struct herd_buf spare; /* memory of an answer that is gone, for the next one */
    bool pumping, pump_again;
    bool serving;          /* made while the loop serves: files are not waited for */
    int64_t load_until_ms; /* else they are, until this moment */
};

/* places.c: every asker is answered, the flight is gone. */
void places_finish(struct herd_provider_call *flight, const char *origin);

/* places_chain.c */
void places_drive(struct herd_provider_call *flight);
void places_pump(struct herd_places *places);
int64_t places_now_ns(void);
void places_abandon(struct herd_provider_call *flight); /* nobody wants it any more: off the providers and queues */

/* places_breaker.c */
bool places_breaker_allows(const struct places_backend *backend);
void places_breaker_success(struct herd_places *places, struct places_backend *backend);
void places_breaker_failure(struct places_backend *backend, const struct herd_provider_call *flight);

/* places_call.c */
void places_set_failure(struct herd_provider_call *flight, const char *status, const char *why);
/* Ends a look-up with an answer that lib/places wrote: valid, in shape and within the bound. */
void places_call_answer_final(struct herd_provider_call *call, struct herd_span json);
/* Ends a look-up with an answer whose shape is known; it is cut here. */
void places_call_answer_shaped(struct herd_provider_call *call, struct herd_span json,
                               const struct herd_answer_shape *shape);
void places_call_fail(struct herd_provider_call *call, const struct places_failure *failure);

/* places_cache.c; HERD_E_NOMEM. */
int places_cache_new(struct places_cache **ret_cache, int64_t keep_ms, size_t bytes_max);
void places_cache_free(struct places_cache *cache);
/* False if there is nothing fresh; the span is borrowed until the next call. */
bool places_cache_get(struct places_cache *cache, const struct herd_places_query *query, int64_t now_ms,
                      struct herd_span *ret_json);
void places_cache_put(struct places_cache *cache, const struct herd_places_query *query, int64_t now_ms,
                      struct herd_span json);
/* Are they the same question? And a hash of it. */
bool places_query_equal(const struct herd_places_query *a, const struct herd_places_query *b);
uint64_t places_query_hash(const struct herd_places_query *query);

/* places_key.c: appends the key and a NUL. HERD_E_NOMEM; HERD_E_ACCESS, HERD_E_IO, HERD_E_SYNTAX with a
 * sentence that names the file or variable and never the key. */
int places_key_read(struct herd_buf *out, const struct herd_config_provider *config,
                    struct herd_diagnostic *reterr_diagnostic);
void places_key_wipe(struct herd_buf *key);

/* Makers of providers: fill slot->provider; the fault's sentence says what is wrong. `config` borrowed for the call.
 * After a failure of places_local_new the provider is there all the same if it has a `ctx`: its reload may mend it. */
int places_http_new(struct places_backend *backend, struct herd_places *places,
                    const struct herd_config_provider *config, struct herd_diagnostic *reterr_diagnostic);
int places_local_new(struct places_backend *backend, struct herd_places *places,
                     const struct herd_config_provider *config, struct herd_diagnostic *reterr_diagnostic);
/* places_broken.c: stands in for a provider behind HTTP that cannot be made for the time being, and makes it on a
 * reload. `config` is copied. HERD_E_NOMEM. */
int places_broken_new(struct places_backend *backend, struct herd_places *places,
                      const struct herd_config_provider *config);
/* Notes why a provider is passed over, and logs it. */
void places_set_unusable(struct herd_places *places, struct places_backend *backend, const char *why);

/* Fills a fault without a place in a file. Returns `err`. */
HERD_PRINTF(3, 4)
int places_fault(struct herd_diagnostic *reterr_diagnostic, int err, const char *what, ...);

#endif
