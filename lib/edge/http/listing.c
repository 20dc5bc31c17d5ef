/* SPDX-License-Identifier: MIT */
/*
 * GET /v1/clients: all clients, or those in a box, a page at a time. A page goes through so many slots of the store at
 * most, so that it may hold fewer clients than asked for, none even, and yet not be the last: that one has no `next`.
 * A client that is there from the first page to the last is listed once; where it is is that of the moment.
 */
#include "../../core/node/expiry.h"
#include "feature.h"
#include "http_impl.h"

#include <stdio.h>
#include <string.h>

#define SLOTS_A_PAGE  8192
#define LIMIT_USUAL   100
#define LIMIT_MAX     1000
#define CURSOR_DIGITS 8

struct question {
    uint32_t limit, from;
    bool in_bbox;
    struct herd_bbox bbox;
    struct herd_span bbox_text;
    const char *fault; /* a static sentence */
};

static bool read_number(struct herd_span text, unsigned base, uint32_t *ret_number)
{
    uint64_t number = 0;
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < text.len; i++) {
        const char *digit = memchr(digits, text.at[i], base);
        if (!digit || number > UINT32_MAX)
            return false;
        number = number * base + (unsigned)(digit - digits);
    }
    *ret_number = (uint32_t)number;
    return text.len > 0 && number <= UINT32_MAX;
}

static void read_pair(struct question *question, struct herd_span name, struct herd_span value)
{
    if (herd_span_equal(name, herd_span_of("limit"))) {
        if (!read_number(value, 10, &question->limit) || question->limit < 1 || question->limit > LIMIT_MAX)
            question->fault = "limit is from 1 to 1000";
    } else if (herd_span_equal(name, herd_span_of("after"))) {
        if (value.len != CURSOR_DIGITS || !read_number(value, 16, &question->from))
            question->fault = "after is what the page before says";
    } else if (herd_span_equal(name, herd_span_of("bbox"))) {
        question->in_bbox = true;
        question->bbox_text = value;
        if (herd_bbox_parse(value, &question->bbox) < 0)
            question->fault = "bbox is west,south,east,north in degrees";
    } else {
        question->fault = "expected limit, after or bbox";
    }
}

static int put_next(struct herd_http_exchange *exchange, const struct question *question, uint32_t slot)
{
    char start[96], link[256];
    int len = snprintf(start, sizeof start, "/v1/clients?limit=%u&after=%08x%s", (unsigned)question->limit,
                       (unsigned)slot, question->in_bbox ? "&bbox=" : "");
    if (len < 0 || question->bbox_text.len > sizeof link / 2)
        return HERD_E_LIMIT;
    struct herd_buf *out = herd_http_body(exchange);
    int err = herd_buf_add_text(out, "],\"links\":{\"next\":\"");
    if (err >= 0)
        err = herd_buf_add_text(out, start);
    if (err >= 0 && question->in_bbox)
        err = herd_buf_add(out, question->bbox_text.at, question->bbox_text.len);
    if (err >= 0)
        err = herd_buf_add_text(out, "\"}}\n");
    len = snprintf(link, sizeof link, "<%s%.*s>; rel=\"next\"", start,
                   question->in_bbox ? (int)question->bbox_text.len : 0, question->bbox_text.at);
    return err < 0 ? err : herd_http_add_header(exchange, "Link", (struct herd_span){link, (size_t)len});
}

/* A record that is not to be shown: it is a tombstone, elsewhere, not theirs, or expired though not swept yet. */
static bool hidden(struct herd_http_exchange *exchange, const struct question *question,
                   const struct herd_record *record)
{
    if (herd_record_is_tombstone(record) || (question->in_bbox && !herd_bbox_has(&question->bbox, record)))
        return true;
    return !herd_http_may_ask(exchange, record->id) || herd_expired(exchange->server->node, record);
}

static int put_page(struct herd_http_exchange *exchange, const struct question *question)
{
    struct herd_store *store = herd_node_store(exchange->server->node);
    struct herd_buf *out = herd_http_body(exchange);
    const uint32_t slots = herd_store_slots(store);
    uint32_t slot = question->from, looked = 0, listed = 0;
    int err = herd_buf_add_text(out, "{\"type\":\"FeatureCollection\",\"features\":[");
    for (; err >= 0 && slot < slots && looked < SLOTS_A_PAGE && listed < question->limit; slot++, looked++) {
        struct herd_record record;
        if (!herd_store_get_slot(store, slot, &record) || hidden(exchange, question, &record))
            continue;
        err = herd_buf_add_text(out, listed++ ? ",\n" : "\n");
        if (err >= 0)
            err = herd_feature_put(out, &record);
    }
    if (err < 0)
        return err;
    return slot < slots ? put_next(exchange, question, slot) : herd_buf_add_text(out, "]}\n");
}

static int get_clients(struct herd_http_exchange *exchange)
{
    struct question question = {.limit = LIMIT_USUAL, .bbox_text = {"", 0}};
    struct herd_http_pairs pairs = {.rest = exchange->query};
    struct herd_span name, value;
    while (!question.fault && herd_http_pair_next(exchange, &pairs, &name, &value))
        read_pair(&question, name, value);
    if (pairs.bad && !question.fault)
        question.fault = "a percent sign without two hexadecimal digits";
    int err = question.fault ? HERD_E_SYNTAX : put_page(exchange, &question);
    if (err == HERD_E_SYNTAX || err == HERD_E_LIMIT) {
        herd_http_body(exchange)->len = 0;
        return herd_http_problem(exchange, 400, "query", "Bad query",
                                 question.fault ? question.fault : "bbox is too long");
    }
    return err < 0 ? err : herd_http_reply(exchange, 200, "application/geo+json");
}

static const struct herd_http_route routes[] = {
    {.methods = HERD_HTTP_ON_GET, .path = "/v1/clients", .handler = get_clients, .right = HERD_HTTP_CLIENT},
};

const struct herd_http_module herd_http_listing = {.routes = routes, .route_count = sizeof routes / sizeof *routes};
