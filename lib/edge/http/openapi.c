/* SPDX-License-Identifier: MIT */
/* GET /openapi.json: what there is to ask for, for programs. Everybody may read it: it says nothing of this server. */
#include "http_impl.h"

#include "openapi.inc"

static int get_openapi(struct herd_http_exchange *exchange)
{
    const void *bytes = openapi_json;
    return herd_http_reply_static(exchange, 200, "application/json",
                                  (struct herd_span){bytes, sizeof openapi_json});
}

static const struct herd_http_route routes[] = {
    {.methods = HERD_HTTP_ON_GET, .path = "/openapi.json", .handler = get_openapi, .right = HERD_HTTP_PUBLIC},
};

const struct herd_http_module herd_http_openapi = {.routes = routes, .route_count = sizeof routes / sizeof *routes};
