/* SPDX-License-Identifier: MIT */
/* The objects of a node. What each file offers is in its own header; tests/layers/order.txt says who may use whom. */
#ifndef HERD_CORE_NODE_IMPL_H
#define HERD_CORE_NODE_IMPL_H

#include "../access/rate.h"
#include "../base/list.h"
#include "../store/changes.h"
#include "../store/store_impl.h"
#include "line_cache.h"
#include "seen_cache.h"
#include "sync.h"
#include "trace.h"

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
    bool secret;           /* `texts` is a token */
    struct herd_buf texts; /* id, place, radius: what LOOKUP shows; behind them the AT line of the answer */
    size_t id_at;          /* of a FETCH: where its id begins in `texts`, which is the line */
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

/* What sessions are timed for; one period each. */
enum herd_timeout {
    HERD_TIMEOUT_IDLE,         /* of a client, since its last input or answer: client_idle_ns */
    HERD_TIMEOUT_LINE_SILENCE, /* of a line that may be a plain neighbour's, since more of it came */
    HERD_TIMEOUT_PLAIN_IDLE,   /* instead of IDLE, of those that brought an AT line and forgot to leave: hello_ns */
    HERD_TIMEOUT_LINE,         /* since the first byte of a line: line_deadline_ns */
    HERD_TIMEOUTS
};

struct herd_timer {
    struct herd_list link; /* in node->timeouts while it runs */
    int64_t started_ns;
};

struct herd_session {
    struct herd_node *node;
    void *user;
    struct herd_list all;
    struct herd_timer timers[HERD_TIMEOUTS];
    struct herd_pending_effect line_due;
    struct herd_pending_effect close;
    const char *close_why;
    struct herd_identity *identity; /* NULL: nobody's */
    struct herd_rate *address_rate; /* NULL: not limited */
    struct herd_span proved;        /* name of the server at the other end, as it proved it */
    struct herd_list tickets;       /* oldest first */
    size_t seen;                    /* bytes of an unfinished line already searched */
    size_t queued_reply_bytes;      /* in `behind` of all tickets */
    uint32_t ticket_count;
    int32_t peer; /* -1: none; of a client: the plain neighbour it may be */
    uint8_t role;
    bool draining;         /* takes no more commands; closes when every reply is out */
    bool had_line;         /* had a line already */
    bool began;            /* had one that was not blank */
    bool awaiting_command; /* a COMMAND is to be answered before the next line is taken */
    bool plain;            /* comes from where a plain neighbour may be: its AT lines are taken */
    bool plain_spoke;      /* one was */
    bool leaving;          /* dead, and the other side is to close the connection */
    bool skipping;         /* in the middle of a line of a link that is too long to be taken */
    bool secure;           /* nobody else can read what is said */
    bool spent;            /* its frames took a turn's steps: it goes on at the next tick */
};

/* Why a neighbour's record is not taken in though it is well formed: a limit of this node's own. */
enum herd_refusal {
    HERD_REFUSAL_RECORDS,    /* records_max, twice: may pass */
    HERD_REFUSAL_LINE,       /* line_max_bytes */
    HERD_REFUSAL_SERVERS,    /* names of servers, all in use */
    HERD_REFUSAL_TOMBSTONES, /* tombstones_max, twice: may pass */
    HERD_REFUSALS
};

struct herd_peer {
    struct herd_span name;
    struct herd_pending_effect up, down, dial, resume;
    bool told_up;                      /* the last of its PEER_UP and PEER_DOWN that was taken is PEER_UP */
    struct herd_session *session;      /* the established link */
    struct herd_session *dialled;      /* ours, not yet introduced */
    struct herd_subscriber subscriber; /* joined while the link is up */
    struct herd_sync sync;
    uint64_t at_received, at_sent;   /* AT lines, of all its links */
    uint64_t links;                  /* how often it came up */
    int64_t changed_ns;              /* when it came up or went down last; 0: never */
    uint64_t refused[HERD_REFUSALS]; /* records of this neighbour, by reason */
    uint64_t expire_ms;              /* as its HELLO said; 0: never */
    uint64_t expire_differed;        /* links on which it was not ours */
    uint64_t incarnations[3];        /* those before this one, the latest first */
    uint64_t alternations;           /* how often one of them came back */
    struct herd_session *loser;      /* of two connections made at once: the other side is to close it */
    int64_t loser_ns;                /* when it was left to that */
    uint64_t incarnation;            /* of the other side of the link */
    size_t number;                   /* its index in node->peers, for the node's life */
    bool removed;                    /* no neighbour any more: the entry keeps the number and the name */
    bool was_up;                     /* `incarnation` is that of some process */
    uint64_t gone_differed;          /* links on which it takes no GONE, and we say it */
    bool takes_gone;                 /* as its HELLO said */
    bool plain;                      /* speaks the class protocol; its reader is joined always */
    bool sender;                     /* plain: its lines end with our name */
    bool needs_full_send;            /* plain: could not be reached, and is sent everything when it can */
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
    struct herd_seen_cache seen;  /* lines of neighbours */
    struct herd_line_cache lines; /* for neighbours */
    struct herd_peer **peers;     /* each at an address of its own: lists run through them */
    size_t peer_count, peer_cap;
    char *name_bytes; /* what `name` and `at_name` show */
    struct herd_list sessions;
    struct herd_list timeouts[HERD_TIMEOUTS]; /* timers that run, those that end first in front */
    size_t plain_count;                       /* sessions that brought an AT line */
    struct herd_list pending_effects;
    struct herd_list notices_free;
    struct herd_notice notices[HERD_NOTICES];
    struct herd_notice *notice_lent; /* given out by the last effect */
    struct herd_ticket_entry *tickets;
    uint32_t ticket_cap, ticket_free; /* ticket_free: place + 1; 0: none */
    uint64_t incarnation, random;
    struct herd_now now;
    struct herd_node_stats stats;
    struct herd_histogram propagation; /* of news, sampled */
    uint64_t news_mask;                /* of at_new: zero bits, and more is done for news; see trace.h */
    struct herd_traces traces;
    struct herd_buf entries;               /* scratch: the entries of a LIST */
    const struct herd_node_shards *shards; /* NULL: there is no other herd */
    uint64_t future_count, refused_count;
    uint64_t plain_refused[HERD_REFUSALS]; /* records of plain neighbours that may be one of several */
    uint64_t http_count, tls_count, deadline_count, plain_invalid_count; /* of notices: damped */
    int64_t purge_before_ns;          /* no record of an effective time before this is held or taken */
    int64_t sweep_until_ns;           /* no record that was taken since the sweep began is effectively later */
    uint32_t sweep_at;                /* the next leaf to look at; UINT32_MAX: done until the window moves */
    bool sweep_failed;                /* memory was short: it is to be done again */
    uint16_t own_name;                /* number of `name` in the store */
    struct herd_subscriber *database; /* what is written to one, if anything is; it has what was read from there */
};

static inline uint64_t herd_node_steps(const struct herd_node *node)
{
    return node->store->steps + node->changes.steps;
}

/* A line already looked up in the index: part of one read. */
struct herd_parsed_line {
    struct herd_command command;
    struct herd_span line;
    size_t end;             /* offset behind the line in the bytes given */
    uint64_t hash, id_hash; /* in the table; in digests */
    uint64_t line_hash;     /* of a link's line; 0: of another */
    uint32_t slot_hint;
};

/* Whether the neighbour forgets after another time than this node. */
static inline bool herd_peer_expiry_differs(const struct herd_node *node, const struct herd_peer *peer)
{
    int64_t ns = node->options.expire_ns;
    return peer->expire_ms != (ns > 0 ? ((uint64_t)ns - 1) / 1000000 + 1 : 0);
}

#endif
