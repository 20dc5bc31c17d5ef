/* SPDX-License-Identifier: MIT */
/* Sets up a provider behind HTTP: its key, its URL, its field mask or filter. */
#include "places_http.h"

#include "../../places/google.h"
#include "places_fault.h"
#include "places_key.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Reads the key and makes the header of it. After a failure the previous ones stay. */
static int load_key(struct http_provider *provider, struct herd_diagnostic *reterr_diagnostic)
{
    struct herd_config_provider from = {
        .kind = provider->label, .key_file = provider->key_file, .key_env = provider->key_env};
    struct herd_buf key = {0}, header = {0};
    int err = places_key_read(&key, &from, reterr_diagnostic);
    if (err == 0 && herd_buf_reserve(&header, key.len + 32) < 0)
        err = places_fault(reterr_diagnostic, HERD_E_NOMEM, "out of memory");
    if (err < 0) {
        places_key_wipe(&key);
        places_key_wipe(&header);
        return err;
    }
    (void)herd_buf_add_text(&header, "X-Goog-Api-Key: "); /* there is room */
    (void)herd_buf_add(&header, key.at, key.len);
    places_key_wipe(&provider->key);
    places_key_wipe(&provider->header);
    provider->key = key;
    provider->header = header;
    return 0;
}

static int http_reload(void *ctx)
{
    struct http_provider *provider = ctx;
    struct herd_diagnostic diagnostic;
    if (provider->kind == HTTP_OVERPASS)
        return 0;
    int err = load_key(provider, &diagnostic);
    if (err < 0) {
        struct herd_log_field fields[] = {herd_log_text("provider", provider->label),
                                          herd_log_text("why", diagnostic.message)};
        herd_log_event(provider->places->log, HERD_LOG_WARN, "places_key_kept", fields, 2);
    }
    return err;
}

static void http_free(void *ctx)
{
    struct http_provider *provider = ctx;
    assert(!provider->exchanges);
    places_key_wipe(&provider->key);
    places_key_wipe(&provider->header);
    herd_buf_fini(&provider->mask);
    free(provider->url);
    free(provider->fields);
    free(provider->filter);
    free(provider->key_file);
    free(provider->key_env);
    free(provider->label);
    free(provider);
}

static bool copy_text(char **ret_copy, const char *text)
{
    *ret_copy = text ? strdup(text) : NULL;
    return !text || *ret_copy;
}

static int fill(struct http_provider *provider, const struct herd_config_provider *config,
                struct herd_diagnostic *reterr_diagnostic)
{
    static const char *const urls[] = {HERD_GOOGLE_LEGACY_URL, HERD_GOOGLE_NEW_URL, HERD_OVERPASS_URL};
    const char *url = config->url ? config->url : urls[provider->kind], *why;
    if (!copy_text(&provider->url, url) || !copy_text(&provider->label, config->kind) ||
        !copy_text(&provider->filter, config->filter ? config->filter : HERD_OVERPASS_FILTER) ||
        !copy_text(&provider->key_file, config->key_file) || !copy_text(&provider->key_env, config->key_env) ||
        herd_buf_add_text(&provider->mask, "X-Goog-FieldMask: ") < 0 ||
        herd_buf_add_text(&provider->mask, herd_google_new_fields(config->fields)) < 0 ||
        herd_buf_add(&provider->mask, "", 1) < 0)
        return places_fault(reterr_diagnostic, HERD_E_NOMEM, "out of memory");
    if (strpbrk(provider->mask.at, "\r\n"))
        return places_fault(reterr_diagnostic, HERD_E_SYNTAX, "provider %s: a field mask has no line ends",
                            config->kind);
    int err = provider->kind == HTTP_OVERPASS ? 0 : load_key(provider, reterr_diagnostic);
    if (err < 0)
        return err;
    struct herd_places *places = provider->places;
    if (!places->fetch && herd_fetch_new(&places->fetch, places->base) < 0)
        return places_fault(reterr_diagnostic, HERD_E_NOMEM, "out of memory");
    err = herd_fetch_origin_new(places->fetch, &provider->origin, url, config->ca_file, &why);
    if (err < 0)
        return places_fault(reterr_diagnostic, err, "provider %s: url: %s", config->kind, why);
    return 0;
}

int places_http_new(struct places_backend *backend, struct herd_places *places,
                    const struct herd_config_provider *config, struct herd_diagnostic *reterr_diagnostic)
{
    static const char *const kinds[] = {"google-legacy", "google-new", "overpass"};
    size_t kind = 0;
    while (kind < 3 && strcmp(config->kind, kinds[kind]) != 0)
        kind++;
    if (kind == 3)
        return places_fault(reterr_diagnostic, HERD_E_UNSUPPORTED, "unknown provider %s", config->kind);
    struct http_provider *provider = calloc(1, sizeof *provider);
    if (!provider)
        return places_fault(reterr_diagnostic, HERD_E_NOMEM, "out of memory");
    provider->kind = (enum http_kind)kind;
    provider->places = places;
    provider->timeout_ms = config->timeout_ms > 0 ? config->timeout_ms : 5000;
    int err = fill(provider, config, reterr_diagnostic);
    if (err < 0) {
        http_free(provider);
        return err;
    }
    backend->provider = (struct herd_provider){.ctx = provider,
                                               .start = places_http_start,
                                               .cancel = places_http_cancel,
                                               .reload = http_reload,
                                               .free = http_free};
    return 0;
}
