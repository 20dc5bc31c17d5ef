/* SPDX-License-Identifier: MIT */
/* Rows as arrays in the binary format of PostgreSQL, one for each column, for unnest. */
#ifndef HERD_POSTGRES_ENCODE_H
#define HERD_POSTGRES_ENCODE_H

#include <herd/database.h>

enum herd_postgres_column {
    HERD_POSTGRES_ID,
    HERD_POSTGRES_EFFECTIVE,
    HERD_POSTGRES_TIME_NS,
    HERD_POSTGRES_TIME_REST,
    HERD_POSTGRES_SERVER,
    HERD_POSTGRES_DIFF,
    HERD_POSTGRES_POSITION,
    HERD_POSTGRES_TIME,
    HERD_POSTGRES_LAT,
    HERD_POSTGRES_LON,
    HERD_POSTGRES_ACCEPTED,
    HERD_POSTGRES_EXPIRES,
    HERD_POSTGRES_COLUMNS
};

/* Zero-initialise; its memory is kept for the next batch. */
struct herd_postgres_batch {
    struct herd_buf column[HERD_POSTGRES_COLUMNS];
};

/* Encodes rows, at least one. HERD_E_NOMEM, also for what libpq could not send in one message. */
int herd_postgres_batch_encode(struct herd_postgres_batch *batch, const struct herd_database_row *rows,
                               size_t count);
/* Gives memory back that an unusually large batch took. */
void herd_postgres_batch_trim(struct herd_postgres_batch *batch);
void herd_postgres_batch_fini(struct herd_postgres_batch *batch);

/* Numbers in the binary format. */
void herd_postgres_put_int4(char out[4], int32_t value);
void herd_postgres_put_int8(char out[8], int64_t value);

#endif
