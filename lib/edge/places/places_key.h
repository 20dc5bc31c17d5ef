/* SPDX-License-Identifier: MIT */
/* API keys. */
#ifndef HERD_EDGE_PLACES_KEY_H
#define HERD_EDGE_PLACES_KEY_H

#include <herd/places.h>

/* Appends the key of a provider and a NUL. HERD_E_NOMEM; HERD_E_ACCESS, HERD_E_IO, HERD_E_SYNTAX with a sentence
 * that names the file or variable and never the key. */
int places_key_read(struct herd_buf *out, const struct herd_config_provider *config,
                    struct herd_diagnostic *reterr_diagnostic);
/* Overwrites the key and frees its memory. */
void places_key_wipe(struct herd_buf *key);

#endif
