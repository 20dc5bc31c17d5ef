/* SPDX-License-Identifier: MIT */
/*
 * PostgreSQL beside a herd: an adapter of herd/database.h, in a library of its own, libherd-postgres (pkg-config
 * libherd-postgres). herd-server loads it where its configuration says `"kind": "postgres"`; other programs link it.
 * herd-postgres(7) has the tables, the rights it needs, and what can be asked in SQL.
 *
 * `dsn` is a connection string of libpq, `key=value` pairs or `postgresql://host/database`; several hosts, services,
 * `sslmode=verify-full` and all else that libpq knows work as with psql.
 */
#ifndef HERD_POSTGRES_H
#define HERD_POSTGRES_H

#include <herd/database.h>

#ifdef __cplusplus
extern "C" {
#endif

HERD_API extern const struct herd_database_driver herd_postgres_driver;

#ifdef __cplusplus
}
#endif
#endif
