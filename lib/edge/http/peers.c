/* SPDX-License-Identifier: MIT */
/* GET /v1/peers: what this server knows of its neighbours. */
#include "http_impl.h"

#include <inttypes.h>
#include <stdio.h>

/* Names of servers and reasons are words that need no escape. */
static int put_peer(struct herd_buf *out, struct herd_span name, const struct herd_peer_stats *stats,
                    int64_t now_ns)
{
    char text[512];
    int err = herd_buf_add_text(out, "{\"name\":\"");
    if (err >= 0)
        err = herd_buf_add(out, name.at, name.len);
    const int64_t since_s = stats->since_ns ? (now_ns - stats->since_ns) / 1000000000 : -1;
    int len = snprintf(text, sizeof text,
                       "\",\"up\":%s,\"plain\":%s,\"agrees\":%s,\"comparing\":%s,\"unsent\":%zu,\"links\":%" PRIu64
                       ",\"at_received\":%" PRIu64 ",\"at_sent\":%" PRIu64 ",\"at_refused\":%" PRIu64,
                       stats->up ? "true" : "false", stats->plain ? "true" : "false",
                       stats->agrees ? "true" : "false", stats->comparing ? "true" : "false", stats->unsent,
                       stats->links, stats->at_received, stats->at_sent, stats->refused);
    if (err >= 0)
        err = herd_buf_add(out, text, (size_t)len);
    if (since_s >= 0 && err >= 0) {
        len = snprintf(text, sizeof text, ",\"since_s\":%" PRId64, since_s);
        err = herd_buf_add(out, text, (size_t)len);
    }
    if (stats->down_why && err >= 0) {
        len = snprintf(text, sizeof text, ",\"why\":\"%s\"", stats->down_why);
        err = herd_buf_add(out, text, (size_t)len);
    }
    return err < 0 ? err : herd_buf_add_text(out, "}");
}

static int get_peers(struct herd_http_exchange *exchange)
{
    const struct herd_node *node = exchange->server->node;
    struct herd_buf *body = herd_http_body(exchange);
    struct herd_peer_stats stats;
    bool first = true;
    int err = herd_buf_add_text(body, "{\"peers\":[");
    for (size_t i = 0; i < herd_node_peer_count(node) && err >= 0; i++) {
        if (herd_node_peer_stats(node, i, &stats) < 0)
            continue;
        err = herd_buf_add_text(body, first ? "\n" : ",\n");
        first = false;
        if (err >= 0)
            err = put_peer(body, herd_node_peer_name(node, i), &stats, exchange->now.steady_ns);
    }
    if (err >= 0)
        err = herd_buf_add_text(body, "]}\n");
    return err < 0 ? err : herd_http_reply(exchange, 200, "application/json");
}

static const struct herd_http_route routes[] = {
    {.methods = HERD_HTTP_ON_GET, .path = "/v1/peers", .handler = get_peers, .right = HERD_HTTP_ADMIN},
};

const struct herd_http_module herd_http_peers = {.routes = routes, .route_count = sizeof routes / sizeof *routes};
