/* SPDX-License-Identifier: MIT */
/* A provider behind HTTP: set up by places_http_new.c, its look-ups in places_http.c. */
#ifndef HERD_EDGE_PLACES_HTTP_H
#define HERD_EDGE_PLACES_HTTP_H

#include "places_types.h"

enum http_kind { HTTP_GOOGLE_LEGACY, HTTP_GOOGLE_NEW, HTTP_OVERPASS };

struct http_provider {
    enum http_kind kind;
    struct herd_places *places;
    struct herd_fetch_origin *origin;
    char *url, *fields, *filter, *key_file, *key_env, *label;
    struct herd_buf key;    /* ends with NUL */
    struct herd_buf header; /* "X-Goog-Api-Key: ...", ends with NUL */
    struct herd_buf mask;   /* "X-Goog-FieldMask: ...", ends with NUL */
    int64_t timeout_ms;
    struct http_exchange *exchanges;
};

/* The functions of its herd_provider. */
void places_http_start(void *ctx, struct herd_provider_call *call, const struct herd_places_query *query);
void places_http_cancel(void *ctx, struct herd_provider_call *call);

/* Fills backend->provider for the kinds behind HTTP. `config` is borrowed for the call. HERD_E_NOMEM; HERD_E_IO,
 * HERD_E_ACCESS, HERD_E_SYNTAX, HERD_E_UNSUPPORTED with a sentence. */
int places_http_new(struct places_backend *backend, struct herd_places *places,
                    const struct herd_config_provider *config, struct herd_diagnostic *reterr_diagnostic);

#endif
