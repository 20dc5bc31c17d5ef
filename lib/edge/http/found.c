/* SPDX-License-Identifier: MIT */
/*
 * Questions to the area: what is found becomes features, some a turn of the loop if there are many, and the answer is sent
 * when it is whole. It ends with the connection. Of clients that the one who asks may not ask for nothing is found.
 */
#include "found.h"

#include "../server/search.h"
#include "http_impl.h"

#include <herd/geo.h>

#include <stdlib.h>
#include <string.h>

#define GEOJSON "application/geo+json"

struct finding {
    struct herd_http_exchange *exchange; /* NULL: not yet, or not any more */
    struct herd_http_deferred *deferred;
    struct herd_search *search;
    bool near, begun, ended;
    int err; /* of the answer, if that was given from inside the handler */
    size_t count;
    uint32_t next_slot;
    herd_found_end *put_end;
    struct herd_client_query query;
    char bbox_text[];
};

static void free_finding(struct finding *finding)
{
    free(finding);
}

static int begin_answer(struct finding *finding)
{
    if (finding->begun)
        return 0;
    finding->begun = true;
    return herd_buf_add_text(herd_http_body(finding->exchange), "{\"type\":\"FeatureCollection\",\"features\":[");
}

static int on_hit(void *ctx, const struct herd_area_hit *hit)
{
    struct finding *finding = ctx;
    int err = begin_answer(finding);
    struct herd_buf *out = herd_http_body(finding->exchange);
    if (finding->count > 0 && out->len > herd_http_list_max_bytes(finding->exchange))
        return 1;
    if (err >= 0)
        err = herd_buf_add_text(out, finding->count++ ? ",\n" : "\n");
    if (err < 0)
        return err;
    finding->next_slot = hit->slot + 1;
    return finding->near ? herd_feature_put_near(out, &hit->record, hit->distance_m)
                         : herd_feature_put(out, &hit->record);
}

static int put_end(struct finding *finding, bool truncated)
{
    struct herd_http_exchange *exchange = finding->exchange;
    int err = begin_answer(finding);
    if (err < 0)
        return err;
    if (finding->put_end)
        return finding->put_end(exchange, &finding->query, truncated ? finding->next_slot : UINT32_MAX);
    return herd_buf_add_text(herd_http_body(exchange),
                             truncated ? "],\"truncated\":true}\n" : "],\"truncated\":false}\n");
}

static int reply(struct finding *finding, int err, bool truncated)
{
    struct herd_http_exchange *exchange = finding->exchange;
    if (err >= 0)
        err = put_end(finding, truncated);
    if (err >= 0)
        return herd_http_reply(exchange, 200, GEOJSON);
    herd_http_body(exchange)->len = 0;
    return err == HERD_E_ACCESS ? herd_http_refuse(exchange)
                                : herd_http_problem(exchange, 503, "unavailable", "Not now", NULL);
}

static void on_done(void *ctx, int err, bool truncated)
{
    struct finding *finding = ctx;
    finding->search = NULL;
    finding->ended = true;
    if (!finding->deferred) {
        finding->err = reply(finding, err, truncated);
        return;
    }
    finding->exchange = herd_http_resume(finding->deferred);
    (void)reply(finding, err, truncated); /* if it fails the connection ends */
    free_finding(finding);
}

static const struct herd_search_asker asker = {.hit = on_hit, .done = on_done};

static void on_gone(void *ctx)
{
    struct finding *finding = ctx;
    herd_search_cancel(finding->search);
    free_finding(finding);
}

static int refuse(struct herd_http_exchange *exchange, int err)
{
    if (err == HERD_E_ACCESS)
        return herd_http_refuse(exchange);
    if (err != HERD_E_LIMIT)
        return err;
    err = herd_http_add_header(exchange, "Retry-After", herd_span_of("1"));
    return err < 0 ? err
                   : herd_http_problem(exchange, 503, "searches", "Too many questions",
                                       "as many are under way as limits.searches_max allows");
}

/* Owns `shape`. */
static int find(struct herd_http_exchange *exchange, const struct herd_client_query *query,
                const struct herd_area_question *question, struct herd_shape *shape, herd_found_end *end)
{
    struct finding *finding = calloc(1, sizeof *finding + query->bbox_text.len + 1);
    if (!finding) {
        herd_shape_free(shape);
        return HERD_E_NOMEM;
    }
    finding->exchange = exchange;
    finding->near = question->by_distance;
    finding->put_end = end;
    finding->query = *query;
    finding->next_slot = query->from_slot;
    memcpy(finding->bbox_text, query->bbox_text.at, query->bbox_text.len);
    finding->query.bbox_text.at = finding->bbox_text;
    finding->query.id = finding->query.after = (struct herd_span){"", 0};
    int err = herd_search_begin(exchange->server, herd_http_request_of(exchange)->conn, question, shape, &asker,
                                finding, &finding->search);
    if (err < 0) {
        herd_shape_free(shape);
        free_finding(finding);
        return refuse(exchange, err);
    }
    if (finding->ended) {
        err = finding->err;
        free_finding(finding);
        return err;
    }
    finding->deferred = herd_http_defer(exchange, on_gone, finding);
    if (!finding->deferred) {
        on_gone(finding);
        return HERD_E_NOMEM;
    }
    finding->exchange = herd_http_resume(finding->deferred);
    return 0;
}

static int bad_query(struct herd_http_exchange *exchange, const char *detail)
{
    return herd_http_problem(exchange, 400, "query", "Bad query", detail);
}

static int not_found(struct herd_http_exchange *exchange)
{
    return herd_http_problem(exchange, 404, "not-found", "Not found", "no such client, or not one of yours");
}

/* Where a client is, without whom its neighbours are meant. 0, or what the request was answered with. */
static int take_client(struct herd_http_exchange *exchange, struct herd_span id,
                       struct herd_area_question *io_question)
{
    struct herd_record record;
    struct herd_position position;
    int err = herd_node_find(exchange->server->node, id, exchange->now, &record);
    if (err >= 0)
        err = herd_position_parse(record.position, &position);
    if (err < 0)
        return err;
    io_question->lat_deg = herd_coordinate_degrees(position.lat);
    io_question->lon_deg = herd_coordinate_degrees(position.lon);
    io_question->except = id;
    return 0;
}

/* Where a query is about, if anywhere. */
static int take_near(struct herd_http_exchange *exchange, const struct herd_client_query *query,
                     struct herd_area_question *ret_question)
{
    *ret_question = (struct herd_area_question){.by_distance = query->near != HERD_NEAR_NOTHING,
                                                .lat_deg = query->lat_deg,
                                                .lon_deg = query->lon_deg,
                                                .limit = query->limit};
    if (query->near != HERD_NEAR_CLIENT)
        return 0;
    return herd_http_may_ask(exchange, query->id) ? take_client(exchange, query->id, ret_question)
                                                  : HERD_E_NOTFOUND;
}

static int no_area(struct herd_http_exchange *exchange)
{
    return bad_query(exchange, "that needs area: true in the server's configuration");
}

int herd_found_near(struct herd_http_exchange *exchange, const struct herd_client_query *query)
{
    struct herd_shape *shape = NULL;
    struct herd_area_question question;
    if (!exchange->server->area)
        return no_area(exchange);
    int err = take_near(exchange, query, &question);
    if (err >= 0 && query->within)
        err = herd_shape_circle(&shape, question.lat_deg, question.lon_deg, query->radius_m);
    if (err == HERD_E_NOTFOUND)
        return not_found(exchange);
    return err < 0 ? err : find(exchange, query, &question, shape, NULL);
}

int herd_found_shape(struct herd_http_exchange *exchange, const struct herd_client_query *query,
                     struct herd_shape *shape)
{
    struct herd_area_question question;
    int err = exchange->server->area ? take_near(exchange, query, &question) : HERD_E_UNSUPPORTED;
    if (err >= 0)
        return find(exchange, query, &question, shape, NULL);
    herd_shape_free(shape);
    return err == HERD_E_NOTFOUND ? not_found(exchange) : err == HERD_E_UNSUPPORTED ? no_area(exchange) : err;
}

int herd_found_box(struct herd_http_exchange *exchange, const struct herd_client_query *query, herd_found_end *end)
{
    struct herd_shape *shape = NULL;
    const struct herd_area_question question = {.from_slot = query->from_slot, .limit = query->limit};
    const struct herd_bbox *box = &query->bbox;
    int err = herd_shape_box(&shape, box->west, box->south, box->east, box->north);
    return err < 0 ? err : find(exchange, query, &question, shape, end);
}
