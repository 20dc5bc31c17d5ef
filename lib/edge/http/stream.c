/* SPDX-License-Identifier: MIT */
/* Answers without end. */
#include "../../core/node/access.h"
#include "../../core/node/session.h"
#include "../server/conn.h"
#include "http_impl.h"

#include <stdlib.h>

struct herd_http_stream {
    struct herd_list link; /* in http->streams, or ended_streams when conn is NULL */
    struct herd_http *http;
    struct herd_conn *conn;
    void (*closed)(void *ctx);  /* NULL: nobody wants to know any more */
    void (*drained)(void *ctx); /* likewise */
    void *ctx;
};

static int refuse(struct herd_http_exchange *exchange)
{
    int err = herd_http_add_header(exchange, "Retry-After", herd_span_of("30"));
    if (err >= 0)
        err = herd_http_problem(exchange, 503, "viewers", "Too many viewers", "limits.viewers_max");
    return err < 0 ? err : HERD_E_LIMIT;
}

int herd_http_stream(struct herd_http_exchange *exchange, const char *type, void (*closed)(void *ctx), void *ctx,
                     struct herd_http_stream **ret_stream)
{
    struct herd_http_request *request = herd_http_request_of(exchange);
    struct herd_http *http = exchange->http;
    if (http->stream_count >= (size_t)exchange->server->limits->viewers_max)
        return refuse(exchange);
    if (request->is_head) {
        int sent = herd_http_send_endless(request, type);
        return sent < 0 ? sent : HERD_E_STATE;
    }
    struct herd_http_unfinished *unfinished = herd_http_unfinished(request->conn);
    struct herd_http_stream *stream = calloc(1, sizeof *stream);
    int err = unfinished && stream ? herd_http_send_endless(request, type) : HERD_E_NOMEM;
    if (err < 0) {
        free(stream);
        return err;
    }
    *stream = (struct herd_http_stream){.http = http, .conn = request->conn, .closed = closed, .ctx = ctx};
    herd_list_append(&http->streams, &stream->link);
    http->stream_count++;
    unfinished->stream = stream;
    unfinished->feeding = request->out;
    request->deferred = true;
    *ret_stream = stream;
    return 0;
}

/* What the handler that began it writes goes behind the head, which is still in the caller's hands. */
void herd_http_stream_write(struct herd_http_stream *stream, struct herd_block *block)
{
    if (!stream->conn)
        return;
    struct herd_http_unfinished *unfinished = stream->conn->request;
    stream->http->stream_writes++;
    if (!unfinished->feeding) {
        herd_conn_send_block(stream->conn, block);
        return;
    }
    const struct herd_span bytes = herd_block_bytes(block);
    if (herd_buf_add(unfinished->feeding, bytes.at, bytes.len) < 0)
        unfinished->failed = true;
}

void herd_http_stream_on_drained(struct herd_http_stream *stream, void (*drained)(void *ctx))
{
    stream->drained = drained;
}

void herd_http_stream_drained(struct herd_http_stream *stream)
{
    if (stream->drained)
        stream->drained(stream->ctx);
}

size_t herd_http_stream_unsent(const struct herd_http_stream *stream)
{
    return stream->conn ? herd_conn_unsent(stream->conn) : 0;
}

size_t herd_http_stream_pause_bytes(const struct herd_http_stream *stream)
{
    return (size_t)stream->http->server->limits->output_pause_bytes;
}

bool herd_http_stream_may_ask(struct herd_http_stream *stream, struct herd_span id)
{
    const struct herd_trust *trust = stream->http->server->trust;
    if (!stream->conn || !stream->conn->session)
        return false;
    const struct herd_identity *identity = herd_session_identity(stream->conn->session);
    return !trust->identities || (identity && herd_identity_may_ask(identity, id));
}

void herd_http_stream_end(struct herd_http_stream *stream)
{
    stream->closed = stream->drained = NULL;
    if (stream->conn)
        herd_conn_finish(stream->conn, NULL); /* which comes back to herd_http_stream_lost */
}

void herd_http_stream_lost(struct herd_http_stream *stream)
{
    struct herd_http *http = stream->http;
    stream->conn = NULL;
    stream->drained = NULL;
    http->stream_count--;
    herd_list_remove(&stream->link);
    herd_list_append(&http->ended_streams, &stream->link);
}

void herd_http_streams_tell(struct herd_http *http)
{
    while (!herd_list_empty(&http->ended_streams)) {
        struct herd_http_stream *stream =
            HERD_CONTAINER_OF(http->ended_streams.next, struct herd_http_stream, link);
        herd_list_remove(&stream->link);
        if (stream->closed)
            stream->closed(stream->ctx);
        free(stream);
    }
}

void herd_http_streams_end(struct herd_http *http)
{
    while (!herd_list_empty(&http->streams)) {
        struct herd_http_stream *stream = HERD_CONTAINER_OF(http->streams.next, struct herd_http_stream, link);
        herd_conn_finish(stream->conn, NULL);
    }
}
