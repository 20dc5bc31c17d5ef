/* SPDX-License-Identifier: MIT */
#include "client_fetch.h"

#include "../../core/node/learn.h"
#include "../../core/node/lookup.h"
#include "../database/beside.h"
#include "http_impl.h"

#include <stdlib.h>
#include <string.h>

/* One question under way: owned by its handler, and then by the deferred request. */
struct fetch {
    struct herd_beside_reader reader;
    struct herd_http_deferred *deferred;
    herd_client_put *put;
    size_t id_len, known_len;
    char texts[]; /* id, If-None-Match */
};

int herd_client_reply(struct herd_http_exchange *exchange, int status)
{
    return status < 0 ? status : herd_http_reply(exchange, status, status == 200 ? "application/geo+json" : NULL);
}

/* The right is asked for again: it may have been taken away meanwhile. */
static int answer(const struct fetch *fetch, struct herd_http_exchange *exchange, const struct herd_record *record)
{
    struct herd_span id = {fetch->texts, fetch->id_len}, tags = {fetch->texts + fetch->id_len, fetch->known_len};
    struct herd_record known;
    if (!herd_http_may_ask(exchange, id))
        return herd_http_unknown_client(exchange);
    int err = herd_learn_find(exchange->server->node, id, record, exchange->now, &known);
    if (err == HERD_E_NOTFOUND)
        return herd_http_unknown_client(exchange);
    int status = err < 0 ? err : fetch->put(exchange, &known, tags);
    if (status >= 0 || !fetch->deferred)
        return herd_client_reply(exchange, status);
    /* Nobody else would answer it. */
    struct herd_http_request *request = herd_http_request_of(exchange);
    request->headers->len = 0;
    request->cache_control = request->retry_after = false;
    return herd_http_problem(exchange, 503, "internal", "Not possible now", NULL);
}

static void on_read(struct herd_beside_reader *reader, const struct herd_record *record)
{
    struct fetch *fetch = HERD_CONTAINER_OF(reader, struct fetch, reader);
    (void)answer(fetch, herd_http_resume(fetch->deferred), record); /* if it fails the connection ends */
    free(fetch);
}

static void on_gone(void *ctx)
{
    struct fetch *fetch = ctx;
    herd_beside_drop(&fetch->reader);
    free(fetch);
}

static struct fetch *make(struct herd_http_exchange *exchange, struct herd_span id, herd_client_put *put)
{
    struct herd_span known = {"", 0};
    (void)herd_http_header(exchange, "If-None-Match", &known);
    struct fetch *fetch = calloc(1, sizeof *fetch + id.len + known.len);
    if (!fetch)
        return NULL;
    fetch->reader.done = on_read;
    fetch->put = put;
    fetch->id_len = id.len;
    fetch->known_len = known.len;
    memcpy(fetch->texts, id.at, id.len);
    if (known.len > 0)
        memcpy(fetch->texts + id.len, known.at, known.len);
    return fetch;
}

int herd_client_fetch(struct herd_http_exchange *exchange, struct herd_span id, herd_client_put *put)
{
    struct herd_server *server = exchange->server;
    struct herd_record record = {0};
    if (!server->beside || !herd_fetch_wanted(server->node, id))
        return herd_http_unknown_client(exchange);
    struct fetch *fetch = make(exchange, id, put);
    if (!fetch)
        return HERD_E_NOMEM;
    bool asked = herd_beside_read(server->beside, id, &fetch->reader, exchange->now, &record);
    if (!asked || record.id.len > 0) {
        int err = answer(fetch, exchange, asked ? &record : NULL);
        free(fetch);
        return err;
    }
    fetch->deferred = herd_http_defer(exchange, on_gone, fetch);
    if (!fetch->deferred) {
        on_gone(fetch);
        return HERD_E_NOMEM;
    }
    return 0;
}
