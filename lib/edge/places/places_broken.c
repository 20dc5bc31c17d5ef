/* SPDX-License-Identifier: MIT */
/* What stands in a chain for a provider that could not be made (its key is missing, can be read by others): it is
 * passed over, and a reload tries to make the real one. */
#include "places_broken.h"

#include "places_fault.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct broken_provider {
    struct herd_places *places;
    struct places_backend *backend;
    struct herd_config_provider config; /* its texts are owned */
    places_make *make;
};

static void broken_free(void *ctx)
{
    struct broken_provider *broken = ctx;
    struct herd_config_provider *config = &broken->config;
    char *const texts[] = {config->kind, config->url,     config->key_file, config->key_env,
                           config->file, config->ca_file, config->fields,   config->filter};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        free(texts[i]);
    free(broken);
}

static int broken_reload(void *ctx)
{
    struct broken_provider *broken = ctx;
    struct places_backend *backend = broken->backend;
    struct herd_places *places = broken->places;
    struct herd_provider previous = backend->provider;
    struct herd_diagnostic diagnostic = {0};
    int err = broken->make(backend, places, &broken->config, &diagnostic);
    if (err < 0) {
        backend->provider = previous;
        places_set_unusable(places, backend, diagnostic.message);
        return err;
    }
    backend->provider.name = backend->name;
    backend->unusable[0] = '\0';
    struct herd_log_field field = herd_log_text("provider", backend->name);
    herd_log_event(places->log, HERD_LOG_INFO, "places_provider_mended", &field, 1);
    broken_free(broken);
    return 0;
}

static bool copy_text(char **io_text)
{
    if (*io_text)
        *io_text = strdup(*io_text);
    return *io_text;
}

int places_broken_new(struct places_backend *backend, struct herd_places *places,
                      const struct herd_config_provider *config, places_make *make)
{
    struct broken_provider *broken = calloc(1, sizeof *broken);
    if (!broken)
        return HERD_E_NOMEM;
    broken->places = places;
    broken->backend = backend;
    broken->config = *config;
    broken->make = make;
    struct herd_config_provider *copy = &broken->config;
    char **texts[] = {&copy->kind, &copy->url,     &copy->key_file, &copy->key_env,
                      &copy->file, &copy->ca_file, &copy->fields,   &copy->filter};
    bool whole = true;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        bool given = *texts[i];
        whole &= copy_text(texts[i]) || !given;
    }
    /* Nothing is started: `unusable` says why for as long as this stands in the chain. */
    backend->provider =
        (struct herd_provider){.name = backend->name, .ctx = broken, .reload = broken_reload, .free = broken_free};
    return whole ? 0 : HERD_E_NOMEM;
}
