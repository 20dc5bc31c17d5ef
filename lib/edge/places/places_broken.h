/* SPDX-License-Identifier: MIT */
/* What stands for a provider that cannot be made for the time being. */
#ifndef HERD_EDGE_PLACES_BROKEN_H
#define HERD_EDGE_PLACES_BROKEN_H

#include "places_types.h"

/* Fills backend->provider with one that is passed over, and that a reload replaces by the real one if `make` can make
 * that by then. `config` is copied. HERD_E_NOMEM. */
int places_broken_new(struct places_backend *backend, struct herd_places *places,
                      const struct herd_config_provider *config, places_make *make);

#endif
