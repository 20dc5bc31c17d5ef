/* SPDX-License-Identifier: MIT */
/* Fields of a result are where libpq has them: nothing is copied. */
#include "decode.h"

#include <endian.h>
#include <string.h>

enum { KEY, LONG_ID, SERVER, DIFF, POSITION, TIME, TIME_NS, ACCEPTED_NS, EFFECTIVE_NS, EXPIRES_NS, ROW_FIELDS };
enum { W_SERVER, W_INCARNATION, W_SEQUENCE, W_UNTIL_NS, W_AGE_NS, WRITER_FIELDS };

static struct herd_span get_bytes(const PGresult *result, int row, int field)
{
    return (struct herd_span){PQgetvalue(result, row, field), (size_t)PQgetlength(result, row, field)};
}

static uint64_t get8(const char *bytes)
{
    uint64_t value;
    memcpy(&value, bytes, sizeof value);
    return be64toh(value);
}

static uint32_t get4(const char *bytes)
{
    uint32_t value;
    memcpy(&value, bytes, sizeof value);
    return be32toh(value);
}

static unsigned get2(const char *bytes)
{
    return (unsigned)(unsigned char)bytes[0] << 8 | (unsigned char)bytes[1];
}

static bool get_number(const PGresult *result, int row, int field, uint64_t *ret_value)
{
    if (PQgetlength(result, row, field) != 8)
        return false;
    *ret_value = get8(PQgetvalue(result, row, field));
    return true;
}

static bool get_time(const PGresult *result, int row, int field, int64_t *ret_ns)
{
    uint64_t value = 0;
    bool good = get_number(result, row, field, &value);
    *ret_ns = (int64_t)value;
    return good;
}

struct herd_span herd_postgres_decode_key(const PGresult *result, int row)
{
    return get_bytes(result, row, KEY);
}

bool herd_postgres_decode_rows(const PGresult *result, struct herd_database_row *rows)
{
    if (PQnfields(result) != ROW_FIELDS)
        return false;
    int count = PQntuples(result);
    for (int i = 0; i < count; i++) {
        struct herd_database_row *row = &rows[i];
        row->record = (struct herd_record){
            .id = get_bytes(result, i, PQgetisnull(result, i, LONG_ID) ? KEY : LONG_ID),
            .server = get_bytes(result, i, SERVER),
            .diff = get_bytes(result, i, DIFF),
            .position = get_bytes(result, i, POSITION),
            .time = get_bytes(result, i, TIME),
        };
        if (!get_time(result, i, TIME_NS, &row->record.time_ns) ||
            !get_time(result, i, ACCEPTED_NS, &row->accepted_ns) ||
            !get_time(result, i, EFFECTIVE_NS, &row->effective_ns) ||
            !get_time(result, i, EXPIRES_NS, &row->expires_ns))
            return false;
    }
    return true;
}

/* ---- COPY ---- */

/* Its signature, flags, and how long what is behind them is; of each row the number of its fields; of each field its
 * length, -1 for NULL, and its bytes. A row of -1 fields ends it. */
static const char signature[] = "PGCOPY\n\377\r\n";
enum { SIGNATURE = sizeof signature, FLAGS = 4, LENGTH = 4, FIELDS = 2 };

bool herd_postgres_decode_copy_header(struct herd_span *io_tuple)
{
    const size_t len = SIGNATURE + FLAGS + LENGTH;
    if (io_tuple->len < len || memcmp(io_tuple->at, signature, SIGNATURE) != 0)
        return false;
    const size_t more = get4(io_tuple->at + SIGNATURE + FLAGS);
    if (more > io_tuple->len - len)
        return false;
    *io_tuple = (struct herd_span){io_tuple->at + len + more, io_tuple->len - len - more};
    return true;
}

bool herd_postgres_decode_copy_end(struct herd_span tuple)
{
    return tuple.len == 0 || (tuple.len == FIELDS && get2(tuple.at) == UINT16_MAX);
}

bool herd_postgres_decode_copy(struct herd_span tuple, struct herd_database_row *ret_row)
{
    struct herd_span fields[ROW_FIELDS];
    int64_t numbers[ROW_FIELDS] = {0};
    const char *at = tuple.at, *end = tuple.at + tuple.len;
    if (tuple.len < FIELDS || get2(at) != ROW_FIELDS)
        return false;
    at += FIELDS;
    for (int i = 0; i < ROW_FIELDS; i++) {
        if (end - at < LENGTH)
            return false;
        const uint32_t len = get4(at);
        at += LENGTH;
        fields[i] = (struct herd_span){NULL, 0};
        if (len == UINT32_MAX && i == LONG_ID)
            continue;
        if (len > (size_t)(end - at) || (i >= TIME_NS && len != sizeof numbers[i]))
            return false;
        fields[i] = (struct herd_span){at, len};
        if (i >= TIME_NS)
            numbers[i] = (int64_t)get8(at);
        at += len;
    }
    *ret_row = (struct herd_database_row){
        .record = {.id = fields[LONG_ID].at ? fields[LONG_ID] : fields[KEY],
                   .server = fields[SERVER],
                   .diff = fields[DIFF],
                   .position = fields[POSITION],
                   .time = fields[TIME],
                   .time_ns = numbers[TIME_NS]},
        .accepted_ns = numbers[ACCEPTED_NS],
        .effective_ns = numbers[EFFECTIVE_NS],
        .expires_ns = numbers[EXPIRES_NS],
    };
    return at == end;
}

bool herd_postgres_decode_writers(const PGresult *result, struct herd_database_writer *writers)
{
    if (PQnfields(result) != WRITER_FIELDS)
        return false;
    int count = PQntuples(result);
    for (int i = 0; i < count; i++) {
        struct herd_database_writer *writer = &writers[i];
        writer->server = get_bytes(result, i, W_SERVER);
        if (!get_number(result, i, W_INCARNATION, &writer->incarnation) ||
            !get_number(result, i, W_SEQUENCE, &writer->sequence) ||
            !get_time(result, i, W_UNTIL_NS, &writer->written_until_ns) ||
            !get_time(result, i, W_AGE_NS, &writer->age_ns))
            return false;
    }
    return true;
}
