/* SPDX-License-Identifier: MIT */
#include "id.h"

#include "http_impl.h"

bool herd_http_has_id(const struct herd_http_exchange *exchange)
{
    const struct herd_span id = exchange->segments[0];
    return id.len <= (size_t)exchange->server->limits->line_max_bytes && herd_http_is_id(id);
}

int herd_http_bad_id(struct herd_http_exchange *exchange)
{
    return herd_http_problem(exchange, 400, "id", "Bad id",
                             "an id is bytes without white space, as long as a line may be");
}
