/* SPDX-License-Identifier: MIT */
/*
 * HTTP for those who write routes: what a request is to its handler, and how it is answered.
 *
 *     static int get_node(struct herd_http_exchange *exchange)
 *     {
 *         struct herd_buf *body = herd_http_body(exchange);
 *         int err = append_node(exchange->server, body);
 *         return err < 0 ? err : herd_http_reply(exchange, 200, "application/json");
 *     }
 *     static const struct herd_http_route routes[] = {
 *         {.methods = HERD_HTTP_ON_GET, .path = "/v1/node", .handler = get_node, .right = HERD_HTTP_ADMIN},
 *     };
 *     const struct herd_http_module herd_http_node = {.routes = routes, .route_count = 1};
 *
 * and `&herd_http_node` is added to the list in modules.c. Everything runs in the loop's thread. A request arrives whole:
 * its head and its body, bounded, are in memory when the handler runs, and are borrowed until it returns. A handler answers
 * in one of three ways, exactly once:
 *
 *     at once        herd_http_reply, herd_http_problem, herd_http_refuse
 *     later          herd_http_defer; requests behind it on the same connection wait
 *     without end    herd_http_stream
 *
 * Whatever is below is done before a handler runs, and not repeated there: the form of the request, Host, Origin, size and
 * type of the body, who asks, the route's right, HEAD (the body of a GET's reply is left out), Expect, keep-alive. A
 * handler sees the path's segments decoded, one for each `{}`.
 */
#ifndef HERD_EDGE_HTTP_H
#define HERD_EDGE_HTTP_H

#include "../../core/http/body.h"
#include "../net/transport.h"

#include <herd/node.h>
#include <herd/server.h>
#include <herd/types.h>

struct event_base;
struct herd_http;
struct herd_http_exchange;

/* ---- routes ---- */

enum herd_http_on {
    HERD_HTTP_ON_GET = 1, /* HEAD too */
    HERD_HTTP_ON_POST = 2,
    HERD_HTTP_ON_PUT = 4,
    HERD_HTTP_ON_DELETE = 8,
    HERD_HTTP_ON_ANY = 15,
};

/* A route that says nothing is for clients. */
enum herd_http_right {
    HERD_HTTP_CLIENT, /* who has an identity, `anonymous` included if there is one; everybody where none are configured. The
                         handler asks for each client: herd_http_report, herd_http_may_report, herd_http_may_ask */
    HERD_HTTP_ADMIN, /* who may see the state of the server; where no identities are configured everybody on this machine,
                         and with http.open or behind a proxy nobody else */
    HERD_HTTP_PUBLIC, /* everybody, without a look at credentials: health */
};

/* Which Content-Type a request with a body may have; others get 415. */
enum herd_http_accepts {
    HERD_HTTP_JSON = 1, /* application/json, or with a +json suffix */
    HERD_HTTP_FORM = 2, /* application/x-www-form-urlencoded */
    HERD_HTTP_ELSE = 4, /* anything else, and none at all: what phones send */
};

/* The handler of a route: 0, or an error, upon which the request is answered with 503 (HERD_E_NOMEM, HERD_E_STATE, or one that
 * is deferred) or 500. */
typedef int herd_http_handler(struct herd_http_exchange *exchange);

struct herd_http_route {
    unsigned methods; /* of enum herd_http_on; others are answered with 405 and all of this path's in Allow */
    const char *path; /* "/v1/clients/{}/places": `{}` is one segment, never empty */
    herd_http_handler *handler;
    enum herd_http_right right;
    unsigned accepts;      /* of enum herd_http_accepts; 0: HERD_HTTP_JSON */
    size_t body_max_bytes; /* 0: 65536; more gets 413. At most HERD_HTTP_BODY_MAX_BYTES */
    bool body_optional;    /* POST or PUT without Content-Length is fine, else 411; of DELETE it always is */
    bool get_writes; /* a GET changes something: a browser's GET from a foreign page is refused like its POST */
    bool challenges; /* 401 in place of 403 and 404 also tells of Basic; else Bearer alone */
    bool hides_path; /* what stands for its first `{}` is a secret: the log has `path` in place of what came */
    bool bare;       /* only for requests without a query and a body; others go to the next route of this path */
    unsigned data;   /* the handler's own: exchange->route->data */
};
/* Routes that belong together, and what they keep while the server runs. The functions may be NULL. */
struct herd_http_module {
    const struct herd_http_route *routes;
    size_t route_count;
    /* HTTP is on: makes what the routes keep, exchange->state. HERD_E_NOMEM, or another error, with the server's start. */
    int (*open)(struct herd_http *http, void **ret_state);
    /* Another configuration is in force: herd_http_config. */
    void (*reload)(void *state);
    /* The server ends; deferred requests and streams are gone already. */
    void (*close)(void *state);
};

/* What a module's functions may want to know; borrowed for the server's life. */
struct herd_server *herd_http_server(const struct herd_http *http);
struct event_base *herd_http_base(const struct herd_http *http);
const struct herd_config *herd_http_config(const struct herd_http *http); /* until the next reload */
struct herd_log *herd_http_log(const struct herd_http *http);

/* How many requests of a route were answered, by the first digit of the status; [0] of `route` NULL: of no route. For
 * metrics: index from 0 on, false behind the last. */
struct herd_http_count {
    const struct herd_http_route *route;
    uint64_t by_class[6];
};
bool herd_http_count_at(const struct herd_http *http, size_t index, struct herd_http_count *ret_count);
size_t herd_http_stream_count(const struct herd_http *http);

/* ---- a request ---- */

#define HERD_HTTP_SEGMENTS_MAX 8

struct herd_http_exchange {
    struct herd_http *http;
    struct herd_server *server;
    const struct herd_http_route *route;
    void *state;                  /* of the route's module */
    struct herd_now now;          /* when it arrived */
    enum herd_http_on on;         /* HEAD is ON_GET */
    struct herd_span path, query; /* as they were sent; the query without its '?', {"", 0}: none */
    struct herd_span
        segments[HERD_HTTP_SEGMENTS_MAX]; /* what stood for each `{}`, percent-decoded; may hold any byte but NUL */
    size_t segment_count;
    struct herd_span body; /* {"", 0}: none */
    enum herd_http_accepts body_type;
    struct herd_span content_type;        /* as sent, {"", 0}: none */
    struct herd_span user;                /* of Basic: the user name, decoded; {"", 0}: none, or another scheme */
    const struct herd_identity *identity; /* who asks; NULL: nobody, or no identities are configured */
    bool proved;                          /* by a token or certificate: not merely `anonymous` */
};

/* A field of the head by its name, without regard to case: its value without blanks around it; of several the first. False:
 * not there. Host, Authorization, Origin and those that frame the message have been seen to already. */
bool herd_http_header(const struct herd_http_exchange *exchange, const char *name, struct herd_span *ret_value);
/* The address the request comes from, of the client behind a proxy that is trusted to say so; for the log. */
#define HERD_HTTP_FROM_MAX 80
struct herd_span herd_http_from(const struct herd_http_exchange *exchange, char text[HERD_HTTP_FROM_MAX]);

/* Pairs of `name=value&...`, of a query or of a form, in order. Names and values are decoded (`+` is a blank, %XX) in the
 * exchange's own memory and stay there until the handler returns. Zero-initialise with the text in `rest`. False: no more, or
 * `err`: HERD_E_SYNTAX (a percent sign without two hexadecimal digits, or a NUL), HERD_E_NOMEM. */
struct herd_http_pairs {
    struct herd_span rest;
    int err;
};
bool herd_http_pair_next(struct herd_http_exchange *exchange, struct herd_http_pairs *io_pairs,
                         struct herd_span *ret_name, struct herd_span *ret_value);

/* ---- rights ---- */

/* Reports where client `id` is, as herd_server_report, with the rights and the limits of who asks: *ret_verdict may also be
 * NOT_ALLOWED or TOO_OFTEN. The AT line that answers is appended to `out`, or is not made (NULL). */
int herd_http_report(struct herd_http_exchange *exchange, struct herd_span id, struct herd_span position,
                     struct herd_span time, struct herd_buf *out, enum herd_verdict *ret_verdict);
/* Deletes client `id`, as herd_server_delete, in the same way: it counts as a report. */
int herd_http_delete(struct herd_http_exchange *exchange, struct herd_span id, enum herd_verdict *ret_verdict);
/* Whether it may; does not count as a report. */
bool herd_http_may_report(const struct herd_http_exchange *exchange, struct herd_span id);
bool herd_http_may_ask(struct herd_http_exchange *exchange, struct herd_span id);
/* The same of a client that was not named, but is to be listed: no refusal is counted. */
bool herd_http_may_see(const struct herd_http_exchange *exchange, struct herd_span id);
bool herd_http_is_admin(const struct herd_http_exchange *exchange);

/* ---- answers ---- */

/* Memory for the body of the answer, empty at first: append to it. */
struct herd_buf *herd_http_body(struct herd_http_exchange *exchange);
/* Adds a header line to the answer, before it; both texts are the program's or checked: no control bytes. HERD_E_NOMEM. */
int herd_http_add_header(struct herd_http_exchange *exchange, const char *name, struct herd_span value);
/* Answers with `status` and what herd_http_body holds; `type` NULL: no body, whatever it holds. Content-Length,
 * Connection, nosniff, CORS and `Cache-Control: no-store` (unless a Cache-Control was added) are seen to. HERD_E_NOMEM. */
int herd_http_reply(struct herd_http_exchange *exchange, int status, const char *type);
/* The same with a body that is not copied before it is sent: static, such as a page. */
int herd_http_reply_static(struct herd_http_exchange *exchange, int status, const char *type,
                           struct herd_span body);
/* Answers with application/problem+json (RFC 9457): `type` is the last part of a URI, "/problems/not-found"; `title` and
 * `detail` are the program's own sentences (detail may be NULL), no byte of the request, and no quotation mark. */
int herd_http_problem(struct herd_http_exchange *exchange, int status, const char *type, const char *title,
                      const char *detail);
/* Counts that what is said of a client was refused for want of a right, as a report that is refused; before the answer. */
void herd_http_deny(struct herd_http_exchange *exchange, struct herd_span id);
/* Answers a request that its sender has no right to: 401 with WWW-Authenticate if nothing was proved, else 403. Where
 * "unknown" and "not yours" must look alike, answer 404 in place of it. */
int herd_http_refuse(struct herd_http_exchange *exchange);
/* Answers with 404: no such client, or not one of who asks, which looks the same. */
int herd_http_unknown_client(struct herd_http_exchange *exchange);

/* ---- later ---- */

struct herd_http_deferred;
/* The answer comes later. `gone` is called at most once, when the connection ends before it: then the deferred request is
 * no more, and whatever was under way for it should be cancelled; `gone` must not call back into HTTP. NULL: no memory. The exchange is of no use any more. */
struct herd_http_deferred *herd_http_defer(struct herd_http_exchange *exchange, void (*gone)(void *ctx), void *ctx);
/* As herd_http_body and so on; then herd_http_reply or herd_http_problem, which free it whatever happens. Also from inside the handler that deferred it. */
struct herd_http_exchange *herd_http_resume(struct herd_http_deferred *deferred);

/* ---- without end: server-sent events ---- */

struct herd_http_stream;
/* Sends a head with 200 and `type`, Connection: close, and no length: the connection ends with the stream. It counts
 * against limits.viewers_max and not against client_idle_ms. `closed` is called once when the connection is gone, unless
 * herd_http_stream_end was called; then the stream is no more. HERD_E_LIMIT: too many, the request was answered with 503 and
 * Retry-After; HERD_E_STATE: it was HEAD, and is answered: in both cases return 0. HERD_E_NOMEM. */
int herd_http_stream(struct herd_http_exchange *exchange, const char *type, void (*closed)(void *ctx), void *ctx,
                     struct herd_http_stream **ret_stream);
/* Sends a block (herd_block_new), which many streams may share and which is held as long as that takes. May close the stream: `closed` runs later, from the loop. */
void herd_http_stream_write(struct herd_http_stream *stream, struct herd_block *block);
/* How much waits to be sent, and above how much of that a viewer had better be skipped: output_pause_bytes. What is above
 * output_max_bytes, or does not move for write_stall_ms, ends the stream. */
size_t herd_http_stream_unsent(const struct herd_http_stream *stream);
size_t herd_http_stream_pause_bytes(const struct herd_http_stream *stream);
/* `drained` is called, with the `ctx` of `closed`, when bytes left; it must not write. */
void herd_http_stream_on_drained(struct herd_http_stream *stream, void (*drained)(void *ctx));
/* Ends it when all is sent; `closed` does not run. */
void herd_http_stream_end(struct herd_http_stream *stream);
/* Whether the identity of the one who watches may see client `id`: rights are those of now, a reload included. */
bool herd_http_stream_may_ask(struct herd_http_stream *stream, struct herd_span id);

#endif
