/* SPDX-License-Identifier: MIT */
/*
 * Redis or Valkey beside a herd: an adapter of herd/database.h, in a library of its own, libherd-redis (pkg-config
 * libherd-redis). herd-server loads it where its configuration says `"kind": "redis"`; other programs link it. It keeps
 * the newest record of each client, for other programs to read, and for a herd that begins anew. It needs Redis 6.2
 * or later, one server and no cluster.
 *
 * `dsn` is one of
 *
 *     redis://[user:password@]host[:port][/db]         port 6379, db 0; an IPv6 address in brackets
 *     unix://[user:password@]/path[?db=number]
 *
 * where user and password may have %XX for any byte. There is no TLS (`rediss://` is HERD_E_UNSUPPORTED): a Unix socket,
 * a tunnel, or a network you trust. Names are looked up in DNS and /etc/hosts. `history` is HERD_E_UNSUPPORTED.
 *
 * Keys, of a herd named NAME (an empty one without a name):
 *
 *     herd:{NAME}:at:ID     a text: effective time, time (both in ns), A or G, server, diff, position, time. Of two
 *                           texts the greater byte by byte is the newer; it goes when the client expires.
 *                           G is a client that was deleted, without position
 *     herd:{NAME}:writers   a hash: of each server how far it has written
 *     herd:{NAME}:geo       with `geo`: the ids by place, for GEOSEARCH. Beyond 85.05112878 degrees of latitude, where
 *                           Redis has none, they are at that. A client that expired goes a while later
 */
#ifndef HERD_REDIS_H
#define HERD_REDIS_H

#include <herd/database.h>

#ifdef __cplusplus
extern "C" {
#endif

HERD_API extern const struct herd_database_driver herd_redis_driver;

#ifdef __cplusplus
}
#endif
#endif
