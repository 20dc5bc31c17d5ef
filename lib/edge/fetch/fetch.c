/* SPDX-License-Identifier: MIT */
/* HTTP calls: started, bounded, ended exactly once. */
#include "../../core/base/wipe.h"
#include "../clock.h"
#include "fetch_easy.h"
#include "fetch_multi.h"
#include "fetch_origin.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* A body up to this size leaves its memory to the next. */
#define BODY_KEEP_BYTES 65536
/* Nobody waits longer, and in milliseconds it is still a number. */
#define RETRY_AFTER_MAX_S 86400

/* Takes the transfer out of libcurl and gives its handle back. */
static void release_easy(struct herd_fetch_call *call)
{
    if (call->state == HERD_FETCH_RUNNING)
        herd_fetch_multi_remove(&call->origin->fetch->multi, call->easy->curl);
    herd_fetch_easy_release(call);
}

static void leave_ended(struct herd_fetch_call *call)
{
    struct herd_fetch *fetch = call->origin->fetch;
    struct herd_fetch_call **at = &fetch->ended;
    while (*at != call)
        at = &(*at)->ended_next;
    *at = call->ended_next;
    if (!*at)
        fetch->ended_end = at;
}

static void unlink_and_free(struct herd_fetch_call *call)
{
    release_easy(call);
    if (call->prev)
        call->prev->next = call->next;
    else
        call->origin->fetch->calls = call->next;
    if (call->next)
        call->next->prev = call->prev;
    if (call->state == HERD_FETCH_ENDED)
        leave_ended(call);
    event_del(&call->deadline);
    curl_slist_free_all(call->resolve);
    if (call->header_text.at)
        herd_wipe(call->header_text.at, call->header_text.cap); /* of some providers the key is in there */
    herd_buf_fini(&call->header_text);
    herd_buf_fini(&call->post);
    herd_buf_fini(&call->body);
    free(call);
}

/* Ends a call, which has not ended yet; `done` runs later, from the loop. */
static void end_call(struct herd_fetch_call *call, int err, const char *why)
{
    assert(call->state != HERD_FETCH_ENDED);
    release_easy(call);
    call->state = HERD_FETCH_ENDED;
    call->result.err = err;
    call->result.why = why;
    event_del(&call->deadline);
    struct herd_fetch *fetch = call->origin->fetch;
    *fetch->ended_end = call;
    fetch->ended_end = &call->ended_next;
    if (!fetch->acting)
        event_active(fetch->deliver, EV_TIMEOUT, 0);
}

/* Runs `done` of the call that ended first, one call in a loop iteration. After `done` nothing of the fetch is
 * touched: it may be freed. */
static void deliver(struct herd_fetch *fetch)
{
    struct herd_fetch_call *first = fetch->ended;
    if (!first)
        return;
    if (first->ended_next)
        event_active(fetch->deliver, EV_TIMEOUT, 0);
    assert(first->state == HERD_FETCH_ENDED && !first->easy);
    struct herd_fetch_result result = first->result;
    struct herd_buf body = first->body, large = {0};
    herd_fetch_done *done = first->done;
    void *done_ctx = first->ctx;
    first->body = (struct herd_buf){0};
    unlink_and_free(first);
    result.body = (struct herd_span){body.at, body.len};
    if (body.cap > BODY_KEEP_BYTES) {
        large = body;
    } else {
        herd_buf_fini(&fetch->lent);
        fetch->lent = body;
    }
    done(done_ctx, &result);
    herd_buf_fini(&large);
}

static void on_deliver(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    deliver(ctx);
}

static void on_deadline(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    end_call(ctx, HERD_E_TIMEOUT, "no reply in time");
}

/* ---- events of libcurl ---- */

/* libcurl calls a line of a header that is longer than its own bound "out of memory". It is that, as a rule, when
 * the reply has begun and nothing behind its header has come. */
static bool header_under_way(const struct herd_fetch_call *call)
{
    curl_off_t begun_us = 0;
    (void)curl_easy_getinfo(call->easy->curl, CURLINFO_STARTTRANSFER_TIME_T, &begun_us);
    return begun_us > 0 && call->body.len == 0;
}

/* Ends a call with the result of its transfer. */
static void finish(struct herd_fetch_call *call, CURLcode code)
{
    curl_off_t retry_after = 0;
    assert(call->state == HERD_FETCH_RUNNING && call->easy);
    (void)curl_easy_getinfo(call->easy->curl, CURLINFO_RESPONSE_CODE, &call->result.http_status);
    (void)curl_easy_getinfo(call->easy->curl, CURLINFO_RETRY_AFTER, &retry_after);
    if (retry_after > 0)
        call->result.retry_after_s = retry_after < RETRY_AFTER_MAX_S ? (int64_t)retry_after : RETRY_AFTER_MAX_S;
    if (call->header_too_big || (code == CURLE_OUT_OF_MEMORY && header_under_way(call)))
        end_call(call, HERD_E_LIMIT, "the header of the reply is larger than allowed");
    else if (call->no_memory || code == CURLE_OUT_OF_MEMORY)
        end_call(call, HERD_E_NOMEM, "out of memory");
    else if (call->too_big)
        end_call(call, HERD_E_LIMIT, "the reply is larger than allowed");
    else if (code == CURLE_OPERATION_TIMEDOUT)
        end_call(call, HERD_E_TIMEOUT, "no reply in time");
    else if (code != CURLE_OK)
        end_call(call, HERD_E_IO, curl_easy_strerror(code)); /* static; the error buffer may hold the URL */
    else
        end_call(call, 0, NULL);
}

static void on_ready(void *ctx, curl_socket_t fd, int what);

static void fail_all(struct herd_fetch *fetch)
{
    for (struct herd_fetch_call *call = fetch->calls; call; call = call->next)
        if (call->state == HERD_FETCH_RUNNING)
            end_call(call, HERD_E_IO, "the HTTP client failed");
    herd_fetch_multi_close(&fetch->multi);
    /* If this fails, later calls end with HERD_E_NOMEM and try again. */
    (void)herd_fetch_multi_open(&fetch->multi, fetch->base, on_ready, fetch);
}

/* What ends in here, as a rule one call at most, is delivered at once: its bytes are in the cache. */
static void on_ready(void *ctx, curl_socket_t fd, int what)
{
    struct herd_fetch *fetch = ctx;
    struct herd_fetch_call *call;
    CURLcode code;
    assert(!fetch->acting);
    fetch->acting = true;
    if (herd_fetch_multi_step(&fetch->multi, fd, what) < 0)
        fail_all(fetch);
    while ((call = herd_fetch_multi_next_done(&fetch->multi, &code)))
        finish(call, code);
    fetch->acting = false;
    deliver(fetch);
}

/* ---- starting ---- */

/* RESOLVING -> RUNNING: the addresses are known. */
static void run(struct herd_fetch_call *call)
{
    assert(call->state == HERD_FETCH_RESOLVING);
    if (herd_fetch_easy_addresses(call) < 0 ||
        herd_fetch_multi_add(&call->origin->fetch->multi, call->easy->curl) < 0) {
        end_call(call, HERD_E_NOMEM, "out of memory");
        return;
    }
    call->state = HERD_FETCH_RUNNING;
}

/* Runs every call that waits for the origin's addresses, or ends it if `why` is not NULL. Neither calls `done`, so
 * the list of calls does not change. */
static void serve_waiting(struct herd_fetch_origin *origin, int err, const char *why)
{
    for (struct herd_fetch_call *call = origin->fetch->calls; call; call = call->next) {
        if (call->origin != origin || call->state != HERD_FETCH_RESOLVING)
            continue;
        if (why)
            end_call(call, err, why);
        else
            run(call);
    }
}

static void on_resolved(struct herd_fetch_origin *origin)
{
    /* While the name servers do not answer, addresses that are no longer fresh are used. */
    if (origin->addresses)
        serve_waiting(origin, 0, NULL);
    else
        serve_waiting(origin, HERD_E_ADDRESS, "the provider's host name cannot be resolved");
}

/* Copies the headers into one allocation, so that growing leaves no copy of a key behind in freed memory. Our own
 * two are in the list as well: libcurl's options for them would be formatted anew for every request.
 * HERD_E_NOMEM. */
static int copy_headers(struct herd_fetch_call *call, const struct herd_fetch_request *request)
{
    static char agent[] = "User-Agent: libherd/" HERD_VERSION, encoding[] = "Accept-Encoding: gzip";
    struct herd_buf *text = &call->header_text;
    size_t len = 0;
    for (size_t i = 0; i < request->header_count; i++)
        len += strlen(request->headers[i]) + 1;
    if (len && herd_buf_reserve(text, len) < 0)
        return HERD_E_NOMEM;
    call->headers[0] = (struct curl_slist){.data = agent, .next = &call->headers[1]};
    call->headers[1] = (struct curl_slist){.data = encoding};
    for (size_t i = 0; i < request->header_count; i++) {
        struct curl_slist *header = &call->headers[i + 2];
        header->data = text->at + text->len;
        header[-1].next = header;
        (void)herd_buf_add(text, request->headers[i], strlen(request->headers[i]) + 1); /* there is room */
    }
    return 0;
}

static int copy_request(struct herd_fetch_call *call, const struct herd_fetch_request *request)
{
    if (request->body.at) {
        if (herd_buf_reserve(&call->post, request->body.len + 1) < 0)
            return HERD_E_NOMEM;
        (void)herd_buf_add(&call->post, request->body.at, request->body.len); /* there is room */
        (void)herd_buf_add(&call->post, "", 1);
    }
    int err = copy_headers(call, request);
    return err < 0 ? err : herd_fetch_easy_acquire(call, request);
}

int herd_fetch_start(struct herd_fetch_origin *origin, const struct herd_fetch_request *request,
                     herd_fetch_done *done, void *ctx, struct herd_fetch_call **ret_call)
{
    struct herd_fetch *fetch = origin->fetch;
    if (request->header_count > HERD_FETCH_HEADERS_MAX - 2)
        return HERD_E_ARG;
    struct herd_fetch_call *call = calloc(1, sizeof *call);
    if (!call)
        return HERD_E_NOMEM;
    call->origin = origin;
    call->body_max_bytes = request->body_max_bytes;
    call->done = done;
    call->ctx = ctx;
    call->next = fetch->calls;
    if (call->next)
        call->next->prev = call;
    fetch->calls = call;
    evtimer_assign(&call->deadline, fetch->base, on_deadline, call);
    struct timeval wait = herd_timeval_ms(request->timeout_ms);
    if (copy_request(call, request) < 0 || event_add(&call->deadline, &wait) < 0) {
        unlink_and_free(call);
        return HERD_E_NOMEM;
    }
    *ret_call = call;
    if (herd_fetch_origin_ready(origin))
        run(call);
    else if (herd_fetch_origin_resolve(origin, on_resolved) < 0)
        serve_waiting(origin, HERD_E_NOMEM, "out of memory");
    return 0;
}

void herd_fetch_cancel(struct herd_fetch_call *call)
{
    if (call)
        unlink_and_free(call);
}

int herd_fetch_new(struct herd_fetch **ret_fetch, struct event_base *base)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return HERD_E_NOMEM;
    struct herd_fetch *fetch = calloc(1, sizeof *fetch);
    if (!fetch) {
        curl_global_cleanup();
        return HERD_E_NOMEM;
    }
    fetch->base = base;
    fetch->ended_end = &fetch->ended;
    fetch->deliver = event_new(base, -1, 0, on_deliver, fetch);
    if (!fetch->deliver || herd_fetch_multi_open(&fetch->multi, base, on_ready, fetch) < 0) {
        herd_fetch_free(fetch);
        return HERD_E_NOMEM;
    }
    *ret_fetch = fetch;
    return 0;
}

void herd_fetch_free(struct herd_fetch *fetch)
{
    if (!fetch)
        return;
    while (fetch->calls)
        unlink_and_free(fetch->calls);
    herd_fetch_multi_close(&fetch->multi);
    while (fetch->origins) {
        struct herd_fetch_origin *next = fetch->origins->next;
        herd_fetch_origin_free(fetch->origins);
        fetch->origins = next;
    }
    herd_resolver_release(fetch->resolver);
    herd_buf_fini(&fetch->lent);
    if (fetch->deliver)
        event_free(fetch->deliver);
    free(fetch);
    curl_global_cleanup();
}
