/* SPDX-License-Identifier: MIT */
/* Answers: what handlers say of them to the bytes of a response, and to the line of the log. */
#include "../../core/base/histogram.h"
#include "../../core/http/field_list.h"
#include "../../core/http/response.h"
#include "../server/conn.h"
#include "http_impl.h"

#include <string.h>

#define PROBLEM_TYPE "application/problem+json"

struct herd_buf *herd_http_body(struct herd_http_exchange *exchange)
{
    return herd_http_request_of(exchange)->body;
}

int herd_http_add_header(struct herd_http_exchange *exchange, const char *name, struct herd_span value)
{
    struct herd_http_request *request = herd_http_request_of(exchange);
    if (herd_http_equal_nocase(herd_span_of(name), "cache-control"))
        request->cache_control = true;
    else if (herd_http_equal_nocase(herd_span_of(name), "retry-after"))
        request->retry_after = true;
    return herd_http_response_field(request->headers, name, value);
}

/* ---- the log ---- */

void herd_http_log_request(struct herd_http_request *request, int status, size_t bytes)
{
    /* Of a deferred request its method is left; of bytes that are no request there is none. */
    static const char *const others[] = {[0] = "?",
                                         [HERD_HTTP_ON_GET] = "GET",
                                         [HERD_HTTP_ON_POST] = "POST",
                                         [HERD_HTTP_ON_PUT] = "PUT",
                                         [HERD_HTTP_ON_DELETE] = "DELETE"};
    const struct herd_http_exchange *exchange = &request->exchange;
    struct herd_log *log = request->conn->server->log;
    enum herd_log_level level = herd_log_traffic_enabled(log) ? HERD_LOG_INFO : HERD_LOG_DEBUG;
    if (!herd_log_enabled(log, level))
        return;
    struct herd_span label = herd_conn_label(request->conn);
    const char *equals = label.len ? memchr(label.at, '=', label.len) : NULL;
    size_t front = equals ? (size_t)(equals - label.at) + 1 : 0;
    const char *hidden = herd_http_path_hidden(exchange->http, exchange->path);
    const struct herd_log_field fields[] = {
        herd_log_span("client", (struct herd_span){label.at + front, label.len - front}),
        herd_log_text("method", request->head      ? herd_http_method_name(request->head->method)
                                : request->is_head ? "HEAD"
                                                   : others[exchange->on]),
        hidden ? herd_log_text("path", hidden) : herd_log_span("path", exchange->path),
        herd_log_int("status", status),
        herd_log_int("bytes", (int64_t)bytes),
    };
    herd_log_event(log, level, "http", fields, sizeof fields / sizeof *fields);
}

static void count(const struct herd_http_request *request, int status)
{
    const struct herd_http_part *part = request->part;
    uint64_t *answered =
        part ? part->answered[request->exchange.route - part->module->routes] : request->exchange.http->answered;
    answered[status / 100 < 6 ? status / 100 : 5]++;
}

/* ---- bytes ---- */

static bool has_body(int status)
{
    return status >= 200 && status != 204 && status != 304;
}

static int put_cors(const struct herd_http_request *request, struct herd_buf *out)
{
    int err = request->varies ? herd_http_response_field(out, "Vary", herd_span_of("Origin")) : 0;
    if (err < 0 || request->origin.len == 0)
        return err;
    err = herd_http_response_field(out, "Access-Control-Allow-Origin", request->origin);
    if (err >= 0)
        err = herd_buf_add_text(out, "Access-Control-Allow-Credentials: true\r\n"
                                     "Access-Control-Expose-Headers: ETag, Link, Last-Modified, Retry-After\r\n");
    return err;
}

static int put_head(const struct herd_http_request *request, int status, const char *type, size_t len, bool endless,
                    struct herd_buf *out)
{
    int err = herd_http_response_begin(out, status, request->exchange.now.wall_ns);
    if (err >= 0 && type)
        err = herd_http_response_field(out, "Content-Type", herd_span_of(type));
    if (err >= 0 && has_body(status) && !endless)
        err = herd_http_response_length(out, len);
    if (err >= 0)
        err = herd_buf_add_text(out, request->cache_control
                                         ? "X-Content-Type-Options: nosniff\r\n"
                                         : "X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n");
    if (err >= 0 && status == 503 && !request->retry_after)
        err = herd_buf_add_text(out, "Retry-After: 1\r\n"); /* whatever is wrong passes */
    if (err >= 0 && request->headers->len > 0)
        err = herd_buf_add(out, request->headers->at, request->headers->len);
    if (err >= 0)
        err = put_cors(request, out);
    if (err >= 0 && (!request->keep_alive || request->old))
        err = herd_http_response_connection(out, request->keep_alive);
    return err < 0 ? err : herd_http_response_end(out);
}

int herd_http_send(struct herd_http_request *request, int status, const char *type, struct herd_span body)
{
    struct herd_buf late = {0};
    struct herd_buf *out = request->out ? request->out : &late;
    size_t before = out->len;
    assert(!request->answered);
    if (!has_body(status) || !type)
        body = (struct herd_span){"", 0};
    int err = put_head(request, status, has_body(status) ? type : NULL, body.len, false, out);
    if (err >= 0 && body.len > 0 && !request->is_head)
        err = herd_buf_add(out, body.at, body.len);
    if (err < 0) {
        out->len = before;
    } else {
        request->answered = true;
        count(request, status);
        herd_histogram_add(&request->exchange.http->durations, herd_clock().steady_ns - request->began_ns);
        herd_http_log_request(request, status, body.len);
    }
    if (!request->out)
        err = herd_http_deferred_send(request, err < 0 ? NULL : &late);
    herd_buf_fini(&late);
    return err;
}

int herd_http_send_endless(struct herd_http_request *request, const char *type)
{
    size_t before = request->out->len;
    request->keep_alive = false;
    int err = put_head(request, 200, type, 0, true, request->out);
    if (err < 0)
        request->out->len = before;
    if (err < 0)
        return err;
    request->answered = true;
    count(request, 200);
    herd_http_log_request(request, 200, 0);
    return 0;
}

size_t herd_http_list_max_bytes(const struct herd_http_exchange *exchange)
{
    return (size_t)exchange->server->limits->output_max_bytes / 2;
}

int herd_http_reply(struct herd_http_exchange *exchange, int status, const char *type)
{
    struct herd_http_request *request = herd_http_request_of(exchange);
    return herd_http_send(request, status, type,
                          (struct herd_span){request->body->len ? request->body->at : "", request->body->len});
}

int herd_http_reply_static(struct herd_http_exchange *exchange, int status, const char *type, struct herd_span body)
{
    return herd_http_send(herd_http_request_of(exchange), status, type, body);
}

/* ---- problems ---- */

/* `title` and `detail` are sentences of the program: nothing in them has to be escaped. */
static int put_problem(struct herd_buf *out, int status, const char *type, const char *title, const char *detail)
{
    const char digits[4] = {(char)('0' + status / 100), (char)('0' + status / 10 % 10), (char)('0' + status % 10),
                            0};
    const char *const texts[] = {"{\"type\":\"/problems/",
                                 type,
                                 "\",\"title\":\"",
                                 title,
                                 "\",\"status\":",
                                 digits,
                                 detail ? ",\"detail\":\"" : "",
                                 detail ? detail : "",
                                 detail ? "\"}\n" : "}\n"};
    int err = 0;
    for (size_t i = 0; i < sizeof texts / sizeof *texts && err >= 0; i++)
        err = herd_buf_add_text(out, texts[i]);
    return err;
}

int herd_http_problem(struct herd_http_exchange *exchange, int status, const char *type, const char *title,
                      const char *detail)
{
    struct herd_buf *body = herd_http_body(exchange);
    body->len = 0;
    int err = put_problem(body, status, type, title, detail);
    if (err >= 0)
        return herd_http_reply(exchange, status, PROBLEM_TYPE);
    struct herd_http_request *request = herd_http_request_of(exchange);
    if (!request->out) /* one that was deferred: nobody else would end the connection that waits for it */
        (void)herd_http_deferred_send(request, NULL);
    return err;
}

int herd_http_send_fault(struct herd_conn *conn, const struct herd_http_fault *fault, struct herd_now now,
                         struct herd_buf *out)
{
    struct herd_http *http = conn->server->http;
    struct herd_http_request request = {
        .exchange = {.http = http, .server = conn->server, .now = now, .path = {"", 0}, .query = {"", 0}},
        .conn = conn,
        .began_ns = now.steady_ns,
        .out = out,
        .body = &http->body,
        .headers = &http->headers,
        .origin = {"", 0},
    };
    http->body.len = http->headers.len = 0;
    int err =
        put_problem(&http->body, fault->status, "bad-request", herd_http_reason(fault->status), fault->message);
    return err < 0 ? err
                   : herd_http_send(&request, fault->status, PROBLEM_TYPE,
                                    (struct herd_span){http->body.at, http->body.len});
}
