/* SPDX-License-Identifier: MIT */
/*
 * HTTP requests on the caller's event_base: libcurl's multi-socket interface, HTTP/1.1, TLS verified, no redirects,
 * no proxies, no signals, a User-Agent of our own. Nothing here ever blocks the loop: names are resolved by
 * ../net/resolver.h and handed to libcurl as addresses, and every request has a deadline of its own on a libevent
 * timer, which holds whatever libcurl is doing.
 */
#ifndef HERD_EDGE_FETCH_H
#define HERD_EDGE_FETCH_H

#include <herd/types.h>

struct event_base;
struct herd_fetch;
struct herd_fetch_origin;
struct herd_fetch_call;

/* HERD_E_NOMEM. `base` borrowed for life. */
int herd_fetch_new(struct herd_fetch **ret_fetch, struct event_base *base);
/* Cancels every call; origins are freed too. */
void herd_fetch_free(struct herd_fetch *fetch);

/* Shares a resolver, of which it takes a reference; without this call it makes one of its own. */
struct herd_resolver;
void herd_fetch_set_resolver(struct herd_fetch *fetch, struct herd_resolver *resolver);
/* Asks this name server ("127.0.0.1:5353") instead of the system's. HERD_E_NOMEM, HERD_E_ADDRESS. */
int herd_fetch_resolver(struct herd_fetch *fetch, const char *address);

/* Makes an origin, where requests go to: scheme, host and port of `url`, with its addresses and an extra trust root
 * (`ca_file` may be NULL; copied). HERD_E_NOMEM, HERD_E_SYNTAX (not a URL of the accepted kind:
 * https, or http to a loopback address; no user, no fragment) with a static sentence in *reterr_why. Owned by
 * `fetch`. */
int herd_fetch_origin_new(struct herd_fetch *fetch, struct herd_fetch_origin **ret_origin, const char *url,
                          const char *ca_file, const char **reterr_why);

struct herd_fetch_request {
    const char *url;            /* whole; must begin with the origin's scheme, host and port; copied by libcurl */
    struct herd_span body;      /* POST if at is not NULL; copied */
    const char *const *headers; /* "Name: value"; copied, and wiped when done */
    size_t header_count;        /* at most 6 */
    int64_t timeout_ms;         /* from now to the end, resolving included */
    size_t body_max_bytes;      /* of the reply, decoded */
};

struct herd_fetch_result {
    int err;         /* 0: an HTTP reply came, whatever its status; HERD_E_TIMEOUT, _ADDRESS, _LIMIT, _IO, _NOMEM */
    const char *why; /* for err: static, never holds a URL */
    long http_status;
    struct herd_span body;
    int64_t retry_after_s; /* from Retry-After, a day at most; 0: none */
};

/* Runs on the loop, never from inside herd_fetch_start; may start and cancel calls and free the fetch.
 * `result` borrowed until it returns or frees the fetch. */
typedef void herd_fetch_done(void *ctx, const struct herd_fetch_result *result);

/* HERD_E_NOMEM, HERD_E_ARG (too many headers). */
int herd_fetch_start(struct herd_fetch_origin *origin, const struct herd_fetch_request *request,
                     herd_fetch_done *done, void *ctx, struct herd_fetch_call **ret_call);
/* `done` will not run; NULL is fine. */
void herd_fetch_cancel(struct herd_fetch_call *call);

#endif
