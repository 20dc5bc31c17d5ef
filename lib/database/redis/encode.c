/* SPDX-License-Identifier: MIT */
/* What each operation asks Redis. */
#include "command.h"
#include "redis_impl.h"
#include "script.h"
#include "value.h"

#include <herd/geo.h>

#include <stdlib.h>
#include <string.h>

/* A call of the script has so many bytes at most, and one row. */
#define CALL_BYTES 262144
#define NS_PER_MS  1000000
/* Redis refuses to index what is further from the equator. */
#define LAT_MAX_E7 850511287
#define E7         10000000
/* About so many keys are asked for at once. */
#define SCAN_KEYS 1000

static const char geo[] = "geo", writers[] = "writers";
/* Of "at:", which keys of clients have behind the prefix. */
#define AT_LEN 3

static struct herd_span prefix_of(const struct herd_database *database)
{
    return (struct herd_span){database->prefix.at, database->prefix.len};
}

static int add_key(const struct herd_database *database, struct herd_buf *out, const char *name)
{
    return herd_redis_word_joined(out, prefix_of(database), herd_span_of(name));
}

/* A command of one key, "PREFIX at: ID". */
static int add_row_key(const struct herd_database *database, struct herd_buf *out, struct herd_span id)
{
    /* The prefix of clients is longer than that of the herd: both are kept in one buffer. */
    struct herd_span front = {database->prefix.at, database->prefix.len + AT_LEN};
    return herd_redis_word_joined(out, front, id);
}

static int add_degrees(struct herd_buf *out, struct herd_span coordinate, int64_t most_e7)
{
    double degrees = herd_coordinate_degrees(coordinate);
    int64_t e7 = (int64_t)(degrees * E7 + (degrees < 0 ? -0.5 : 0.5));
    e7 = e7 > most_e7 ? most_e7 : e7 < -most_e7 ? -most_e7 : e7;
    char text[2 * HERD_REDIS_NUMBER_MAX];
    size_t len = 0;
    uint64_t positive = e7 < 0 ? (uint64_t)-e7 : (uint64_t)e7;
    if (e7 < 0)
        text[len++] = '-';
    len += herd_redis_number(text + len, (int64_t)(positive / E7));
    text[len++] = '.';
    for (uint64_t unit = E7 / 10; unit; unit /= 10)
        text[len++] = (char)('0' + positive / unit % 10);
    return herd_redis_word(out, (struct herd_span){text, len});
}

static int add_place(struct herd_buf *out, const struct herd_record *record)
{
    struct herd_position position;
    if (herd_record_is_tombstone(record) || herd_position_parse(record->position, &position) < 0) {
        int err = herd_redis_word_text(out, "");
        return err < 0 ? err : herd_redis_word_text(out, "");
    }
    int err = add_degrees(out, position.lon, INT64_C(180) * E7);
    return err < 0 ? err : add_degrees(out, position.lat, LAT_MAX_E7);
}

/* The value and when it goes; `scratch` is for the value. */
static int add_row(const struct herd_database *database, struct herd_buf *out, struct herd_buf *scratch,
                   const struct herd_database_row *row)
{
    scratch->len = 0;
    int err = herd_redis_value_add(scratch, row);
    if (err >= 0)
        err = herd_redis_word(out, (struct herd_span){scratch->at, scratch->len});
    if (err < 0)
        return err;
    if (row->expires_ns == INT64_MAX) {
        err = herd_redis_word_text(out, "");
    } else {
        /* Not before it; the least that Redis takes is 1. */
        int64_t ms = row->expires_ns / NS_PER_MS + (row->expires_ns % NS_PER_MS > 0);
        err = herd_redis_word_number(out, ms > 0 ? ms : 1);
    }
    return err < 0 || !database->geo ? err : add_place(out, &row->record);
}

/* "incarnation sequence written_until_ns" of the writer, or nothing of none. */
static int add_writer(struct herd_buf *out, struct herd_buf *scratch, const struct herd_database_writer *writer)
{
    if (!writer) {
        int err = herd_redis_word_text(out, "");
        return err < 0 ? err : herd_redis_word_text(out, "");
    }
    scratch->len = 0;
    int err = herd_buf_reserve(scratch, 3 * HERD_REDIS_NUMBER_MAX + 2);
    if (err < 0)
        return err;
    /* All 64 bits of an incarnation matter: as hexadecimal digits. */
    for (int shift = 60; shift >= 0; shift -= 4)
        scratch->at[scratch->len++] = "0123456789abcdef"[writer->incarnation >> shift & 15];
    scratch->at[scratch->len++] = ' ';
    scratch->len += herd_redis_number(scratch->at + scratch->len, (int64_t)writer->sequence);
    scratch->at[scratch->len++] = ' ';
    scratch->len += herd_redis_number(scratch->at + scratch->len, writer->written_until_ns);
    err = herd_redis_word(out, writer->server);
    return err < 0 ? err : herd_redis_word(out, (struct herd_span){scratch->at, scratch->len});
}

static int add_call(const struct herd_database *database, struct herd_redis_operation *write,
                    struct herd_buf *scratch, const struct herd_database_row *rows, size_t count,
                    const struct herd_database_writer *writer)
{
    struct herd_buf *out = &write->bytes;
    herd_redis_command_begin(write);
    int err = herd_redis_words(out, 3 + 2 + count + 3 + count * (database->geo ? 4 : 2));
    err = err < 0 ? err : herd_redis_word_text(out, "EVALSHA");
    err = err < 0 ? err : herd_redis_word_text(out, database->sha);
    err = err < 0 ? err : herd_redis_word_number(out, (int64_t)count + 2);
    err = err < 0 ? err : add_key(database, out, writers);
    err = err < 0 ? err : add_key(database, out, geo);
    for (size_t i = 0; i < count && err >= 0; i++)
        err = add_row_key(database, out, rows[i].record.id);
    err = err < 0 ? err : add_writer(out, scratch, writer);
    err = err < 0 ? err : herd_redis_word_number(out, database->geo ? (int64_t)(database->prefix.len + AT_LEN) : 0);
    for (size_t i = 0; i < count && err >= 0; i++)
        err = add_row(database, out, scratch, &rows[i]);
    herd_redis_command_end(write);
    return err;
}

/* How many of the rows one call takes, from that one on. */
static size_t rows_of_call(const struct herd_database_row *rows, size_t from, size_t count)
{
    size_t n = 0, bytes = 0;
    for (; from + n < count && n < HERD_REDIS_SCRIPT_ROWS; n++) {
        const struct herd_record *record = &rows[from + n].record;
        bytes += record->id.len + 2 * record->time.len + record->diff.len + record->position.len;
        if (n && bytes > CALL_BYTES)
            break;
    }
    return n;
}

int herd_redis_encode_write(struct herd_database *database, uint64_t ticket, const struct herd_database_row *rows,
                            size_t count, const struct herd_database_writer *writer,
                            struct herd_redis_operation **ret_operation)
{
    size_t calls = 0, from = 0;
    do {
        from += rows_of_call(rows, from, count);
        calls++;
    } while (from < count);
    struct herd_redis_operation *write = herd_redis_operation_new(HERD_REDIS_WRITE, ticket, calls);
    if (!write)
        return HERD_E_NOMEM;
    struct herd_buf scratch = {0};
    int err = 0;
    for (from = 0; calls && err >= 0; calls--) {
        size_t n = rows_of_call(rows, from, count);
        err = add_call(database, write, &scratch, n ? &rows[from] : NULL, n, calls == 1 ? writer : NULL);
        from += n;
    }
    herd_buf_fini(&scratch);
    if (err < 0) {
        herd_redis_operation_free(write);
        return err;
    }
    write->held = write->count > 1;
    *ret_operation = write;
    return 0;
}

int herd_redis_encode_writers(struct herd_database *database, uint64_t ticket,
                              struct herd_redis_operation **ret_operation)
{
    struct herd_redis_operation *operation = herd_redis_operation_new(HERD_REDIS_WRITERS, ticket, 2);
    if (!operation)
        return HERD_E_NOMEM;
    herd_redis_command_begin(operation);
    int err = herd_redis_command(&operation->bytes, "TIME");
    herd_redis_command_end(operation);
    herd_redis_command_begin(operation);
    err = err < 0 ? err : herd_redis_words(&operation->bytes, 2);
    err = err < 0 ? err : herd_redis_word_text(&operation->bytes, "HGETALL");
    err = err < 0 ? err : add_key(database, &operation->bytes, writers);
    herd_redis_command_end(operation);
    if (err < 0) {
        herd_redis_operation_free(operation);
        return err;
    }
    *ret_operation = operation;
    return 0;
}

int herd_redis_encode_find(struct herd_database *database, uint64_t ticket, struct herd_span id,
                           struct herd_redis_operation **ret_operation)
{
    struct herd_redis_operation *operation = herd_redis_operation_new(HERD_REDIS_FIND, ticket, 1);
    if (!operation)
        return HERD_E_NOMEM;
    herd_redis_command_begin(operation);
    int err = herd_redis_words(&operation->bytes, 2);
    err = err < 0 ? err : herd_redis_word_text(&operation->bytes, "GET");
    err = err < 0 ? err : add_row_key(database, &operation->bytes, id);
    herd_redis_command_end(operation);
    operation->id_len = id.len;
    if (err < 0) {
        herd_redis_operation_free(operation);
        return err;
    }
    *ret_operation = operation;
    return 0;
}

static int add_scan(struct herd_database *database, struct herd_redis_operation *page)
{
    struct herd_buf *out = &page->bytes;
    database->scans++;
    herd_redis_command_begin(page);
    int err = herd_redis_words(out, 6);
    err = err < 0 ? err : herd_redis_word_text(out, "SCAN");
    err = err < 0 ? err : herd_redis_word_text(out, database->cursor);
    err = err < 0 ? err : herd_redis_word_text(out, "MATCH");
    err = err < 0 ? err : add_row_key(database, out, herd_span_of("*"));
    err = err < 0 ? err : herd_redis_word_text(out, "COUNT");
    err = err < 0 ? err : herd_redis_word_number(out, SCAN_KEYS);
    herd_redis_command_end(page);
    return err;
}

int herd_redis_encode_scan(struct herd_database *database, struct herd_redis_operation *page)
{
    page->count = page->sent = page->answered = page->bytes.len = 0;
    return add_scan(database, page);
}

int herd_redis_encode_mget(struct herd_database *database, struct herd_redis_operation *page,
                           const redisReply *keys)
{
    struct herd_buf *out = &page->bytes;
    page->count = page->sent = page->answered = out->len = 0;
    herd_redis_command_begin(page);
    int err = herd_redis_words(out, keys->elements + 1);
    err = err < 0 ? err : herd_redis_word_text(out, "MGET");
    for (size_t i = 0; i < keys->elements && err >= 0; i++)
        err = herd_redis_word(out, (struct herd_span){keys->element[i]->str, (size_t)keys->element[i]->len});
    herd_redis_command_end(page);
    return err < 0 || database->scanned ? err : add_scan(database, page);
}

int herd_redis_encode_page(struct herd_database *database, struct herd_redis_operation **ret_operation)
{
    struct herd_redis_operation *page = herd_redis_operation_new(HERD_REDIS_PAGE, 0, 2);
    if (!page)
        return HERD_E_NOMEM;
    int err = database->keys ? herd_redis_encode_mget(database, page, database->keys->element[1])
                             : herd_redis_encode_scan(database, page);
    if (err < 0) {
        herd_redis_operation_free(page);
        return err;
    }
    page->replies[0] = database->keys;
    database->keys = NULL;
    *ret_operation = page;
    return 0;
}
