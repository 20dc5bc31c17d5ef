/* SPDX-License-Identifier: MIT */
/*
 * An array in the binary format: number of dimensions, whether there are NULLs, type of the elements, their number, the index
 * of the first; then of each its length (-1: NULL) and its bytes. Numbers have their highest byte first.
 */
#include "encode.h"
#include "types.h"

#include <herd/geo.h>
#include <herd/timestamp.h>

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_BYTES 20
#define NUMBER_BYTES 12 /* with its length */
#define LENGTH_BYTES 4
/* A message of libpq has less than 2 GiB; far beyond what a batch of lines can have. */
#define BATCH_MAX_BYTES (UINT64_C(1) << 30)
/* A column keeps so much for the next batch. */
#define KEPT_BYTES (256 * 1024)
/* Decimals that are in nanoseconds. */
#define NS_DECIMALS 9

static const uint32_t element_type[HERD_POSTGRES_COLUMNS] = {
    [HERD_POSTGRES_ID] = HERD_POSTGRES_BYTEA,      [HERD_POSTGRES_EFFECTIVE] = HERD_POSTGRES_INT8,
    [HERD_POSTGRES_TIME_NS] = HERD_POSTGRES_INT8,  [HERD_POSTGRES_TIME_REST] = HERD_POSTGRES_BYTEA,
    [HERD_POSTGRES_SERVER] = HERD_POSTGRES_TEXT,   [HERD_POSTGRES_DIFF] = HERD_POSTGRES_TEXT,
    [HERD_POSTGRES_POSITION] = HERD_POSTGRES_TEXT, [HERD_POSTGRES_TIME] = HERD_POSTGRES_TEXT,
    [HERD_POSTGRES_LAT] = HERD_POSTGRES_FLOAT8,    [HERD_POSTGRES_LON] = HERD_POSTGRES_FLOAT8,
    [HERD_POSTGRES_ACCEPTED] = HERD_POSTGRES_INT8, [HERD_POSTGRES_EXPIRES] = HERD_POSTGRES_INT8,
};

static char *put4(char *out, uint32_t value)
{
    value = htobe32(value);
    memcpy(out, &value, sizeof value);
    return out + sizeof value;
}

void herd_postgres_put_int4(char out[4], int32_t value)
{
    put4(out, (uint32_t)value);
}

void herd_postgres_put_int8(char out[8], int64_t value)
{
    uint64_t number = htobe64((uint64_t)value);
    memcpy(out, &number, sizeof number);
}

static char *put_number(char *out, int64_t value)
{
    out = put4(out, 8);
    herd_postgres_put_int8(out, value);
    return out + 8;
}

static char *put_double(char *out, double value)
{
    int64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return put_number(out, bits);
}

static char *put_bytes(char *out, struct herd_span bytes)
{
    out = put4(out, (uint32_t)bytes.len);
    if (bytes.len > 0)
        memcpy(out, bytes.at, bytes.len);
    return out + bytes.len;
}

/* The decimals of a time stamp behind the ninth, zeros at the end cut. */
static struct herd_span time_rest(struct herd_span time)
{
    const char *point = time.len > 0 ? memchr(time.at, '.', time.len) : NULL;
    const char *end = time.at + time.len;
    if (!point || end - point - 1 <= NS_DECIMALS)
        return (struct herd_span){"", 0};
    const char *rest = point + 1 + NS_DECIMALS;
    while (end > rest && end[-1] == '0')
        end--;
    return (struct herd_span){rest, (size_t)(end - rest)};
}

/* Makes room for all rows, so that nothing can fail afterwards, and writes the headers. */
static int begin(struct herd_postgres_batch *batch, const struct herd_database_row *rows, size_t count,
                 char *ret_out[HERD_POSTGRES_COLUMNS])
{
    uint64_t bytes[HERD_POSTGRES_COLUMNS] = {0}, all = 0;
    if (count > BATCH_MAX_BYTES / NUMBER_BYTES)
        return HERD_E_NOMEM;
    for (size_t i = 0; i < count; i++) {
        const struct herd_record *record = &rows[i].record;
        bytes[HERD_POSTGRES_ID] += record->id.len;
        bytes[HERD_POSTGRES_SERVER] += record->server.len;
        bytes[HERD_POSTGRES_DIFF] += record->diff.len;
        bytes[HERD_POSTGRES_POSITION] += record->position.len;
        bytes[HERD_POSTGRES_TIME] += record->time.len;
    }
    bytes[HERD_POSTGRES_TIME_REST] = bytes[HERD_POSTGRES_TIME];
    for (size_t column = 0; column < HERD_POSTGRES_COLUMNS; column++)
        all += bytes[column] += HEADER_BYTES + (uint64_t)count * NUMBER_BYTES;
    if (all > BATCH_MAX_BYTES)
        return HERD_E_NOMEM;
    for (size_t column = 0; column < HERD_POSTGRES_COLUMNS; column++) {
        struct herd_buf *buf = &batch->column[column];
        buf->len = 0;
        int err = herd_buf_reserve(buf, (size_t)bytes[column]);
        if (err < 0)
            return err;
        char *out = put4(buf->at, 1);
        out = put4(out, column == HERD_POSTGRES_LAT || column == HERD_POSTGRES_LON);
        out = put4(out, element_type[column]);
        out = put4(out, (uint32_t)count);
        ret_out[column] = put4(out, 1);
    }
    return 0;
}

int herd_postgres_batch_encode(struct herd_postgres_batch *batch, const struct herd_database_row *rows,
                               size_t count)
{
    char *out[HERD_POSTGRES_COLUMNS];
    int err = begin(batch, rows, count, out);
    if (err < 0)
        return err;
    for (size_t i = 0; i < count; i++) {
        const struct herd_record *record = &rows[i].record;
        struct herd_position position;
        int64_t time_ns = record->time_ns;
        if (time_ns == 0)
            (void)!herd_timestamp_parse(record->time, &time_ns);
        out[HERD_POSTGRES_ID] = put_bytes(out[HERD_POSTGRES_ID], record->id);
        out[HERD_POSTGRES_EFFECTIVE] = put_number(out[HERD_POSTGRES_EFFECTIVE], rows[i].effective_ns);
        out[HERD_POSTGRES_TIME_NS] = put_number(out[HERD_POSTGRES_TIME_NS], time_ns);
        out[HERD_POSTGRES_TIME_REST] = put_bytes(out[HERD_POSTGRES_TIME_REST], time_rest(record->time));
        out[HERD_POSTGRES_SERVER] = put_bytes(out[HERD_POSTGRES_SERVER], record->server);
        out[HERD_POSTGRES_DIFF] = put_bytes(out[HERD_POSTGRES_DIFF], record->diff);
        out[HERD_POSTGRES_POSITION] = put_bytes(out[HERD_POSTGRES_POSITION], record->position);
        out[HERD_POSTGRES_TIME] = put_bytes(out[HERD_POSTGRES_TIME], record->time);
        if (!herd_record_is_tombstone(record) && herd_position_parse(record->position, &position) == 0) {
            out[HERD_POSTGRES_LAT] = put_double(out[HERD_POSTGRES_LAT], herd_coordinate_degrees(position.lat));
            out[HERD_POSTGRES_LON] = put_double(out[HERD_POSTGRES_LON], herd_coordinate_degrees(position.lon));
        } else {
            out[HERD_POSTGRES_LAT] = put4(out[HERD_POSTGRES_LAT], UINT32_MAX);
            out[HERD_POSTGRES_LON] = put4(out[HERD_POSTGRES_LON], UINT32_MAX);
        }
        out[HERD_POSTGRES_ACCEPTED] = put_number(out[HERD_POSTGRES_ACCEPTED], rows[i].accepted_ns);
        out[HERD_POSTGRES_EXPIRES] = put_number(out[HERD_POSTGRES_EXPIRES], rows[i].expires_ns);
    }
    for (size_t column = 0; column < HERD_POSTGRES_COLUMNS; column++)
        batch->column[column].len = (size_t)(out[column] - batch->column[column].at);
    return 0;
}

void herd_postgres_batch_trim(struct herd_postgres_batch *batch)
{
    for (size_t column = 0; column < HERD_POSTGRES_COLUMNS; column++)
        if (batch->column[column].cap > KEPT_BYTES)
            herd_buf_fini(&batch->column[column]);
}

void herd_postgres_batch_fini(struct herd_postgres_batch *batch)
{
    for (size_t column = 0; column < HERD_POSTGRES_COLUMNS; column++)
        herd_buf_fini(&batch->column[column]);
}
