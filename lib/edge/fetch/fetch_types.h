/* SPDX-License-Identifier: MIT */
/*
 * The structures of fetch. Its files, each calling only those above it:
 *
 *     fetch_watch.c   libcurl's sockets on libevent
 *     fetch_multi.c   libcurl's multi handle: its timer, its steps, the transfers that are done
 *     fetch_easy.c    libcurl's easy handles: options, the URL, where a body goes
 *     fetch_origin.c  URLs that are accepted, and their addresses
 *     fetch.c         calls
 */
#ifndef HERD_EDGE_FETCH_TYPES_H
#define HERD_EDGE_FETCH_TYPES_H

#include "../net/resolver.h"
#include "fetch.h"

#include <curl/curl.h>
#include <event2/event.h>
#include <event2/event_struct.h>

#define HERD_FETCH_HEADERS_MAX 8 /* of a request, our own two among them */

/* Events of a socket, or of the timer (`fd` is CURL_SOCKET_TIMEOUT), that are for herd_fetch_multi_step. */
typedef void herd_fetch_ready(void *ctx, curl_socket_t fd, int what);

/* Sockets registered with libevent. */
struct herd_fetch_sockets {
    struct event_base *base;
    struct herd_fetch_socket **at; /* by libcurl's descriptor; NULL: not registered */
    size_t count;
    herd_fetch_ready *ready;
    void *ctx;
};

/* libcurl's multi handle. */
struct herd_fetch_multi {
    CURLM *curl; /* NULL: not open */
    struct event *timer;
    struct herd_fetch_sockets sockets;
    bool stepping; /* inside herd_fetch_multi_step */
};

struct herd_fetch {
    struct event_base *base;
    struct herd_fetch_multi multi;
    struct event *deliver;          /* active while calls that ended wait for delivery */
    struct herd_resolver *resolver; /* NULL until needed, or given */
    struct herd_fetch_origin *origins;
    struct herd_fetch_call *calls;              /* all of them */
    struct herd_fetch_call *ended, **ended_end; /* those that wait for delivery, in order */
    bool acting;                                /* inside on_ready, which delivers at its end */
    struct herd_buf lent;                       /* the body delivered last; the next one takes its memory */
};

/* The look-up of the addresses has ended; origin->addresses is NULL if there are none. Runs on the loop, never from
 * inside herd_fetch_origin_resolve. */
typedef void herd_fetch_resolved(struct herd_fetch_origin *origin);

struct herd_fetch_origin {
    struct herd_fetch_origin *next;
    struct herd_fetch *fetch;
    char *host, *ca_file;
    uint16_t port;
    bool fixed;      /* an address, or localhost: nothing to resolve */
    char *addresses; /* "host:port:address,address" for libcurl; NULL: unknown or not needed */
    int64_t fresh_until_ms;
    struct herd_resolver_call *resolving;
    herd_fetch_resolved *resolved;
    struct herd_fetch_easy *idle; /* handles of calls that are over */
    size_t idle_count;
};

/* A handle of libcurl with all options of its origin set: setting them costs a good part of a request. What one
 * request has and the next has not is taken out when it ends. */
struct herd_fetch_easy {
    struct herd_fetch_easy *next;
    CURL *curl;
    CURLU *url;  /* parsed, without a query */
    char *front; /* what it was parsed from */
    char *path;
    struct herd_buf target; /* scratch: path and query */
};

enum herd_fetch_state {
    HERD_FETCH_RESOLVING, /* waits for the origin's addresses */
    HERD_FETCH_RUNNING,   /* its handle is in the multi handle */
    HERD_FETCH_ENDED,     /* its handle is released; it waits for delivery */
};

struct herd_fetch_call {
    struct herd_fetch_call *prev, *next;
    struct herd_fetch_call *ended_next;
    struct herd_fetch_origin *origin;
    enum herd_fetch_state state;
    struct herd_fetch_easy *easy;                      /* NULL once ended */
    struct curl_slist headers[HERD_FETCH_HEADERS_MAX]; /* linked up for libcurl */
    struct curl_slist *resolve;
    struct event deadline;
    struct herd_buf header_text, post, body;
    size_t body_max_bytes, header_bytes;
    bool too_big, header_too_big, no_memory;
    struct herd_fetch_result result;
    herd_fetch_done *done;
    void *ctx;
};

#endif
