/* SPDX-License-Identifier: MIT */
/* Whether the loop turns: who asks and gets an answer knows. */
#include "http_impl.h"

static int get_health(struct herd_http_exchange *exchange)
{
    return herd_http_reply_static(exchange, 200, "text/plain; charset=utf-8", herd_span_of("ok\n"));
}

static const struct herd_http_route routes[] = {
    {.methods = HERD_HTTP_ON_GET, .path = "/healthz", .handler = get_health, .right = HERD_HTTP_PUBLIC},
};

const struct herd_http_module herd_http_health = {.routes = routes, .route_count = sizeof routes / sizeof *routes};
