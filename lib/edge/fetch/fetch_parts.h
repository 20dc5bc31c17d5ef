/* SPDX-License-Identifier: MIT */
/* What the files of fetch share: fetch.c (calls), fetch_easy.c (libcurl's handles), fetch_multi.c (libcurl on
 * libevent), fetch_watch.c (its sockets), fetch_origin.c (URLs and addresses). */
#ifndef HERD_EDGE_FETCH_PARTS_H
#define HERD_EDGE_FETCH_PARTS_H

#include "../net/resolver.h"
#include "fetch.h"

#include <curl/curl.h>
#include <event2/event.h>
#include <event2/event_struct.h>

#define HERD_FETCH_HEADERS_MAX 8 /* of a request, our own two among them */

struct herd_fetch {
    struct event_base *base;
    CURLM *multi;
    struct event *timer;               /* libcurl's */
    struct event *deliver;             /* calls that ended are waiting */
    struct herd_fetch_watch **watches; /* by descriptor */
    size_t watch_count;
    struct herd_resolver *resolver; /* NULL until needed, or given */
    struct herd_fetch_origin *origins;
    struct herd_fetch_call *calls;              /* all of them */
    struct herd_fetch_call *ended, **ended_end; /* those that wait for delivery, in order */
    bool acting;                                /* inside herd_fetch_socket_action, which delivers at its end */
    struct herd_buf lent;                       /* the body delivered last; the next one takes its memory */
};

struct herd_fetch_origin {
    struct herd_fetch_origin *next;
    struct herd_fetch *fetch;
    char *host, *ca_file;
    uint16_t port;
    bool fixed;      /* an address, or localhost: nothing to resolve */
    char *addresses; /* "host:port:address,address" for libcurl; NULL: unknown or not needed */
    int64_t fresh_until_ms;
    struct herd_resolver_call *resolving;
    struct herd_fetch_easy *idle; /* handles of calls that are over */
    size_t idle_count;
};

/* A handle of libcurl with all options of its site set: setting them costs a good part of a request. What one
 * request has and the next has not is taken out when it ends. */
struct herd_fetch_easy {
    struct herd_fetch_easy *next;
    CURL *curl;
    CURLU *url;  /* parsed, without a query */
    char *front; /* what it was parsed from */
    char *path;
    struct herd_buf target; /* scratch: path and query */
};

enum herd_fetch_state { HERD_FETCH_RESOLVING, HERD_FETCH_RUNNING, HERD_FETCH_ENDED };

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

/* fetch.c: ends a call; `done` runs later, from the loop. */
void herd_fetch_end(struct herd_fetch_call *call, int err, const char *why);
/* fetch.c: runs `done` of the call that ended first; after that `fetch` may be gone. */
void herd_fetch_deliver(struct herd_fetch *fetch);
/* fetch.c: the addresses are known. */
void herd_fetch_go(struct herd_fetch_call *call);

/* fetch_easy.c: a handle for a call, all but addresses set; HERD_E_NOMEM. Given back by the site's next call. */
int herd_fetch_easy_acquire(struct herd_fetch_call *call, const struct herd_fetch_request *request);
int herd_fetch_easy_addresses(struct herd_fetch_call *call);
void herd_fetch_easy_release(struct herd_fetch_call *call);
void herd_fetch_easy_free_idle(struct herd_fetch_origin *origin);

/* fetch_multi.c */
int herd_fetch_multi_open(struct herd_fetch *fetch);
void herd_fetch_multi_close(struct herd_fetch *fetch);
int herd_fetch_multi_add(struct herd_fetch_call *call);
void herd_fetch_multi_remove(struct herd_fetch_call *call);
void herd_fetch_socket_action(struct herd_fetch *fetch, curl_socket_t fd, int what);

/* fetch_watch.c: libcurl wants to hear of this about a socket; -1: cannot be. And its sockets' beginning and end,
 * for CURLOPT_OPENSOCKETFUNCTION and CURLOPT_CLOSESOCKETFUNCTION. */
int herd_fetch_watch_set(struct herd_fetch *fetch, curl_socket_t fd, int what);
void herd_fetch_watch_free_all(struct herd_fetch *fetch);
curl_socket_t herd_fetch_socket_open(void *ctx, curlsocktype purpose, struct curl_sockaddr *address);
int herd_fetch_socket_close(void *ctx, curl_socket_t fd);

/* fetch_origin.c: true if the addresses are known; else herd_fetch_go or herd_fetch_end comes, now or later,
 * for every call of the site that is resolving. */
bool herd_fetch_origin_ready(struct herd_fetch_origin *origin);
void herd_fetch_origin_resolve(struct herd_fetch_origin *origin);
void herd_fetch_origin_free(struct herd_fetch_origin *origin);

#endif
