/* SPDX-License-Identifier: MIT */
/*
 * HTTP on a connection.
 *
 *     head incomplete    bytes stay where they are, and line_deadline_ms runs
 *     head complete      it is looked at (admit.c); the body is waited for, line_deadline_ms begins anew for each 16 KiB
 *     body complete      the handler runs: an answer, or one that comes later (BLOCKED), or a stream
 *
 * In the common case a request is there as a whole, is read where it lies, and nothing is allocated. What is needed between
 * two pieces of one request, or while its answer is missing, hangs on the connection and is freed when it is idle again.
 */
#include "../../core/http/response.h"
#include "../../core/node/session.h"
#include "../server/conn.h"
#include "http_impl.h"

/* Requests that one pass takes: each may be as dear as a page of a listing. */
#define REQUESTS_A_PASS 32

/* A body gets another deadline for each of these: it may be long, and its sender far away. */
#define PACE_BYTES 16384

/* Memory for answers up to this is kept for the next one. */
#define BODY_KEEP_BYTES 262144

/* What came of one request. */
enum outcome {
    MORE,    /* not whole: read on */
    NEXT,    /* answered */
    WAIT,    /* it will be; or it is a stream */
    CLOSING, /* answered, and the connection ends */
};

struct feed {
    struct herd_conn *conn;
    struct herd_now now;
    struct herd_buf *out;
    struct herd_span rest; /* not used up */
};

static void use_up(struct feed *feed, size_t len)
{
    feed->rest = (struct herd_span){feed->rest.at + len, feed->rest.len - len};
}

/* ---- refusals ---- */

static int refuse(struct feed *feed, const struct herd_http_fault *fault)
{
    int err = herd_http_send_fault(feed->conn, fault, feed->now, feed->out);
    return err < 0 ? err : CLOSING;
}

static void begin_request(struct feed *feed, const struct herd_http_head *head,
                          struct herd_http_request *ret_request)
{
    struct herd_http *http = feed->conn->server->http;
    if (http->body.cap > BODY_KEEP_BYTES)
        herd_buf_fini(&http->body);
    http->body.len = http->headers.len = 0;
    *ret_request = (struct herd_http_request){
        .exchange = {.http = http,
                     .server = feed->conn->server,
                     .now = feed->now,
                     .path = {"", 0},
                     .query = {"", 0},
                     .body = {"", 0},
                     .content_type = {"", 0},
                     .user = {"", 0}},
        .conn = feed->conn,
        .began_ns = feed->now.steady_ns,
        .head = head,
        .out = feed->out,
        .body = &http->body,
        .headers = &http->headers,
        .origin = {"", 0},
        .is_head = head->method == HERD_HTTP_HEAD,
        .old = head->minor == 0,
        .keep_alive =
            head->keep_alive && !feed->conn->server->stopping && !feed->conn->server->limits->close_after_reply,
    };
}

/* ---- handlers ---- */

/* A handler that failed, or said nothing. */
static int fail(struct herd_http_request *request, int err)
{
    request->exchange.http->headers.len = 0;
    request->cache_control = request->retry_after = request->keep_alive = false;
    if (request->answered)
        return CLOSING;
    bool passing = err == HERD_E_NOMEM || err == HERD_E_STATE;
    err = herd_http_problem(&request->exchange, passing ? 503 : 500, "internal",
                            passing ? "Not possible now" : "Internal error", NULL);
    return err < 0 ? err : CLOSING;
}

static int run(struct feed *feed, struct herd_http_request *request, struct herd_span body)
{
    struct herd_conn *conn = feed->conn;
    request->exchange.body = body;
    int err = request->exchange.route->handler(&request->exchange);
    if (conn->state == HERD_CONN_CLOSED)
        return CLOSING;
    if (request->deferred) {
        struct herd_http_unfinished *unfinished = conn->request;
        if (err < 0 && unfinished->deferred) /* what was to answer it could not be begun */
            (void)herd_http_problem(herd_http_resume(unfinished->deferred), 503, "internal", "Not possible now",
                                    NULL);
        bool failed = unfinished->failed, ends = unfinished->ends;
        unfinished->feeding = NULL;
        if (unfinished->stream || unfinished->deferred)
            return failed ? HERD_E_NOMEM : WAIT;
        herd_http_unfinished_free(conn); /* it was answered at once */
        return failed ? HERD_E_NOMEM : ends ? CLOSING : NEXT;
    }
    if (err < 0 || !request->answered)
        return fail(request, err);
    return request->keep_alive ? NEXT : CLOSING;
}

/* It was answered before its handler; or will be. */
static int answered(struct feed *feed, const struct herd_http_request *request)
{
    struct herd_http_unfinished *unfinished = feed->conn->request;
    if (!request->deferred)
        return request->keep_alive ? NEXT : CLOSING;
    unfinished->feeding = NULL;
    return WAIT;
}

/* ---- a body in chunks ---- */

static int take_chunks(struct feed *feed)
{
    struct herd_http_unfinished *unfinished = feed->conn->request;
    struct herd_http_fault fault;
    struct herd_span piece;
    for (;;) {
        switch (herd_http_body_take(&unfinished->decoder, &feed->rest, &piece, &fault)) {
        case HERD_HTTP_MORE: return MORE;
        case HERD_HTTP_FAULT: return refuse(feed, &fault);
        case HERD_HTTP_DONE: break;
        }
        if (piece.len == 0)
            return NEXT;
        if (herd_buf_add(&unfinished->body, piece.at, piece.len) < 0)
            return HERD_E_NOMEM;
    }
}

/* The head is kept by itself, for the bytes of chunks are used up as they come. */
static int begin_chunks(struct feed *feed, const struct herd_http_head *head, struct herd_span text, size_t len,
                        uint64_t body_max)
{
    struct herd_http_unfinished *unfinished = herd_http_unfinished(feed->conn);
    struct herd_http_fault fault;
    if (!unfinished || herd_buf_add(&unfinished->head, text.at, text.len) < 0)
        return HERD_E_NOMEM;
    if (herd_http_body_begin(&unfinished->decoder, head, body_max, &fault) < 0)
        return refuse(feed, &fault);
    unfinished->chunked = true;
    use_up(feed, len);
    return NEXT;
}

static int run_chunked(struct feed *feed)
{
    struct herd_http_unfinished *unfinished = feed->conn->request;
    struct herd_http_request request;
    struct herd_http_head head;
    struct herd_http_fault fault;
    uint64_t body_max;
    struct herd_buf text = unfinished->head, body = unfinished->body;
    unfinished->head = unfinished->body = (struct herd_buf){0};
    herd_http_unfinished_free(feed->conn);
    if (herd_http_head_parse(&head, (struct herd_span){text.at, text.len}, &fault) < 0) {
        assert(false); /* it was read before */
        return HERD_E_STATE;
    }
    begin_request(feed, &head, &request);
    int what = herd_http_admit(&request, &body_max);
    if (what == HERD_HTTP_ADMITTED)
        what = run(feed, &request, (struct herd_span){body.len ? body.at : "", body.len});
    else if (what == HERD_HTTP_ANSWERED)
        what = answered(feed, &request);
    herd_buf_fini(&text);
    herd_buf_fini(&body);
    return what;
}

/* ---- one request ---- */

/* A body is waited for. Who announces much, and many do, would fill the memory: then nobody else may. */
static int wait_for_body(struct feed *feed, const struct herd_http_request *request, size_t whole,
                         uint64_t body_len)
{
    struct herd_http *http = feed->conn->server->http;
    static const struct herd_http_fault busy = {503, "too many bodies are under way"};
    struct herd_http_unfinished *unfinished = herd_http_unfinished(feed->conn);
    if (!unfinished)
        return HERD_E_NOMEM;
    unfinished->whole = whole;
    unfinished->timed = false; /* another deadline for the body */
    if (body_len > HERD_HTTP_BODY_SMALL_BYTES && unfinished->reserved == 0) {
        if (http->bodies_bytes + body_len > HERD_HTTP_BODIES_MAX_BYTES)
            return refuse(feed, &busy);
        unfinished->reserved = body_len;
        http->bodies_bytes += body_len;
    }
    if (request->head->expect_continue && !unfinished->continued && feed->rest.len == 0) {
        unfinished->continued = true;
        if (herd_http_response_continue(feed->out) < 0)
            return HERD_E_NOMEM;
    }
    return MORE;
}

/* The head is `text`; it and what stands in front of it are `len` bytes. */
static int take_request(struct feed *feed, struct herd_span text, size_t len)
{
    struct herd_http_head head;
    struct herd_http_request request;
    struct herd_http_fault fault;
    uint64_t body_max = 0;
    if (herd_http_head_parse(&head, text, &fault) < 0)
        return refuse(feed, &fault);
    begin_request(feed, &head, &request);
    bool chunked = head.framing == HERD_HTTP_CHUNKED;
    uint64_t body_len = head.framing == HERD_HTTP_LENGTH ? head.content_length : 0;
    bool complete = !chunked && body_len <= feed->rest.len - len;
    /* Behind a refusal nobody waits for the body; where it ends the next request begins, but it is not here. */
    bool keep_alive = request.keep_alive;
    request.keep_alive = keep_alive && complete;
    int what = herd_http_admit(&request, &body_max);
    if (what == HERD_HTTP_ANSWERED) {
        if (complete && !request.deferred)
            herd_http_unfinished_free(feed->conn);
        if (complete)
            use_up(feed, len + (size_t)body_len);
        return answered(feed, &request);
    }
    if (what < 0)
        return fail(&request, what);
    request.keep_alive = keep_alive;
    if (chunked) {
        what = begin_chunks(feed, &head, text, len, body_max);
        return what == NEXT ? wait_for_body(feed, &request, 0, body_max) : what;
    }
    if (!complete) {
        struct feed behind = *feed;
        use_up(&behind, len);
        return wait_for_body(&behind, &request, len + (size_t)body_len, body_len);
    }
    herd_http_unfinished_free(feed->conn);
    struct herd_span body = {feed->rest.at + len, (size_t)body_len};
    use_up(feed, len + (size_t)body_len);
    return run(feed, &request, body);
}

/* Looks for a whole request in what is there. An outcome, or < 0. */
static int take_next(struct feed *feed)
{
    struct herd_http_unfinished *unfinished = feed->conn->request;
    struct herd_http_scan once = {0};
    struct herd_http_fault fault;
    if (unfinished && unfinished->chunked) {
        int what = take_chunks(feed);
        return what == NEXT ? run_chunked(feed) : what;
    }
    if (unfinished && feed->rest.len < unfinished->whole)
        return MORE;
    struct herd_http_scan *scan = unfinished ? &unfinished->scan : &once;
    if (!unfinished || unfinished->whole == 0) {
        switch (herd_http_head_scan(scan, feed->rest, HERD_HTTP_HEAD_MAX_BYTES, &fault)) {
        case HERD_HTTP_FAULT: return refuse(feed, &fault);
        case HERD_HTTP_DONE: break;
        case HERD_HTTP_MORE:
            if (!unfinished && !(unfinished = herd_http_unfinished(feed->conn)))
                return HERD_E_NOMEM;
            unfinished->scan = *scan;
            return MORE;
        }
    }
    struct herd_span text = herd_http_scan_head(scan, feed->rest);
    size_t len = scan->at;
    int what = take_request(feed, text, len);
    if (what == MORE && feed->conn->request) {
        /* Of a body by length, the head is found again where it is now. */
        unfinished = feed->conn->request;
        if (unfinished->chunked)
            return take_next(feed);
        unfinished->scan = (struct herd_http_scan){.from = (size_t)(text.at - feed->rest.at), .at = len};
    }
    return what;
}

/* ---- a connection ---- */

/* Whether its answer is missing, or has no end. */
static bool waits(const struct herd_conn *conn)
{
    const struct herd_http_unfinished *unfinished = conn->request;
    return unfinished && (unfinished->deferred || unfinished->stream);
}

static bool streams(const struct herd_conn *conn)
{
    const struct herd_http_unfinished *unfinished = conn->request;
    return unfinished && unfinished->stream;
}

/* How much of a body that is not whole has come. */
static size_t body_there(const struct herd_conn *conn, struct herd_span rest)
{
    const struct herd_http_unfinished *unfinished = conn->request;
    if (!unfinished)
        return 0;
    return unfinished->chunked ? unfinished->body.len : unfinished->whole ? rest.len : 0;
}

/* The deadlines that hold now: one for the head, and one for each PACE_BYTES of the body, of which `there` are there. */
static void set_timers(struct herd_conn *conn, size_t there, struct herd_now now)
{
    struct herd_http_unfinished *unfinished = conn->request;
    if (waits(conn)) {
        herd_session_suspend_timeouts(conn->session);
    } else if (!unfinished) {
        herd_session_await_message(conn->session, now);
    } else if (!unfinished->timed || there >= unfinished->timed_at + PACE_BYTES) {
        unfinished->timed = true;
        unfinished->timed_at = there;
        herd_session_begin_message(conn->session, now);
    }
}

static int take(struct herd_conn *conn, struct herd_span bytes, bool eof, struct herd_now now, struct herd_buf *out,
                struct herd_input_result *ret_result)
{
    struct herd_http *http = conn->server->http;
    struct feed feed = {.conn = conn, .now = now, .out = out, .rest = bytes};
    size_t full = (size_t)conn->server->limits->output_pause_bytes;
    int what = waits(conn) ? WAIT : NEXT;
    conn->attends = false;
    for (int n = 0; what == NEXT && feed.rest.len > 0; n++) {
        if (n == REQUESTS_A_PASS || out->len > full) {
            ret_result->blocked = conn->again = true;
            break;
        }
        what = take_next(&feed);
        herd_http_arena_reset(&http->arena);
        if (conn->state == HERD_CONN_CLOSED)
            return 0;
    }
    if (what < 0)
        return what;
    ret_result->consumed = bytes.len - feed.rest.len;
    if (streams(conn)) {
        /* The stream is the last answer: what comes behind its request is dropped, and read on, so that it is noticed
         * when the client closes. */
        ret_result->close = eof;
        ret_result->consumed = bytes.len;
    } else if (what == WAIT) {
        ret_result->blocked = conn->attends = true;
    } else if (what == CLOSING || (eof && !ret_result->blocked)) {
        ret_result->close = true; /* at the end the rest is no whole request */
    }
    if (!ret_result->close)
        set_timers(conn, body_there(conn, feed.rest), now);
    return 0;
}

static int http_input(struct herd_conn *conn, struct herd_span bytes, struct herd_now now, struct herd_buf *out,
                      struct herd_input_result *ret_result)
{
    return take(conn, bytes, false, now, out, ret_result);
}

static int http_eof(struct herd_conn *conn, struct herd_span rest, struct herd_now now, struct herd_buf *out,
                    struct herd_input_result *ret_result)
{
    return take(conn, rest, true, now, out, ret_result);
}

static void http_suspended(struct herd_conn *conn)
{
    struct herd_http_unfinished *unfinished = conn->request;
    if (unfinished)
        unfinished->timed = false;
    herd_session_suspend_timeouts(conn->session);
}

/* Its timers stood still while it took nothing. */
static void http_writable(struct herd_conn *conn)
{
    struct herd_http_unfinished *unfinished = conn->request;
    if (unfinished && unfinished->stream) {
        herd_http_stream_drained(unfinished->stream);
    } else if (!unfinished && herd_conn_unsent(conn) == 0) {
        herd_session_await_message(conn->session, herd_clock());
    } else if (unfinished && !unfinished->deferred && !unfinished->timed && herd_conn_unsent(conn) == 0) {
        unfinished->timed = true;
        herd_session_begin_message(conn->session, herd_clock());
    }
}

static bool http_pending(const struct herd_conn *conn)
{
    (void)conn;
    return false;
}

static void http_close(struct herd_conn *conn, const char *why)
{
    struct herd_http_unfinished *unfinished = conn->request;
    (void)why;
    if (unfinished && unfinished->deferred)
        herd_http_deferred_drop(unfinished->deferred);
    if (unfinished && unfinished->stream)
        herd_http_stream_lost(unfinished->stream);
    herd_http_unfinished_free(conn);
    herd_session_close(conn->session);
}

static const struct herd_conn_protocol http_protocol = {
    .input = http_input,
    .eof = http_eof,
    .suspended = http_suspended,
    .writable = http_writable,
    .pending = http_pending,
    .close = http_close,
    .posted = true,
};

int herd_http_begin(struct herd_conn *conn)
{
    struct herd_session *session = NULL;
    int err = herd_session_open(conn->server->node, &session, conn, herd_clock());
    if (err >= 0 && conn->unnamed)
        herd_session_begin_message(session, herd_clock());
    conn->protocol = &http_protocol;
    conn->session = session;
    herd_server_schedule_flush(conn->server);
    return err;
}
