/* SPDX-License-Identifier: MIT */
/*
 * The inside of a server, shared by the files that make it:
 *
 *     adopt, server          the life of one; connections that the program hands to it
 *     flush, timers, reload  the end of a loop iteration; clocks; another configuration while running
 *     serve, effects, stop   the top: what bytes cause, what the node wants carried out, ending gracefully
 *     inside                 what the program itself reports, finds and asks
 *     area, fences, search   where clients are; events of fences; which fences there are; questions
 *     webhook, webhook_sign  events of fences, posted to a URL
 *     lookups, near_line, watch_line   from WHATSAT to places and back; from NEAR to the area and back; WATCH
 *     memory                 the database beside the server
 *     shards                 clients of other herds
 *     schedule, notice, limits, summary
 *
 * neighbours.h
 *     neighbours, dial       who they are, connecting to them
 *     plain, plain_*         those that speak the class protocol
 * listen.h
 *     listener, accept       where to listen; accepting, and what to do when descriptors run out
 *     proxied                connections that come through a proxy, which says from whom
 *     admission, addresses   which handshakes are under way, and which wait for a place; how many an address has
 * conn.h
 *     line                   the line protocol on a connection
 *     conn_feed, _output     bytes to the protocol, replies to the transport
 *     conn, conn_log         one connection: its state, closing; what the log says of it
 *     batch, batch_send      output batched until the end of a loop iteration, and until the journal has it
 *
 * Files call downward only: tests/layers proves it, and has the exact order.
 */
#ifndef HERD_EDGE_SERVER_IMPL_H
#define HERD_EDGE_SERVER_IMPL_H

#include "../../core/base/list.h"
#include "../clock.h"
#include "../journal/journal.h"
#include "../net/resolver.h"
#include "../net/transport.h"
#include "../tls/tls_transport.h"
#include "area.h"
#include "secure.h"

#include <herd/server.h>

#include <assert.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/listener.h>
#include <string.h>
#include <sys/socket.h>

#define HERD_LABEL_MAX 80
/* So many different warnings are counted apart, of a neighbour and of all strangers; further ones together. */
#define HERD_DAMPED_PEER      4
#define HERD_DAMPED_STRANGERS 32

struct herd_beside;
struct herd_conn;
struct herd_http;
struct herd_server;
struct herd_server_shards;

/*
 * What a connection is doing. `eof` (the peer sends no more) and `over_limit` are bits beside it.
 *
 *     OPEN       bytes go to the protocol as they arrive
 *     BLOCKED    commands wait for an answer, for their replies to leave, or for their part of an iteration. Nothing is
 *                read; or, where the protocol attends, a little, so that a peer that is gone is noticed
 *     ENDING     the protocol was told that no more comes; it still owes answers
 *     DRAINING   the protocol is done; bytes are unsent
 *     LINGERING  all is sent, and the peer was told so; it has a moment to read it
 *     CLOSED     waits in closed_conns for the end of the loop iteration, or, where nobody is at the other end, a later one
 *
 *     event        OPEN           BLOCKED          ENDING       DRAINING             LINGERING
 *     input        to protocol    stays kept       stays kept   dropped              dropped
 *     eof          to protocol    noted, later     noted        CLOSED if all sent   CLOSED
 *     drained      -              ready            -            LINGERING if all     -
 *     ready        -              OPEN, protocol   -            -                    -
 *     end (stop)   ENDING         when unblocked   -            -                    -
 *     finish       DRAINING, at once LINGERING or CLOSED if all is sent   -          -
 *     close        CLOSED, from anywhere; so do failures and deadlines
 */
enum herd_conn_state {
    HERD_CONN_OPEN,
    HERD_CONN_BLOCKED,
    HERD_CONN_ENDING,
    HERD_CONN_DRAINING,
    HERD_CONN_LINGERING,
    HERD_CONN_CLOSED,
};

/* What talks on a connection: lines (line.c), or HTTP (../http). A connection has one from its first byte on until it is
 * DRAINING, and with it a session of the node, for its rights and timers; `request` is what the protocol keeps beside it.
 * None of these carries out effects. */
struct herd_conn_protocol {
    /* Bytes arrived: appends replies to `out`, says how many are used up, and logs both. < 0: close the connection. */
    int (*input)(struct herd_conn *conn, struct herd_span bytes, struct herd_now now, struct herd_buf *out,
                 struct herd_input_result *ret_result);
    /* No more come, `rest` is the last of them (empty if the server stops): likewise. */
    int (*eof)(struct herd_conn *conn, struct herd_span rest, struct herd_now now, struct herd_buf *out,
               struct herd_input_result *ret_result);
    /* Nothing is read from the peer until it has taken its replies. */
    void (*suspended)(struct herd_conn *conn);
    /* Bytes left: there may be space for more. */
    void (*writable)(struct herd_conn *conn);
    /* Whether there is more to say than what was sent; a graceful stop waits for it. */
    bool (*pending)(const struct herd_conn *conn);
    /* The connection is done with the session: frees it. `why` may be NULL. */
    void (*close)(struct herd_conn *conn, const char *why);
    /* What it is given may take as long as many lines: all such connections have a part of each iteration, see serve.c. */
    bool posted;
};

/* What accepted connections speak. */
struct herd_door {
    /* Gives one its protocol and its session. HERD_E_NOMEM. */
    int (*begin)(struct herd_conn *conn);
    /* Neighbours come this way too: beyond clients_max one may still introduce itself. */
    bool neighbours;
    /* What the log says of an address that is listened on. */
    const char *event;
    /* For tools of this machine, on loopback: neither TLS nor the header of a proxy is spoken. */
    bool admin;
};

/* What else a server does, from above it. */
struct herd_service {
    /* The server is made and about to listen. Errors with *reterr_diagnostic. */
    int (*open)(struct herd_server *server, struct herd_diagnostic *reterr_diagnostic);
    /* Another configuration, or other rights, are in force. Nothing may fail here. */
    void (*reload)(struct herd_server *server);
    /* The end of a loop iteration. */
    void (*flush)(struct herd_server *server);
    /* The server stops: what has no end of its own is ended. */
    void (*stop)(struct herd_server *server);
    /* All connections are gone. */
    void (*close)(struct herd_server *server);
    struct herd_door door;       /* of `http_port` */
    struct herd_door admin_door; /* of `admin_port` */
};

struct herd_listener {
    struct herd_server *server;
    const struct herd_door *door;
    struct evconnlistener *socket;
};

/* Who made a connection, and wants to know of its end. Each may be NULL. */
struct herd_conn_owner {
    /* The protocol is done. */
    void (*ended)(struct herd_conn *conn, const char *why);
    /* CLOSED. `delivered`: to a plain neighbour, all that was sent was acknowledged. */
    void (*closed)(struct herd_conn *conn, bool delivered);
};

struct herd_conn {
    struct herd_server *server;
    struct herd_transport *transport; /* NULL: none yet */
    const struct herd_conn_protocol *protocol;
    struct herd_session *session; /* NULL before the protocol began and once it is done */
    void *request;                /* of the protocol; NULL: nothing is under way */
    const struct herd_conn_owner *owner;
    struct herd_list all;
    struct herd_list deadline_link;  /* in the server's list while bytes wait to be sent */
    struct herd_list handshake_link; /* until its TLS handshake is over: see admission.c */
    int64_t handshake_ns;            /* when that began */
    struct herd_line_watch *watch;   /* of fences, by lines; NULL: none */
    unsigned char *token_hash;       /* SHA-256 of the token it proved itself by; NULL: by none */
    struct herd_list ready_link;     /* in one of the server's lists: BLOCKED, and perhaps no longer */
    enum herd_conn_state state;
    size_t batched_bytes; /* how many bytes wait for the end of the loop iteration, or for the journal */
    uint64_t address[2];  /* key in the table of addresses; zero for none */
    size_t unacked_seen;  /* how many bytes waited, here and in the kernel, when we looked last */
    int64_t progress_ns;  /* when bytes last left while some waited; while lingering: the deadline, or, to a plain
                             neighbour, since when */
    int peer;             /* the neighbour this is dialled to, or -1 */
    int plain_from;       /* which plain neighbour it comes from, or -1: several are at its address */
    uint16_t source;      /* of its address: see admission.c */
    uint8_t admission;    /* enum herd_admitted */
    bool undecided;       /* accepted, and its first bytes have not come: TLS or not; or it waits for a handshake */
    bool admin;           /* accepted on `admin_port` */
    bool proxied;         /* comes through a proxy that is trusted */
    bool unnamed;         /* which has not said yet from whom */
    bool again;           /* the protocol left input that it could have used: BLOCKED, and ready at once */
    bool attends;         /* BLOCKED, it is to hear all the same when the peer is gone */
    bool local;           /* handed to us by the program, which knows who it is */
    bool link;            /* established */
    bool plain;           /* takes a message to a plain neighbour */
    bool plain_home;      /* comes from an address of one */
    bool gained;          /* brought an AT line of one: the log says when it is lost */
    bool refused;         /* dialled, and the log knows why there is no link */
    bool answered;        /* something was said on it */
    bool eof;             /* the peer sends no more */
    bool close_later;     /* CLOSED, and the transport is not yet */
    bool counted;         /* is one of clients_max */
    bool addressed;       /* is one of clients_per_address_max */
    bool over_limit;      /* beyond clients_max: has until progress_ns to prove a neighbour */
    bool nameless;        /* beyond what the anonymous may have: has until progress_ns to prove who it is */
    uint16_t port;        /* of the peer, for the log */
    uint8_t label_len;    /* what the log calls it, made when first needed; 0: not made */
    char label[HERD_LABEL_MAX];
};

/* What connections send later: bytes of this one, then of that one. */
struct herd_batch_list {
    struct herd_batch_part {
        struct herd_conn *conn; /* NULL: closed meanwhile */
        size_t len;
    } * parts;
    size_t count, cap;
    struct herd_buf bytes; /* of all parts, one behind the other */
};

struct herd_batch {
    struct herd_batch_list collecting; /* until the end of the turn */
    struct herd_batch_list waiting;    /* until the journal has `ticket` */
    uint64_t ticket;
};

/* A warning that may repeat at each redial: logged at the 1st, 2nd, 4th, 8th, ... time in a row. */
struct herd_damped {
    const char *text; /* static; NULL: none yet */
    uint64_t detail;  /* its hash */
    uint64_t count;
};

/* Connecting to a neighbour, and what the log was told of it. */
struct herd_dial {
    struct herd_server *server;
    struct herd_connector *connector;  /* while under way */
    struct herd_sockaddr address;      /* connected to last; tried first */
    uint64_t failures;                 /* in a row */
    struct herd_resolver_call *naming; /* of a plain neighbour: see plain_names.c */
    bool named;                        /* a look-up of its name has ended, well or not */
    struct herd_damped refusals[HERD_DAMPED_PEER];
    size_t peer;
};

#define HERD_PLAIN_ADDRESSES 8

/* Of a neighbour that is plain; zero for the others. */
struct herd_plain {
    uint64_t addresses[HERD_PLAIN_ADDRESSES][2]; /* where it may connect from */
    size_t address_count;
    size_t open;  /* connections to it */
    bool waiting; /* a dial waits for one of them to close */
};

struct herd_address_count {
    uint64_t source[2];        /* see herd_address_source */
    struct herd_rate *reports; /* shared by its connections, and kept behind them; NULL: not limited */
    uint32_t count;            /* 0, and no reports: the slot is free */
};

struct herd_addresses {
    struct herd_address_count *table;
    size_t size, used, swept;
    uint64_t key[2];
};

/* Where a handshake is. */
enum herd_admitted {
    HERD_ADMITTED_NO,     /* none, or one that takes no place: we dialled */
    HERD_ADMITTED_BEHIND, /* its source has as many as it may have */
    HERD_ADMITTED_NEXT,   /* waits for a place */
    HERD_ADMITTED_HOLDS,  /* has one */
};

struct herd_admission_source {
    struct herd_list behind;
    uint32_t holding, next; /* how many of it */
};

struct herd_admission {
    struct herd_admission_source *sources; /* made when first needed */
    struct herd_list next;
    struct herd_list holding; /* and those we dialled; the oldest first */
    size_t held, waiting;     /* how many hold a place, and are next */
};

/* A wrong token, to be answered later. */
struct herd_auth_late {
    uint64_t ticket;
    int64_t due_ns;
};
#define HERD_AUTH_LATE_MAX 256

struct herd_server {
    struct event_base *base;
    struct herd_server_options options;
    const struct herd_config *config;
    const struct herd_limits *limits;
    struct herd_log *log;
    struct herd_places *places;
    bool places_ours;
    struct herd_retired *retired; /* chains of earlier configurations that still have look-ups under way */
    const struct herd_service *service;
    struct herd_http *http;       /* of the service; NULL: off */
    struct herd_network *proxies; /* of `config` */
    size_t proxy_count;
    char *start_listen, *start_journal; /* what cannot change while running, as it was at the start; NULL: none */
    char *start_http_listen;
    uint16_t start_port, start_http_port, start_admin_port;
    struct herd_node *node;
    size_t self;              /* which server of the configuration */
    size_t *peer_servers;     /* node's peer number -> server of the configuration */
    struct herd_conn **links; /* node's peer number -> its connection, while up */
    struct herd_dial **dials; /* one a peer; each stays where it is */
    size_t dial_count, neighbour_cap;
    struct herd_plain *plains;        /* likewise */
    struct herd_list plain_lingering; /* connections to them on which all is said, by `unsent` */
    struct event *plain_event;
    struct herd_list conns, deadline_list;
    struct herd_list closed_conns; /* freed when no callback can be on the stack */
    struct herd_list ready;        /* blocked connections that may go on */
    struct herd_list posted;       /* likewise, and others with bytes, of protocols that are `posted` */
    size_t passes;                 /* how many of `ready` this iteration may still serve */
    int64_t posted_left_ns;        /* how long it may still serve those, */
    size_t posted_replies_left;    /* and how many of them it may answer */
    size_t line_bytes;             /* how many bytes of lines were served in this iteration; */
    size_t more_replies;           /* how many others may be sent to in it for these, beyond the usual */
    struct herd_list questions;    /* of the program, under way: see inside.c */
    struct herd_socket_loop sockets;
    const struct herd_transport_events *transport_events; /* of every connection: see serve.c */
    struct herd_trust *trust;                             /* who is who, as files say */
    struct herd_server_shards *shards;                    /* NULL: there is one herd; see shards.h */
    herd_secure_opened_fn *secure_opened;
    struct herd_tls_loop tls_loop; /* what streams share */
    struct event *computed_event;  /* threads have computed steps of handshakes; NULL: there are no threads */
    struct event *relief_event;    /* whether they do is looked at */
    struct herd_admission admission;
    struct herd_auth_late auth_late[HERD_AUTH_LATE_MAX];
    size_t auth_late_count;
    int64_t ends_due_s;        /* when to look next for what ends soon */
    int64_t trust_reloaded_ns; /* steady time; 0: never */
    struct herd_batch batch;
    struct herd_watch *watch;
    struct herd_area *area;       /* NULL: none */
    struct herd_list fence_sinks; /* who is told of fences: see area.h */
    uint64_t pairs_missed_next;   /* of the area, when it is to be told of again */
    struct herd_list searches;    /* questions under way: see search.c */
    size_t search_count;
    struct event *search_event;
    struct herd_fence_file
        *fence_file;               /* which of them are of the configuration's file: see fences.c; NULL: none */
    struct herd_list line_watches; /* of connections: see watch_line.c */
    size_t line_watch_count;
    struct herd_fence_sink line_sink; /* while there are any */
    struct herd_webhook *webhook;     /* NULL: this server posts nothing */
    bool start_area;                  /* the configuration asked for it */
    struct herd_beside *beside;       /* the database; NULL: none */
    char *start_database;             /* what the configuration said of it; NULL: none */
    bool beside_stops, reads_through;
    struct herd_journal *journal; /* NULL: none */
    int journal_fd;               /* an eventfd: its thread is done; -1: none */
    struct event *journal_event;
    size_t client_count;
    struct herd_addresses addresses;
    struct herd_listener **listeners; /* one an address */
    size_t listener_count;
    struct event *accept_retry_event;
    int reserve_fd;
    uint16_t port;
    bool accept_held;               /* see herd_accept_hold */
    unsigned accepted;              /* in this iteration of the loop */
    int64_t plain_names_due_ns;     /* when names of plain neighbours are looked up next */
    struct herd_resolver *resolver; /* shared with the places that are ours */
    struct herd_conn *input_conn;   /* whose bytes the session takes right now: effects are about it */
    struct herd_damped refusals[HERD_DAMPED_STRANGERS];
    struct event *flush_event, *next_turn_event, *tick_event, *housekeeping_event, *stop_event;
    int64_t tick_ns; /* when tick_event is due; INT64_MAX: not armed */
    bool flush_active;
    bool stopping, stopped_notified;
    int64_t stop_until_ns; /* when its patience ends */
    bool freeing;
    struct herd_buf out;                    /* replies of the call under way */
    uint64_t accepted_count, refused_count; /* connections let in, and over a limit */
    int64_t start_wall_ns;
    struct herd_histogram lag; /* how late housekeeping came */
    int64_t housekeeping_ns;   /* when it is to come; 0: not known yet */
    int64_t lag_max_ns;        /* since the last summary */
    int64_t summary_ns;        /* when that was; 0: never */
};

/* ---- server.c ---- */
/* herd_server_new, with what else it does; `service` is borrowed for its life. */
int herd_server_make(struct herd_server **ret_server, struct event_base *base,
                     const struct herd_server_options *options, const struct herd_service *service,
                     struct herd_diagnostic *reterr_diagnostic);

/* ---- schedule.c ---- */
/* Makes sure links are filled before the loop sleeps, and the clock is watched. */
void herd_server_schedule_flush(struct herd_server *server);

/* ---- effects.c ---- */
/* Carries out what the node wants. Called at the top only: after serving, by timers, at the end of an iteration. */
void herd_server_effects(struct herd_server *server);

/* ---- inside.c ---- */
/* Questions of the program that are under way get no answer. */
void herd_inside_cancel(struct herd_server *server);

/* ---- serve.c ---- */
/* What every transport tells its connection. */
extern const struct herd_transport_events herd_serve_events;
/* Serves connections that are ready, as many as one iteration allows; the others in the next one. */
void herd_serve_ready(struct herd_server *server);
/* All lines of an iteration are served: what is due to others for that. */
void herd_serve_share(struct herd_server *server);
/* Another iteration of the event loop begins. */
void herd_serve_iteration(struct herd_server *server);

/* ---- summary.c ---- */
/* Logs how the server is, if it is time. */
void herd_summary_log(struct herd_server *server, int64_t now_ns);

/* ---- timers.c ---- */
int herd_timers_new(struct herd_server *server);
/* The node's clock: HERD_E_NOMEM never. */
void herd_timers_tick(struct herd_server *server);

/* ---- limits.c ---- */
/* The options that come from limits; the others are left alone. */
void herd_server_node_access(const struct herd_trust *trust, struct herd_node_options *ret_options);
void herd_server_node_limits(const struct herd_limits *limits, struct herd_node_options *ret_options);

/* ---- reload.c ---- */
/* Frees chains that have answered everybody. */
void herd_reload_housekeeping(struct herd_server *server);
void herd_reload_fini(struct herd_server *server);

/* ---- lookups.c ---- */
/* What belongs to a ticket, the first member of it: herd_ticket_user. */
struct herd_ticket_call {
    void (*cancel)(struct herd_ticket_call *call); /* nobody wants the answer any more: frees it */
};
void herd_lookups_start(struct herd_server *server, const struct herd_effect *effect);
void herd_lookups_cancel(const struct herd_effect *effect);
/* Sends the reply to a COMMAND: herd_node_reply. */
void herd_lookups_reply(struct herd_server *server, uint64_t ticket, const struct herd_span *reply);
/* Lets the program answer what the protocol does not know. */
void herd_lookups_command(struct herd_server *server, const struct herd_effect *effect);
/* Nobody knows the client that a WHATSAT asks for. */
void herd_lookups_unknown(struct herd_server *server, const struct herd_effect *effect);

/* Whether two settings are the same; NULL: not given. */
static inline bool herd_same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* ---- stop.c ---- */
/* If every reply and update was delivered: closes links and calls hooks.stopped. */
void herd_stop_check(struct herd_server *server);
void herd_stop_event(evutil_socket_t fd, short what, void *arg);

/* ---- flush.c ---- */
/* The end of a loop iteration: links are filled, watchers notified, closed connections freed, timers set. */
void herd_flush_event(evutil_socket_t fd, short what, void *arg);

/* ---- notice.c ---- */
/* Logs a notice of the node. */
void herd_notice_log(struct herd_server *server, const struct herd_effect *effect);
/* Counts a warning about a stranger's connection; whether it is to be logged this time. */
bool herd_notice_worth_logging(struct herd_server *server, const char *text);
/* Logs that a neighbour is up or down, and forgets what it was warned of. */
void herd_notice_peer(struct herd_server *server, const struct herd_effect *effect, bool up);

#endif
