/* SPDX-License-Identifier: MIT */
/* The chain of providers, made from a configuration, reloaded and freed. */
#include "../clock.h"
#include "places_broken.h"
#include "places_cache.h"
#include "places_chain.h"
#include "places_fault.h"
#include "places_flight.h"
#include "places_http.h"
#include "places_local.h"
#include "places_net.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* How long a start waits for all files of places together. Millions of points take seconds; a read from a mount
 * whose server is gone may never return. */
#define LOAD_TIMEOUT_MS 20000

static void backend_free(struct places_backend *backend)
{
    if (backend->provider.free)
        backend->provider.free(backend->provider.ctx);
    places_cache_free(backend->cache);
    free(backend->name);
    free(backend);
}

/* Inserts a backend at an index; its `provider` is for the caller to fill. NULL: no memory. */
static struct places_backend *backend_new(struct herd_places *places, size_t index, const char *name)
{
    struct places_backend **backends =
        realloc(places->backends, (places->backend_count + 1) * sizeof(struct places_backend *));
    if (!backends)
        return NULL;
    places->backends = backends;
    struct places_backend *backend = calloc(1, sizeof *backend);
    if (!backend || !(backend->name = strdup(name))) {
        free(backend);
        return NULL;
    }
    backend->waiting_end = &backend->waiting;
    backend->timeout_ms = 5000;
    backend->in_flight_max = SIZE_MAX;
    memmove(backends + index + 1, backends + index,
            (places->backend_count - index) * sizeof(struct places_backend *));
    backends[index] = backend;
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
    places_make *make = local ? places_local_new : places_http_new;
    int err = make(backend, places, config, reterr_diagnostic);
    if (err < 0 && err != HERD_E_NOMEM) {
        if (!backend->provider.ctx && places_broken_new(backend, places, config, make) < 0)
            err = places_fault(reterr_diagnostic, HERD_E_NOMEM, "out of memory");
        else
            places_set_unusable(places, backend, reterr_diagnostic->message);
    }
    backend->provider.name = backend->name;
    /* Google's terms forbid keeping names and addresses; OpenStreetMap's licence allows it. */
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
    places->load_until_ms = herd_clock_steady_ms() + LOAD_TIMEOUT_MS;
    set_limits(places, &config->limits);
    /* A provider that cannot be used is passed over if another one can. */
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
    /* Flights under way hold their provider's index. */
    for (size_t b = 0; b < PLACES_TABLE; b++)
        for (struct herd_provider_call *flight = places->table[b]; flight; flight = flight->bucket_next)
            flight->backend++;
    return 0;
}

void herd_places_free(struct herd_places *places)
{
    if (!places)
        return;
    assert(!places->pumping);
    places->pumping = true; /* so that nothing is started any more */
    for (size_t b = 0; b < PLACES_TABLE; b++)
        while (places->table[b]) {
            struct herd_provider_call *flight = places->table[b];
            places_abandon(flight);
            places_flight_free(flight);
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
        if (err < 0)
            places_log_reload(places, backend, err);
    }
}
