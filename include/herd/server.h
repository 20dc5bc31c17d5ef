/* SPDX-License-Identifier: MIT */
/*
 * A herd node on a libevent loop: it listens, serves clients, keeps links to its neighbours, asks for
 * places and logs. The loop is the caller's; the server adds its events to it and nothing else.
 *
 *     struct event_base *base = event_base_new();
 *     struct herd_config *config;
 *     struct herd_server *server;
 *     struct herd_diagnostic diagnostic;
 *     herd_config_default(&config);
 *     struct herd_server_options options = {.name = "Riley", .config = config};
 *     if (herd_server_new(&server, base, &options, &diagnostic) == 0)
 *         event_base_dispatch(base);
 *     herd_server_free(server);
 *     herd_config_free(config);
 *
 * SIGPIPE must be ignored by the program. libevent's own warnings go to standard error unless the program has set
 * event_set_log_callback, of which there is one a process. Everything here must be called from the loop's thread. What there is to say
 * leaves at the end of a turn of the loop, to neighbours first and then to clients: a callback of the program's that
 * takes long holds up both.
 */
#ifndef HERD_SERVER_H
#define HERD_SERVER_H

#include <herd/area.h>
#include <herd/config.h>
#include <herd/log.h>
#include <herd/node.h>
#include <herd/places.h>
#include <herd/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Writes the versions of the libraries in use ("libevent 2.1.12-stable, libcurl ...") to `text`, and
 * returns it. */
#define HERD_DEPENDENCY_VERSIONS_MAX 160
HERD_API const char *herd_dependency_versions(char text[HERD_DEPENDENCY_VERSIONS_MAX]);

struct bufferevent;
struct event_base;
struct herd_database_driver;
struct herd_server;
struct ssl_ctx_st; /* OpenSSL's SSL_CTX */

/* What an embedding program may want to know; every member may be NULL. `ctx` is handed back. They run
 * from the loop; none may free the server, herd_server_stop is fine. */
struct herd_server_hooks {
    void *ctx;
    /* A record was accepted, from a client or a neighbour, or was read from the journal: these come in the first
     * turns of the loop, in no particular order. Borrowed for the call. Updates of one client that come faster
     * than the loop turns are seen as the newest of them. Tombstones go to `deleted` instead. */
    void (*update)(void *ctx, const struct herd_record *record);
    /* A client was deleted, here or elsewhere, or a tombstone was read from the journal; `tombstone` has no position and
     * is borrowed for the call. It may be of a client that `update` never had, or had a while ago as something older. A
     * client that is silent until it expires is not told of. */
    void (*deleted)(void *ctx, const struct herd_record *tombstone);
    /* What a client did at a fence of herd_server_area, which the server then keeps whatever the configuration says; the
     * event is borrowed for the call, its spans until the next call on the server. Fences may be set and removed from here. */
    void (*fence)(void *ctx, const struct herd_fence_event *event);
    /* The link to a neighbour came up or went down. */
    void (*peer)(void *ctx, struct herd_span name, bool up);
    /* A client said something that is no command of the protocol; `line` is borrowed for the call, its LF not
     * included. True: appended to `io_reply` are whole lines, each with its LF, that are sent as they are, in
     * the order of the commands; none is fine. False: it is answered with "? " as ever. */
    bool (*command)(void *ctx, struct herd_span line, struct herd_buf *io_reply);
    /* herd_server_stop has finished: every reply and update was delivered, or the time is over. */
    void (*stopped)(void *ctx);
};

struct herd_server_options {
    const char *name;                 /* which server of the herd this is */
    const struct herd_config *config; /* borrowed for the server's life, or until herd_server_reload */
    struct herd_log *log;             /* borrowed likewise; NULL: silent */
    struct herd_places *places;       /* borrowed likewise; NULL: made from the configuration */
    struct herd_server_hooks hooks;   /* copied */
    int listen_fd;                    /* a listening stream socket made elsewhere (systemd, inetd), in place of one
                                         on the configured host and port; on success the server owns it, on
                                         failure it remains the caller's. Zero: none */
    bool dont_listen;                 /* sessions come from herd_server_adopt_* alone */
    bool dont_dial;
    bool area; /* keeps an area, as `"area": true` in the configuration does */
    /* A context of the program's own for TLS, accepted and dialled, in place of the files of `config`: which names none in
     * "tls" nor "psk_file" then, and has a name of the herd. A reference is taken (SSL_CTX_up_ref); it keeps its settings and
     * is in force for the server's life, a reload too. The mode is the configuration's; where that is off, require. Its
     * certificate should bear URI:herd://HERD/server/NAME and be asked of the other side (SSL_VERIFY_PEER); a certificate of
     * the other side proves a name only if it leads to the context's roots, whatever a verify callback says. Tickets should
     * be off: a session that is resumed is not verified anew. NULL: none. */
    struct ssl_ctx_st *ssl_ctx;
    /* An adapter of the program's own for the `database` of `config`, in place of the library for its kind. Borrowed. */
    const struct herd_database_driver *database;
};

/* Makes a server; it serves as soon as the loop runs. `options` is copied, `base` borrowed for the
 * server's life. HERD_E_NOMEM; HERD_E_ARG (a pointer, the name or the configuration is NULL), HERD_E_NOTFOUND (no server of this name), HERD_E_ADDRESS (cannot listen, listen_fd is no listening socket),
 * HERD_E_ARG too where ssl_ctx meets files of the configuration, no name of the herd, or a plain neighbour with mode require;
 * HERD_E_UNSUPPORTED (ssl_ctx, and the library has no OpenSSL), and what herd_places_new says, each with a sentence in *reterr_diagnostic. */
HERD_API int herd_server_new(struct herd_server **ret_server, struct event_base *base,
                             const struct herd_server_options *options, struct herd_diagnostic *reterr_diagnostic);

/* A new token: "herd_" and 43 characters, 256 random bits; and what a file of identities says of it, "sha256:" and 64
 * hexadecimal digits. Both NUL-terminated. Only the first is a secret. HERD_E_UNSUPPORTED: the library has no OpenSSL;
 * HERD_E_IO: no random bytes; HERD_E_NOMEM. */
#define HERD_TOKEN_SIZE       64
#define HERD_TOKEN_PROOF_SIZE 80
HERD_API int herd_token_new(char ret_token[HERD_TOKEN_SIZE], char ret_proof[HERD_TOKEN_PROOF_SIZE]);

/* What herd_server_check found: `err` < 0, a server cannot start or not work as configured; 0, it can, and yet the
 * operator should know; HERD_CHECK_NOTE, nothing is wrong, it is good to know (when a certificate ends). `diagnostic` is borrowed for the call; line 0: it has no place in the file. */
enum { HERD_CHECK_NOTE = 1 };
typedef void herd_server_finding(void *ctx, int err, const struct herd_diagnostic *diagnostic);
/* Reads the configuration file `path` (NULL: the built-in one), opens what it names, and tells everything that is wrong
 * with it, not the first fault alone; where the text is no JSON its first fault ends the check. With `name` (or NULL)
 * also whether that server is there, can listen on its host, and can write its journal. Nothing is changed: a server
 * with this configuration may be running. Takes as long as reading the files and resolving a name takes. 0, or the
 * error of the first fault. */
HERD_API int herd_server_check(const char *path, const char *name, herd_server_finding *on_finding, void *ctx);

/* Closes every connection at once and frees. */
HERD_API void herd_server_free(struct herd_server *server);

/* Stops accepting and dialling, answers what was asked, sends what is unsent (to neighbours too), closes,
 * then calls hooks.stopped; after `timeout_ms` it closes what is left. */
HERD_API void herd_server_stop(struct herd_server *server, int64_t timeout_ms);

/* Takes another configuration while the server runs, or keeps the one it has: all of it is in force, or nothing is.
 * Limits, the level and traffic of the log given in the options, neighbours (added, removed, at another address,
 * plain or not) and providers follow it; data files and keys of providers that stay are read again. The log says
 * each change, and warns (`restart_needed`) of each that a running server cannot make: where it listens, its
 * journal. A link that is up stays up when its neighbour's address changes. `config` is borrowed in place of the
 * former one, which the server no longer needs; on failure the former one remains borrowed. Providers of the
 * program's own (options.places) stay as they are. Not from a hook.
 *
 * NULL: only data files and keys are read again. In any case addresses of names that were kept are forgotten.
 *
 * HERD_E_STATE (stopping); HERD_E_NOTFOUND (it has no server of this name); HERD_E_NOMEM; what herd_places_new says;
 * each with a sentence in *reterr_diagnostic. */
HERD_API int herd_server_reload(struct herd_server *server, const struct herd_config *config,
                                struct herd_diagnostic *reterr_diagnostic);

/* How many records its journal lacks, because the disk does not take them, or may lack because the last sync failed or
 * did not end: after hooks.stopped, what may be lost if this process ends now. 0 without a journal. */
HERD_API size_t herd_server_unsaved(const struct herd_server *server);

/* The port it listens on; 0 with dont_listen. */
HERD_API uint16_t herd_server_port(const struct herd_server *server);

/* The node inside, borrowed for the server's life: for its store and its counts. It is const because its sessions are
 * the server's: one that a program opened itself would get answers that the server does not know where to send. What
 * bytes a program brings go through herd_server_adopt_client, what it reports through herd_server_report. */
HERD_API const struct herd_node *herd_server_node(const struct herd_server *server);

/* Where clients are, for questions and fences; NULL: neither the configuration, nor the options, nor a hook `fence` asks for
 * it. Borrowed for the server's life. Changes are taken in by the server, at the end of each turn of the loop or in several
 * turns if there are many: herd_area_next is not for the program, which gets events from hooks.fence. */
HERD_API struct herd_area *herd_server_area(struct herd_server *server);

/* ---- from inside the program, without a socket: also from hooks ---- */

/* Reports where client `id` is, as a line IAMAT would: herd_node_report. The log's traffic has it as "client=program",
 * neighbours and the journal get it at the end of the turn; no limit of a connection applies. *ret_verdict is what came
 * of it; unless `out` is NULL, the AT line that answers an IAMAT is appended to it. HERD_E_SYNTAX, HERD_E_LIMIT (longer
 * than line_max_bytes), HERD_E_NOMEM, HERD_E_STATE (stopping): nothing has changed. */
HERD_API int herd_server_report(struct herd_server *server, struct herd_span id, struct herd_span position,
                                struct herd_span time, struct herd_buf *out, enum herd_verdict *ret_verdict);
/* Deletes client `id` in the whole herd: herd_node_delete. The log's traffic has it as "client=program" FORGET, neighbours
 * and the journal get it at the end of the turn; no right and no limit of a connection applies. Unless `out` is NULL, the
 * GONE line of the tombstone is appended to it. *ret_verdict is NEWER (deleted) or FULL (tombstones_max). HERD_E_NOTFOUND:
 * not known, expired, or deleted already; HERD_E_ACCESS: tombstones_max is 0; HERD_E_NOMEM, HERD_E_STATE (stopping):
 * nothing has changed. */
HERD_API int herd_server_delete(struct herd_server *server, struct herd_span id, struct herd_buf *out,
                                enum herd_verdict *ret_verdict);
/* The newest record of a client; its spans are borrowed until the next call on the server or turn of the loop.
 * HERD_E_NOTFOUND: not known, expired, or deleted. HERD_E_NOMEM. */
HERD_API int herd_server_find(struct herd_server *server, struct herd_span id, struct herd_record *ret_record);

/* Which way the newest record of a client came to this server: herd_node_trace, with limits.traces_max. Its spans are
 * borrowed likewise. HERD_E_NOTFOUND: not known, expired, or deleted. HERD_E_NOMEM. */
HERD_API int herd_server_trace(struct herd_server *server, struct herd_span id, struct herd_trace *ret_trace);

/* The JSON that a WHATSAT gets behind its AT line, without the LFs at its end; borrowed for the call. */
typedef void herd_server_places(void *ctx, struct herd_span json);
/* Asks for places around the client `id`, as a line WHATSAT would: `radius` is in kilometres, decimal digits, 0 to 50;
 * `bound` 0 to 20. `on_places` runs once, from inside this function if the answer is there at once; not after
 * herd_server_free. It may report, find and ask. No lookups_per_client_max applies. HERD_E_SYNTAX: not what fields of a
 * WHATSAT are; HERD_E_NOTFOUND: not known; HERD_E_NOMEM; HERD_E_STATE (stopping): then it does not run. */
HERD_API int herd_server_ask(struct herd_server *server, struct herd_span id, struct herd_span radius,
                             unsigned bound, herd_server_places *on_places, void *ctx);

/* ---- connections that the program made ---- */

/* Limits of an adopted bufferevent: those of the protocol and of memory (line_max_bytes, line_deadline_ms,
 * client_idle_ms, lookups_per_client_max, output_pause_bytes, output_max_bytes, write_stall_ms; of a link
 * peer_buffer_bytes, peer_hello_ms) apply as to any other. Those of accepting do not: clients_max and
 * clients_per_address_max neither count it nor refuse it. Its watermarks and time-outs stay the program's. */

/* Serves a connected bufferevent (socket, pair, filter, TLS) as a client; a neighbour may introduce
 * itself on it. Bytes that it has read already are the first input, taken in the loop's next turn. On success the server
 * owns `bev`; on failure it remains the caller's.
 *
 * The server does not look into a TLS of the bufferevent: where identities are configured, the client is `anonymous` (may
 * nothing, if there is no such identity) until it sends a token, and where TLS is required a neighbour that introduces itself
 * is refused. A token is taken on a pair, on a socket of this machine, and on TLS of libevent_openssl; elsewhere it counts
 * as sent in clear. HERD_E_NOMEM, HERD_E_STATE (stopping), HERD_E_LIMIT (`anonymous` has as many connections as it may). */
HERD_API int herd_server_adopt_client(struct herd_server *server, struct bufferevent *bev);
/* The same for a client of which the program knows, by its own means, that it is `identity`, a name of the file of
 * identities. When a reload finds that name gone, the connection is closed. HERD_E_NOTFOUND: there is no such identity, or no
 * identities are configured; HERD_E_LIMIT: it has as many connections as it may; else as above. */
HERD_API int herd_server_adopt_client_as(struct herd_server *server, struct bufferevent *bev, const char *identity);
/* The same for a neighbour that will introduce itself, and of which the program knows, by its own means, that it is server
 * `name`: it is refused if it says to be another. HERD_E_NOTFOUND: no neighbour has this name; else as above. */
HERD_API int herd_server_adopt_neighbour(struct herd_server *server, struct bufferevent *bev, const char *name);
/* Uses a connected bufferevent as the link to neighbour `name`, and introduces this server on it. That the other end is
 * `name` counts as proved, by the program. Ownership as above. HERD_E_NOMEM, HERD_E_NOTFOUND, HERD_E_STATE. */
HERD_API int herd_server_adopt_link(struct herd_server *server, struct bufferevent *bev, const char *name);

#ifdef __cplusplus
}
#endif
#endif
