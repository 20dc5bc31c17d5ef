/* SPDX-License-Identifier: MIT */
/* Where a server listens, whom it accepts, and how many of them at once. */
#ifndef HERD_EDGE_SERVER_LISTEN_H
#define HERD_EDGE_SERVER_LISTEN_H

#include "server_impl.h"

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
/* Whom limits of an address count: the address, of IPv6 its /64, for whoever has one address of that may take any other (RFC 4291,
 * 2.5.1). */
static inline void herd_address_source(const uint64_t address[2], uint64_t ret_source[2])
{
    ret_source[0] = address[0];
    ret_source[1] = address[0] ? 0 : address[1]; /* IPv4, and the loopback address */
}
/* What bounds the reports of an address that has a connection, made when first asked for; NULL: `per_second` is 0, or no
 * memory. Borrowed until its last connection is released. Times are steady. */
struct herd_rate *herd_addresses_rate(struct herd_addresses *addresses, const uint64_t address[2],
                                      int64_t per_second, int64_t now_ns);
/* HERD_E_LIMIT: it has `max` already (0: no bound). HERD_E_NOMEM. */
int herd_addresses_acquire(struct herd_addresses *addresses, const uint64_t address[2], int64_t max,
                           int64_t now_ns);
void herd_addresses_release(struct herd_addresses *addresses, const uint64_t address[2], int64_t now_ns);
void herd_addresses_fini(struct herd_addresses *addresses);

#endif
