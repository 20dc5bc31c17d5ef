/* SPDX-License-Identifier: MIT */
/* Sentences about what is wrong. */
#ifndef HERD_EDGE_PLACES_FAULT_H
#define HERD_EDGE_PLACES_FAULT_H

#include "places_types.h"

/* Writes a sentence without a line into *reterr_diagnostic. Returns `err`. */
HERD_PRINTF(3, 4)
int places_fault(struct herd_diagnostic *reterr_diagnostic, int err, const char *message, ...);
/* Notes why a provider is passed over until a reload repairs it, and logs it. */
void places_set_unusable(struct herd_places *places, struct places_backend *backend, const char *why);

/* Logs that a provider could not read its data again. */
void places_log_reload(struct herd_places *places, const struct places_backend *backend, int err);

#endif
