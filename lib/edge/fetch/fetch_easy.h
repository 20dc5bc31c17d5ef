/* SPDX-License-Identifier: MIT */
/* libcurl's easy handles, kept by the origin for the next call. */
#ifndef HERD_EDGE_FETCH_EASY_H
#define HERD_EDGE_FETCH_EASY_H

#include "fetch_types.h"

/* Takes a handle for a call and sets everything but addresses. HERD_E_NOMEM; call->easy may be set all the same. */
int herd_fetch_easy_acquire(struct herd_fetch_call *call, const struct herd_fetch_request *request);
/* Gives the origin's addresses to the handle. HERD_E_NOMEM. */
int herd_fetch_easy_addresses(struct herd_fetch_call *call);
/* Gives the handle back to the origin. A call without one is fine. */
void herd_fetch_easy_release(struct herd_fetch_call *call);
void herd_fetch_easy_free_idle(struct herd_fetch_origin *origin);

#endif
