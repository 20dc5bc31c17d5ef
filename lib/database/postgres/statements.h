/* SPDX-License-Identifier: MIT */
/* The statements of the operations, as SQL. Sent unnamed each time: behind PgBouncer the next transaction may be on another
 * connection. */
#ifndef HERD_POSTGRES_STATEMENTS_H
#define HERD_POSTGRES_STATEMENTS_H

#include <herd/types.h>

#define HERD_POSTGRES_COPY_SQL_MAX 512

/* Appends, with its NUL, the statement that writes rows: $1 the number of the herd, $2.. the columns of encode.h as arrays.
 * HERD_E_NOMEM. */
int herd_postgres_write_sql(struct herd_buf *out, bool history, bool geo);

/* $1 herd, $2 server, $3 incarnation, $4 sequence, $5 written_until_ns. */
extern const char herd_postgres_writer_sql[];
/* $1 herd. Columns: server, incarnation, sequence, written_until_ns, age_ns. */
extern const char herd_postgres_writers_sql[];
/* The plan that reads along the primary key, whatever the statistics say; for this transaction. */
extern const char herd_postgres_plan_sql[];
/* All rows of the herd of that number: COPY takes no parameters. The same columns. */
void herd_postgres_copy_sql(char out[HERD_POSTGRES_COPY_SQL_MAX], int32_t herd);
/* $1 herd, $2 key of the row before (empty: from the first), $3 limit. Columns: those of decode.h. */
extern const char herd_postgres_page_sql[];
/* $1 herd, $2 id. The same columns. */
extern const char herd_postgres_find_sql[];

#endif
