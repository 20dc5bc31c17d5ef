/* SPDX-License-Identifier: MIT */
/* GET /v1/node: who this server is, how it is, and its counts. */
#include "../journal/journal.h"
#include "beside.h"
#include "http_impl.h"

#include <herd/store.h>

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

static int put_count(struct herd_buf *out, const char *name, uint64_t value)
{
    char text[96];
    int len = snprintf(text, sizeof text, ",\"%s\":%" PRIu64, name, value);
    return len > 0 ? herd_buf_add(out, text, (size_t)len) : HERD_E_NOMEM;
}

/* A server's name needs no escape. */
static int put_name(struct herd_buf *out, struct herd_span name)
{
    int err = herd_buf_add_text(out, "{\"name\":\"");
    if (err >= 0)
        err = herd_buf_add(out, name.at, name.len);
    if (err >= 0)
        err = herd_buf_add_text(out, "\",\"version\":\"");
    if (err >= 0)
        err = herd_buf_add_text(out, herd_version());
    return err < 0 ? err : herd_buf_add_text(out, "\"");
}

/* The mean lag of the loop is of all its life: what is late now is seen in /metrics. */
static int put_state(struct herd_buf *out, const struct herd_server *server)
{
    char text[256];
    const char *journal = !server->journal ? "none" : herd_journal_is_behind(server->journal) ? "behind" : "ok";
    /* As a whole number, because printf's point is the locale's. */
    const int64_t lag_us =
        server->lag.count ? (int64_t)(server->lag.sum_s / (double)server->lag.count * 1e6 + 0.5) : 0;
    int len = snprintf(
        text, sizeof text, ",\"digest\":\"%016" PRIx64 "\",\"journal\":\"%s\",\"lag_s\":%" PRId64 ".%06" PRId64,
        herd_store_digest(herd_node_store(server->node)), journal, lag_us / 1000000, lag_us % 1000000);
    return len > 0 ? herd_buf_add(out, text, (size_t)len) : HERD_E_NOMEM;
}

/* Of this server's own, the first of its chain that ends. */
static int put_certificate(struct herd_buf *out, const struct herd_trust *trust)
{
    char text[64];
    struct tm parts;
    const time_t at = (time_t)trust->ends[0].at_s;
    if (trust->ends[0].at_s == INT64_MAX || !gmtime_r(&at, &parts) || parts.tm_year > 9999 - 1900)
        return herd_buf_add_text(out, ",\"certificate_ends\":null");
    size_t len = strftime(text, sizeof text, ",\"certificate_ends\":\"%Y-%m-%dT%H:%M:%SZ\"", &parts);
    return herd_buf_add(out, text, len);
}

static int get_node(struct herd_http_exchange *exchange)
{
    struct herd_server *server = exchange->server;
    const struct herd_node *node = herd_server_node(server);
    const struct herd_node_stats stats = herd_node_stats(node);
    size_t links = 0;
    for (size_t i = 0; i < herd_node_peer_count(node); i++)
        links += herd_node_link(node, i) != NULL;
    const struct {
        const char *name;
        uint64_t value;
    } counts[] = {
        {"clients", herd_store_count(herd_node_store(node)) - herd_store_tombstones(herd_node_store(node))},
        {"connections", server->client_count},
        {"viewers", exchange->http->stream_count},
        {"links", links},
        {"reports", stats.reports},
        {"reports_stale", stats.reports_stale},
        {"invalid", stats.invalid},
        {"lookups", stats.lookups},
        {"at_received", stats.at_received},
        {"at_new", stats.at_new},
        {"at_sent", stats.at_sent},
        {"at_refused", stats.at_refused},
        {"not_allowed", stats.not_allowed},
        {"too_often", stats.too_often},
        {"auth_failed", stats.auth_failed},
        {"syncs", stats.syncs},
        {"repairs", stats.repairs},
        {"connections_refused", server->refused_count},
    };
    struct herd_buf *body = herd_http_body(exchange);
    int err = put_name(body, herd_node_name(node));
    for (size_t i = 0; i < sizeof counts / sizeof *counts && err >= 0; i++)
        err = put_count(body, counts[i].name, counts[i].value);
    if (err >= 0)
        err = put_state(body, server);
    if (err >= 0)
        err = put_certificate(body, server->trust);
    if (err >= 0)
        err = herd_http_beside_put_node(body, server);
    if (err >= 0)
        err = herd_buf_add_text(body, "}\n");
    return err < 0 ? err : herd_http_reply(exchange, 200, "application/json");
}

static const struct herd_http_route routes[] = {
    {.methods = HERD_HTTP_ON_GET, .path = "/v1/node", .handler = get_node, .right = HERD_HTTP_ADMIN},
};

const struct herd_http_module herd_http_node = {.routes = routes, .route_count = sizeof routes / sizeof *routes};
