/* SPDX-License-Identifier: MIT */
/* Providers in memory. */
#ifndef HERD_EDGE_PLACES_LOCAL_H
#define HERD_EDGE_PLACES_LOCAL_H

#include "places_types.h"

/* Fills backend->provider for the kinds "embedded" and "file". `config` is borrowed for the call. After a failure
 * the provider is there all the same if it has a `ctx`: its reload may repair it. HERD_E_NOMEM; HERD_E_IO,
 * HERD_E_SYNTAX, HERD_E_LIMIT with a sentence. */
int places_local_new(struct places_backend *backend, struct herd_places *places,
                     const struct herd_config_provider *config, struct herd_diagnostic *reterr_diagnostic);

#endif
