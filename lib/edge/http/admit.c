/* SPDX-License-Identifier: MIT */
/*
 * What a request meets before its handler, as soon as its head is there: so that nobody sends a body, or waits for 100, in
 * vain. The order is that of RFC 9110 as far as it says: is it for us, is there such a thing, who asks, from which page, how
 * long, of which type.
 */
#include "http_impl.h"

#include <string.h>

static int answered(int err)
{
    return err < 0 ? err : HERD_HTTP_ANSWERED;
}

static unsigned on_of(enum herd_http_method method)
{
    switch (method) {
    case HERD_HTTP_GET:
    case HERD_HTTP_HEAD: return HERD_HTTP_ON_GET;
    case HERD_HTTP_POST: return HERD_HTTP_ON_POST;
    case HERD_HTTP_PUT: return HERD_HTTP_ON_PUT;
    case HERD_HTTP_DELETE: return HERD_HTTP_ON_DELETE;
    default: return 0;
    }
}

static int add_methods(struct herd_http_request *request, const char *name, unsigned methods)
{
    struct herd_buf *line = &request->exchange.http->line;
    line->len = 0;
    int err = herd_http_methods_text(methods, line);
    return err < 0 ? err : herd_http_add_header(&request->exchange, name, (struct herd_span){line->at, line->len});
}

/* OPTIONS: what there is; or whether a page of another origin may (CORS, preflight). */
static int options(struct herd_http_request *request, unsigned methods)
{
    struct herd_http_exchange *exchange = &request->exchange;
    struct herd_span wanted;
    bool preflight =
        request->varies && herd_http_head_find(request->head, "access-control-request-method", &wanted) > 0;
    if (!preflight) {
        int err = add_methods(request, "Allow", methods);
        return answered(err < 0 ? err : herd_http_send(request, 204, NULL, (struct herd_span){"", 0}));
    }
    if (request->origin.len == 0)
        return answered(herd_http_problem(exchange, 403, "origin", "Not for pages of this origin",
                                          "the configuration lists it not in http.origins"));
    int err = add_methods(request, "Access-Control-Allow-Methods", methods);
    if (err >= 0)
        err = herd_http_add_header(
            exchange, "Access-Control-Allow-Headers",
            herd_span_of("Authorization, Content-Type, If-None-Match, Last-Event-ID, X-Limit-U, "
                         "X-Limit-D"));
    if (err >= 0)
        err = herd_http_add_header(exchange, "Access-Control-Max-Age", herd_span_of("600"));
    return answered(err < 0 ? err : herd_http_send(request, 204, NULL, (struct herd_span){"", 0}));
}

static int find_route(struct herd_http_request *request)
{
    struct herd_http_exchange *exchange = &request->exchange;
    unsigned methods;
    unsigned on = on_of(request->head->method);
    bool found = herd_http_route_find(request, on, &methods);
    if (request->head->method == HERD_HTTP_OPTIONS) {
        bool all = exchange->path.len == 1 && exchange->path.at[0] == '*';
        if (all || methods)
            return options(request, all ? (unsigned)HERD_HTTP_ON_ANY : methods);
    }
    if (!methods)
        return answered(
            herd_http_problem(exchange, 404, "not-found", "Not found", "no such path; in an id a / is %2F"));
    if (!found) {
        int err = add_methods(request, "Allow", methods);
        return answered(err < 0 ? err
                                : herd_http_problem(exchange, 405, "method", "Method not allowed",
                                                    "see Allow for those that are"));
    }
    for (size_t i = 0; i < exchange->segment_count; i++) {
        int err = herd_http_decode(exchange->http, exchange->segments[i], false, &exchange->segments[i]);
        if (err < 0)
            return answered(err == HERD_E_NOMEM
                                ? err
                                : herd_http_problem(exchange, 400, "path", "Bad path",
                                                    "a percent sign without two hexadecimal digits, or a NUL"));
    }
    return HERD_HTTP_ADMITTED;
}

/* The body's length and type. */
static int check_body(struct herd_http_request *request, uint64_t *ret_body_max)
{
    const struct herd_http_head *head = request->head;
    struct herd_http_exchange *exchange = &request->exchange;
    const struct herd_http_route *route = exchange->route;
    size_t count;
    *ret_body_max = route->body_max_bytes ? route->body_max_bytes : HERD_HTTP_BODY_USUAL_BYTES;
    bool sends = exchange->on == HERD_HTTP_ON_POST || exchange->on == HERD_HTTP_ON_PUT;
    if (head->framing == HERD_HTTP_NO_BODY)
        return !sends || route->body_optional
                   ? HERD_HTTP_ADMITTED
                   : answered(herd_http_problem(exchange, 411, "length", "Length required",
                                                "a request of this method has Content-Length, or is chunked"));
    if (head->framing == HERD_HTTP_LENGTH && head->content_length > *ret_body_max)
        return answered(herd_http_problem(exchange, 413, "too-long", "Content too large", NULL));
    if (head->framing == HERD_HTTP_LENGTH && head->content_length == 0)
        return HERD_HTTP_ADMITTED;
    struct herd_span coding;
    if (herd_http_head_find(head, "content-encoding", &coding) > 0)
        return answered(herd_http_problem(exchange, 415, "content-type", "Unsupported content coding", NULL));
    herd_http_only(head, "content-type", &exchange->content_type, &count);
    exchange->body_type = count > 1 ? HERD_HTTP_ELSE : herd_http_body_type(exchange->content_type);
    unsigned accepts = route->accepts ? route->accepts : (unsigned)HERD_HTTP_JSON;
    if (!sends || (accepts & exchange->body_type))
        return HERD_HTTP_ADMITTED;
    return answered(herd_http_problem(
        exchange, 415, "content-type", "Unsupported media type",
        accepts == HERD_HTTP_JSON ? "expected application/json, or another type of JSON as application/geo+json"
                                  : NULL));
}

int herd_http_admit(struct herd_http_request *request, uint64_t *ret_body_max)
{
    const struct herd_http_head *head = request->head;
    struct herd_http_exchange *exchange = &request->exchange;
    struct herd_span unused;
    exchange->on = (enum herd_http_on)on_of(head->method);
    exchange->path = head->path;
    exchange->query = head->query.at ? head->query : (struct herd_span){"", 0};
    if (!herd_http_host_accepted(exchange->server, head->host))
        return answered(herd_http_problem(exchange, 421, "host", "Not a name of this server",
                                          "Host names no name of it: see http.hosts in its configuration"));
    request->varies = herd_http_head_find(head, "origin", &unused) > 0;
    enum herd_http_page page = herd_http_page_of(request, &request->origin);
    int err = find_route(request);
    if (err != HERD_HTTP_ADMITTED)
        return err;
    if (page == HERD_HTTP_FOREIGN_PAGE && (exchange->on != HERD_HTTP_ON_GET || exchange->route->get_writes))
        return answered(herd_http_problem(exchange, 403, "origin", "Not for pages of this origin",
                                          "the configuration lists it not in http.origins"));
    err = herd_http_authenticate(request);
    return err != HERD_HTTP_ADMITTED ? err : check_body(request, ret_body_max);
}
