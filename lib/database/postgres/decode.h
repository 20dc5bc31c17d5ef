/* SPDX-License-Identifier: MIT */
/* Results in the binary format of PostgreSQL, as rows. */
#ifndef HERD_POSTGRES_DECODE_H
#define HERD_POSTGRES_DECODE_H

#include <herd/database.h>

#include <libpq-fe.h>

/* Makes rows of a result of herd_postgres_page_sql or _find_sql. `rows` has room for all of them, and points into `result`. False: the
 * columns have other types than ours. */
bool herd_postgres_decode_rows(const PGresult *result, struct herd_database_row *rows);
/* Of herd_postgres_copy_sql: takes the header from the front of the first row. False: it is none. */
bool herd_postgres_decode_copy_header(struct herd_span *io_tuple);
/* Whether there is no row in it: what is behind the last one, or nothing. */
bool herd_postgres_decode_copy_end(struct herd_span tuple);
/* Makes a row, which points into the tuple. False as above. */
bool herd_postgres_decode_copy(struct herd_span tuple, struct herd_database_row *ret_row);
/* Likewise of herd_postgres_writers_sql. */
bool herd_postgres_decode_writers(const PGresult *result, struct herd_database_writer *writers);
/* The key of a row of such a result. */
struct herd_span herd_postgres_decode_key(const PGresult *result, int row);

#endif
