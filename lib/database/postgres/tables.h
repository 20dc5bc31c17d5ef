/* SPDX-License-Identifier: MIT */
/* The tables, as SQL that makes them, version by version: herd-postgres(7) describes them. */
#ifndef HERD_POSTGRES_TABLES_H
#define HERD_POSTGRES_TABLES_H

/* The version of the tables that this library writes. */
#define HERD_POSTGRES_SCHEMA_VERSION 1

/* Held by who makes or moves tables, and by who makes and drops partitions: "herd" as bytes, then what for. */
#define HERD_POSTGRES_LOCK_TABLES     "1751478884, 1"
#define HERD_POSTGRES_LOCK_PARTITIONS "1751478884, 2"

/* Statements that make version N out of version N - 1, ended by NULL. 1 <= version <= HERD_POSTGRES_SCHEMA_VERSION. */
const char *const *herd_postgres_tables(unsigned version);
/* Statements that make the index of places, for which PostGIS must be there. */
const char *const *herd_postgres_tables_geo(void);

#endif
