/* SPDX-License-Identifier: MIT */
/* What GET /v1/clients asks for, in the words of its query. */
#ifndef HERD_EDGE_CLIENT_QUERY_H
#define HERD_EDGE_CLIENT_QUERY_H

#include "feature.h"

/* Clients of one answer. */
#define HERD_CLIENTS_LIMIT_MAX 1000

enum herd_clients_near {
    HERD_NEAR_NOTHING,
    HERD_NEAR_PLACE,  /* lat_deg, lon_deg */
    HERD_NEAR_CLIENT, /* id */
};

/* Texts are those that were given. */
struct herd_client_query {
    uint32_t limit, from_slot;
    unsigned given;      /* which words were: each is given once */
    bool in_bbox, pages; /* `pages`: `after` was given; from_slot is what the caller makes of it */
    struct herd_span after;
    struct herd_bbox bbox;
    struct herd_span bbox_text;
    enum herd_clients_near near;
    double lat_deg, lon_deg;
    struct herd_span id;
    bool within;     /* radius_m was given */
    double radius_m; /* 0 or more */
};

/* What is asked for where nothing is said. */
void herd_client_query_init(struct herd_client_query *ret_query);
/*
 * Takes one pair: `limit`, `after`, `bbox`, `radius`; `near`, a place ("48.86,2.29", degrees) if there is a comma in it,
 * else the id of a client; `near_id`, the id of a client whatever it looks like. NULL, or a static sentence that says what
 * is expected.
 */
const char *herd_client_query_take(struct herd_client_query *query, struct herd_span name, struct herd_span value);
/* Whether the pairs that were taken go together; likewise. */
const char *herd_client_query_check(const struct herd_client_query *query);

#endif
