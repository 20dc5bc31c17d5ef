/* SPDX-License-Identifier: MIT */
/* Answers that come later: the request is over, its connection waits. */
#include "../../core/node/session.h"
#include "../server/conn.h"
#include "http_impl.h"

#include <stdlib.h>
#include <string.h>

struct herd_http_deferred {
    struct herd_http_request request;
    struct herd_buf body, headers;
    void (*gone)(void *ctx);
    void *ctx;
    bool sending;
    size_t path_len, origin_len;
    char texts[]; /* path, origin */
};

struct herd_http_deferred *herd_http_defer(struct herd_http_exchange *exchange, void (*gone)(void *ctx), void *ctx)
{
    struct herd_http_request *request = herd_http_request_of(exchange);
    struct herd_http_unfinished *unfinished = herd_http_unfinished(request->conn);
    size_t path_len = exchange->path.len < HERD_HTTP_SHOWN_BYTES ? exchange->path.len : HERD_HTTP_SHOWN_BYTES;
    struct herd_http_deferred *deferred = calloc(1, sizeof *deferred + path_len + request->origin.len);
    assert(!request->answered && !request->deferred);
    if (!deferred || !unfinished) {
        free(deferred);
        return NULL;
    }
    deferred->request = *request;
    if (path_len > 0)
        memcpy(deferred->texts, exchange->path.at, path_len);
    if (request->origin.len > 0)
        memcpy(deferred->texts + path_len, request->origin.at, request->origin.len);
    struct herd_http_request *own = &deferred->request;
    own->head = NULL;
    own->out = NULL;
    own->body = &deferred->body;
    own->headers = &deferred->headers;
    own->origin.at = deferred->texts + path_len;
    own->exchange.path = (struct herd_span){deferred->texts, path_len};
    own->exchange.query = own->exchange.body = own->exchange.content_type = own->exchange.user =
        (struct herd_span){"", 0};
    own->exchange.segment_count = 0;
    deferred->gone = gone;
    deferred->ctx = ctx;
    unfinished->deferred = deferred;
    unfinished->feeding = request->out;
    request->deferred = true;
    return deferred;
}

struct herd_http_exchange *herd_http_resume(struct herd_http_deferred *deferred)
{
    struct herd_http_exchange *exchange = &deferred->request.exchange;
    exchange->now = herd_clock();
    herd_log_set_time(exchange->server->log, exchange->now.wall_ns);
    exchange->identity = herd_session_identity(deferred->request.conn->session);
    return exchange;
}

static void free_deferred(struct herd_http_deferred *deferred)
{
    herd_buf_fini(&deferred->body);
    herd_buf_fini(&deferred->headers);
    free(deferred);
}

/* An answer from inside the handler that deferred it leaves likewise: behind what the connection was answered before, which
 * is still in the caller's hands, so it joins that. */
int herd_http_deferred_send(struct herd_http_request *request, struct herd_buf *bytes)
{
    struct herd_http_deferred *deferred = HERD_CONTAINER_OF(request, struct herd_http_deferred, request);
    struct herd_conn *conn = request->conn;
    struct herd_http_unfinished *unfinished = conn->request;
    bool keep_alive = request->keep_alive && bytes;
    assert(unfinished->deferred == deferred);
    unfinished->deferred = NULL;
    free_deferred(deferred);
    if (unfinished->feeding) {
        int err = bytes ? herd_buf_add(unfinished->feeding, bytes->at, bytes->len) : HERD_E_NOMEM;
        unfinished->failed = err < 0;
        unfinished->ends = !keep_alive;
        return err;
    }
    herd_http_unfinished_free(conn);
    if (bytes)
        herd_conn_send_logged(conn, (struct herd_span){bytes->at, bytes->len});
    if (!keep_alive || conn->server->stopping) {
        herd_conn_finish(conn, bytes ? NULL : "out_of_memory");
    } else if (conn->session) {
        herd_session_await_message(conn->session, herd_clock());
        herd_conn_ready(conn);
    }
    herd_server_schedule_flush(conn->server);
    return bytes ? 0 : HERD_E_NOMEM;
}

void herd_http_deferred_drop(struct herd_http_deferred *deferred)
{
    if (deferred->gone)
        deferred->gone(deferred->ctx);
    free_deferred(deferred);
}
