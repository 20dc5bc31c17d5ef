/* SPDX-License-Identifier: MIT */
/* Providers behind HTTP: makes a request of a look-up and an answer of the reply. The formats are in lib/places;
 * time, retries and keys are here. */
#include "places_http.h"

#include "../../places/google.h"
#include "../clock.h"
#include "places_call.h"
#include "places_key.h"

#include <assert.h>
#include <event2/util.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ATTEMPTS_MAX 3
/* As Google's own clients: half a second, growing by half each time, with jitter. */
#define RETRY_FIRST_MS 500
#define FETCH_LATER_MS 1000
/* After a 429 of Overpass without Retry-After: by then a slot of this address is free again. */
#define OVERPASS_RETRY_AFTER_MS 30000

struct http_exchange {
    struct http_exchange *prev, *next;
    struct http_provider *provider;
    struct herd_provider_call *lookup;
    const struct herd_places_query *query;
    struct herd_fetch_call *call;
    struct event *retry;
    unsigned attempts;
    int64_t deadline_ms;
};

static void exchange_free(struct http_exchange *exchange)
{
    herd_fetch_cancel(exchange->call);
    if (exchange->retry)
        event_free(exchange->retry);
    if (exchange->prev)
        exchange->prev->next = exchange->next;
    else
        exchange->provider->exchanges = exchange->next;
    if (exchange->next)
        exchange->next->prev = exchange->prev;
    free(exchange);
}

/* Frees the exchange first: failing a call may start the next one. */
static void exchange_fail(struct http_exchange *exchange, const struct places_failure *failure)
{
    struct herd_provider_call *call = exchange->lookup;
    exchange_free(exchange);
    places_call_fail(call, failure);
}

static bool holds_key(const struct http_provider *provider, struct herd_span text)
{
    size_t len = provider->key.len ? provider->key.len - 1 : 0;
    for (size_t i = 0; len && i + len <= text.len; i++) {
        const char *next = memchr(text.at + i, provider->key.at[0], text.len - len - i + 1);
        if (!next)
            return false;
        i = (size_t)(next - text.at);
        if (memcmp(next, provider->key.at, len) == 0)
            return true;
    }
    return false;
}

static void on_retry(evutil_socket_t fd, short what, void *ctx);

static bool try_again(struct http_exchange *exchange)
{
    if (exchange->attempts >= ATTEMPTS_MAX)
        return false;
    unsigned char jitter;
    evutil_secure_rng_get_bytes(&jitter, sizeof jitter);
    int64_t wait_ms = RETRY_FIRST_MS;
    for (unsigned i = 1; i < exchange->attempts; i++)
        wait_ms += wait_ms / 2;
    wait_ms = wait_ms * (192 + jitter / 2) / 256; /* 0.75 to 1.25 of it */
    if (herd_clock_steady_ms() + wait_ms >= exchange->deadline_ms)
        return false;
    struct timeval wait = herd_timeval_ms(wait_ms);
    if (!exchange->retry)
        exchange->retry = evtimer_new(exchange->provider->places->base, on_retry, exchange);
    return exchange->retry && event_add(exchange->retry, &wait) == 0;
}

static void classify(struct http_exchange *exchange, const struct herd_fetch_result *result, struct herd_buf *out,
                     struct herd_reply_class *ret_class, struct herd_answer_shape *ret_shape)
{
    struct herd_reply reply = {result->http_status, result->body};
    int err = 0;
    switch (exchange->provider->kind) {
    case HTTP_GOOGLE_LEGACY: herd_google_legacy_classify(&reply, ret_class, ret_shape); break;
    case HTTP_GOOGLE_NEW: err = herd_google_new_classify(&reply, exchange->query, out, ret_class); break;
    case HTTP_OVERPASS: err = herd_overpass_classify(&reply, exchange->query, out, ret_class); break;
    }
    if (err < 0)
        herd_reply_class_fail(ret_class, "UNKNOWN_ERROR", false, "out of memory");
}

static void on_reply(void *ctx, const struct herd_fetch_result *result)
{
    struct http_exchange *exchange = ctx;
    struct http_provider *provider = exchange->provider;
    struct herd_reply_class reply_class;
    struct herd_answer_shape shape;
    struct herd_buf translated = {0};
    assert(exchange->call);
    exchange->call = NULL;
    if (result->err < 0)
        herd_reply_class_fail(&reply_class, "UNKNOWN_ERROR", result->err != HERD_E_NOMEM, "%s: %s", provider->label,
                              result->why);
    else
        classify(exchange, result, &translated, &reply_class, &shape);
    struct herd_span answer = translated.len ? (struct herd_span){translated.at, translated.len} : result->body;
    /* No provider should echo the key; if one does, it is not passed on. */
    if (holds_key(provider, answer) || holds_key(provider, herd_span_of(reply_class.why)))
        herd_reply_class_fail(&reply_class, "UNKNOWN_ERROR", true, "%s sent the API key back", provider->label);

    if (reply_class.verdict == HERD_REPLY_ANSWER) {
        struct herd_provider_call *call = exchange->lookup;
        exchange_free(exchange);
        if (translated.len) /* written by lib/places: valid, and within the bound */
            places_call_answer_final(call, answer);
        else
            places_call_answer_shaped(call, answer, &shape);
    } else if (!(reply_class.retry && result->retry_after_s == 0 && try_again(exchange))) {
        struct places_failure failure = {.status = reply_class.status,
                                         .why = reply_class.why,
                                         .counts_as_failure = reply_class.counts_as_failure,
                                         .retry_after_ms =
                                             reply_class.counts_as_failure ? result->retry_after_s * 1000 : 0};
        if (provider->kind == HTTP_OVERPASS && result->http_status == 429 && !failure.retry_after_ms)
            failure.retry_after_ms = OVERPASS_RETRY_AFTER_MS;
        if (reply_class.verbatim) {
            failure.verbatim = result->body;
            failure.shape = &shape;
        }
        exchange_fail(exchange, &failure);
    }
    herd_buf_fini(&translated);
}

static int make_request(struct http_exchange *exchange, struct herd_buf *url, struct herd_buf *body,
                        const char **headers, size_t *ret_header_count)
{
    struct http_provider *provider = exchange->provider;
    *ret_header_count = 0;
    if (provider->kind == HTTP_GOOGLE_LEGACY) {
        struct herd_span key = {provider->key.at, provider->key.len - 1};
        /* One allocation, so that growing leaves no copy of the key behind in freed memory. */
        if (herd_buf_reserve(url, strlen(provider->url) + exchange->query->lat.len + exchange->query->lon.len +
                                      exchange->query->radius.len + 3 * key.len + 64) < 0)
            return HERD_E_NOMEM;
        return herd_google_legacy_url(url, provider->url, exchange->query, key);
    }
    if (herd_buf_add(url, provider->url, strlen(provider->url) + 1) < 0)
        return HERD_E_NOMEM;
    headers[(*ret_header_count)++] = "Expect:"; /* no 100-continue for a body this small */
    if (provider->kind == HTTP_OVERPASS) {
        headers[(*ret_header_count)++] = "Content-Type: application/x-www-form-urlencoded";
        int64_t timeout_s = provider->timeout_ms / 1000;
        return herd_overpass_body(body, exchange->query, provider->filter, timeout_s < 1 ? 1 : (unsigned)timeout_s);
    }
    headers[(*ret_header_count)++] = "Content-Type: application/json";
    headers[(*ret_header_count)++] = provider->header.at;
    headers[(*ret_header_count)++] = provider->mask.at;
    return herd_google_new_body(body, exchange->query);
}

static void send_request(struct http_exchange *exchange)
{
    struct http_provider *provider = exchange->provider;
    const char *headers[6];
    struct herd_buf url = {0}, body = {0};
    struct herd_fetch_request request = {
        /* Only if the chain's own deadline could not be set. */
        .timeout_ms = exchange->deadline_ms - herd_clock_steady_ms() + FETCH_LATER_MS,
        .body_max_bytes = provider->places->reply_max_bytes,
        .headers = headers,
    };
    if (request.timeout_ms < FETCH_LATER_MS)
        request.timeout_ms = FETCH_LATER_MS;
    assert(!exchange->call && exchange->attempts < ATTEMPTS_MAX);
    exchange->attempts++;
    int err = make_request(exchange, &url, &body, headers, &request.header_count);
    if (err == 0) {
        request.url = url.at;
        if (body.len)
            request.body = (struct herd_span){body.at, body.len};
        err = herd_fetch_start(provider->origin, &request, on_reply, exchange, &exchange->call);
    }
    places_key_wipe(&url);
    herd_buf_fini(&body);
    if (err < 0)
        exchange_fail(exchange, &(struct places_failure){.status = "UNKNOWN_ERROR", .why = herd_strerror(err)});
}

static void on_retry(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    send_request(ctx);
}

void places_http_start(void *ctx, struct herd_provider_call *call, const struct herd_places_query *query)
{
    struct http_provider *provider = ctx;
    struct http_exchange *exchange = calloc(1, sizeof *exchange);
    if (!exchange) {
        places_call_fail(call, &(struct places_failure){.status = "UNKNOWN_ERROR", .why = "out of memory"});
        return;
    }
    exchange->provider = provider;
    exchange->lookup = call;
    exchange->query = query;
    exchange->deadline_ms = herd_clock_steady_ms() + provider->timeout_ms;
    exchange->next = provider->exchanges;
    if (exchange->next)
        exchange->next->prev = exchange;
    provider->exchanges = exchange;
    send_request(exchange);
}

void places_http_cancel(void *ctx, struct herd_provider_call *call)
{
    struct http_provider *provider = ctx;
    struct http_exchange *exchange = provider->exchanges;
    while (exchange->lookup != call)
        exchange = exchange->next;
    exchange_free(exchange);
}
