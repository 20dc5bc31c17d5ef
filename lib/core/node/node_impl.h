/* SPDX-License-Identifier: MIT */
/*
 * The inside of a node, shared by the files that make it:
 *
 *     node.c      its life, its options, its clock
 *     session.c   bytes into lines, lines to their handlers
 *     report.c    updates: from a client (IAMAT), from a neighbour (AT)
 *     seen_cache.c    AT lines taken in a moment ago: most that arrive are copies
 *     lookup.c    WHATSAT: tickets, and replies kept in order behind them
 *     peers.c     options changed, neighbours added and removed while the node runs
 *     peer.c      neighbours: introduction, which connection survives, keep-alive, dialling
 *     flood.c     what a link has to say
 *     plain.c     neighbours that speak the class protocol: what they are told
 *     plain_session.c  connections that they make
 *     expiry.c    removing what expired, and what of others' clocks is believed
 *     sync.c      comparing states when a link comes up
 *     effect.c    the queue of pending effects
 */
#ifndef HERD_CORE_NODE_IMPL_H
#define HERD_CORE_NODE_IMPL_H

#include "../base/list.h"
#include "../store/changes.h"
#include "../store/store_impl.h"
#include "seen_cache.h"
#include "sync.h"

#include <herd/node.h>
#include <herd/protocol.h>
#include <herd/timestamp.h>

/* An effect that waits to be taken, embedded in its subject: queueing it cannot fail. */
struct herd_pending_effect {
    struct herd_list link;
    enum herd_effect_kind kind;
};

/* A WHATSAT under way, and the replies that wait behind it. */
struct herd_ticket {
    struct herd_pending_effect pending; /* LOOKUP, later perhaps CANCEL */
    uint64_t id;
    struct herd_session *session; /* NULL: no longer wanted */
    struct herd_list of_session;
    void *user;
    bool answered;
    struct herd_buf texts; /* id, place, radius: what LOOKUP shows; behind them the AT line of the answer */
    size_t id_len, position_len, radius_len;
    unsigned bound;
    struct herd_buf answer;         /* while an older ticket holds it up */
    struct herd_buf queued_replies; /* replies to later commands, up to the next ticket */
};

enum herd_role {
    HERD_ROLE_CLIENT,
    HERD_ROLE_HANDSHAKE, /* we connected; their introduction is to come */
    HERD_ROLE_LINK,
    HERD_ROLE_CLOSING, /* a CLOSE effect is out: input is ignored */
};

struct herd_session {
    struct herd_node *node;
    void *user;
    struct herd_list all;
    struct herd_list idle; /* clients, the longest silent first */
    struct herd_list line; /* clients in the middle of a line, the oldest first */
    struct herd_pending_effect line_due;
    struct herd_pending_effect close;
    const char *close_why;
    struct herd_list tickets; /* oldest first */
    int64_t last_rx_ns, line_ns;
    size_t seen;               /* bytes of an unfinished line already searched */
    size_t queued_reply_bytes; /* in `behind` of all tickets */
    uint32_t ticket_count;
    int32_t peer; /* -1: none; of a client: the plain neighbour it may be */
    uint8_t role;
    bool draining;         /* takes no more commands; closes when every reply is out */
    bool had_line;         /* had a line already */
    bool began;            /* had one that was not blank */
    bool awaiting_command; /* a COMMAND is to be answered before the next line is taken */
    bool plain;            /* comes from where a plain neighbour may be: its AT lines are taken */
    bool line_young;       /* its line is in `plain_lines`, not in `lines` */
    bool plain_spoke;      /* one was: it waits in `plains`, not in `idle` */
    bool leaving;          /* dead, and the other side is to close the connection */
    bool skipping;         /* in the middle of a line of a link that is too long to be taken */
    bool spent;            /* its frames took a turn's steps: it goes on at the next tick */
};

/* Why a neighbour's record is not taken in though it is well formed: a limit of this node's own. */
enum herd_refusal {
    HERD_REFUSAL_RECORDS, /* records_max, twice: may pass */
    HERD_REFUSAL_LINE,    /* line_max_bytes */
    HERD_REFUSAL_SERVERS, /* names of servers, all in use */
    HERD_REFUSALS
};

struct herd_peer {
    struct herd_span name;
    struct herd_pending_effect up, down, dial, resume;
    struct herd_session *session;      /* the established link */
    struct herd_session *dialled;      /* ours, not yet introduced */
    struct herd_subscriber subscriber; /* joined while the link is up */
    struct herd_sync sync;
    uint64_t at_lines;                   /* AT lines both ways on this link */
    uint64_t refused[HERD_REFUSALS];     /* records of this neighbour, by reason */
    uint64_t expire_ms;                  /* as its HELLO said; 0: never */
    uint64_t expire_differed;            /* links on which it was not ours */
    uint64_t incarnations[3];            /* those before this one, the latest first */
    uint64_t alternations;               /* how often one of them came back */
    uint64_t hellos_refused, refused_us; /* since a link was up */
    struct herd_session *loser;          /* of two connections made at once: the other side is to close it */
    int64_t loser_ns;                    /* when it was left to that */
    uint64_t incarnation;                /* of the other side of the link */
    size_t number;                       /* its index in node->peers, for the node's life */
    bool removed;                        /* no neighbour any more: the entry keeps the number and the name */
    bool was_up;                         /* `incarnation` is that of some process */
    bool plain;                          /* speaks the class protocol; its reader is joined always */
    bool sender;                         /* plain: its lines end with our name */
    bool needs_full_send;                /* plain: could not be reached, and is sent everything when it can */
    bool we_dialled;
    bool dial_asked; /* a DIAL effect is out, or `dialled` is set */
    bool ping_due, pong_due;
    unsigned pings_missed;
    int64_t last_rx_ns, last_tx_ns, pinged_ns, dialled_ns;
    int64_t up_ns, next_dial_ns, backoff_ns;
    const char *down_why;
    char name_bytes[]; /* what `name` shows */
};

/* Work that is as long as the store (a comparison, a scan, a sweep) is done in turns of about so many steps: records
 * looked at. What is left goes on when the node is ticked, which it asks for at once. */
#define HERD_TURN_STEPS 4096

#define HERD_NOTICES           16
#define HERD_NOTICE_DETAIL_MAX 160

struct herd_notice {
    struct herd_pending_effect pending;
    const char *text;
    size_t detail_len;
    char detail[HERD_NOTICE_DETAIL_MAX];
};

struct herd_ticket_entry {
    struct herd_ticket *ticket; /* NULL: free */
    uint32_t generation;
    uint32_t next_free; /* place + 1; 0: none */
};

struct herd_node {
    struct herd_node_options options; /* defaults filled in; of name, peers and seed nothing is used from here */
    struct herd_span name, at_name;   /* "Riley" and "AT Riley " */
    struct herd_store *store;
    struct herd_changes changes;
    struct herd_seen_cache seen; /* lines of neighbours */
    struct herd_peer **peers;    /* each at an address of its own: lists run through them */
    size_t peer_count, peer_cap;
    char *name_bytes; /* what `name` and `at_name` show */
    struct herd_list sessions, idle, lines;
    struct herd_list plains;      /* like idle: those that brought an AT line and forgot to leave */
    size_t plain_count;           /* sessions that brought an AT line */
    struct herd_list plain_lines; /* instead of lines: of plain neighbours, perhaps; the longest silent first */
    struct herd_list pending_effects;
    struct herd_list notices_free;
    struct herd_notice notices[HERD_NOTICES];
    struct herd_notice *notice_lent; /* given out by the last effect */
    struct herd_ticket_entry *tickets;
    uint32_t ticket_cap, ticket_free; /* ticket_free: place + 1; 0: none */
    uint64_t incarnation, random;
    struct herd_now now;
    struct herd_node_stats stats;
    struct herd_buf entries; /* scratch: the entries of a LIST */
    uint64_t future_count, refused_count, hellos_refused;
    uint64_t plain_refused[HERD_REFUSALS]; /* records of plain neighbours that may be one of several */
    uint64_t http_count, tls_count, deadline_count, plain_invalid_count; /* of notices: damped */
    int64_t purge_before_ns; /* no record of an effective time before this is held or taken */
    int64_t sweep_until_ns;  /* no record that was taken since the sweep began is effectively later */
    uint32_t sweep_at;       /* the next leaf to look at; UINT32_MAX: done until the window moves */
    bool sweep_failed;       /* memory was short: it is to be done again */
    uint16_t own_name;       /* number of `name` in the store */
};

static inline uint64_t herd_node_steps(const struct herd_node *node)
{
    return node->store->steps + node->changes.steps;
}

/* ---- effect.c ---- */
void herd_effect_queue(struct herd_node *node, struct herd_pending_effect *pending, enum herd_effect_kind kind);
void herd_notice(struct herd_node *node, const char *text, struct herd_span detail);
/* Warnings that others can cause are given at 1, 2, 4, 8, ... occurrences. */
static inline bool herd_worth_saying(uint64_t count)
{
    return (count & (count - 1)) == 0;
}
/* The same, at 1, 2, 4, 8, ... occurrences: for what a stranger can cause. */
void herd_notice_damped(struct herd_node *node, uint64_t *io_count, const char *text, struct herd_span detail);

/* ---- session.c ---- */
/* Takes no more input; a CLOSE effect says why. */
void herd_session_terminate(struct herd_session *session, const char *why);
/* Likewise, but the other side is to close: a CLOSE effect follows its end of input. */
void herd_session_leave(struct herd_session *session, const char *why);
/* Out of the lists that time clients. */
void herd_session_cancel_timeouts(struct herd_session *session);
/* Where the next reply of this session goes: `out`, or behind the newest ticket. */
struct herd_buf *herd_session_replies(struct herd_session *session, struct herd_buf *out);

/* ---- report.c ---- */
/* A line already looked up in the index: part of one read. */
struct herd_parsed_line {
    struct herd_command command;
    struct herd_span line;
    size_t end;             /* offset behind the line in the bytes given */
    uint64_t hash, id_hash; /* in the table; in digests */
    uint64_t line_hash;     /* of a link's line; 0: of another */
    uint32_t slot_hint;
};
/* Whether a link's line was taken in a moment ago and asks for nothing: then it has been dealt with. */
bool herd_report_seen(struct herd_session *session, uint64_t line_hash);
int herd_report_apply_client(struct herd_session *session, const struct herd_parsed_line *parsed,
                             struct herd_buf *replies);
void herd_report_apply_peer(struct herd_session *session, const struct herd_parsed_line *parsed);
/* Counts a neighbour's record that is refused, and tells the operator at 1, 2, 4, 8, ... of them; `what` is its id, or
 * what there is of its line. The link stays up. */
void herd_report_refuse(struct herd_session *session, enum herd_refusal why, struct herd_span what);
/* Whether new clients are refused from neighbours too. */
bool herd_report_full(const struct herd_node *node);

/* ---- flood.c ---- */
/* Appends the newest value of the next record that is due: 1, or 0 if none is. HERD_E_NOMEM. */
int herd_flood_record(struct herd_node *node, struct herd_peer *peer, struct herd_buf *out);

/* ---- expiry.c ---- */
/* Where the effective time of a record lies: what a node holds is within its window, which its clock decides. */
enum herd_window {
    HERD_WINDOW_WITHIN,
    HERD_WINDOW_BEFORE, /* removed by all: expired long ago */
    HERD_WINDOW_BEHIND, /* from the future: not believed */
};
enum herd_window herd_expiry_window(struct herd_node *node, const struct herd_record *record);
/* Whether clients no longer see a record. */
bool herd_expired(const struct herd_node *node, const struct herd_record *record);
/* Gives a record from the future the difference with which it is accepted anew; its text lies in `diff`. */
void herd_expiry_correct(const struct herd_node *node, struct herd_record *io_record, char diff[HERD_DIFF_MAX]);
/* Accepts the record in a slot anew if it is from the future. HERD_E_NOMEM. */
int herd_expiry_settle(struct herd_node *node, uint32_t slot);
/* Follows node->now: the window moves with the clock, forth and back. */
void herd_expiry_look(struct herd_node *node);
void herd_expiry_tick(struct herd_node *node);
int64_t herd_expiry_next_ns(const struct herd_node *node);
/* Takes up options.expire_ns. */
void herd_expiry_configure(struct herd_node *node);
/* What ROOT says of the purge point: milliseconds; 0: none, or removing is under way. */
uint64_t herd_expiry_horizon(const struct herd_node *node);

/* ---- plain.c, plain_session.c ---- */
/* A connection to a plain neighbour was made: says what is due and is done. HERD_E_NOMEM: nothing said. */
int herd_plain_send(struct herd_session *session, struct herd_peer *peer, struct herd_buf *out);
/* A line that is no client's, on a session that may be a plain neighbour's. False: then it is invalid. */
bool herd_plain_receive(struct herd_session *session, const struct herd_parsed_line *parsed);
/* A line without LF behind which nothing came for a while. False: it is no AT line, and stays. */
bool herd_plain_take_unfinished(struct herd_session *session, struct herd_span line);
/* A line of a session that may be a plain neighbour's has begun, or more of it came. */
void herd_plain_time_line(struct herd_session *session);
/* The session is about to end. */
void herd_plain_gone(struct herd_session *session);
/* Timers of connections that plain neighbours made. */
void herd_plain_tick_sessions(struct herd_node *node);
int64_t herd_plain_next_session_ns(const struct herd_node *node);
void herd_plain_failed(struct herd_node *node, struct herd_peer *peer);
void herd_plain_tick(struct herd_node *node, struct herd_peer *peer);
int64_t herd_plain_next_ns(const struct herd_node *node, const struct herd_peer *peer);

/* ---- lookup.c ---- */
int herd_whatsat_begin(struct herd_session *session, const struct herd_parsed_line *parsed, struct herd_buf *out);
/* A line that the protocol does not know becomes a COMMAND effect; its reply keeps its place. */
int herd_command_offer(struct herd_session *session, const struct herd_parsed_line *parsed);
void herd_session_abandon_tickets(struct herd_session *session);
void herd_ticket_free(struct herd_ticket *ticket);
/* Frees a ticket and its number. */
void herd_ticket_remove(struct herd_node *node, struct herd_ticket *ticket);

/* ---- peers.c ---- */
/* Puts defaults in place of zeros. */
void herd_options_fill(struct herd_node_options *io_options);
/* Adds a neighbour: its number. HERD_E_ARG, HERD_E_NOMEM. */
int herd_peers_add(struct herd_node *node, struct herd_span name, bool plain);
/* Frees all entries. Sessions are closed already. */
void herd_peers_free(struct herd_node *node);

/* ---- peer.c ---- */
/* A random number below `bound`. */
uint64_t herd_node_random(struct herd_node *node, uint64_t bound);
int herd_peer_find(const struct herd_node *node, struct herd_span name);
/* A HELLO on a session that is no link yet. */
int herd_peer_hello(struct herd_session *session, const struct herd_command *command, struct herd_buf *out);
/* Whether the neighbour forgets after another time than this node. */
static inline bool herd_peer_expiry_differs(const struct herd_node *node, const struct herd_peer *peer)
{
    int64_t ns = node->options.expire_ns;
    return peer->expire_ms != (ns > 0 ? ((uint64_t)ns - 1) / 1000000 + 1 : 0);
}
/* Appends this node's HELLO. HERD_E_NOMEM. */
int herd_peer_say_hello(const struct herd_node *node, const struct herd_peer *peer, struct herd_buf *out);
/* A session that was left to the other side is freed. */
void herd_peer_left(const struct herd_session *session);
void herd_peer_session_gone(struct herd_session *session, const char *why);
void herd_peer_tick(struct herd_node *node, struct herd_peer *peer);
int64_t herd_peer_next_ns(const struct herd_node *node, const struct herd_peer *peer);

#endif
