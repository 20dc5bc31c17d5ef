/* SPDX-License-Identifier: MIT */
/* Where requests go, and the addresses behind its name. */
#ifndef HERD_EDGE_FETCH_ORIGIN_H
#define HERD_EDGE_FETCH_ORIGIN_H

#include "fetch_types.h"

/* True if the addresses are known and fresh, or none are needed. */
bool herd_fetch_origin_ready(const struct herd_fetch_origin *origin);
/* Looks the addresses up; `resolved` runs when that is done. If it is under way, `resolved` runs once for both
 * calls. HERD_E_NOMEM, after which it does not run. */
int herd_fetch_origin_resolve(struct herd_fetch_origin *origin, herd_fetch_resolved *resolved);
/* Frees an origin and its idle handles; no call may be left. NULL is fine. */
void herd_fetch_origin_free(struct herd_fetch_origin *origin);

#endif
