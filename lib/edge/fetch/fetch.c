/* SPDX-License-Identifier: MIT */
/* HTTP calls: begun, bounded, ended exactly once. */
#include "fetch_parts.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A body up to this size leaves its memory to the next. */
#define BODY_KEEP_BYTES 65536

int64_t herd_fetch_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void herd_wipe(void *at, size_t len)
{
    /* Nobody can tell that it does nothing else. */
    static void *(*const volatile set)(void *, int, size_t) = memset;
    if (len)
        set(at, 0, len);
}

/* Gives back what only a running transfer needs. */
static void release_easy(struct herd_fetch_call *call)
{
    if (call->state == HERD_FETCH_RUNNING)
        herd_fetch_multi_remove(call);
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

void herd_fetch_end(struct herd_fetch_call *call, int err, const char *why)
{
    if (call->state == HERD_FETCH_ENDED)
        return;
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

/* One call a turn, and nothing of ours is touched after `done`: it may free the fetch. */
void herd_fetch_deliver(struct herd_fetch *fetch)
{
    struct herd_fetch_call *first = fetch->ended;
    if (!first)
        return;
    if (first->ended_next)
        event_active(fetch->deliver, EV_TIMEOUT, 0);
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
    herd_fetch_deliver(ctx);
}

static void on_deadline(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    herd_fetch_end(ctx, HERD_E_TIMEOUT, "no reply in time");
}

void herd_fetch_go(struct herd_fetch_call *call)
{
    if (herd_fetch_easy_addresses(call) < 0 || herd_fetch_multi_add(call) < 0) {
        herd_fetch_end(call, HERD_E_NOMEM, "out of memory");
        return;
    }
    call->state = HERD_FETCH_RUNNING;
}

/* All at once, so that growing leaves no copy of a key behind in freed memory. Ours are headers like any other:
 * what libcurl's options make of them is put together anew for every request. */
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
    if (request->body.at && (herd_buf_reserve(&call->post, request->body.len + 1) < 0 ||
                             herd_buf_add(&call->post, request->body.at, request->body.len) < 0 ||
                             herd_buf_add(&call->post, "", 1) < 0))
        return HERD_E_NOMEM;
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
    struct timeval wait = {(time_t)(request->timeout_ms / 1000), (suseconds_t)(request->timeout_ms % 1000 * 1000)};
    if (copy_request(call, request) < 0 || event_add(&call->deadline, &wait) < 0) {
        unlink_and_free(call);
        return HERD_E_NOMEM;
    }
    *ret_call = call;
    if (herd_fetch_origin_ready(origin))
        herd_fetch_go(call);
    else
        herd_fetch_origin_resolve(origin);
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
    if (!fetch->deliver || herd_fetch_multi_open(fetch) < 0) {
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
    herd_fetch_multi_close(fetch);
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
