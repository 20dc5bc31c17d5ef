/* SPDX-License-Identifier: MIT */
/* Who the neighbours are, connecting to them, and what those that speak the class protocol need besides. */
#ifndef HERD_EDGE_SERVER_NEIGHBOURS_H
#define HERD_EDGE_SERVER_NEIGHBOURS_H

#include "server_impl.h"

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

/* ---- dial.c ---- */
void herd_dial_start(struct herd_server *server, size_t peer);
/* A connection to neighbour `peer` has a transport: introduces us. What herd_line_begin_link says. */
int herd_dial_begin(struct herd_conn *conn, size_t peer);
/* The socket of a link, whoever dialled. */
void herd_dial_tune(int fd);
void herd_dial_cancel(struct herd_dial *dial);

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

/* ---- plain_log.c ---- */
/* A connection of ours to one was made. */
void herd_plain_log_opened(struct herd_conn *conn);
/* Whether a connection of theirs to us turned out to be one, and that one is gone. */
void herd_plain_log_received(struct herd_conn *conn);
void herd_plain_log_closed(struct herd_conn *conn);

/* ---- plain_linger.c ---- */
/* Whether the peer's kernel has all is asked this often at first. */
#define HERD_PLAIN_ASK_US 10000
/* Whether the neighbour has all that was said on a connection of ours. */
bool herd_plain_delivered(const struct herd_conn *conn);
/* All is said to a plain neighbour: the connection closes as soon as its kernel has it. */
void herd_plain_linger(struct herd_conn *conn);
/* Sees to it that this is looked after. */
void herd_plain_ask(struct herd_server *server);

#endif
