/* SPDX-License-Identifier: MIT */
/*
 * The inside of HTTP:
 *
 *     service        it is switched on and off with its server; `herd_server_new`
 *     modules        which routes there are
 *     node, health   the first of them
 *     protocol       bytes of a connection to requests, one after the other
 *     admit          what is looked at before a handler runs
 *     deferred, stream   answers that come later, or without end
 *     late           refusals that take their time
 *     router         which route a path is of
 *     client_fetch   a client that a database may know
 *     rights         who asks, and what that one may
 *     origin         which pages of browsers may, and for which names requests are
 *     reply          answers to bytes
 *     unfinished     what a connection keeps between two pieces of a request
 *     negotiation    what whoever asks can read
 *     fields, arena  the words of a request
 *
 * Files call downward only.
 */
#ifndef HERD_EDGE_HTTP_IMPL_H
#define HERD_EDGE_HTTP_IMPL_H

#include "../../core/http/body.h"
#include "../../core/http/head.h"
#include "../server/server_impl.h"
#include "http.h"

/* Bodies of routes that say nothing else. */
#define HERD_HTTP_BODY_USUAL_BYTES 65536
/* What unfinished bodies hold, all together, beyond HERD_HTTP_BODY_SMALL_BYTES each. */
#define HERD_HTTP_BODIES_MAX_BYTES (UINT64_C(64) << 20)
#define HERD_HTTP_BODY_SMALL_BYTES 8192
#define HERD_HTTP_MODULES_MAX      16
/* A path that is kept for the log. */
#define HERD_HTTP_SHOWN_BYTES 128

/* ---- arena.c: memory for one request ---- */

struct herd_http_piece;
struct herd_http_arena {
    struct herd_http_piece *pieces; /* the newest first */
};
/* Stays until herd_http_arena_reset. NULL: no memory. */
char *herd_http_arena_alloc(struct herd_http_arena *arena, size_t len);
/* Forgets all, and keeps a piece for the next request. */
void herd_http_arena_reset(struct herd_http_arena *arena);
void herd_http_arena_fini(struct herd_http_arena *arena);

/* ---- the HTTP of a server ---- */

struct herd_http_part {
    const struct herd_http_module *module;
    void *state;
    uint64_t (*answered)[6]; /* for each route, by the first digit of the status */
};

struct herd_http {
    struct herd_server *server;
    struct herd_http_part parts[HERD_HTTP_MODULES_MAX];
    size_t part_count;
    uint64_t answered[6];                /* requests of no route */
    struct herd_histogram durations;     /* of requests with an end, from their last byte to their answer */
    struct herd_buf body, headers, line; /* of the answer to the request under way; of a report, for the log */
    struct herd_http_arena arena;
    struct herd_list streams, ended_streams; /* open; gone, and to be told so */
    size_t stream_count;
    uint64_t stream_writes,
        stream_pauses;     /* what streams were sent; how often one did not take it, and was left out */
    struct herd_list late; /* answers that are given later: see late.c */
    size_t late_count;
    struct event *late_event;
    uint64_t bodies_bytes;  /* reserved by bodies that are not whole */
    uint64_t cursor_key[2]; /* of what is given out to be brought back: cursor.h */
};

/* Adds a module. HERD_E_NOMEM, HERD_E_LIMIT, or what it says. */
int herd_http_add_module(struct herd_http *http, const struct herd_http_module *module);

/* One request, from the bytes to the answer. */
struct herd_http_request {
    struct herd_http_exchange exchange;
    struct herd_conn *conn;
    struct herd_http_part *part;       /* of the route; NULL: none is found */
    const struct herd_http_head *head; /* NULL: it is gone, the answer was deferred */
    struct herd_buf *out;              /* the answer's bytes; NULL: they are sent by themselves */
    struct herd_buf *body, *headers;   /* of the answer */
    struct herd_span origin;           /* of a listed page, for CORS; {"", 0}: none */
    int64_t began_ns;                  /* steady time at which it was whole, or refused before that */
    bool is_head;
    bool old; /* HTTP/1.0 */
    bool keep_alive;
    bool varies;                     /* an Origin was looked at */
    bool cache_control, retry_after; /* were added by the handler */
    bool answered, deferred;
};

static inline struct herd_http_request *herd_http_request_of(struct herd_http_exchange *exchange)
{
    return HERD_CONTAINER_OF(exchange, struct herd_http_request, exchange);
}

static inline const struct herd_http_request *herd_http_request_of_const(const struct herd_http_exchange *exchange)
{
    return (const struct herd_http_request *)(const void *)((const char *)exchange -
                                                            offsetof(struct herd_http_request, exchange));
}

/* What a connection keeps in the middle of a request: conn->request. */
struct herd_http_unfinished {
    struct herd_http_scan scan;
    size_t whole;      /* bytes of head and body together, when that is known; 0: not yet */
    uint64_t reserved; /* of bodies_bytes */
    bool timed;        /* its deadline runs */
    size_t timed_at;   /* bytes of the body that were there when it began */
    bool continued;    /* 100 was sent */
    bool chunked;      /* then these: */
    struct herd_http_body decoder;
    struct herd_buf head, body;
    struct herd_buf *feeding;            /* a handler is running: what was answered so far; NULL: none is */
    bool ends, failed;                   /* what an answer said that was deferred and came while it ran */
    struct herd_http_deferred *deferred; /* the answer is not there */
    struct herd_http_stream *stream;     /* the answer has no end */
};

/* ---- unfinished.c ---- */

/* Makes it if it is not there. NULL: no memory. */
struct herd_http_unfinished *herd_http_unfinished(struct herd_conn *conn);
void herd_http_unfinished_free(struct herd_conn *conn);

/* ---- fields.c ---- */

/* The only field of this name. False: there is none, or several. */
bool herd_http_only(const struct herd_http_head *head, const char *name, struct herd_span *ret_value,
                    size_t *ret_count);
/* Undoes escapes of a segment (`form`: of a form). HERD_E_SYNTAX: not proper; HERD_E_NOMEM. */
int herd_http_decode(struct herd_http *http, struct herd_span text, bool form, struct herd_span *ret_text);
enum herd_http_accepts herd_http_body_type(struct herd_span content_type);

/* ---- negotiation.c ---- */

/* Whether a value of Accept-Encoding allows this coding, by its name or by `*`, with a weight above 0. */
bool herd_http_accepts_coding(struct herd_span list, const char *coding);

/* ---- reply.c ---- */

/* A list ends where it is longer: half of what a client may have unsent, so that one that is read is never cut. */
size_t herd_http_list_max_bytes(const struct herd_http_exchange *exchange);

int herd_http_send(struct herd_http_request *request, int status, const char *type, struct herd_span body);
/* The head of an answer that ends with the connection. */
int herd_http_send_endless(struct herd_http_request *request, const char *type);
/* A refusal of bytes that are no request, before there is any. */
int herd_http_send_fault(struct herd_conn *conn, const struct herd_http_fault *fault, struct herd_now now,
                         struct herd_buf *out);
/* Logs a request and what it was answered. */
void herd_http_log_request(struct herd_http_request *request, int status, size_t bytes);

/* ---- origin.c ---- */

/* Whether requests may be for this Host. */
bool herd_http_host_accepted(const struct herd_server *server, struct herd_span host);
/* Of whose page a request is. */
enum herd_http_page {
    HERD_HTTP_NO_PAGE, /* of no browser's, as far as it says */
    HERD_HTTP_OWN_PAGE,
    HERD_HTTP_LISTED_PAGE, /* *ret_origin is to be told that it may */
    HERD_HTTP_FOREIGN_PAGE,
};
enum herd_http_page herd_http_page_of(const struct herd_http_request *request, struct herd_span *ret_origin);

/* ---- rights.c ---- */

/* Finds out who asks, and whether that one has the right of the route. 0: yes; else it was answered, or < 0. */
int herd_http_authenticate(struct herd_http_request *request);

/* ---- elsewhere.c ---- */

/* Whether a client is another herd's; counts it then. */
bool herd_http_foreign(struct herd_http_exchange *exchange, struct herd_span id, unsigned *ret_bucket);
/* Answers for a bucket of another herd: 307 or 421. */
int herd_http_elsewhere(struct herd_http_exchange *exchange, unsigned bucket);
/* Likewise for a client of which a verdict said so (FOREIGN), and who was counted. */
int herd_http_elsewhere_id(struct herd_http_exchange *exchange, struct herd_span id);

/* ---- router.c ---- */

/* Finds the route of a request's path and what stands for its `{}`, still escaped. False: no route for this method; those
 * that the path has are in *ret_methods, 0: no such path. */
bool herd_http_route_find(struct herd_http_request *request, unsigned on, unsigned *ret_methods);
/* The pattern of a route whose secret may stand in `path`, also where the request was refused, or the path is not quite that
 * of the route: the log has it instead. NULL: none. */
const char *herd_http_path_hidden(const struct herd_http *http, struct herd_span path);
/* "GET, HEAD, OPTIONS". */
int herd_http_methods_text(unsigned methods, struct herd_buf *out);

/* ---- admit.c ---- */

/* Looks at a head. HERD_HTTP_ADMITTED: its handler may run when the body is there; *ret_body_max is how long that may be.
 * HERD_HTTP_ANSWERED: it was refused, or needed no handler. < 0: an error. */
enum { HERD_HTTP_ADMITTED, HERD_HTTP_ANSWERED };
int herd_http_admit(struct herd_http_request *request, uint64_t *ret_body_max);

/* ---- deferred.c ---- */
void herd_http_deferred_drop(struct herd_http_deferred *deferred);
/* Sends an answer that was deferred; frees it. */
int herd_http_deferred_send(struct herd_http_request *request, struct herd_buf *bytes);

/* ---- late.c ---- */
/* HERD_E_NOMEM. */
int herd_http_late_open(struct herd_http *http);
void herd_http_late_close(struct herd_http *http);
/* The request is answered by `answer`, a second later; at once if many such wait already, or the server stops. */
int herd_http_answer_late(struct herd_http_request *request, int (*answer)(struct herd_http_exchange *exchange));

/* ---- stream.c ---- */
/* Bytes left its connection. */
void herd_http_stream_drained(struct herd_http_stream *stream);
/* The connection is gone. */
void herd_http_stream_lost(struct herd_http_stream *stream);
/* Tells those that are gone to who holds them. */
void herd_http_streams_tell(struct herd_http *http);
void herd_http_streams_end(struct herd_http *http);

/* ---- protocol.c ---- */
int herd_http_begin(struct herd_conn *conn);

/* ---- trackers.c ---- */

/* How many messages of apps were acknowledged though they were no reports, by reason: `why` from 0. False: no more. */
bool herd_http_trackers_skipped(const struct herd_http *http, unsigned why, const char **ret_name,
                                uint64_t *ret_count);

/* ---- modules.c ---- */
extern const struct herd_http_module *const herd_http_modules[];
extern const size_t herd_http_module_count;
extern const struct herd_http_module herd_http_clients, herd_http_events, herd_http_fences, herd_http_listing,
    herd_http_health, herd_http_metrics, herd_http_node, herd_http_openapi, herd_http_page, herd_http_peers,
    herd_http_places_near, herd_http_recorder, herd_http_trace, herd_http_trackers;

#endif
