/* SPDX-License-Identifier: MIT */
/*
 * The inside of a server, shared by the files that make it:
 *
 *     adopt, server          the life of one; connections that the program hands to it
 *     flush, timers, reload  the end of a loop iteration; clocks; another configuration while running
 *     serve, effects, stop   the top: what bytes cause, what the node wants carried out, ending gracefully
 *     listener, accept       where to listen; accepting, and what to do when descriptors run out
 *     neighbours, dial       who they are, connecting to them
 *     inside                 what the program itself reports, finds and asks
 *     lookups                from WHATSAT to places and back
 *     plain, plain_*         neighbours that speak the class protocol
 *     line                   the line protocol on a connection
 *     proxied                connections that come through a proxy, which says from whom
 *     conn_feed, _output     bytes to the protocol, replies to the transport
 *     conn, conn_log         one connection: its state, closing; what the log says of it
 *     batch, batch_send      output batched until the end of a loop iteration, and until the journal has it
 *     admission              which handshakes are under way, and which wait for a place
 *     addresses, schedule, notice, limits
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
#include "secure.h"

#include <herd/server.h>

#include <assert.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/listener.h>
#include <sys/socket.h>

#define HERD_LABEL_MAX 80
/* So many different warnings are counted apart, of a neighbour and of all strangers; further ones together. */
#define HERD_DAMPED_PEER      4
#define HERD_DAMPED_STRANGERS 32

struct herd_conn;
struct herd_http;
struct herd_server;

/*
 * What a connection is doing. `eof` (the peer sends no more) and `over_limit` are bits beside it.
 *
 *     OPEN       bytes go to the protocol as they arrive
 *     BLOCKED    nothing is read: commands wait for an answer, or for their replies to leave
 *     ENDING     the protocol was told that no more comes; it still owes answers
 *     DRAINING   the protocol is done; bytes are unsent
 *     LINGERING  all is sent, and the peer was told so; it has a moment to read it
 *     CLOSED     waits in closed_conns for the end of the loop iteration
 *
 *     event        OPEN           BLOCKED          ENDING       DRAINING             LINGERING
 *     input        to protocol    stays kept       stays kept   dropped              dropped
 *     eof          to protocol    later            noted        CLOSED if all sent   CLOSED
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
};

/* What accepted connections speak. */
struct herd_door {
    /* Gives one its protocol and its session. HERD_E_NOMEM. */
    int (*begin)(struct herd_conn *conn);
    /* Neighbours come this way too: beyond clients_max one may still introduce itself. */
    bool neighbours;
    /* What the log says of an address that is listened on. */
    const char *event;
};

/* What else a server does, from above it. Each may be NULL. */
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
    struct herd_door door; /* of `http_port` */
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
    unsigned char *token_hash;       /* SHA-256 of the token it proved itself by; NULL: by none */
    struct herd_list ready_link;     /* in the server's list: BLOCKED, and perhaps no longer */
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
    bool proxied;         /* comes through a proxy that is trusted */
    bool unnamed;         /* which has not said yet from whom */
    bool again;           /* the protocol left input that it could have used: BLOCKED, and ready at once */
    bool local;           /* handed to us by the program, which knows who it is */
    bool link;            /* established */
    bool plain;           /* takes a message to a plain neighbour */
    bool plain_home;      /* comes from an address of one */
    bool gained;          /* brought an AT line of one: the log says when it is lost */
    bool refused;         /* dialled, and the log knows why there is no link */
    bool answered;        /* something was said on it */
    bool eof;             /* the peer sends no more */
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
    uint64_t address[2];
    struct herd_rate *reports; /* shared by its connections; NULL: not limited */
    uint32_t count;
};

struct herd_addresses {
    struct herd_address_count *table;
    size_t size, used;
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
    struct herd_retired *retired;       /* chains of earlier configurations that still have look-ups under way */
    const struct herd_service *service; /* NULL: none */
    struct herd_http *http;             /* of the service; NULL: off */
    struct herd_network *proxies;       /* of `config` */
    size_t proxy_count;
    char *start_listen, *start_journal; /* what cannot change while running, as it was at the start; NULL: none */
    char *start_http_listen;
    uint16_t start_port, start_http_port;
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
    struct herd_list questions;    /* of the program, under way: see inside.c */
    size_t passes;                 /* how many of them this iteration may still serve */
    struct herd_socket_loop sockets;
    const struct herd_transport_events *transport_events; /* of every connection: see serve.c */
    struct herd_trust *trust;                             /* who is who, as files say */
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
    struct herd_buf out;    /* replies of the call under way */
    uint64_t refused_count; /* connections over a limit */
    int64_t start_wall_ns;
    struct herd_histogram lag; /* how late housekeeping came */
    int64_t housekeeping_ns;   /* when it is to come; 0: not known yet */
    int64_t lag_max_ns;        /* since the last summary */
    int64_t summary_ns;        /* when that was; 0: never */
};

/* ---- server.c ---- */
/* herd_server_new, with what else it does; `service` is borrowed for its life, and may be NULL. */
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

/* ---- neighbours.c ---- */
/* What this configuration makes of the servers for server `self`: no neighbour, one, or a plain one. */
enum herd_kinship { HERD_STRANGER, HERD_NEIGHBOUR, HERD_NEIGHBOUR_PLAIN };
/* One for each server of the configuration; owned, free. NULL: no memory. */
unsigned char *herd_neighbours_of(const struct herd_config *config, size_t self);
/* Makes room in all tables for `count` neighbours. HERD_E_NOMEM. */
int herd_neighbours_reserve(struct herd_server *server, size_t count);
/* Adds the neighbours of the configuration to a node that has none. HERD_E_NOMEM. */
int herd_neighbours_open(struct herd_server *server);
/* The neighbours become those of `config`, or nothing changes: HERD_E_NOMEM. Call herd_neighbours_settle when
 * server->config is that one. */
int herd_neighbours_change(struct herd_server *server, const struct herd_config *config, size_t self);
/* Tables and dials follow server->config; what differs from `old` (or NULL) is logged and counted. */
size_t herd_neighbours_settle(struct herd_server *server, const struct herd_config *old);
void herd_neighbours_fini(struct herd_server *server);

/* ---- reload.c ---- */
/* Frees chains that have answered everybody. */
void herd_reload_housekeeping(struct herd_server *server);
void herd_reload_fini(struct herd_server *server);

/* ---- lookups.c ---- */
void herd_lookups_start(struct herd_server *server, const struct herd_effect *effect);
void herd_lookups_cancel(const struct herd_effect *effect);
/* Lets the program answer what the protocol does not know. */
void herd_lookups_command(struct herd_server *server, const struct herd_effect *effect);

/* ---- stop.c ---- */
/* If every reply and update was delivered: closes links and calls hooks.stopped. */
void herd_stop_check(struct herd_server *server);
void herd_stop_event(evutil_socket_t fd, short what, void *arg);

/* ---- flush.c ---- */
/* The end of a loop iteration: links are filled, watchers notified, closed connections freed, timers set. */
void herd_flush_event(evutil_socket_t fd, short what, void *arg);

/* ---- conn_log.c ---- */
/* Writes the peer's address and port to `text`; "local:0" for what is no IP address. */
struct herd_span herd_conn_address(const struct herd_conn *conn, char text[HERD_LABEL_MAX]);
/* "client=127.0.0.1:5000" or "peer=Jaquez", for the log; borrowed until the connection is freed. */
struct herd_span herd_conn_label(struct herd_conn *conn);
/* It turned out to be this neighbour. */
void herd_conn_set_peer(struct herd_conn *conn, size_t peer);
/* Logs that something became of the connection; `why` may be NULL. */
void herd_conn_log(struct herd_conn *conn, enum herd_log_level level, const char *event, const char *why);
/* Log traffic, if that is wanted: whole lines, or an answer as its AT line and the size of its JSON. */
/* What was used up of the input, and the replies to it. */
void herd_conn_log_exchange(struct herd_conn *conn, struct herd_span received, struct herd_span sent);
void herd_conn_log_received(struct herd_conn *conn, struct herd_span bytes);
void herd_conn_log_sent(struct herd_conn *conn, struct herd_span bytes);
void herd_conn_log_answer(struct herd_conn *conn, struct herd_span bytes);
/* Counts a connection that a limit refused, and warns. */
void herd_conn_log_refused(struct herd_server *server, const char *why);

/* ---- conn.c ---- */
/* A connection without a transport or session yet. NULL: out of memory. */
struct herd_conn *herd_conn_new(struct herd_server *server);
/* Closes now, whatever is unsent; memory is freed at the end of the loop iteration. Fine for a closed one. */
void herd_conn_close(struct herd_conn *conn, const char *why);
/* The protocol is done: sends what is unsent, lets the peer read it, then closes. Fine in any state. */
void herd_conn_finish(struct herd_conn *conn, const char *why);
/* DRAINING, and all is sent: LINGERING or CLOSED. */
void herd_conn_drain_done(struct herd_conn *conn);
/* Frees what was closed. */
void herd_conn_free_closed(struct herd_server *server);
/* BLOCKED, and perhaps no longer: it is served in this iteration or the next. Does nothing in other states. */
void herd_conn_ready(struct herd_conn *conn);
/* Bytes given to send that have not left; these, and those that the peer's kernel has not acknowledged. */
static inline size_t herd_conn_unsent(const struct herd_conn *conn)
{
    return conn->batched_bytes + (conn->transport ? herd_transport_unsent(conn->transport) : 0);
}
static inline size_t herd_conn_unacked(const struct herd_conn *conn)
{
    return conn->batched_bytes + (conn->transport ? herd_transport_unacked(conn->transport) : 0);
}
/* Switches reading; closes the connection if that fails. */
void herd_conn_set_read(struct herd_conn *conn, bool enable);
/* Whether the protocol still has it. */
static inline bool herd_conn_active(const struct herd_conn *conn)
{
    return conn->state <= HERD_CONN_ENDING;
}

/* ---- conn_output.c ---- */
/* Sends bytes and logs them, perhaps not before the end of the loop iteration; may close the connection. */
void herd_conn_send(struct herd_conn *conn, struct herd_span bytes);
void herd_conn_send_answer(struct herd_conn *conn, struct herd_span bytes);
/* The same for bytes that the log knows of. */
void herd_conn_send_logged(struct herd_conn *conn, struct herd_span bytes);
/* Sends bytes now, without waiting for the journal: for what acknowledges nothing. `block` holds them as long as that
 * takes. They stand behind what was sent before. */
void herd_conn_send_block(struct herd_conn *conn, struct herd_block *block);
/* The transport took bytes, or failed with `err`. */
void herd_conn_sent(struct herd_conn *conn, int err);
/* Bytes left the queue. */
void herd_conn_drained(struct herd_conn *conn);
/* Whether a client has so much to read that its commands wait. */
bool herd_conn_output_full(const struct herd_conn *conn);

/* ---- conn_feed.c ---- */
/* OPEN: gives the protocol what arrived, once, sends what it replies, and goes to the state that follows. Effects are
 * the caller's. Returns how many bytes were used up. */
size_t herd_conn_feed(struct herd_conn *conn);
/* The server stops: to the protocol it is as if the peer had said all it wanted to. */
void herd_conn_end(struct herd_conn *conn);

/* ---- line.c ---- */
/* Gives a connection its session of the line protocol: a client's; or that of a link we dialled, whose introduction is
 * left in server->out. HERD_E_NOMEM; HERD_E_ARG (the neighbour was removed). */
int herd_line_begin_client(struct herd_conn *conn);
int herd_line_begin_link(struct herd_conn *conn, size_t peer);
/* A line lacks its LF for a while: the session may take it as it is. */
void herd_line_timeout(struct herd_conn *conn);

/* ---- batch_send.c ---- */
/* Sends all that is held, if the journal has what it acknowledges; the other one only if it is much. Commands that
 * waited for space become ready. */
void herd_batch_flush_full(struct herd_server *server);
void herd_batch_flush(struct herd_server *server);

/* ---- batch.c ---- */
/* No more is held than stays in the cache. */
#define HERD_BATCH_MAX_BYTES 262144
/* Whether so many bytes should wait for the end of the turn. With a journal all bytes to clients must: see
 * herd_batch_required. */
bool herd_batch_wanted(const struct herd_conn *conn, size_t len);
/* Whether bytes may acknowledge what the journal has not, so that sending them at once is out of the question. */
bool herd_batch_required(const struct herd_conn *conn);
/* Keeps bytes until then; what is sent on this connection meanwhile has to follow them. HERD_E_NOMEM. */
int herd_batch_add(struct herd_conn *conn, struct herd_span bytes);
void herd_batch_drop(struct herd_conn *conn);
void herd_batch_fini(struct herd_batch *batch);

/* ---- listener.c ---- */
/* Listens on every address of `listen`, or of the host, or on the socket given, and likewise for the service. HERD_E_ADDRESS,
 * HERD_E_NOMEM. */
int herd_listener_open(struct herd_server *server, struct herd_diagnostic *reterr_diagnostic);
void herd_listener_close(struct herd_server *server);
/* Where a server of a configuration listens, as text: "*", or hosts with a comma between; owned. NULL: no memory. */
char *herd_listener_where(const struct herd_config_server *self);
char *herd_listener_http_where(const struct herd_config_server *self);
/* Logs each address listened on, and warns if neighbours elsewhere cannot reach any of them. */
void herd_listener_log(struct herd_server *server);

/* ---- accept.c ---- */
/* Serves what comes in on a listening socket, which is non-blocking and the listener's on success. HERD_E_NOMEM. */
int herd_accept_new(struct herd_listener *listener, int fd);
/* Of the timer `accept_retry_event`. */
void herd_accept_again(evutil_socket_t fd, short what, void *arg);
/* Accepts again if there is room. */
void herd_accept_resume(struct herd_server *server);
/* Accepts nothing until herd_accept_release, but for two seconds at most: who comes waits in the kernel's queue. */
void herd_accept_hold(struct herd_server *server);
void herd_accept_release(struct herd_server *server);
/* Another iteration of the loop begins: it accepts some more. */
void herd_accept_iteration(struct herd_server *server);
/* A connection of a client became a link: a neighbour is no client. */
void herd_accept_uncount(struct herd_conn *conn);

/* ---- proxied.c ---- */
/* The networks of a configuration; owned, free. NULL: no memory. */
struct herd_network *herd_proxied_networks(const struct herd_config *config);
/* Whether connections from an address begin with a header that says from whom they are. */
bool herd_proxied_from(const struct herd_server *server, const uint64_t address[2]);
/* The first bytes of an unnamed connection. True: they are no more than the header, or a fault; look at its state. */
bool herd_proxied_first(struct herd_conn *conn);

/* ---- admission.c ---- */
void herd_admission_init(struct herd_admission *admission);
void herd_admission_fini(struct herd_admission *admission);
/* A handshake is to begin. True: now. False: the connection waits, and comes from herd_admission_next. `bounded`: with
 * others of its address. HERD_E_NOMEM is taken for "now". */
bool herd_admission_enter(struct herd_conn *conn, bool bounded);
/* A handshake that needs no place begins. */
void herd_admission_add(struct herd_conn *conn);
/* It is over, or will not be: fine for any connection. */
void herd_admission_leave(struct herd_conn *conn);
/* The next one for which there is a place, which it has now; NULL: none. */
struct herd_conn *herd_admission_next(struct herd_server *server);
/* Whether more wait for a place than are free. */
bool herd_admission_is_short(const struct herd_server *server);

/* ---- addresses.c ---- */
/* The key of an address in tables, and its port. Zero for what is no IP address. */
void herd_address_of(const struct sockaddr *from, uint64_t ret_address[2], uint16_t *ret_port);

/* ---- plain_linger.c ---- */
/* Whether the peer's kernel has all is asked this often at first. */
#define HERD_PLAIN_ASK_US 10000
/* Whether the neighbour has all that was said on a connection of ours. */
bool herd_plain_delivered(const struct herd_conn *conn);
/* All is said to a plain neighbour: the connection closes as soon as its kernel has it. */
void herd_plain_linger(struct herd_conn *conn);
/* Sees to it that this is looked after. */
void herd_plain_ask(struct herd_server *server);

/* ---- plain_log.c ---- */
/* A connection of ours to one was made. */
void herd_plain_log_opened(struct herd_conn *conn);
/* Whether a connection of theirs to us turned out to be one, and that one is gone. */
void herd_plain_log_received(struct herd_conn *conn);
void herd_plain_log_closed(struct herd_conn *conn);

/* ---- plain.c ---- */
/* A neighbour's addresses became known; nothing is done for one that is not plain. */
void herd_plain_found(struct herd_server *server, size_t peer, const struct herd_sockaddr_list *found);
/* A client was accepted: tells its session if it may be a plain neighbour. */
void herd_plain_admit(struct herd_conn *conn);
/* Whether to dial now; if not, it is dialled when a connection closes. */
bool herd_plain_may_dial(struct herd_server *server, size_t peer);
void herd_plain_opened(struct herd_conn *conn);
void herd_plain_event(evutil_socket_t fd, short what, void *arg);

/* ---- plain_names.c ---- */
/* Forgets the addresses of a neighbour, and finds out the numeric one if it is plain. */
void herd_plain_look(struct herd_server *server, size_t peer);
/* Looks up the names of plain neighbours if that is due; called at the start and by the housekeeping. */
void herd_plain_names_check(struct herd_server *server);
void herd_plain_names_cancel(struct herd_server *server, size_t peer);

/* ---- dial.c ---- */
void herd_dial_start(struct herd_server *server, size_t peer);
/* A connection to neighbour `peer` has a transport: introduces us. What herd_line_begin_link says. */
int herd_dial_begin(struct herd_conn *conn, size_t peer);
/* The socket of a link, whoever dialled. */
void herd_dial_tune(int fd);
void herd_dial_cancel(struct herd_dial *dial);

/* ---- notice.c ---- */
/* Logs a notice of the node. */
void herd_notice_log(struct herd_server *server, const struct herd_effect *effect);
/* Counts a warning about a stranger's connection; whether it is to be logged this time. */
bool herd_notice_worth_logging(struct herd_server *server, const char *text);
/* Logs that a neighbour is up or down, and forgets what it was warned of. */
void herd_notice_peer(struct herd_server *server, const struct herd_effect *effect, bool up);

/* What bounds the reports of an address that has a connection, made when first asked for; NULL: `per_second` is 0, or no
 * memory. Borrowed until its last connection is released. */
struct herd_rate *herd_addresses_rate(struct herd_addresses *addresses, const uint64_t address[2],
                                      int64_t per_second);
/* HERD_E_LIMIT: it has `max` already (0: no bound). HERD_E_NOMEM. */
int herd_addresses_acquire(struct herd_addresses *addresses, const uint64_t address[2], int64_t max);
void herd_addresses_release(struct herd_addresses *addresses, const uint64_t address[2]);
void herd_addresses_fini(struct herd_addresses *addresses);

#endif
