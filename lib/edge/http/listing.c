/* SPDX-License-Identifier: MIT */
/*
 * GET /v1/clients: who is near a place or a client; or all clients, or those in a box, a page at a time. A page goes through so
 * many slots of the store and so many bytes at most, so that it may hold fewer clients than asked for, none even, and yet not be the last: that
 * one has no `next`. A client that is there from the first page to the last is listed once; where it is is that of the moment.
 * Where the server has an area, it answers what is near and what is in a box.
 */
#include "../../core/node/expiry.h"
#include "../../core/store/store_impl.h"
#include "client_query.h"
#include "cursor.h"
#include "found.h"
#include "http_impl.h"

#include <herd/geojson.h>
#include <stdio.h>
#include <string.h>

#define SLOTS_A_PAGE 8192

static int put_next(struct herd_http_exchange *exchange, const struct herd_client_query *query, uint32_t slot)
{
    char start[128], link[320], after[HERD_CURSOR_DIGITS + 1];
    herd_cursor_write(exchange->http->cursor_key, HERD_CURSOR_PAGE, slot, after);
    int len = snprintf(start, sizeof start, "/v1/clients?limit=%u&after=%s%s", (unsigned)query->limit, after,
                       query->in_bbox ? "&bbox=" : "");
    if (len < 0)
        return HERD_E_LIMIT;
    struct herd_buf *out = herd_http_body(exchange);
    int err = herd_buf_add_text(out, "],\"links\":{\"next\":\"");
    if (err >= 0)
        err = herd_buf_add_text(out, start);
    if (err >= 0 && query->in_bbox)
        err = herd_buf_add(out, query->bbox_text.at, query->bbox_text.len);
    if (err >= 0)
        err = herd_buf_add_text(out, "\"}}\n");
    len = snprintf(link, sizeof link, "<%s%.*s>; rel=\"next\"", start,
                   query->in_bbox ? (int)query->bbox_text.len : 0, query->bbox_text.at);
    return err < 0 ? err : herd_http_add_header(exchange, "Link", (struct herd_span){link, (size_t)len});
}

static int put_end(struct herd_http_exchange *exchange, const struct herd_client_query *query, uint32_t next_slot)
{
    return next_slot != UINT32_MAX ? put_next(exchange, query, next_slot)
                                   : herd_buf_add_text(herd_http_body(exchange), "]}\n");
}

/* A record that is not to be shown: it is a tombstone, elsewhere, not theirs, or expired though not swept yet. */
static bool hidden(struct herd_http_exchange *exchange, const struct herd_client_query *query,
                   const struct herd_record *record)
{
    if (herd_record_is_tombstone(record) || (query->in_bbox && !herd_bbox_has(&query->bbox, record)))
        return true;
    return !herd_http_may_see(exchange, record->id) || herd_expired(exchange->server->node, record);
}

static int put_page(struct herd_http_exchange *exchange, const struct herd_client_query *query)
{
    struct herd_store *store = herd_node_store(exchange->server->node);
    struct herd_buf *out = herd_http_body(exchange);
    const uint32_t slots = herd_store_slots(store);
    uint32_t slot = query->from_slot, looked = 0, listed = 0;
    int err = herd_buf_add_text(out, "{\"type\":\"FeatureCollection\",\"features\":[");
    for (; err >= 0 && slot < slots && looked < SLOTS_A_PAGE && listed < query->limit &&
           out->len <= herd_http_list_max_bytes(exchange);
         slot++, looked++) {
        struct herd_record record;
        err = herd_store_read_slot(store, slot, &record);
        if (err <= 0 || hidden(exchange, query, &record))
            continue;
        err = herd_buf_add_text(out, listed++ ? ",\n" : "\n");
        if (err >= 0)
            err = herd_feature_put(out, &record);
    }
    if (err < 0)
        return err;
    return put_end(exchange, query, slot < slots ? slot : UINT32_MAX);
}

static int answer(struct herd_http_exchange *exchange, const struct herd_client_query *query)
{
    if (query->near)
        return herd_found_near(exchange, query);
    if (query->in_bbox && exchange->server->area)
        return herd_found_box(exchange, query, put_end);
    int err = put_page(exchange, query);
    return err < 0 ? err : herd_http_reply(exchange, 200, "application/geo+json");
}

/* Where the page begins. False: `after` is no cursor of this process. */
static bool read_cursor(struct herd_http_exchange *exchange, struct herd_client_query *io_query)
{
    uint64_t slot;
    if (!io_query->pages)
        return true;
    if (!herd_cursor_read(exchange->http->cursor_key, HERD_CURSOR_PAGE, io_query->after, &slot))
        return false;
    io_query->from_slot = (uint32_t)slot; /* as it was written */
    return true;
}

/* A static sentence says what is wrong with the query, if anything is. HERD_E_NOMEM. */
static int read_query(struct herd_http_exchange *exchange, struct herd_client_query *ret_query,
                      const char **ret_fault)
{
    struct herd_http_pairs pairs = {.rest = exchange->query};
    struct herd_span name, value;
    const char *fault = NULL;
    herd_client_query_init(ret_query);
    while (!fault && herd_http_pair_next(exchange, &pairs, &name, &value))
        fault = herd_client_query_take(ret_query, name, value);
    if (pairs.err == HERD_E_NOMEM)
        return pairs.err;
    if (pairs.err < 0 && !fault)
        fault = "a percent sign without two hexadecimal digits";
    if (!fault)
        fault = herd_client_query_check(ret_query);
    if (!fault && !read_cursor(exchange, ret_query))
        fault = "after is what the page before says, of this server since it was started: begin without";
    *ret_fault = fault;
    return 0;
}

static int get_clients(struct herd_http_exchange *exchange)
{
    struct herd_client_query query;
    const char *fault;
    int err = read_query(exchange, &query, &fault);
    if (err >= 0 && fault)
        return herd_http_problem(exchange, 400, "query", "Bad query", fault);
    return err < 0 ? err : answer(exchange, &query);
}

/* POST /v1/search: who is in a shape, the body. */
static int post_search(struct herd_http_exchange *exchange)
{
    struct herd_client_query query;
    struct herd_shape *shape;
    struct herd_diagnostic diagnostic = {0};
    const char *fault;
    int err = read_query(exchange, &query, &fault);
    if (err < 0)
        return err;
    if (!fault && (query.in_bbox || query.pages || query.within))
        fault = "expected limit, near or near_id";
    if (fault)
        return herd_http_problem(exchange, 400, "query", "Bad query", fault);
    err = herd_shape_geojson(&shape, exchange->body, &diagnostic);
    if (err >= 0)
        return herd_found_shape(exchange, &query, shape);
    if (err == HERD_E_NOMEM)
        return err;
    return herd_http_problem(exchange, err == HERD_E_SYNTAX ? 400 : 422, "shape", "Not a shape",
                             diagnostic.message);
}

static const struct herd_http_route routes[] = {
    {.methods = HERD_HTTP_ON_GET, .path = "/v1/clients", .handler = get_clients, .right = HERD_HTTP_CLIENT},
    {.methods = HERD_HTTP_ON_POST, .path = "/v1/search", .handler = post_search, .right = HERD_HTTP_CLIENT},
};

const struct herd_http_module herd_http_listing = {.routes = routes, .route_count = sizeof routes / sizeof *routes};
