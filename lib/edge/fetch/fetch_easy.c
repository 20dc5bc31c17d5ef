/* SPDX-License-Identifier: MIT */
/* libcurl's easy handles: set up once for their origin, used for one call after another. */
#include "fetch_easy.h"

#include "../../core/base/wipe.h"
#include "fetch_watch.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define HEADERS_MAX_BYTES 65536
#define IDLE_MAX          64

static size_t on_body(char *at, size_t size, size_t count, void *ctx)
{
    struct herd_fetch_call *call = ctx;
    size_t len = size * count;
    if (len > call->body_max_bytes - call->body.len) {
        call->too_big = true;
        return 0;
    }
    if (!call->body.at) {
        struct herd_buf *lent = &call->origin->fetch->lent;
        call->body = (struct herd_buf){.at = lent->at, .cap = lent->cap};
        *lent = (struct herd_buf){0};
    }
    if (herd_buf_add(&call->body, at, len) < 0) {
        call->no_memory = true;
        return 0;
    }
    return len;
}

static size_t on_header(char *at, size_t size, size_t count, void *ctx)
{
    (void)at;
    struct herd_fetch_call *call = ctx;
    call->header_bytes += size * count;
    call->header_too_big = call->header_bytes > HEADERS_MAX_BYTES;
    return call->header_too_big ? 0 : size * count;
}

#define SET(curl, option, value)                                        \
    do {                                                                \
        CURLcode set = curl_easy_setopt(curl, CURLOPT_##option, value); \
        if (set != CURLE_OK)                                            \
            bad = set;                                                  \
    } while (0)

/* Sets what is the same for all calls of an origin. */
static CURLcode set_up(CURL *curl, const struct herd_fetch_origin *origin)
{
    CURLcode bad = CURLE_OK;
    SET(curl, NOSIGNAL, 1L);
    SET(curl, PROTOCOLS_STR, "https,http");
    SET(curl, FOLLOWLOCATION, 0L);
    SET(curl, HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(curl, PROXY, "");    /* none from the environment either, */
    SET(curl, NOPROXY, "*"); /* and no exceptions from there */
    SET(curl, SSL_VERIFYPEER, 1L);
    SET(curl, SSL_VERIFYHOST, 2L);
    if (origin->ca_file)
        SET(curl, CAINFO, origin->ca_file); /* CAPATH, the system's own store, stays in force */
    SET(curl, ACCEPT_ENCODING, "gzip");     /* to have it decoded; the header is ours */
    SET(curl, OPENSOCKETFUNCTION, herd_fetch_socket_open);
    SET(curl, OPENSOCKETDATA, (void *)&origin->fetch->multi.sockets);
    SET(curl, CLOSESOCKETFUNCTION, herd_fetch_socket_close);
    SET(curl, CLOSESOCKETDATA, (void *)&origin->fetch->multi.sockets);
    SET(curl, WRITEFUNCTION, on_body);
    SET(curl, HEADERFUNCTION, on_header);
    return bad;
}

static void easy_free(struct herd_fetch_easy *easy)
{
    if (!easy)
        return;
    if (easy->curl)
        curl_easy_cleanup(easy->curl);
    curl_url_cleanup(easy->url);
    free(easy->front);
    curl_free(easy->path);
    herd_buf_fini(&easy->target);
    free(easy);
}

static struct herd_fetch_easy *easy_new(const struct herd_fetch_origin *origin)
{
    struct herd_fetch_easy *easy = calloc(1, sizeof *easy);
    if (easy && (easy->url = curl_url()) && (easy->curl = curl_easy_init()) &&
        set_up(easy->curl, origin) == CURLE_OK &&
        curl_easy_setopt(easy->curl, CURLOPT_CURLU, easy->url) == CURLE_OK)
        return easy;
    easy_free(easy);
    return NULL;
}

static bool parse_front(struct herd_fetch_easy *easy, const char *url, size_t len)
{
    free(easy->front);
    curl_free(easy->path);
    easy->path = NULL;
    easy->front = strndup(url, len);
    return easy->front && curl_url_set(easy->url, CURLUPART_URL, easy->front, 0) == CURLUE_OK &&
           curl_url_get(easy->url, CURLUPART_PATH, &easy->path, 0) == CURLUE_OK;
}

/* Sets the URL of the next request. Parsing a URL and composing it again is a good part of what libcurl does for a
 * request on a kept connection. So scheme, host and path are set once, and the query, which changes, is set as part
 * of the request target. HERD_E_NOMEM. */
static int set_url(struct herd_fetch_easy *easy, const char *url)
{
    size_t front_len = strcspn(url, "?");
    struct herd_buf *target = &easy->target;
    CURLcode bad = CURLE_OK;
    bool same = easy->path && strncmp(easy->front, url, front_len) == 0 && !easy->front[front_len];
    if (!same && !parse_front(easy, url, front_len))
        return HERD_E_NOMEM;
    const char *query = url + front_len;
    target->len = 0;
    if (herd_buf_reserve(target, strlen(easy->path) + strlen(query) + 1) < 0)
        return HERD_E_NOMEM;
    (void)herd_buf_add_text(target, easy->path);
    (void)herd_buf_add(target, query, strlen(query) + 1);
    SET(easy->curl, REQUEST_TARGET, target->at);
    herd_wipe(target->at, target->len); /* of some providers the key is in there */
    return bad == CURLE_OK ? 0 : HERD_E_NOMEM;
}

int herd_fetch_easy_acquire(struct herd_fetch_call *call, const struct herd_fetch_request *request)
{
    struct herd_fetch_origin *origin = call->origin;
    struct herd_fetch_easy *easy = origin->idle;
    assert(!call->easy && call->state == HERD_FETCH_RESOLVING);
    if (easy) {
        origin->idle = easy->next;
        origin->idle_count--;
    } else if (!(easy = easy_new(origin))) {
        return HERD_E_NOMEM;
    }
    call->easy = easy;
    CURLcode bad = CURLE_OK;
    if (set_url(easy, request->url) < 0)
        return HERD_E_NOMEM;
    SET(easy->curl, PRIVATE, (void *)call);
    SET(easy->curl, WRITEDATA, (void *)call);
    SET(easy->curl, HEADERDATA, (void *)call);
    SET(easy->curl, HTTPHEADER, &call->headers[0]);
    if (request->body.at) {
        SET(easy->curl, POST, 1L);
        SET(easy->curl, POSTFIELDSIZE_LARGE, (curl_off_t)(call->post.len - 1));
        SET(easy->curl, POSTFIELDS, call->post.at);
    } else {
        SET(easy->curl, HTTPGET, 1L);
    }
    return bad == CURLE_OK ? 0 : HERD_E_NOMEM;
}

int herd_fetch_easy_addresses(struct herd_fetch_call *call)
{
    CURLcode bad = CURLE_OK;
    assert(call->easy && !call->resolve);
    if (!call->origin->addresses)
        return 0;
    call->resolve = curl_slist_append(NULL, call->origin->addresses);
    if (!call->resolve)
        return HERD_E_NOMEM;
    SET(call->easy->curl, RESOLVE, call->resolve);
    return bad == CURLE_OK ? 0 : HERD_E_NOMEM;
}

void herd_fetch_easy_release(struct herd_fetch_call *call)
{
    struct herd_fetch_origin *origin = call->origin;
    struct herd_fetch_easy *easy = call->easy;
    CURLcode bad = CURLE_OK;
    if (!easy)
        return;
    call->easy = NULL;
    if (origin->idle_count == IDLE_MAX) {
        easy_free(easy);
        return;
    }
    /* These belong to the call; the rest is set anew by the next one. */
    SET(easy->curl, HTTPHEADER, NULL);
    SET(easy->curl, POSTFIELDS, NULL);
    if (call->resolve)
        SET(easy->curl, RESOLVE, NULL);
    if (bad != CURLE_OK) {
        easy_free(easy);
        return;
    }
    easy->next = origin->idle;
    origin->idle = easy;
    origin->idle_count++;
}

void herd_fetch_easy_free_idle(struct herd_fetch_origin *origin)
{
    while (origin->idle) {
        struct herd_fetch_easy *next = origin->idle->next;
        easy_free(origin->idle);
        origin->idle = next;
    }
    origin->idle_count = 0;
}
