/* SPDX-License-Identifier: MIT */
/*
 * Resolves host names without blocking the loop: getaddrinfo of the C library, in threads.
 *
 * So names are resolved as everywhere else on the machine: nsswitch.conf, /etc/hosts, search domains, a second name
 * server after the first one's time-out (5 s unless resolv.conf sets another), and resolv.conf read again when it
 * changed. libevent's evdns 2.1.12 was used before. It reads its files once; ignores a dead name server for an hour
 * or never, depending on which of A and AAAA asked it (libevent issues 106, 1408); and uses freed memory when its
 * servers are replaced while a probe is under way (602, 1506).
 *
 *     herd_resolver_lookup -> a thread runs getaddrinfo -> a list under a lock, an eventfd -> done, in the loop
 *
 * A thread cannot be called back from getaddrinfo. A cancelled look-up therefore goes on, owns all it touches, and
 * outlives the resolver if need be. Its result is kept for a while for the next look-up of the same name: a caller
 * that times out sooner than the name servers answer gets the result with its second attempt.
 */
#ifndef HERD_EDGE_NET_RESOLVER_H
#define HERD_EDGE_NET_RESOLVER_H

#include "sockaddr.h"

struct event_base;
struct herd_resolver;
struct herd_resolver_call;

/* Runs in the loop, never from inside herd_resolver_lookup. `why` is NULL if addresses were found, else a sentence;
 * `local` is true for a fault of this machine (memory), false for one of the name. `found` is never NULL; both are
 * borrowed for the call. It may start and cancel look-ups and release the resolver. */
typedef void herd_resolver_done(void *ctx, const struct herd_sockaddr_list *found, const char *why, bool local);

/* Makes a resolver with one reference. `base` is borrowed for its life. HERD_E_NOMEM. */
int herd_resolver_new(struct herd_resolver **ret_resolver, struct event_base *base);
struct herd_resolver *herd_resolver_acquire(struct herd_resolver *resolver);
/* Gives a reference back; a look-up under way holds one of its own. NULL is fine. */
void herd_resolver_release(struct herd_resolver *resolver);

/* Looks `host` up (copied); numeric addresses are found too, without a name server. While look-ups are under way
 * the loop does not end. HERD_E_NOMEM. */
int herd_resolver_lookup(struct herd_resolver *resolver, const char *host, uint16_t port, herd_resolver_done *done,
                         void *ctx, struct herd_resolver_call **ret_call);
/* `done` will not run. NULL is fine. */
void herd_resolver_cancel(struct herd_resolver_call *call);

/* Forgets what cancelled look-ups found. */
void herd_resolver_flush(struct herd_resolver *resolver);

/* Asks this name server ("127.0.0.1:5353", IPv4) instead of those of resolv.conf, with a time-out of a second, in
 * look-ups that begin from now on. For tests. HERD_E_ADDRESS: no such address, or the C library cannot do it. */
int herd_resolver_nameserver(struct herd_resolver *resolver, const char *address);

#endif
