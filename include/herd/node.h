/* SPDX-License-Identifier: MIT */
/*
 * A node of a herd, without sockets: bytes and time go in, bytes and effects come out.
 *
 * A *session* is one connection, seen from the protocol: bytes that arrived are given to it, bytes to be
 * sent are appended to a buffer of the caller's. It begins as a client; one that introduces itself with
 * the name of a configured neighbour becomes a link. Everything a node wants done (dial a neighbour, look
 * up places, close a session) or wants known it says in *effects*, which the caller takes and carries
 * out, so nothing ever calls back into the caller.
 *
 *     herd_node_new(&node, &options);
 *     herd_session_open(node, &session, my_connection, now);
 *     herd_session_input(session, bytes, now, &out, &result);     reply is in out, result.consumed used up
 *     while (herd_node_next_effect(node, &effect)) carry_out(&effect);
 *     for each link: herd_session_write(link, max_bytes, now, &out);
 *     at herd_node_next_ns(node): herd_node_tick(node, now);
 *
 * Programs that use libevent want herd/server.h, which does all of this; herd/node.h is for those that
 * bring their own transport, and for simulators. A session pointer is valid until herd_session_close.
 */
#ifndef HERD_NODE_H
#define HERD_NODE_H

#include <herd/identity.h>
#include <herd/protocol.h>
#include <herd/shard.h>
#include <herd/store.h>
#include <herd/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct herd_node;
struct herd_session;

struct herd_node_options {
    struct herd_span name;         /* this server; copied */
    const struct herd_span *peers; /* its neighbours; names copied */
    size_t peer_count;
    const bool *peers_plain; /* which of them are plain: see below; NULL: none. Copied */
    uint64_t seed[2];        /* random: table key, jitter, and the incarnation that tells a restart */
    uint64_t digest_key;     /* the same on every node of the herd; zero is fine */
    uint64_t key_check; /* follows from the herd's secret as digest_key does, and says nothing of it: neighbours
                               with another one refuse each other. 0: none */
    bool access;        /* clients may do what their identity may: herd_session_set_identity, AUTH. false: all */
    bool peers_prove;   /* HELLO counts only on a connection that proved the name: herd_session_set_proof */

    /* Bounds; zero means the default. */
    size_t line_max_bytes;         /* 65536 */
    size_t records_max;            /* 1000000; new ids are refused beyond, twice this from neighbours */
    uint64_t records_bytes_max;    /* 4 GiB of herd_store_bytes; reports that need more are refused, what neighbours
                                     know never. UINT64_MAX: no bound */
    size_t lookups_per_client_max; /* 4; later commands of that client wait */
    size_t queued_reply_max_bytes; /* 65536 of replies waiting behind a look-up; then commands wait */
    size_t plain_lines_max;        /* 1; AT lines on one connection to a plain neighbour */
    int64_t client_idle_ns;        /* 300 s; negative: never */
    int64_t line_deadline_ns;      /* 10 s for a line to become whole; negative: no bound */
    int64_t ping_ns;               /* 5 s; about the same at both ends of a link */
    int64_t hello_ns;              /* 5 s */
    int64_t redial_min_ns;         /* 50 ms */
    int64_t redial_max_ns;         /* 3 s */
    int64_t digest_ns;             /* 60 s, give or take a fifth: idle links compare digests this often */
    int64_t future_ns;             /* 300 s: a report this far ahead of the clock is warned of or refused; with
                                     expire_ns a neighbour's record accepted further ahead is refused: PROTOCOL.md,
                                     3.7. Negative: no bound */
    int64_t expire_ns;             /* 0: never; else so long after its report a client is forgotten, and records are
                                     in the order of PROTOCOL.md, 3.7. The same on every node of the herd */
    size_t tombstones_max;         /* 0: clients cannot be deleted; else so many deletions are remembered, more are
                                     refused, twice this from neighbours: PROTOCOL.md, 3.9. 0 or not on every node of
                                     the herd */
    size_t traces_max;             /* 0: nobody is; else so many clients are traced, see herd_node_trace */
    bool forget_line;              /* a client's line FORGET deletes; false: it is no command */
    bool future_refuse;            /* false: a report from the future is warned of; true: refused */
    bool close_after_reply;        /* close a client after its first reply */
    bool commands;                 /* offer a client's line that is no command as COMMAND, before "? " */
    bool fetch_unknown;            /* offer a WHATSAT for a client of which nothing is held as FETCH, before "? " */
};

/* HERD_E_NOMEM; HERD_E_ARG: a name that herd_name_valid refuses, or one given twice, or a pointer that is NULL. */
HERD_API int herd_node_new(struct herd_node **ret_node, const struct herd_node_options *options);
/* Gives a running node other bounds and periods, as if it had been made with them: all members of `options` behind
 * digest_key, zero meaning the default. Name, peers, seed and digest_key are not looked at: they stay. What is over a
 * new bound already (records, look-ups under way) stays too, and nothing is added to it. */
HERD_API void herd_node_configure(struct herd_node *node, const struct herd_node_options *options,
                                  struct herd_now now);
/* Makes server `name` (copied) a neighbour of a running node; *ret_peer is its number, the old one if it was a
 * neighbour before. HERD_E_ARG: a name that herd_name_valid refuses, the node's own, or a neighbour's. HERD_E_NOMEM. */
HERD_API int herd_node_peer_add(struct herd_node *node, struct herd_span name, bool plain, struct herd_now now,
                                size_t *ret_peer);
/* Neighbour `peer` is none any more: its link is closed (CLOSE and PEER_DOWN effects follow, "peer_removed"), what it
 * was still to be sent is forgotten, it is not dialled, and its introduction is refused. Other numbers stay. A dial
 * under way is the caller's to give up; herd_session_connected refuses it. HERD_E_NOTFOUND: no such neighbour. */
HERD_API int herd_node_peer_remove(struct herd_node *node, size_t peer, struct herd_now now);
/* Frees the node and all its sessions. */
HERD_API void herd_node_free(struct herd_node *node);

HERD_API struct herd_span herd_node_name(const struct herd_node *node);
/* The node's store, borrowed for the node's life; read it, do not put into it. */
HERD_API struct herd_store *herd_node_store(const struct herd_node *node);

/* ---- one herd of several ---- */

/* Where a server listens, as SEE says it: 1 to HERD_HOST_MAX bytes of A-Z a-z 0-9 . - _ : %, and a port that is not 0. */
struct herd_node_address {
    struct herd_span host;
    uint16_t port;
};

/* A herd, as the others know it. */
struct herd_node_shard {
    const struct herd_node_address *servers; /* at least one, but of the node's own herd */
    size_t server_count;
};

/* Which herd has which clients: PROTOCOL.md, 5. */
struct herd_node_shards {
    uint64_t key;                          /* of herd_bucket */
    uint16_t herd_of_bucket[HERD_BUCKETS]; /* indices into `herds`, as herd_shard_table fills them */
    uint16_t self;                         /* the node's own herd */
    const struct herd_node_shard *herds;
};

/* From now on a client's IAMAT, WHATSAT and FORGET for a bucket of another herd is answered with SEE and the address of a
 * server of that herd, each in turn; herd_node_report and herd_node_delete for such a client are refused (FOREIGN). What
 * neighbours and journals say is taken as ever, and nothing that is held is forgotten. NULL, as at first: every client is
 * this herd's. Borrowed until the next call or the end of the node. */
HERD_API void herd_node_set_shards(struct herd_node *node, const struct herd_node_shards *shards);
/* Whether client `id` is another herd's; only then *ret_bucket is set. */
HERD_API bool herd_node_foreign(const struct herd_node *node, struct herd_span id, unsigned *ret_bucket);

/* ---- reports from inside the program ---- */

/* What became of a record, whoever brought it: a client's line, a neighbour, a journal, herd_node_report. */
enum herd_verdict {
    HERD_VERDICT_NEW,         /* the client was not known, or deleted: stored, and told to all neighbours */
    HERD_VERDICT_NEWER,       /* likewise, over an older record */
    HERD_VERDICT_SAME,        /* it is what is stored already */
    HERD_VERDICT_OLDER,       /* ordered before what is stored, which stays */
    HERD_VERDICT_FULL,        /* refused: records_max, records_bytes_max, tombstones_max, or the names of servers */
    HERD_VERDICT_FUTURE,      /* refused: further ahead of this node's clock than future_ns */
    HERD_VERDICT_NOT_ALLOWED, /* refused: not a client of this identity */
    HERD_VERDICT_TOO_OFTEN,   /* refused: more reports a second than an identity or an address may make */
    HERD_VERDICT_EXPIRED, /* refused: so old that no node holds it any more; never of a report that is made now */
    HERD_VERDICT_FOREIGN, /* refused: the client is another herd's; see herd_node_set_shards */
};

/* Reports where client `id` is, as a line IAMAT of these fields at `now` would: `position` is ISO 6709, `time` POSIX
 * seconds, both kept as they are, byte for byte. *ret_verdict is what came of it. Unless the report is refused (FULL,
 * FUTURE, FOREIGN) and unless `out` is NULL, the AT line that answers an IAMAT is appended to `out`; the spans are copied.
 * HERD_E_SYNTAX: not what fields of an IAMAT are. HERD_E_LIMIT: the line would be longer than line_max_bytes.
 * HERD_E_NOMEM. After an error nothing has changed. */
HERD_API int herd_node_report(struct herd_node *node, struct herd_span id, struct herd_span position,
                              struct herd_span time, struct herd_now now, struct herd_buf *out,
                              enum herd_verdict *ret_verdict);
/* Deletes client `id`: a tombstone, a record without a place, takes the place of its record, here and then everywhere,
 * and wins over every report that is not later than both that record and `now`. A later report brings the client back.
 * *ret_verdict is NEWER: deleted, and unless `out` is NULL the GONE line of the tombstone is appended to it; or FULL:
 * refused, tombstones_max; or FOREIGN: the client is another herd's. HERD_E_NOTFOUND: not known, expired, or deleted already; HERD_E_ACCESS: tombstones_max is 0;
 * HERD_E_NOMEM. After an error nothing has changed. */
HERD_API int herd_node_delete(struct herd_node *node, struct herd_span id, struct herd_now now,
                              struct herd_buf *out, enum herd_verdict *ret_verdict);
/* Takes in a record that a database beside the herd has (herd/database.h): judged by clock, limits and order as a
 * neighbour's, told to all neighbours. Its spans are copied; its time_ns may be 0. *ret_verdict is what came of it.
 * HERD_E_ARG: a member is not in the form of an AT line. HERD_E_NOMEM. After an error nothing has changed. */
HERD_API int herd_node_learn(struct herd_node *node, const struct herd_record *record, struct herd_now now,
                             enum herd_verdict *ret_verdict);
/* The newest record of a client, as a WHATSAT at `now` would find it; its spans are borrowed until the next call on the
 * node or its store. HERD_E_NOTFOUND: not known, expired, or deleted. HERD_E_NOMEM. */
HERD_API int herd_node_find(struct herd_node *node, struct herd_span id, struct herd_now now,
                            struct herd_record *ret_record);

/* Which way the newest record of a client came to this node. */
struct herd_trace {
    struct herd_record record; /* its `server` accepted it */
    int64_t accepted_ns;       /* when, by that server's clock: POSIX time */
    int64_t since_ns;          /* since when the client is traced, by this node's clock: POSIX time; if `traced` */
    int64_t delay_ns; /* from its acceptance to its arrival here, if `heard`; what the two clocks differ by is
                                    in it: below zero, too */
    uint64_t copies;  /* how often neighbours sent this record since then, the first time included */
    struct herd_span
        heard_from; /* the neighbour from which it came first, if `heard`; {"", 0}: one of several plain ones */
    bool traced;
    bool
        heard; /* it came from a neighbour while the client was traced. false: it was accepted here, or came before */
};
/* As herd_node_find, with the way of the record: as much of it as is in the record. The client is traced from now on, so
 * that more is known of its next records, until traces_max others were asked for since it was asked for last; records of
 * clients that nobody asked for cost nothing. Spans of *ret_trace are borrowed until the next call on the node or its
 * store. HERD_E_NOTFOUND: not known, expired, or deleted; it is not traced. HERD_E_NOMEM. */
HERD_API int herd_node_trace(struct herd_node *node, struct herd_span id, struct herd_now now,
                             struct herd_trace *ret_trace);

/* ---- sessions ---- */

/* What the caller does after giving bytes to a session. */
struct herd_input_result {
    size_t consumed; /* bytes used up; give the rest again, with more behind it */
    bool blocked;    /* commands wait for a look-up: give the rest again when an answer was given; a link waits for
                        its next turn: give the rest again at RESUME */
    bool close;      /* send what is owed, then close the connection */
};

/* A connection was accepted. `user` comes back with effects. HERD_E_NOMEM. */
HERD_API int herd_session_open(struct herd_node *node, struct herd_session **ret_session, void *user,
                               struct herd_now now);
/* A connection to neighbour `peer` was made: appends this side's introduction to `out`. HERD_E_NOMEM,
 * HERD_E_ARG (no such neighbour, or it was removed). */
HERD_API int herd_session_connected(struct herd_node *node, struct herd_session **ret_session, void *user,
                                    size_t peer, struct herd_now now, struct herd_buf *out);
/* The connection is gone or about to be: frees the session. What it owed is forgotten. */
HERD_API void herd_session_close(struct herd_session *session);

/* Bytes arrived at `now`. Replies are appended to `out`. HERD_E_NOMEM: a reply could not be made, the
 * session must be closed; the node is sound. */
HERD_API int herd_session_input(struct herd_session *session, struct herd_span bytes, struct herd_now now,
                                struct herd_buf *out, struct herd_input_result *ret_result);
/* The other side will send no more; an unterminated rest is a command too. result.close says whether all
 * is answered; if not, a CLOSE effect follows when it is. */
HERD_API int herd_session_eof(struct herd_session *session, struct herd_span rest, struct herd_now now,
                              struct herd_buf *out, struct herd_input_result *ret_result);

/* ---- who is at the other end ---- */

/* The session is this identity's from now on, in place of the one it had; NULL: nobody's. With `access` it may report
 * and ask what that may, without it everything. The identity is borrowed until the session has another one or is closed.
 * HERD_E_LIMIT: the identity has as many sessions as it may; nothing has changed. */
HERD_API int herd_session_set_identity(struct herd_session *session, struct herd_identity *identity);
/* NULL: none. */
HERD_API struct herd_identity *herd_session_identity(const struct herd_session *session);
/* `server`: the server at the other end proved to have this name, by a certificate or a key; {"", 0}: it did not. It is
 * borrowed for the session's life. `secure`: nobody else can read the bytes, so that a token may be sent. Before any
 * input. */
HERD_API void herd_session_set_proof(struct herd_session *session, struct herd_span server, bool secure);
/* After an AUTH effect: the identity whose token it is, or NULL: none. Appends "OK identity", or "? AUTH" after which the
 * session takes no more. Also "? AUTH": the identity has as many sessions as it may. As for herd_node_reply otherwise;
 * the answer to a wrong token may be given late, so that guessing takes time. */
HERD_API int herd_node_auth(struct herd_node *node, uint64_t ticket, struct herd_identity *identity,
                            struct herd_now now, struct herd_buf *out, struct herd_session **ret_session);

/* Nothing is read from this client until it takes its replies: its idle time and the deadline of its line
 * stand still until the next herd_session_input. */
HERD_API void herd_session_suspend_timeouts(struct herd_session *session);

/* A plain neighbour is a foreign server that speaks the class protocol: six-field AT lines, a connection
 * for each message, no introduction. DIAL asks for such a connection too; herd_session_connected appends the
 * lines, and a CLOSE effect follows at once: send them, say that no more comes, ignore what is answered.
 * PEER_UP and PEER_DOWN say, without a session, that it could be reached or not.
 *
 * For a client that connects from an address of a plain neighbour, before any input: its AT lines are taken
 * like a neighbour's. `peer` is that neighbour, or -1 if it may be one of several. Anybody who connects from
 * there can do the same. */
HERD_API void herd_session_allow_plain(struct herd_session *session, int peer);
/* After LINE_TIMEOUT: `rest` is what is not used up of this session's bytes. An AT line without its LF is taken, for not
 * every foreign server ends its lines; result.consumed says so. Anything else is left as it is. Always 0. */
HERD_API int herd_session_line_timeout(struct herd_session *session, struct herd_span rest, struct herd_now now,
                                       struct herd_input_result *ret_result);
/* Whether the session has brought an AT line of a plain neighbour. */
HERD_API bool herd_session_plain(const struct herd_session *session);
HERD_API bool herd_node_peer_plain(const struct herd_node *node, size_t peer);
/* Whether lines to neighbour `peer`, if it is plain, get this server's name as a seventh field; at first they do not.
 * HERD_E_NOTFOUND: no such neighbour. */
HERD_API int herd_node_peer_sender(struct herd_node *node, size_t peer, bool sender);
/* Whether a plain neighbour that can be reached has not been told everything yet. */
HERD_API bool herd_node_plain_pending(const struct herd_node *node);

HERD_API void *herd_session_user(const struct herd_session *session);
/* The neighbour at the other end of an established link, or -1. */
HERD_API int herd_session_peer(const struct herd_session *session);

/* ---- flooding ---- */

/* Whether a neighbour's link is up, and its session. */
HERD_API struct herd_session *herd_node_link(const struct herd_node *node, size_t peer);
/* Numbers given so far: 0 .. count - 1, those of removed neighbours included. */
HERD_API size_t herd_node_peer_count(const struct herd_node *node);
/* Borrowed for the node's life; "" for a neighbour that was removed. */
HERD_API struct herd_span herd_node_peer_name(const struct herd_node *node, size_t peer);
/* Whether herd_session_write would append anything. */
HERD_API bool herd_session_want_write(const struct herd_session *session);
/* Appends pending output for this link, in the order of change and each record with its newest value, until about
 * `max_bytes` are there or nothing is left. HERD_E_NOMEM: what was appended is whole lines, the rest stays queued.
 * Keep-alives are part of it: always send them behind queued data, however long that takes; the node itself decides
 * when a link is dead. A transport that takes no byte at all is for the caller to close. */
HERD_API int herd_session_write(struct herd_session *session, size_t max_bytes, struct herd_now now,
                                struct herd_buf *out);

/* ---- effects ---- */

/* Of a peer PEER_UP and PEER_DOWN come in turn, and the last one taken says what is so. One exception: PEER_UP a
 * second time is a link that replaces the one before, because both sides had connected at once. */
enum herd_effect_kind {
    HERD_EFFECT_LOOKUP,       /* ask for places: ticket, position, radius, bound; later herd_node_answer */
    HERD_EFFECT_CANCEL,       /* the look-up of `ticket` is no longer wanted; its `lookup_user` is given */
    HERD_EFFECT_DIAL,         /* connect to `peer`, then herd_session_connected or herd_node_dial_failed */
    HERD_EFFECT_CLOSE,        /* send what is in hand for `session`, then close it; `text` says why */
    HERD_EFFECT_PEER_UP,      /* a link with `peer` is established: `session` */
    HERD_EFFECT_PEER_DOWN,    /* it is gone, `text` says why; `session` is NULL */
    HERD_EFFECT_NOTICE,       /* something an operator should know: `text`, `detail` */
    HERD_EFFECT_LINE_TIMEOUT, /* `session`, perhaps a plain neighbour's, is in the middle of a line for a while: call
                                 herd_session_line_timeout with its bytes, now or not at all */
    HERD_EFFECT_COMMAND,      /* a client said `detail`, which the protocol does not know: `ticket`, `session`;
                             then herd_node_reply, at once or later (CANCEL comes for it too); until then
                             this client's later commands wait */
    HERD_EFFECT_AUTH, /* a client sent the token `detail`: `ticket`, `session`; then herd_node_auth. Until then its
                                 later commands wait */
    HERD_EFFECT_RESUME, /* `session`, a link that was paused because its lines took long, goes on: give it the
                             rest of its bytes again */
    HERD_EFFECT_FETCH, /* a client asked for `id`, of which nothing is held: `ticket`, `session`; then herd_node_fetched, at
                           once or later (CANCEL comes for it too) */
};

/* Which members are set depends on the kind; spans and texts are borrowed until the next call. */
struct herd_effect {
    enum herd_effect_kind kind;
    struct herd_session *session;
    size_t peer;
    uint64_t ticket;
    void *lookup_user;
    struct herd_span id, position, radius;
    unsigned bound;
    const char *text; /* static: one_word_like_this */
    struct herd_span detail;
};

/* Takes the next effect. False: nothing to do. Take all of them after each call on the node. */
HERD_API bool herd_node_next_effect(struct herd_node *node, struct herd_effect *ret_effect);

/* Remembers what belongs to a ticket, to be given back by CANCEL. */
HERD_API void herd_ticket_user(struct herd_node *node, uint64_t ticket, void *user);
/* The answer to a LOOKUP: `json` is sent as it is, behind the AT line and before two LF. Appends what
 * its session may send now to `out` (nothing while an earlier answer is missing) and gives the session,
 * or NULL if the ticket is no longer wanted. HERD_E_NOMEM: close that session. */
HERD_API int herd_node_answer(struct herd_node *node, uint64_t ticket, struct herd_span json, struct herd_now now,
                              struct herd_buf *out, struct herd_session **ret_session);
/* The answer to a FETCH: a record of that id, for this reply alone, which is never held; or NULL: there is none, "? " and
 * the line are sent. So they are if the record is not in the form of an AT line, expired, from the future, or a
 * tombstone. With a record a LOOKUP of the same ticket follows, and *ret_session is NULL. Otherwise as above. */
HERD_API int herd_node_fetched(struct herd_node *node, uint64_t ticket, const struct herd_record *record,
                               struct herd_now now, struct herd_buf *out, struct herd_session **ret_session);
/* The reply to a COMMAND, whole lines each with its LF, perhaps none; or NULL: nobody knows the command,
 * "? " and the line are sent. Otherwise as above. */
HERD_API int herd_node_reply(struct herd_node *node, uint64_t ticket, const struct herd_span *reply,
                             struct herd_now now, struct herd_buf *out, struct herd_session **ret_session);

/* ---- time ---- */

/* The steady time at which to call herd_node_tick at the latest; INT64_MAX: not needed. */
HERD_API int64_t herd_node_next_ns(const struct herd_node *node);
HERD_API void herd_node_tick(struct herd_node *node, struct herd_now now);
/* A DIAL came to nothing: it is tried again later. */
HERD_API void herd_node_dial_failed(struct herd_node *node, size_t peer, struct herd_now now);
/* A DIAL could not even be begun (no descriptor, no port, no memory), which says nothing about the
 * neighbour: likewise, but a plain one is not told everything again. */
HERD_API void herd_node_dial_local_failure(struct herd_node *node, size_t peer, struct herd_now now);

/* ---- the stream of accepted updates ---- */

/* A watcher sees each record that is accepted after it was opened, in the order they changed; one that
 * changed again before it was looked at is seen once, with its newest value. Tombstones are among them
 * (herd_record_is_tombstone): the client was deleted, and the watcher perhaps never saw it. */
struct herd_watch;
/* HERD_E_NOMEM. */
HERD_API int herd_watch_open(struct herd_node *node, struct herd_watch **ret_watch);
/* Before the node is freed. NULL is fine. */
HERD_API void herd_watch_close(struct herd_watch *watch);
/* What became of a record that was seen may be that it has to be seen once more: its client's newest then.
 * HERD_E_NOTFOUND: the node does not hold it any more. */
HERD_API int herd_watch_again(struct herd_watch *watch, struct herd_span id);
/* The watcher sees all records that the node has, in no particular order. */
HERD_API void herd_watch_all(struct herd_watch *watch);
/* How many records it is still to see. */
HERD_API size_t herd_watch_pending(const struct herd_watch *watch);
/* The next record, borrowed until the next call on the node. False: none. */
HERD_API bool herd_watch_next(struct herd_watch *watch, struct herd_record *ret_record);

/* ---- figures ---- */

struct herd_node_stats {
    uint64_t reports;             /* IAMAT accepted and new */
    uint64_t reports_stale;       /* IAMAT answered, neither stored nor flooded */
    uint64_t deletions;           /* clients deleted here */
    uint64_t invalid;             /* lines answered with "? " */
    uint64_t lookups;             /* WHATSAT for a known client */
    uint64_t at_received, at_new; /* AT lines from neighbours, and those that were news */
    uint64_t at_refused;          /* AT lines of neighbours that a limit of this node did not let in */
    uint64_t at_sent;
    uint64_t at_future;     /* AT lines refused: accepted too far ahead of this node's clock; see expire_ns */
    uint64_t at_expired;    /* AT lines refused: expired so long ago that no node holds them */
    uint64_t accepted_anew; /* records held from a time when this node's clock was ahead, and corrected */
    uint64_t not_allowed;   /* reports and questions refused: not of this identity */
    uint64_t too_often;     /* reports refused: beyond the rate of an identity or an address */
    uint64_t auth_failed;   /* lines AUTH refused */
    uint64_t foreign;       /* reports, questions and deletions for clients of other herds */
    uint64_t syncs;         /* links that came up and found a difference */
    uint64_t repairs;       /* differences on idle links: an alarm, this must stay 0 */
};
HERD_API struct herd_node_stats herd_node_stats(const struct herd_node *node);

/* How often something took how long: counts[i] of those longer than bound i - 1 and at most bound i, the last of those
 * longer than all bounds. */
#define HERD_HISTOGRAM_BOUNDS 16
struct herd_histogram {
    uint64_t counts[HERD_HISTOGRAM_BOUNDS + 1];
    uint64_t count; /* of all */
    double sum_s;   /* in seconds */
};
/* Bound `i` in nanoseconds, from 100 us to 10 s; INT64_MAX from HERD_HISTOGRAM_BOUNDS on. */
HERD_API int64_t herd_histogram_bound_ns(size_t i);
/* How long news of neighbours had been under way, from their acceptance by the clock of the server that took the report
 * to their arrival by this one's: what the clocks differ by is in it. One in HERD_PROPAGATION_SAMPLE is measured.
 * Borrowed for the node's life. */
#define HERD_PROPAGATION_SAMPLE 16
HERD_API const struct herd_histogram *herd_node_propagation(const struct herd_node *node);

/* What a node knows of a neighbour. */
struct herd_peer_stats {
    bool plain;
    bool up;        /* a link is established; of a plain one: it could be reached the last time */
    bool comparing; /* states are being compared, or what differed is being sent */
    bool agrees;    /* up, not comparing, and the last comparison of states found no difference with no reason; of a
                             plain one, which compares nothing: all was sent */
    uint64_t links; /* how often a link came up */
    uint64_t at_received; /* AT lines from it, and to it */
    uint64_t at_sent;
    uint64_t refused;     /* its records that this node did not take */
    size_t unsent;        /* records it is still to be told of */
    int64_t since_ns;     /* steady time at which it came up or went down; 0: never was up */
    const char *down_why; /* static; NULL: up, or never was */
};
/* HERD_E_NOTFOUND: no such neighbour, or it was removed. */
HERD_API int herd_node_peer_stats(const struct herd_node *node, size_t peer, struct herd_peer_stats *ret_stats);

#ifdef __cplusplus
}
#endif
#endif
