/* SPDX-License-Identifier: MIT */
/* Numbers of the types of PostgreSQL that parameters have; they never change. */
#ifndef HERD_POSTGRES_TYPES_H
#define HERD_POSTGRES_TYPES_H

#define HERD_POSTGRES_BYTEA        17
#define HERD_POSTGRES_INT8         20
#define HERD_POSTGRES_INT4         23
#define HERD_POSTGRES_TEXT         25
#define HERD_POSTGRES_FLOAT8       701
#define HERD_POSTGRES_BYTEA_ARRAY  1001
#define HERD_POSTGRES_TEXT_ARRAY   1009
#define HERD_POSTGRES_INT8_ARRAY   1016
#define HERD_POSTGRES_FLOAT8_ARRAY 1022

#endif
