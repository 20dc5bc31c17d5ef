/* SPDX-License-Identifier: MIT */
/* Asks and flights: equal questions share one flight, and every asker gets exactly one answer. */
#include "places_net.h"
#include "places_parts.h"

#include "../../places/answer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPARE_MAX_BYTES 65536
/* How long a start waits for all files of places together. Millions of points take seconds; a mount whose server is gone
 * takes for ever. */
#define LOAD_PATIENCE_MS 20000

int places_fault(struct herd_diagnostic *reterr_diagnostic, int err, const char *what, ...)
{
    reterr_diagnostic->line = reterr_diagnostic->column = 0;
    va_list args;
    va_start(args, what);
    vsnprintf(reterr_diagnostic->message, sizeof reterr_diagnostic->message, what, args);
    va_end(args);
    return err;
}

bool places_query_equal(const struct herd_places_query *a, const struct herd_places_query *b)
{
    return a->bound == b->bound && herd_span_equal(a->lat, b->lat) && herd_span_equal(a->lon, b->lon) &&
           herd_span_equal(a->radius, b->radius);
}

uint64_t places_query_hash(const struct herd_places_query *query)
{
    const struct herd_span parts[] = {query->lat, query->lon, query->radius};
    uint64_t hash = 14695981039346656037u + query->bound;
    for (size_t p = 0; p < 3; p++) {
        for (size_t i = 0; i < parts[p].len; i++)
            hash = (hash ^ (unsigned char)parts[p].at[i]) * 1099511628211u;
        hash = (hash ^ ',') * 1099511628211u;
    }
    return hash ^ hash >> 32;
}

/* The query's texts live right behind the flight. */
static struct herd_provider_call *flight_new(struct herd_places *places, const struct herd_places_query *query,
                                             uint64_t hash)
{
    struct herd_provider_call *flight =
        calloc(1, sizeof *flight + query->lat.len + query->lon.len + query->radius.len);
    if (!flight)
        return NULL;
    char *to = (char *)(flight + 1);
    flight->query = *query;
    struct herd_span *parts[] = {&flight->query.lat, &flight->query.lon, &flight->query.radius};
    for (size_t i = 0; i < 3; i++) {
        if (parts[i]->len)
            memcpy(to, parts[i]->at, parts[i]->len);
        parts[i]->at = to;
        to += parts[i]->len;
    }
    flight->places = places;
    flight->hash = hash;
    flight->bucket_next = places->table[hash % PLACES_TABLE];
    places->table[hash % PLACES_TABLE] = flight;
    return flight;
}

static void flight_unlist(struct herd_provider_call *flight)
{
    struct herd_provider_call **at = &flight->places->table[flight->hash % PLACES_TABLE];
    while (*at != flight)
        at = &(*at)->bucket_next;
    *at = flight->bucket_next;
}

static void flight_free(struct herd_provider_call *flight)
{
    while (flight->requests) {
        struct herd_places_request *next = flight->requests->next;
        free(flight->requests);
        flight->requests = next;
    }
    if (flight->deadline_set)
        event_del(&flight->deadline);
    struct herd_buf *spare = &flight->places->spare;
    if (flight->json.cap > spare->cap && flight->json.cap <= SPARE_MAX_BYTES) {
        herd_buf_fini(spare);
        *spare = flight->json;
    } else {
        herd_buf_fini(&flight->json);
    }
    free(flight);
}

void places_finish(struct herd_provider_call *flight, const char *origin)
{
    /* Said when there is no memory even for saying something better. */
    static const char last_resort[] =
        "{\n   \"error_message\" : \"out of memory\",\n   \"html_attributions\" : [],\n"
        "   \"results\" : [],\n   \"status\" : \"UNKNOWN_ERROR\"\n}";
    struct herd_places *places = flight->places;
    flight->state = PLACES_FINISHED;
    flight_unlist(flight); /* from here on an equal question begins a new flight */
    if (!flight->json.len)
        (void)herd_answer_failure(&flight->json, flight->status, herd_span_of(flight->why));
    struct herd_span json =
        flight->json.len ? (struct herd_span){flight->json.at, flight->json.len} : herd_span_of(last_resort);
    /* An answer may cancel other asks of this flight, so the list is read anew each time. */
    while (flight->requests) {
        struct herd_places_request *request = flight->requests;
        flight->requests = request->next;
        herd_places_answer *answer = request->answer;
        void *ctx = request->ctx;
        if (request->alive)
            *request->alive = NULL;
        free(request);
        answer(ctx, json, origin);
    }
    flight_free(flight);
    places_pump(places);
}

int herd_places_lookup(struct herd_places *places, const struct herd_places_query *query,
                       herd_places_answer *answer, void *ctx, struct herd_places_request **ret_request)
{
    struct herd_places_request *request = calloc(1, sizeof *request);
    if (!request)
        return HERD_E_NOMEM;
    uint64_t hash = places_query_hash(query);
    struct herd_provider_call *flight = places->table[hash % PLACES_TABLE];
    while (flight && (flight->hash != hash || !places_query_equal(&flight->query, query)))
        flight = flight->bucket_next;
    bool first = !flight;
    if (first && !(flight = flight_new(places, query, hash))) {
        free(request);
        return HERD_E_NOMEM;
    }
    struct herd_places_request *alive = request;
    *request = (struct herd_places_request){
        .flight = flight, .answer = answer, .ctx = ctx, .alive = first ? &alive : NULL};
    struct herd_places_request **end = &flight->requests;
    while (*end)
        end = &(*end)->next;
    *end = request;
    *ret_request = NULL; /* so the answer finds it when it comes before this returns */
    if (first)
        places_drive(flight);
    if (alive) {
        alive->alive = NULL;
        *ret_request = alive;
    }
    return 0;
}

void herd_places_cancel(struct herd_places_request *request)
{
    if (!request)
        return;
    struct herd_provider_call *flight = request->flight;
    struct herd_places_request **at = &flight->requests;
    while (*at != request)
        at = &(*at)->next;
    *at = request->next;
    if (request->alive)
        *request->alive = NULL;
    free(request);
    if (flight->requests || flight->state == PLACES_FINISHED || flight->starting)
        return;
    struct herd_places *places = flight->places;
    places_abandon(flight);
    flight_unlist(flight);
    flight_free(flight);
    places_pump(places);
}

static void backend_free(struct places_backend *backend)
{
    if (!backend)
        return;
    if (backend->provider.free)
        backend->provider.free(backend->provider.ctx);
    places_cache_free(backend->cache);
    free(backend->name);
    free(backend);
}

/* Adds a slot at an index; `provider` may be filled later. NULL: no memory. */
static struct places_backend *backend_new(struct herd_places *places, size_t index, const char *name)
{
    struct places_backend **slots =
        realloc(places->backends, (places->backend_count + 1) * sizeof(struct places_backend *));
    if (!slots)
        return NULL;
    places->backends = slots;
    struct places_backend *backend = calloc(1, sizeof *backend);
    if (!backend || !(backend->name = strdup(name))) {
        free(backend);
        return NULL;
    }
    backend->waiting_end = &backend->waiting;
    backend->timeout_ms = 5000;
    backend->in_flight_max = SIZE_MAX;
    memmove(slots + index + 1, slots + index, (places->backend_count - index) * sizeof(struct places_backend *));
    slots[index] = backend;
    places->backend_count++;
    return backend;
}

static int add_configured(struct herd_places *places, const struct herd_config_provider *config,
                          struct herd_diagnostic *reterr_diagnostic)
{
    bool local = strcmp(config->kind, "embedded") == 0 || strcmp(config->kind, "file") == 0;
    bool overpass = strcmp(config->kind, "overpass") == 0;
    struct places_backend *backend = backend_new(places, places->backend_count, config->kind);
    if (!backend)
        return places_fault(reterr_diagnostic, HERD_E_NOMEM, "out of memory");
    if (config->timeout_ms > 0)
        backend->timeout_ms = config->timeout_ms;
    backend->synchronous = local;
    if (!local)
        backend->in_flight_max = config->in_flight_max ? config->in_flight_max : overpass ? 1 : 8;
    int err = local ? places_local_new(backend, places, config, reterr_diagnostic)
                    : places_http_new(backend, places, config, reterr_diagnostic);
    if (err < 0 && err != HERD_E_NOMEM) {
        if (!backend->provider.ctx && places_broken_new(backend, places, config) < 0)
            err = places_fault(reterr_diagnostic, HERD_E_NOMEM, "out of memory");
        else
            places_set_unusable(places, backend, reterr_diagnostic->message);
    }
    backend->provider.name = backend->name;
    /* Google's terms forbid keeping names and addresses; OpenStreetMap's licence asks for it, nearly. */
    if (overpass && config->cache_ms > 0 && places_cache_new(&backend->cache, config->cache_ms, 16u << 20) < 0)
        return places_fault(reterr_diagnostic, HERD_E_NOMEM, "out of memory");
    return err;
}

static void set_limits(struct herd_places *places, const struct herd_limits *limits)
{
    places->in_flight_max = (size_t)limits->lookups_max;
    places->waiting_max = (size_t)limits->lookup_queue_max;
    places->reply_max_bytes = (size_t)limits->lookup_reply_max_bytes;
}

void herd_places_configure(struct herd_places *places, const struct herd_limits *limits)
{
    set_limits(places, limits);
    places_pump(places);
}

bool herd_places_idle(const struct herd_places *places)
{
    for (size_t b = 0; b < PLACES_TABLE; b++)
        if (places->table[b])
            return false;
    return true;
}

static int make(struct herd_places **ret_places, struct event_base *base, const struct herd_config *config,
                struct herd_log *log, bool serving, struct herd_diagnostic *reterr_diagnostic)
{
    struct herd_places *places = calloc(1, sizeof *places);
    if (!places)
        return places_fault(reterr_diagnostic, HERD_E_NOMEM, "out of memory");
    places->base = base;
    places->log = log;
    places->serving = serving;
    places->load_until_ms = herd_fetch_now_ms() + LOAD_PATIENCE_MS;
    set_limits(places, &config->limits);
    /* A provider that does not work is passed over if another one does: better places than none. */
    struct herd_diagnostic diagnostic = {0};
    int err = 0, first_err = 0;
    size_t usable = 0;
    for (size_t i = 0; i < config->provider_count && err != HERD_E_NOMEM; i++) {
        err = add_configured(places, &config->providers[i], &diagnostic);
        usable += err == 0;
        if (err < 0 && (first_err == 0 || err == HERD_E_NOMEM)) {
            first_err = err;
            *reterr_diagnostic = diagnostic;
        }
    }
    if (first_err == HERD_E_NOMEM || (first_err < 0 && !usable)) {
        herd_places_free(places);
        return first_err;
    }
    *ret_places = places;
    return 0;
}

int herd_places_new(struct herd_places **ret_places, struct event_base *base, const struct herd_config *config,
                    struct herd_log *log, struct herd_diagnostic *reterr_diagnostic)
{
    return make(ret_places, base, config, log, false, reterr_diagnostic);
}

int herd_places_renew(struct herd_places **ret_places, struct event_base *base, const struct herd_config *config,
                      struct herd_log *log, struct herd_diagnostic *reterr_diagnostic)
{
    return make(ret_places, base, config, log, true, reterr_diagnostic);
}

int herd_places_prepend(struct herd_places *places, const struct herd_provider *provider)
{
    struct places_backend *backend = backend_new(places, 0, provider->name);
    if (!backend)
        return HERD_E_NOMEM;
    backend->provider = *provider;
    backend->provider.name = backend->name;
    /* Flights under way know their provider by its number. */
    for (size_t b = 0; b < PLACES_TABLE; b++)
        for (struct herd_provider_call *flight = places->table[b]; flight; flight = flight->bucket_next)
            flight->backend++;
    return 0;
}

void herd_places_free(struct herd_places *places)
{
    if (!places)
        return;
    places->pumping = true; /* nothing new is begun */
    for (size_t b = 0; b < PLACES_TABLE; b++)
        while (places->table[b]) {
            struct herd_provider_call *flight = places->table[b];
            places_abandon(flight);
            flight_unlist(flight);
            flight_free(flight);
        }
    for (size_t i = 0; i < places->backend_count; i++)
        backend_free(places->backends[i]);
    free(places->backends);
    herd_fetch_free(places->fetch);
    herd_buf_fini(&places->spare);
    free(places);
}

void herd_places_set_resolver(struct herd_places *places, struct herd_resolver *resolver)
{
    if (places->fetch)
        herd_fetch_set_resolver(places->fetch, resolver);
}

void herd_places_reload(struct herd_places *places)
{
    for (size_t i = 0; i < places->backend_count; i++) {
        struct places_backend *backend = places->backends[i];
        int err = backend->provider.reload ? backend->provider.reload(backend->provider.ctx) : 0;
        if (err < 0) {
            struct herd_log_field fields[] = {herd_log_text("provider", backend->name),
                                              herd_log_text("why", herd_strerror(err))};
            herd_log_event(places->log, HERD_LOG_WARN, "places_reload_failed", fields, 2);
        }
    }
}
