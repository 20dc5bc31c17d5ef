/* SPDX-License-Identifier: MIT */
/*
 * GET /v1/clients/{id}/places: what is around a client, as a WHATSAT is answered, byte for byte. 502 where no provider had
 * an answer: the JSON is of the same kind then, and its status says why. The look-up ends with the connection.
 */
#include "../../places/query.h"
#include "../../places/raw.h"
#include "http_impl.h"
#include "id.h"

#include <herd/places.h>
#include <herd/protocol.h>

#include <stdlib.h>
#include <string.h>

/* One question under way: owned by its handler, and then by the deferred request. */
struct asking {
    struct herd_http_exchange *exchange; /* while the handler is on the stack */
    struct herd_http_deferred *deferred;
    struct herd_places_request *lookup;
    bool answered;
    int err; /* of the answer */
};

static int reply(struct herd_http_exchange *exchange, struct herd_span json)
{
    struct herd_span status = herd_raw_text(json, "status");
    bool found =
        herd_span_equal(status, herd_span_of("OK")) || herd_span_equal(status, herd_span_of("ZERO_RESULTS"));
    return herd_http_reply_static(exchange, found ? 200 : 502, "application/json", json);
}

static void on_answer(void *ctx, struct herd_span json, const char *origin)
{
    struct asking *asking = ctx;
    (void)origin; /* logged where it is known how long it took */
    if (asking->exchange) {
        asking->answered = true;
        asking->err = reply(asking->exchange, json);
        return;
    }
    struct herd_http_exchange *exchange = herd_http_resume(asking->deferred);
    free(asking);
    (void)reply(exchange, json); /* if it fails the connection ends */
}

static void on_gone(void *ctx)
{
    struct asking *asking = ctx;
    herd_places_cancel(asking->lookup);
    free(asking);
}

static int look_up(struct herd_http_exchange *exchange, const struct herd_places_query *query)
{
    struct asking *asking = calloc(1, sizeof *asking);
    if (!asking)
        return HERD_E_NOMEM;
    asking->exchange = exchange;
    int err = herd_places_lookup(exchange->server->places, query, on_answer, asking, &asking->lookup);
    if (err < 0 || asking->answered) {
        err = err < 0 ? err : asking->err;
        free(asking);
        return err;
    }
    asking->exchange = NULL;
    asking->deferred = herd_http_defer(exchange, on_gone, asking);
    if (!asking->deferred) {
        on_gone(asking);
        return HERD_E_NOMEM;
    }
    return 0;
}

/* ---- the query ---- */

static bool is_number(struct herd_span text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!memchr("0123456789.", text.at[i], 11))
            return false;
    return text.len > 0;
}

/* What a WHATSAT may ask for is judged where lines are. */
static int judge(struct herd_buf *io_line, struct herd_span radius, struct herd_span limit,
                 struct herd_command *ret_command, const char **reterr_message)
{
    const struct herd_span texts[] = {herd_span_of("WHATSAT x "), radius, herd_span_of(" "), limit};
    *reterr_message = radius.at ? "radius is from 0 to 50 kilometres, limit from 0 to 20"
                                : "radius is needed, from 0 to 50 kilometres";
    if (!is_number(radius) || !is_number(limit))
        return HERD_E_SYNTAX;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (herd_buf_add(io_line, texts[i].at, texts[i].len) < 0)
            return HERD_E_NOMEM;
    struct herd_span line = {io_line->at, io_line->len};
    return herd_command_parse(line, ret_command) == HERD_WHATSAT ? 0 : HERD_E_SYNTAX;
}

/* HERD_E_SYNTAX with *reterr_message, HERD_E_NOMEM. */
static int read_query(struct herd_http_exchange *exchange, struct herd_buf *io_line,
                      struct herd_command *ret_command, const char **reterr_message)
{
    struct herd_http_pairs pairs = {.rest = exchange->query};
    struct herd_span name, value, radius = {NULL, 0}, limit = {NULL, 0};
    while (herd_http_pair_next(exchange, &pairs, &name, &value)) {
        struct herd_span *word = herd_span_equal(name, herd_span_of("radius"))  ? &radius
                                 : herd_span_equal(name, herd_span_of("limit")) ? &limit
                                                                                : NULL;
        if (!word || word->at) {
            *reterr_message = "expected radius or limit, each once";
            return HERD_E_SYNTAX;
        }
        *word = value;
    }
    if (!limit.at)
        limit = herd_span_of("20");
    *reterr_message = "a percent sign without two hexadecimal digits";
    return pairs.err < 0 ? pairs.err : judge(io_line, radius, limit, ret_command, reterr_message);
}

static int ask(struct herd_http_exchange *exchange, struct herd_span id, const struct herd_command *command)
{
    struct herd_places_question question = {0};
    struct herd_record record;
    int err = herd_node_find(exchange->server->node, id, exchange->now, &record);
    if (err < 0)
        return err == HERD_E_NOTFOUND ? herd_http_unknown_client(exchange) : err;
    err = herd_places_query_make_iso(&question, record.position, command->radius, command->bound);
    if (err >= 0)
        err = look_up(exchange, &question.query);
    herd_places_query_fini(&question);
    return err;
}

static int get_places(struct herd_http_exchange *exchange)
{
    struct herd_buf line = {0};
    struct herd_command command;
    unsigned bucket;
    if (!herd_http_has_id(exchange))
        return herd_http_bad_id(exchange);
    if (!herd_http_may_ask(exchange, exchange->segments[0]))
        return herd_http_unknown_client(exchange);
    if (herd_http_foreign(exchange, exchange->segments[0], &bucket))
        return herd_http_elsewhere(exchange, bucket);
    const char *fault = NULL;
    int err = read_query(exchange, &line, &command, &fault);
    if (err >= 0)
        err = ask(exchange, exchange->segments[0], &command);
    else if (err == HERD_E_SYNTAX)
        err = herd_http_problem(exchange, 400, "query", "Bad query", fault);
    herd_buf_fini(&line);
    return err;
}

static const struct herd_http_route routes[] = {
    {.methods = HERD_HTTP_ON_GET,
     .path = "/v1/clients/{}/places",
     .handler = get_places,
     .right = HERD_HTTP_CLIENT,
     .get_writes = true}, /* a question to a provider may cost */
};

const struct herd_http_module herd_http_places_near = {.routes = routes,
                                                       .route_count = sizeof routes / sizeof *routes};
