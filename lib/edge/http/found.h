/* SPDX-License-Identifier: MIT */
/* Questions to the area by HTTP: a FeatureCollection, at once or later. */
#ifndef HERD_EDGE_FOUND_H
#define HERD_EDGE_FOUND_H

#include "client_query.h"
#include "http.h"

/* Answers with what is near, in the order of distance: features have a `distance`, the collection has `truncated`. Without an
 * area: a problem. */
int herd_found_near(struct herd_http_exchange *exchange, const struct herd_client_query *query);
/* Answers with what is in a shape, which becomes the callee's: nearest first if the query has a `near`, else in no order; the
 * collection has `truncated`. Without an area: a problem. */
int herd_found_shape(struct herd_http_exchange *exchange, const struct herd_client_query *query,
                     struct herd_shape *shape);
/* Answers with a page of those in the box, in the order of slots; `put_end` appends what follows the features, `next_slot`
 * being where the next page begins, or UINT32_MAX: this is the last. There must be an area. */
typedef int herd_found_end(struct herd_http_exchange *exchange, const struct herd_client_query *query,
                           uint32_t next_slot);
int herd_found_box(struct herd_http_exchange *exchange, const struct herd_client_query *query,
                   herd_found_end *put_end);

#endif
