/* SPDX-License-Identifier: MIT */
/*
 * Clients of other herds. Where their HTTP is, if that is known: 307, which keeps the method and the body (RFC 9110, 15.4.8).
 * Else 421: this server is not the one to answer with authority for them (15.5.20).
 */
#include "../../core/node/foreign.h"
#include "../server/shards.h"
#include "http_impl.h"

static int redirect(struct herd_http_exchange *exchange, const char *base)
{
    struct herd_buf url = {0};
    int err = herd_buf_add_text(&url, base);
    if (err >= 0)
        err = herd_buf_add(&url, exchange->path.at, exchange->path.len);
    if (err >= 0 && exchange->query.len > 0)
        err = herd_buf_add(&url, "?", 1);
    if (err >= 0)
        err = herd_buf_add(&url, exchange->query.at, exchange->query.len);
    if (err >= 0)
        err = herd_http_add_header(exchange, "Location", (struct herd_span){url.at, url.len});
    herd_buf_fini(&url);
    return err < 0 ? err
                   : herd_http_problem(exchange, 307, "another-herd", "Another herd",
                                       "another herd has this client: see Location");
}

bool herd_http_foreign(struct herd_http_exchange *exchange, struct herd_span id, unsigned *ret_bucket)
{
    struct herd_node *node = exchange->server->node;
    if (!herd_foreign(node, id, ret_bucket))
        return false;
    herd_foreign_count(node, id);
    return true;
}

int herd_http_elsewhere(struct herd_http_exchange *exchange, unsigned bucket)
{
    const struct herd_server *server = exchange->server;
    const char *base = herd_server_shards_http(server->shards, server->config, bucket);
    if (base)
        return redirect(exchange, base);
    return herd_http_problem(exchange, 421, "another-herd", "Another herd", "another herd has this client");
}

int herd_http_elsewhere_id(struct herd_http_exchange *exchange, struct herd_span id)
{
    unsigned bucket = 0;
    (void)herd_foreign(exchange->server->node, id, &bucket);
    return herd_http_elsewhere(exchange, bucket);
}
