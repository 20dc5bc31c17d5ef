/* SPDX-License-Identifier: MIT */
/* libcurl's multi handle. */
#ifndef HERD_EDGE_FETCH_MULTI_H
#define HERD_EDGE_FETCH_MULTI_H

#include "fetch_types.h"

/* Opens the multi handle on `base`. `ready(ctx, ...)` runs on the loop when herd_fetch_multi_step is due; it may
 * close the multi handle and free what it is in. HERD_E_NOMEM, after which it is closed. */
int herd_fetch_multi_open(struct herd_fetch_multi *multi, struct event_base *base, herd_fetch_ready *ready,
                          void *ctx);
/* Closes it; a later add opens it again. Not open is fine. */
void herd_fetch_multi_close(struct herd_fetch_multi *multi);
/* Adds a transfer and opens the multi handle if need be, as it was opened before. HERD_E_NOMEM. */
int herd_fetch_multi_add(struct herd_fetch_multi *multi, CURL *easy);
void herd_fetch_multi_remove(struct herd_fetch_multi *multi, CURL *easy);
/* Passes events on to libcurl. HERD_E_IO: the multi handle is broken, nothing about its transfers is certain. */
int herd_fetch_multi_step(struct herd_fetch_multi *multi, curl_socket_t fd, int what);
/* Returns what CURLOPT_PRIVATE was set to of the next transfer that is done, and its result; NULL: there is
 * none. */
void *herd_fetch_multi_next_done(struct herd_fetch_multi *multi, CURLcode *ret_code);

#endif
