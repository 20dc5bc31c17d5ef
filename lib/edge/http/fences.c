/* SPDX-License-Identifier: MIT */
/*
 * /v1/fences: all of them as a FeatureCollection; /v1/fences/{name}: one (GET), set up or changed (PUT), removed (DELETE).
 * What is set here is gone when the server ends: the file of the configuration is what stays.
 *
 * A proximity names clients. Who may ask for none of one of its groups is never told of a pair, and does not see it here
 * either: it is left out of the list, and answered as if there were none of its name.
 */
#include "../server/fences.h"
#include "../../core/area/shape.h"
#include "../../core/node/access.h"
#include "../server/conn.h"
#include "http_impl.h"

#include <string.h>

#define GEOJSON "application/geo+json"
/* A body is read in one go: this holds up the loop for some milliseconds, and has room for some 10 000 positions. */
#define BODY_MAX_BYTES 262144

static int no_area(struct herd_http_exchange *exchange)
{
    return herd_http_problem(exchange, 404, "not-found", "Not found",
                             "fences need area: true in the server's configuration");
}

static int not_found(struct herd_http_exchange *exchange)
{
    return herd_http_problem(exchange, 404, "not-found", "Not found", "no fence of this name");
}

static bool is_shown(const struct herd_http_exchange *exchange, const struct herd_shape *shape)
{
    const struct herd_session *session = herd_http_request_of_const(exchange)->conn->session;
    return shape->kind != HERD_SHAPE_PROXIMITY ||
           (herd_access_see_group(session, shape->who) && herd_access_see_group(session, shape->near));
}

static int put_fence(struct herd_buf *out, const struct herd_area *area, struct herd_span name)
{
    struct herd_fence_options options;
    int err = herd_area_fence_options(area, name, &options);
    return err < 0 ? err : herd_fence_put_geojson(out, name, herd_area_fence_shape(area, name), &options);
}

static int get_fences(struct herd_http_exchange *exchange)
{
    const struct herd_area *area = exchange->server->area;
    struct herd_buf *out = herd_http_body(exchange);
    struct herd_span name;
    size_t at = 0, count = 0;
    bool truncated = false;
    if (!area)
        return no_area(exchange);
    int err = herd_buf_add_text(out, "{\"type\":\"FeatureCollection\",\"features\":[");
    while (err >= 0 && herd_area_fence_next(area, &at, &name)) {
        if (!is_shown(exchange, herd_area_fence_shape(area, name)))
            continue;
        truncated = out->len > herd_http_list_max_bytes(exchange);
        if (truncated)
            break;
        err = herd_buf_add_text(out, count++ ? ",\n" : "\n");
        if (err >= 0)
            err = put_fence(out, area, name);
    }
    if (err >= 0)
        err = herd_buf_add_text(out, truncated ? "],\"truncated\":true}\n" : "],\"truncated\":false}\n");
    return err < 0 ? err : herd_http_reply(exchange, 200, GEOJSON);
}

static int reply_fence(struct herd_http_exchange *exchange, int status)
{
    int err = put_fence(herd_http_body(exchange), exchange->server->area, exchange->segments[0]);
    if (err == HERD_E_NOTFOUND)
        return not_found(exchange);
    return err < 0 ? err : herd_http_reply(exchange, status, GEOJSON);
}

static int get_fence(struct herd_http_exchange *exchange)
{
    if (!exchange->server->area)
        return no_area(exchange);
    const struct herd_shape *shape = herd_area_fence_shape(exchange->server->area, exchange->segments[0]);
    return shape && is_shown(exchange, shape) ? reply_fence(exchange, 200) : not_found(exchange);
}

static void log_fence(struct herd_http_exchange *exchange, const char *event)
{
    const struct herd_http_request *request = herd_http_request_of_const(exchange);
    struct herd_log_field fields[] = {herd_log_span("fence", exchange->segments[0]),
                                      herd_log_span("by", herd_conn_label(request->conn))};
    herd_log_event(exchange->server->log, HERD_LOG_INFO, event, fields, 2);
}

static int refuse_set(struct herd_http_exchange *exchange, int err)
{
    switch (err) {
    case HERD_E_LIMIT:
        return herd_http_problem(exchange, 507, "fences", "Too many fences",
                                 "limits.fences_max, or too many corners at one place");
    case HERD_E_ARG:
    case HERD_E_RANGE: return herd_http_problem(exchange, 422, "fence", "No such fence can be", herd_strerror(err));
    default: return err;
    }
}

static int put_one(struct herd_http_exchange *exchange)
{
    struct herd_server *server = exchange->server;
    const struct herd_span name = exchange->segments[0];
    struct herd_geojson_fence fence;
    struct herd_diagnostic diagnostic = {0};
    if (!server->area)
        return no_area(exchange);
    if (!herd_name_valid(name))
        return herd_http_problem(exchange, 400, "fence", "Bad name",
                                 "the name of a fence is 1 to 64 bytes of A-Z a-z 0-9 . _ -");
    int err = herd_fence_geojson(&fence, exchange->body, &diagnostic);
    if (err == HERD_E_SYNTAX || err == HERD_E_RANGE || err == HERD_E_LIMIT)
        return herd_http_problem(exchange, err == HERD_E_SYNTAX ? 400 : 422, "geojson", "Not a fence",
                                 diagnostic.message);
    if (err < 0)
        return err;
    if (fence.name[0] && !herd_span_equal(herd_span_of(fence.name), name)) {
        herd_shape_free(fence.shape);
        return herd_http_problem(exchange, 400, "geojson", "Not this fence",
                                 "its name is another than that of the path");
    }
    const bool known = herd_area_fence_shape(server->area, name) != NULL;
    err = herd_server_fence_set(server, name, fence.shape, &fence.options);
    if (err < 0) {
        herd_shape_free(fence.shape);
        return refuse_set(exchange, err);
    }
    log_fence(exchange, "fence_set");
    return reply_fence(exchange, known ? 200 : 201);
}

static int delete_one(struct herd_http_exchange *exchange)
{
    if (!exchange->server->area)
        return no_area(exchange);
    if (herd_area_fence_remove(exchange->server->area, exchange->segments[0]) < 0)
        return not_found(exchange);
    log_fence(exchange, "fence_removed");
    return herd_http_reply(exchange, 204, NULL);
}

static const struct herd_http_route routes[] = {
    {.methods = HERD_HTTP_ON_GET, .path = "/v1/fences", .handler = get_fences, .right = HERD_HTTP_CLIENT},
    {.methods = HERD_HTTP_ON_GET, .path = "/v1/fences/{}", .handler = get_fence, .right = HERD_HTTP_CLIENT},
    {.methods = HERD_HTTP_ON_PUT,
     .path = "/v1/fences/{}",
     .handler = put_one,
     .right = HERD_HTTP_ADMIN,
     .body_max_bytes = BODY_MAX_BYTES},
    {.methods = HERD_HTTP_ON_DELETE, .path = "/v1/fences/{}", .handler = delete_one, .right = HERD_HTTP_ADMIN},
};

const struct herd_http_module herd_http_fences = {.routes = routes, .route_count = sizeof routes / sizeof *routes};
