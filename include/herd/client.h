/* SPDX-License-Identifier: MIT */
/*
 * A client of a herd: reports locations and asks what is near one, on the caller's event_base.
 *
 *     static void on_reply(void *ctx, int err, const struct herd_client_reply *reply)
 *     {
 *         event_base_loopbreak(ctx);
 *     }
 *
 *     const struct herd_client_address servers[] = {{"127.0.0.1", 12000}, {"127.0.0.1", 12004}};
 *     const struct herd_client_options options = {.servers = servers, .server_count = 2};
 *     struct herd_client *client;
 *     herd_client_new(&client, base, &options);
 *     herd_client_report(client, herd_span_of("kiwi"), herd_span_of("+34.068930-118.445127"),
 *                        herd_span_of(""), on_reply, base);
 *     event_base_dispatch(base);
 *     herd_client_free(client);
 *
 * Requests go out in order on one connection, without waiting for each other; replies come back in that
 * order. A connection is made when there is something to ask. A server that cannot be reached, closes, is
 * silent for too long or answers nonsense is left for the next of the list, and what it did not answer is
 * asked again there: a report that is taken twice counts once, so nothing is lost and nothing doubled. When
 * no server of the list is of use, the client waits (from retry_min_ms, doubling to retry_max_ms, with
 * jitter) and begins again. A client stays with the server it is at for as long as that one is of use; it does not
 * return to an earlier one by itself, and comes to it only when it has left all that follow. One that closes while
 * nothing is asked is left too, without a wait: whether it died or was tired of waiting cannot be seen, so the next
 * request goes to the next of the list, and to this one after all others. Every request ends in one call of its
 * function, at the latest after timeout_ms.
 *
 * With `tls` a server counts only when it has proved who it is, and with `token` only when it has taken the token: before
 * that no request is answered. The requests follow the token at once and do not wait for the answer to it.
 *
 *     const char *const names[] = {"Riley", "Bernard"};
 *     const struct herd_client_tls tls = {.ca = "/etc/herd/ca.pem", .herd = "example", .names = names};
 *     const struct herd_client_options secure = {.servers = servers, .server_count = 2, .tls = &tls};
 *     herd_client_new(&client, base, &secure);
 *
 * Where clients are spread over several herds a server answers with the address of another one (SEE, PROTOCOL.md).
 * With `follow` the request is sent again there, three times at most, and so is what concerns the same bucket from
 * then on; each server that was followed to has a connection of its own, 256 of them at most. One that is of no
 * use is forgotten, and what it did not answer is asked again at the servers of the list. Nothing is lost on the
 * way: a report ends with 0 only when a server took it, and with HERD_E_ADDRESS where following led nowhere.
 * Replies come in the order of the requests only from each server, and a question may overtake a report that is on
 * its way a second time. A server that was followed to gets the token as any other, and has to prove itself as any
 * other: with `herd` as a server of that herd, so herds of one set bear the same name in certificates; else by the
 * DNS name that SEE said. Without `tls` whoever answers can make the client connect to where it likes: on_see says
 * where it may.
 *
 * SIGPIPE must be ignored by the program. Everything here is called from the loop's thread. From inside the
 * functions it calls, a client may be given new requests, and may be freed.
 */
#ifndef HERD_CLIENT_H
#define HERD_CLIENT_H

#include <herd/store.h>
#include <herd/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct event_base;
struct herd_client;
struct herd_diagnostic; /* <herd/config.h> */
struct ssl_ctx_st;      /* OpenSSL's SSL_CTX */

struct herd_client_address {
    const char *host; /* a name, all of whose addresses are tried, or an IPv4 or IPv6 address without brackets */
    uint16_t port;
};

/* How a client speaks TLS 1.3, and what a server has to prove. Everything is copied; files are read by herd_client_new and
 * not again: a client with other files is another client. NULL: not given. */
struct herd_client_tls {
    const char *ca;  /* PEM: the roots that certificates of servers lead to; those of the system are in a file too,
                                such as /etc/ssl/certs/ca-certificates.crt. Needed, but for `ssl_ctx` */
    const char *crl; /* PEM: certificates that are revoked. Needs `ca` */
    const char *certificate; /* PEM: the client's own, then intermediates, where the servers identify it by the name
                                URI:herd://HERD/client/IDENTITY. Needs `key` */
    const char *key;         /* PEM, not readable by others. Needs `certificate` */
    /* The name of the herd, up to 64 bytes of A-Z a-z 0-9 . _ -: a server proves to be URI:herd://HERD/server/NAME. NULL: it
     * proves a DNS name, without wildcards. */
    const char *herd;
    /* `server_count` names, of the servers in their order, each of which may be NULL. With `herd`, the NAME of the server;
     * NULL: it may be any server of the herd. Without, its DNS name; NULL: its host, which must be no address then. */
    const char *const *names;
    bool tls_1_2; /* accept TLS 1.2 too */
    /* A context of the program's own in place of `ca`, `crl`, `certificate`, `key` and `tls_1_2`, which must not be given: it
     * keeps its settings, and a reference is taken (SSL_CTX_up_ref). A server's certificate has to lead to its roots and
     * bear the name expected whatever its verify mode or callback say. Its sessions are the program's matter. */
    struct ssl_ctx_st *ssl_ctx;
};

struct herd_client_options {
    const struct herd_client_address *servers; /* tried in this order, round and round; copied */
    size_t server_count;
    /* Bounds; zero means the default. */
    int64_t connect_ms;     /* 3000: to resolve, to connect; then again for the handshake of TLS. A name that takes
                               longer goes on being looked up, and a later attempt uses what was found */
    int64_t reply_ms;       /* 10000: a server that lets the oldest request, or the token, wait longer is left */
    int64_t timeout_ms;     /* 30000: from the request to its end, whatever happens */
    int64_t retry_min_ms;   /* 100: first wait when no server is of use */
    int64_t retry_max_ms;   /* 5000: longest wait */
    size_t requests_max;    /* 1024: requests that have not ended */
    size_t reply_max_bytes; /* 2097152: the longest reply */
    void *ctx;              /* handed to the two below, which may be NULL */
    /* Connected to the server at this place of the list (server_count: to one that was followed to); it has proved its name and taken the token, as far as these
     * are given. A certificate of the client's own it may not have judged yet: TLS 1.3 lets a client go on before the
     * server has. One that it refuses is heard of next, by on_disconnect with "tls_failed: ..."; a reply to anything, to
     * a token above all, says that it was accepted. */
    void (*on_connect)(void *ctx, size_t server);
    /* The connection, or the attempt to make one, has ended. `why` is a sentence, borrowed for the call. Of TLS it begins
     * with one word: "peer_name_differs: ...", "tls_issuer_unknown: ...", "tls_certificate_expired: ..." (or
     * ..._not_yet_valid, ..._revoked, ..._refused), "tls_crl_unusable: ...", "tls_version: ...", "tls_expected: ..." (there
     * is no TLS), "tls_failed: ..." (the server ended it: it may not like the client's certificate). */
    void (*on_disconnect)(void *ctx, size_t server, const char *why);
    const struct herd_client_tls *tls; /* NULL: plain TCP */
    /* Sent as AUTH, the first line of each connection: 1 to 4096 bytes without white space or control characters; copied,
     * and its copy wiped when the client is freed. NULL: none. Without `tls` it is sent to servers at loopback addresses
     * only, any other is left. A server that refuses it is left for the next, as one that cannot be reached. */
    const char *token;
    bool follow; /* goes where SEE says; else that ends a request with HERD_E_ADDRESS */
    /* Whether a request may be followed to this server; NULL: to any. `host` is borrowed for the call. Gets `ctx`, and may do
     * what the functions of requests may. */
    bool (*on_see)(void *ctx, const char *host, uint16_t port, unsigned bucket);
    /* The key of the buckets: herd_bucket. Copied. NULL: it is not known, and the buckets of the last few thousand ids that
     * were followed are remembered. A server that says another bucket than follows from the key is left for the next. */
    const uint64_t *bucket_key;
    /* Gets a sentence where herd_client_new refuses `tls` or `token`, with line 0; NULL: not wanted. Used by that call
     * only. */
    struct herd_diagnostic *diagnostic;
};

/* `options` is copied, `base` borrowed for the client's life. Nothing is connected yet. HERD_E_NOMEM; HERD_E_ARG:
 * no server, a server without host or port, a negative bound, a pointer that is NULL, or members of `tls` or a token that
 * are not as said above. Of the files of `tls`: HERD_E_IO (unreadable), HERD_E_ACCESS (others may read a key), HERD_E_SYNTAX
 * (malformed, ended, or a key of another certificate). HERD_E_UNSUPPORTED: `tls` is given, and the library has no
 * OpenSSL. */
HERD_API int herd_client_new(struct herd_client **ret_client, struct event_base *base,
                             const struct herd_client_options *options);

/* Closes the connection and forgets what was asked: functions of open requests are not called. NULL is
 * fine. */
HERD_API void herd_client_free(struct herd_client *client);

/* What came of a request. */
struct herd_client_reply {
    struct herd_record record; /* the AT line: the server that took the report, its clock difference, ... */
    struct herd_span json;     /* WHATSAT: the places; a report has none */
    size_t server;             /* which of the list replied; server_count: one that was followed to */
    struct herd_client_address address; /* where it is */
};

/* Ends a request. `err` is 0, and then `reply` holds the answer, borrowed for the call; else `reply` is NULL:
 *
 *     HERD_E_TIMEOUT   no reply within timeout_ms; a report may have been taken all the same
 *     HERD_E_NOTFOUND  WHATSAT: the server does not know the id, or this client may not ask for it
 *     HERD_E_ACCESS    a report: the server refuses it (a new client where it has room for no more, a
 *                      time too far in the future, not an id of this client, or too many reports a second)
 *     HERD_E_LIMIT     the line is longer than the server takes, or its reply longer than reply_max_bytes;
 *                      or 256 servers that were followed to are all busy
 *     HERD_E_ADDRESS   another herd has the client, and it was not found within three SEE, the program did not want to
 *                      follow, or the server named can prove nothing; a report was not taken
 *     HERD_E_NOMEM     no memory for the reply, or to follow
 */
typedef void herd_client_done(void *ctx, int err, const struct herd_client_reply *reply);

/* Reports the position of `id` (ISO 6709, `+34.068930-118.445127`) at `time` (POSIX seconds; empty: the time of the
 * call by this machine's clock). Spans are copied. `done` may be NULL; it is not called after an error of the call:
 * HERD_E_SYNTAX: `id` is empty or holds white space, or `position` or `time` is malformed.
 * HERD_E_RANGE: `position` or `time` is out of range. HERD_E_LIMIT: requests_max are open. HERD_E_NOMEM. */
HERD_API int herd_client_report(struct herd_client *client, struct herd_span id, struct herd_span position,
                                struct herd_span time, herd_client_done *done, void *ctx);

/* Asks what is within `radius_km` ("10", "0.5": 0 to 50) of `id`, at most `bound` (0 to 20) places. Errors as
 * above; HERD_E_SYNTAX and HERD_E_RANGE for the radius too, HERD_E_RANGE for the bound. */
HERD_API int herd_client_whatsat(struct herd_client *client, struct herd_span id, struct herd_span radius_km,
                                 unsigned bound, herd_client_done *done, void *ctx);

/* How many requests have not ended. */
HERD_API size_t herd_client_pending(const struct herd_client *client);

/* Bytes that herd_client_format_position writes at most, NUL included. */
#define HERD_CLIENT_POSITION_MAX 48

/* Writes degrees as a place with nine decimals, NUL-terminated, for programs that have numbers.
 * HERD_E_RANGE: |lat_deg| > 90, |lon_deg| > 180, or not a number; nothing is written. */
HERD_API int herd_client_format_position(char out[HERD_CLIENT_POSITION_MAX], double lat_deg, double lon_deg);

#ifdef __cplusplus
}
#endif
#endif
