/* SPDX-License-Identifier: MIT */
/*
 * GET /healthz: whether the loop turns; who asks and gets an answer knows.
 * GET /readyz: whether the server has what the herd has: 200, or 503 and the reasons. A neighbour's name is told to
 * those only who may see the state of the server.
 */
#include "../journal/journal.h"
#include "beside.h"
#include "http_impl.h"

static int get_health(struct herd_http_exchange *exchange)
{
    return herd_http_reply_static(exchange, 200, "text/plain; charset=utf-8", herd_span_of("ok\n"));
}

/* A line of the answer. `name` {"", 0}: none. */
static int put_reason(struct herd_buf *out, const char *what, struct herd_span name, const char *why)
{
    int err = herd_buf_add_text(out, what);
    if (err >= 0 && name.len > 0) {
        err = herd_buf_add_text(out, " ");
        if (err >= 0)
            err = herd_buf_add(out, name.at, name.len);
        if (err >= 0 && why)
            err = herd_buf_add_text(out, ": ");
        if (err >= 0 && why)
            err = herd_buf_add_text(out, why);
    }
    return err < 0 ? err : herd_buf_add_text(out, "\n");
}

static int put_peer_reasons(struct herd_http_exchange *exchange, struct herd_buf *out)
{
    const struct herd_node *node = exchange->server->node;
    const bool admin = herd_http_is_admin(exchange);
    struct herd_peer_stats stats;
    int err = 0;
    for (size_t i = 0; i < herd_node_peer_count(node) && err >= 0; i++) {
        struct herd_span name = admin ? herd_node_peer_name(node, i) : (struct herd_span){"", 0};
        if (herd_node_peer_stats(node, i, &stats) < 0)
            continue;
        if (!stats.up)
            err = put_reason(out, "no link with", name, stats.down_why ? stats.down_why : "not reached yet");
        else if (!stats.agrees && !stats.plain)
            err = put_reason(out, stats.comparing ? "comparing states with" : "another state than", name, NULL);
    }
    return err;
}

static int get_ready(struct herd_http_exchange *exchange)
{
    const struct herd_server *server = exchange->server;
    const struct herd_span nobody = {"", 0};
    struct herd_buf *body = herd_http_body(exchange);
    int err = put_peer_reasons(exchange, body);
    if (err >= 0 && server->journal && herd_journal_is_behind(server->journal))
        err = put_reason(body, "the journal is behind", nobody, NULL);
    if (err >= 0 && server->stopping)
        err = put_reason(body, "stopping", nobody, NULL);
    int status = body->len > 0 ? 503 : 200;
    if (err >= 0 && status == 200)
        err = herd_buf_add_text(body, "ok\n");
    /* No reason to be asked less: nothing waits for it. */
    if (err >= 0 && herd_http_beside_is_away(server))
        err = put_reason(body, "the database is away; nothing waits for it", nobody, NULL);
    return err < 0 ? err : herd_http_reply(exchange, status, "text/plain; charset=utf-8");
}

static const struct herd_http_route routes[] = {
    {.methods = HERD_HTTP_ON_GET, .path = "/healthz", .handler = get_health, .right = HERD_HTTP_PUBLIC},
    {.methods = HERD_HTTP_ON_GET, .path = "/readyz", .handler = get_ready, .right = HERD_HTTP_PUBLIC},
};

const struct herd_http_module herd_http_health = {.routes = routes, .route_count = sizeof routes / sizeof *routes};
