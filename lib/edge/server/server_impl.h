/* SPDX-License-Identifier: MIT */
/*
 * The inside of a server, shared by the files that make it:
 *
 *     server.c     its life; effects of the node carried out; timers
 *     conn.c       one connection: bytes to the session, replies to the transport, closing
 *     transport.c  what a connection needs of what carries it, and the two that can:
 *     conn_socket.c  sockets of our own;  conn_bev.c  bufferevents handed to us
 *     accept.c     accepting, and what to do when descriptors run out
 *     listener.c   where to listen: addresses, sockets, what the log says of them
 *     neighbours.c who they are, as the configuration says and says anew
 *     reload.c     another configuration while running
 *     dial.c       connecting to neighbours
 *     batch.c      output batched until the end of a loop iteration
 *     flush.c      the end of a loop iteration: batched output, links, watchers, timers
 *     plain.c      neighbours that speak the class protocol
 *     plain_names.c  addresses of those given by name
 *     lookups.c    from WHATSAT to places and back
 *     stop.c       ending gracefully
 *     notice.c     warnings of the node, with whom they are about
 *     addresses.c  how many connections each address has
 */
#ifndef HERD_EDGE_SERVER_IMPL_H
#define HERD_EDGE_SERVER_IMPL_H

#include "../../core/base/list.h"
#include "../clock.h"
#include "../journal/journal.h"
#include "../net/resolver.h"

#include <herd/server.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/listener.h>
#include <sys/socket.h>

/* One read takes so much: large enough that a busy client costs few system calls. */
#define HERD_READ_BYTES 65536
/* An unfinished line up to this long is copied in front of the next read; longer ones are read behind. */
#define HERD_READ_FRONT 4096
#define HERD_LABEL_MAX  80
/* So many different warnings are counted apart, of a neighbour and of all strangers; further ones together. */
#define HERD_DAMPED_PEER      4
#define HERD_DAMPED_STRANGERS 32

struct herd_conn {
    struct herd_server *server;
    struct herd_session *session; /* NULL once the protocol is done with it */
    struct herd_list all;
    struct herd_list deadline_link; /* in the server's list while bytes wait to be sent */
    struct event read_event;        /* sockets of our own: */
    int fd;                         /* -1: a bufferevent */
    struct event *write_event;
    size_t batched_bytes;    /* how many bytes wait for the end of the turn, or for the journal */
    struct evbuffer *queue;  /* bytes the kernel did not take; made when first needed */
    struct herd_buf rest;    /* bytes not used up yet: the beginning of a line, or a paused client's */
    struct bufferevent *bev; /* handed to us: */
    uint64_t address[2];     /* key in the table of addresses; zero for none */
    size_t unacked_seen;     /* how many bytes waited, here and in the kernel, when we looked last */
    int64_t progress_ns; /* when bytes last left while some waited; while lingering: the deadline, or, to a plain
                                neighbour, since when */
    int peer;            /* the neighbour this is dialled to, or -1 */
    bool link;           /* established */
    bool plain;          /* takes a message to a plain neighbour */
    bool plain_home;     /* comes from an address of one */
    int plain_from;      /* which, or -1: several are there */
    bool gained;         /* brought an AT line of one: the log says when it is lost */
    bool refused;        /* dialled, and the log knows why there is no link */
    bool answered;       /* something was said on it */
    bool eof;            /* the other side sends no more */
    bool blocked;        /* commands wait for a look-up, or replies for room */
    bool closing;        /* the protocol is done; bytes may still be unsent */
    bool lingering;      /* all is sent; waiting for the other side to have read it */
    bool counted;        /* is one of clients_max */
    bool over_limit;     /* beyond clients_max: has until progress_ns to prove a neighbour */
    bool busy;           /* its input is being taken right now */
    bool resume_pending; /* resumed meanwhile */
    bool closed;         /* waits in `closed_conns` for the end of the loop iteration */
    uint16_t port;       /* of the other side, for the log */
    uint8_t label_len;   /* what the log calls it, made when first needed; 0: not made */
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
    uint32_t count;
};

struct herd_addresses {
    struct herd_address_count *table;
    size_t size, used;
    uint64_t key[2];
};

struct herd_server {
    struct event_base *base;
    struct herd_server_options options;
    const struct herd_config *config;
    const struct herd_limits *limits;
    struct herd_log *log;
    struct herd_places *places;
    bool places_ours;
    struct herd_retired *retired;       /* chains of earlier configurations that still have look-ups under way */
    char *start_listen, *start_journal; /* what cannot change while running, as it was at the start; NULL: none */
    uint16_t start_port;
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
    struct herd_batch batch;
    struct herd_watch *watch;
    struct herd_journal *journal; /* NULL: none */
    int journal_fd;               /* an eventfd: its thread is done; -1: none */
    struct event *journal_event;
    bool in_effects;
    size_t client_count;
    struct herd_addresses addresses;
    struct evconnlistener **listeners; /* one an address */
    size_t listener_count;
    struct event *accept_retry_event;
    int reserve_fd;
    uint16_t port;
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
    char *scratch;          /* HERD_READ_FRONT + HERD_READ_BYTES */
    uint64_t refused_count; /* connections over a limit */
};

/* ---- server.c ---- */
/* Carries out what the node wants; call after every call on the node. */
void herd_server_effects(struct herd_server *server);
/* Makes sure links are filled before the loop sleeps, and the clock is watched. */
void herd_server_schedule_flush(struct herd_server *server);

/* The options that come from limits; the others are left alone. */
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

/* ---- conn.c ---- */
/* A connection without a transport or session yet. NULL: out of memory. */
struct herd_conn *herd_conn_new(struct herd_server *server);
/* Gives it its session: a client's, or that of a link we dialled. HERD_E_NOMEM. */
int herd_conn_begin_client(struct herd_conn *conn);
int herd_conn_begin_link(struct herd_conn *conn, size_t peer);
/* Closes now, whatever is unsent; `closed` is set, memory is freed at the end of the turn. */
void herd_conn_close(struct herd_conn *conn, const char *why);
/* The protocol is done: send what is unsent, let the other side read it, then close. */
void herd_conn_finish(struct herd_conn *conn, const char *why);
/* Frees what was closed. */
void herd_conn_free_closed(struct herd_server *server);
/* Bytes from the transport. Returns how many are used up; look at `closed` afterwards. */
size_t herd_conn_input(struct herd_conn *conn, struct herd_span bytes);
/* A line lacks its LF for a while: the session may take it as it is. */
void herd_conn_line_timeout(struct herd_conn *conn);
/* The other side will send no more. Returns how many of `rest` are used up. */
size_t herd_conn_eof(struct herd_conn *conn, struct herd_span rest);
/* Bytes left the queue. */
void herd_conn_drained(struct herd_conn *conn);
/* Sends bytes of the session and logs them, perhaps not before the end of the turn; look at `closed` afterwards. */
void herd_conn_send(struct herd_conn *conn, struct herd_span bytes);
void herd_conn_send_answer(struct herd_conn *conn, struct herd_span bytes);
/* The transport took bytes, or failed with `err`. */
void herd_conn_sent(struct herd_conn *conn, int err);
/* The server stops: to the session it is as if its client had said all it wanted to. */
void herd_conn_end(struct herd_conn *conn);
/* What held its commands up may be gone: they go on. */
void herd_conn_resume(struct herd_conn *conn);
/* Writes the other side's address and port to `text`; "local:0" for what is no IP address. */
struct herd_span herd_conn_address(const struct herd_conn *conn, char text[HERD_LABEL_MAX]);
/* "client=127.0.0.1:5000" or "peer=Jaquez", for the log; borrowed until the connection is closed. */
struct herd_span herd_conn_label(struct herd_conn *conn);
/* It turned out to be this neighbour. */
void herd_conn_set_peer(struct herd_conn *conn, size_t peer);

/* ---- the transports ---- */
int herd_socket_attach(struct herd_conn *conn, int fd);
void herd_socket_close(struct herd_conn *conn);
void herd_socket_redeliver(struct herd_conn *conn);
void herd_socket_use(struct herd_conn *conn, size_t used);
void herd_socket_read(struct herd_conn *conn, bool enable);
int herd_socket_send(struct herd_conn *conn, struct herd_span bytes);
size_t herd_socket_unsent(const struct herd_conn *conn);
/* What the kernel took and the other side's has not. */
size_t herd_socket_unacked(const struct herd_conn *conn);
void herd_socket_shutdown(struct herd_conn *conn);
int herd_bev_attach(struct herd_conn *conn, struct bufferevent *bev);
void herd_bev_redeliver(struct herd_conn *conn);
void herd_transport_close(struct herd_conn *conn);
/* Takes all bytes: sends them or keeps them. HERD_E_NOMEM, HERD_E_IO: the connection is of no more use. */
int herd_transport_send(struct herd_conn *conn, struct herd_span bytes);
/* The same, before what is held. */
int herd_transport_send_now(struct herd_conn *conn, struct herd_span bytes);
size_t herd_transport_unsent(const struct herd_conn *conn);
void herd_transport_read(struct herd_conn *conn, bool enable);
/* What is kept of bytes that the session has not used up, and that the first `used` of them are now. */
struct herd_span herd_transport_kept(struct herd_conn *conn);
void herd_transport_use(struct herd_conn *conn, size_t used);
/* Gives bytes that are kept to the session once more. */
void herd_transport_redeliver(struct herd_conn *conn);
/* How much the other side has not got, unsent or under way: until it is none closing may lose it, for a byte
 * from there that finds the connection gone makes the kernel forget the rest. */
size_t herd_transport_unacked(const struct herd_conn *conn);
/* Tells the other side that nothing more comes. */
void herd_transport_shutdown(struct herd_conn *conn);

/* ---- batch.c ---- */
/* Whether so many bytes should wait for the end of the turn. With a journal all bytes to clients must: see
 * herd_batch_required. */
bool herd_batch_wanted(const struct herd_conn *conn, size_t len);
/* Whether bytes may acknowledge what the journal has not, so that sending them at once is out of the question. */
bool herd_batch_required(const struct herd_conn *conn);
/* Keeps bytes until then; what is sent on this connection meanwhile has to follow them. HERD_E_NOMEM. */
int herd_batch_add(struct herd_conn *conn, struct herd_span bytes);
void herd_batch_drop(struct herd_conn *conn);
/* Sends all that is held, if the journal has what it acknowledges; the other one only if it is much. Commands that
 * waited for room go on. */
void herd_batch_flush_full(struct herd_server *server);
void herd_batch_flush(struct herd_server *server);
void herd_batch_fini(struct herd_batch *batch);

/* ---- listener.c ---- */
/* Listens on every address of `listen`, or of the host, or on the socket given. HERD_E_ADDRESS, HERD_E_NOMEM. */
int herd_listener_open(struct herd_server *server, struct herd_diagnostic *reterr_diagnostic);
void herd_listener_close(struct herd_server *server);
/* Where a server of a configuration listens, as text: "*", or hosts with a comma between; owned. NULL: no memory. */
char *herd_listener_where(const struct herd_config_server *self);
/* Logs each address listened on, and warns if neighbours elsewhere cannot reach any of them. */
void herd_listener_log(struct herd_server *server);
void herd_listener_resume(struct herd_server *server);

/* ---- accept.c ---- */
/* Serves what comes in on a listening socket, which is non-blocking and the listener's on success. NULL, errno. */
struct evconnlistener *herd_accept_new(struct herd_server *server, int fd);
/* Of the timer `accept_retry_event`. */
void herd_accept_again(evutil_socket_t fd, short what, void *arg);
void herd_listener_refused(struct herd_server *server, const char *why);

/* The key of an address in tables, and its port. Zero for what is no IP address. */
void herd_address_of(const struct sockaddr *from, uint64_t ret_address[2], uint16_t *ret_port);

/* ---- plain.c ---- */
/* Forgets the addresses of a neighbour, and finds out the numeric one if it is plain. */
void herd_plain_look(struct herd_server *server, size_t peer);
/* A neighbour's addresses became known; nothing is done for one that is not plain. */
void herd_plain_found(struct herd_server *server, size_t peer, const struct herd_sockaddr_list *found);
/* A client was accepted: tells its session if it may be a plain neighbour. */
void herd_plain_admit(struct herd_conn *conn);
/* Whether to dial now; if not, it is dialled when a connection closes. */
bool herd_plain_may_dial(struct herd_server *server, size_t peer);
void herd_plain_opened(struct herd_conn *conn);
/* Whether the neighbour has all that was said on a connection of ours. */
bool herd_plain_delivered(const struct herd_conn *conn);
void herd_plain_closed(struct herd_conn *conn, bool delivered);
/* All is said to a plain neighbour: the connection closes as soon as its kernel has it. */
void herd_plain_linger(struct herd_conn *conn);
/* Sees to it that this is looked after. */
void herd_plain_ask(struct herd_server *server);
void herd_plain_event(evutil_socket_t fd, short what, void *arg);
/* For the log: whether a connection of theirs to us turned out to be one, and that one is gone. */
void herd_plain_received(struct herd_conn *conn);
void herd_plain_lost(struct herd_conn *conn);

/* ---- plain_names.c ---- */
/* Looks up the names of plain neighbours if that is due; called at the start and by the housekeeping. */
void herd_plain_names_check(struct herd_server *server);
void herd_plain_names_cancel(struct herd_server *server, size_t peer);

/* ---- dial.c ---- */
void herd_dial_start(struct herd_server *server, size_t peer);
/* A connection we dialled ended without a link and without a word why: counts as not reached. `why` may be NULL. */
void herd_dial_ended(struct herd_server *server, size_t peer, const char *why);
/* The socket of a link, whoever dialled. */
void herd_dial_tune(int fd);
void herd_dial_cancel(struct herd_dial *dial);

/* ---- notice.c ---- */
/* Logs a notice of the node. */
void herd_notice_log(struct herd_server *server, const struct herd_effect *effect);
/* Logs that a neighbour is up or down, and forgets what it was warned of. */
void herd_notice_peer(struct herd_server *server, const struct herd_effect *effect, bool up);

/* ---- addresses.c ---- */
/* HERD_E_LIMIT: it has `max` already (0: no bound). HERD_E_NOMEM. */
int herd_addresses_acquire(struct herd_addresses *addresses, const uint64_t address[2], int64_t max);
void herd_addresses_release(struct herd_addresses *addresses, const uint64_t address[2]);
void herd_addresses_fini(struct herd_addresses *addresses);

#endif
