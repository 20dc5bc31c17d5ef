/* SPDX-License-Identifier: MIT */
/*
 * Where a Redis is, and who we are there:
 *
 *     redis://[user[:password]@]host[:port][/db]
 *     unix://[user[:password]@]/path[?db=number]
 *
 * User and password may have %XX for any byte but NUL; `redis://:password@host` has no user. An IPv6 address stands in
 * brackets.
 */
#ifndef HERD_REDIS_DSN_H
#define HERD_REDIS_DSN_H

#include <herd/config.h>

#include <stdint.h>

struct herd_redis_dsn {
    char *host; /* NULL: a Unix socket */
    char *path; /* NULL: TCP */
    char *user; /* NULL: none */
    char *password;
    uint16_t port;
    unsigned db;
};

/* HERD_E_NOMEM; HERD_E_SYNTAX and HERD_E_UNSUPPORTED (rediss://), with a message that has nothing of `text` in it. */
int herd_redis_dsn_parse(struct herd_redis_dsn *ret_dsn, struct herd_span text,
                         struct herd_diagnostic *reterr_diagnostic);
/* Its memory is overwritten before it is freed. */
void herd_redis_dsn_fini(struct herd_redis_dsn *dsn);

#endif
