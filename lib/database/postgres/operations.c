/* SPDX-License-Identifier: MIT */
/* Writing and reading. */
#include "decode.h"
#include "postgres_impl.h"
#include "types.h"

#include <stdlib.h>

static const char *message_of(const struct herd_postgres_outcome *outcome)
{
    return outcome->result == HERD_DATABASE_DONE ? NULL : outcome->message;
}

/* ---- write ---- */

static void on_written(void *owner, struct herd_postgres_op *op, const struct herd_postgres_outcome *outcome)
{
    struct herd_database *database = owner;
    database->events->written(database->ctx, op->ticket, outcome->result, message_of(outcome));
}

static bool send_rows(struct herd_database *database)
{
    static const unsigned types[] = {
        HERD_POSTGRES_INT4,        HERD_POSTGRES_BYTEA_ARRAY,  HERD_POSTGRES_INT8_ARRAY,   HERD_POSTGRES_INT8_ARRAY,
        HERD_POSTGRES_BYTEA_ARRAY, HERD_POSTGRES_TEXT_ARRAY,   HERD_POSTGRES_TEXT_ARRAY,   HERD_POSTGRES_TEXT_ARRAY,
        HERD_POSTGRES_TEXT_ARRAY,  HERD_POSTGRES_FLOAT8_ARRAY, HERD_POSTGRES_FLOAT8_ARRAY, HERD_POSTGRES_INT8_ARRAY,
        HERD_POSTGRES_INT8_ARRAY,
    };
    _Static_assert(sizeof types / sizeof *types == HERD_POSTGRES_COLUMNS + 1, "a parameter for each column");
    const char *values[HERD_POSTGRES_COLUMNS + 1] = {database->number};
    int lengths[HERD_POSTGRES_COLUMNS + 1] = {sizeof database->number};
    for (size_t column = 0; column < HERD_POSTGRES_COLUMNS; column++) {
        values[column + 1] = database->batch.column[column].at;
        lengths[column + 1] = (int)database->batch.column[column].len;
    }
    const struct herd_postgres_params params = {HERD_POSTGRES_COLUMNS + 1, types, values, lengths, .text = false};
    bool sent = herd_postgres_send(&database->pipeline, database->write_sql.at, &params);
    herd_postgres_batch_trim(&database->batch);
    return sent;
}

static void send_writer(struct herd_database *database, const struct herd_database_writer *writer)
{
    static const unsigned types[] = {HERD_POSTGRES_INT4, HERD_POSTGRES_TEXT, HERD_POSTGRES_INT8, HERD_POSTGRES_INT8,
                                     HERD_POSTGRES_INT8};
    char incarnation[8], sequence[8], until[8];
    herd_postgres_put_int8(incarnation, (int64_t)writer->incarnation);
    herd_postgres_put_int8(sequence, (int64_t)writer->sequence);
    herd_postgres_put_int8(until, writer->written_until_ns);
    const char *const values[] = {database->number, writer->server.at, incarnation, sequence, until};
    const int lengths[] = {sizeof database->number, (int)writer->server.len, 8, 8, 8};
    const struct herd_postgres_params params = {5, types, values, lengths, .text = false};
    herd_postgres_send(&database->pipeline, herd_postgres_writer_sql, &params);
}

int herd_postgres_write(struct herd_database *database, uint64_t ticket, const struct herd_database_row *rows,
                        size_t count, const struct herd_database_writer *writer)
{
    if (database->state != HERD_POSTGRES_READY)
        return HERD_E_STATE;
    if (count > 0) {
        int err = herd_postgres_batch_encode(&database->batch, rows, count);
        if (err < 0)
            return err;
    }
    struct herd_postgres_op *op = herd_postgres_op_new(on_written, ticket);
    if (!op)
        return HERD_E_NOMEM;
    if (count > 0)
        send_rows(database);
    send_writer(database, writer);
    return herd_postgres_commit(&database->pipeline, op);
}

/* ---- read ---- */

static void on_writers(void *owner, struct herd_postgres_op *op, const struct herd_postgres_outcome *outcome)
{
    struct herd_database *database = owner;
    size_t count = (size_t)PQntuples(op->rows);
    struct herd_database_writer *writers = NULL;
    struct herd_postgres_outcome own = *outcome;
    if (own.result == HERD_DATABASE_DONE && count > 0) {
        writers = calloc(count, sizeof *writers);
        if (!writers)
            herd_postgres_outcome_set(&own, HERD_DATABASE_RETRY, "out of memory", NULL);
        else if (!herd_postgres_decode_writers(op->rows, writers))
            herd_postgres_outcome_set(&own, HERD_DATABASE_REFUSED, "herd_writer has other columns", NULL);
    }
    if (own.result != HERD_DATABASE_DONE)
        count = 0;
    database->events->writers(database->ctx, op->ticket, own.result, message_of(&own), count > 0 ? writers : NULL,
                              count);
    free(writers);
}

int herd_postgres_read_writers(struct herd_database *database, uint64_t ticket)
{
    static const unsigned types[] = {HERD_POSTGRES_INT4};
    if (database->state != HERD_POSTGRES_READY)
        return HERD_E_STATE;
    struct herd_postgres_op *op = herd_postgres_op_new(on_writers, ticket);
    if (!op)
        return HERD_E_NOMEM;
    const char *const values[] = {database->number};
    const int lengths[] = {sizeof database->number};
    const struct herd_postgres_params params = {1, types, values, lengths, .text = false};
    herd_postgres_send(&database->pipeline, herd_postgres_writers_sql, &params);
    return herd_postgres_commit(&database->pipeline, op);
}

/* Decodes the rows of an operation that succeeded, at least one. The caller frees them; NULL: *io_outcome says why. */
static struct herd_database_row *decode(const struct herd_postgres_op *op, size_t count,
                                        struct herd_postgres_outcome *io_outcome)
{
    struct herd_database_row *rows = calloc(count, sizeof *rows);
    if (!rows) {
        herd_postgres_outcome_set(io_outcome, HERD_DATABASE_RETRY, "out of memory", NULL);
        return NULL;
    }
    if (herd_postgres_decode_rows(op->rows, rows))
        return rows;
    herd_postgres_outcome_set(io_outcome, HERD_DATABASE_REFUSED, "herd_newest has other columns", NULL);
    free(rows);
    return NULL;
}

/* Notes where the next page begins. */
static bool note_page_end(struct herd_database *database, const struct herd_postgres_op *op, size_t count)
{
    struct herd_span key = herd_postgres_decode_key(op->rows, (int)count - 1);
    size_t before = database->page_key.len;
    database->page_key.len = 0;
    if (herd_buf_add(&database->page_key, key.at, key.len) == 0)
        return true;
    database->page_key.len = before;
    return false;
}

static void on_page(void *owner, struct herd_postgres_op *op, const struct herd_postgres_outcome *outcome)
{
    struct herd_database *database = owner;
    size_t count = (size_t)PQntuples(op->rows);
    struct herd_database_row *rows = NULL;
    struct herd_postgres_outcome own = *outcome;
    database->paging = false;
    if (own.result == HERD_DATABASE_DONE && count > 0) {
        rows = decode(op, count, &own);
        if (rows && !note_page_end(database, op, count)) {
            herd_postgres_outcome_set(&own, HERD_DATABASE_RETRY, "out of memory", NULL);
            free(rows);
            rows = NULL;
        }
    }
    bool done = own.result == HERD_DATABASE_DONE;
    database->events->page(database->ctx, op->ticket, own.result, message_of(&own), rows, rows ? count : 0,
                           done && count < op->limit);
    free(rows);
}

static int read_page_by_key(struct herd_database *database, uint64_t ticket, size_t limit)
{
    static const unsigned types[] = {HERD_POSTGRES_INT4, HERD_POSTGRES_BYTEA, HERD_POSTGRES_INT8};
    struct herd_postgres_op *op = herd_postgres_op_new(on_page, ticket);
    if (!op)
        return HERD_E_NOMEM;
    op->limit = limit;
    char limit_value[8];
    herd_postgres_put_int8(limit_value, (int64_t)op->limit);
    const char *const values[] = {database->number, database->page_key.len > 0 ? database->page_key.at : "",
                                  limit_value};
    const int lengths[] = {sizeof database->number, (int)database->page_key.len, 8};
    const struct herd_postgres_params params = {3, types, values, lengths, .text = false};
    herd_postgres_send(&database->pipeline, herd_postgres_plan_sql, NULL);
    herd_postgres_send(&database->pipeline, herd_postgres_page_sql, &params);
    return herd_postgres_commit(&database->pipeline, op);
}

static void on_rows(void *owner, const struct herd_postgres_outcome *outcome, const struct herd_database_row *rows,
                    size_t count, bool last)
{
    struct herd_database *database = owner;
    database->paging = false;
    database->events->page(database->ctx, database->page_ticket, outcome->result, message_of(outcome), rows, count,
                           last);
}

static void on_unavailable(void *owner)
{
    struct herd_database *database = owner;
    database->by_key = true;
    database->page_key.len = 0;
    if (read_page_by_key(database, database->page_ticket, database->page_limit) == 0)
        return;
    database->paging = false;
    database->events->page(database->ctx, database->page_ticket, HERD_DATABASE_RETRY, "out of memory", NULL, 0,
                           false);
}

const struct herd_postgres_reader_events herd_postgres_pages = {on_rows, on_unavailable};

int herd_postgres_read_page(struct herd_database *database, uint64_t ticket, size_t limit, bool first)
{
    int err;
    if (database->state != HERD_POSTGRES_READY || database->paging)
        return HERD_E_STATE;
    database->page_ticket = ticket;
    database->page_limit = limit < 1 ? 1 : limit > HERD_POSTGRES_PAGE_MAX ? HERD_POSTGRES_PAGE_MAX : limit;
    if (first)
        database->by_key = false;
    if (database->by_key)
        err = read_page_by_key(database, ticket, database->page_limit);
    else if (!first && herd_postgres_reader_reads(&database->reader))
        err = herd_postgres_reader_next(&database->reader, database->page_limit);
    else
        err = herd_postgres_reader_begin(&database->reader, database->dsn, database->number_value,
                                         database->page_limit);
    database->paging = err == 0;
    return err;
}

static void on_found(void *owner, struct herd_postgres_op *op, const struct herd_postgres_outcome *outcome)
{
    struct herd_database *database = owner;
    struct herd_database_row *row = NULL;
    struct herd_postgres_outcome own = *outcome;
    if (own.result == HERD_DATABASE_DONE && PQntuples(op->rows) == 1)
        row = decode(op, 1, &own);
    database->events->found(database->ctx, op->ticket, own.result, message_of(&own), row);
    free(row);
}

int herd_postgres_find(struct herd_database *database, uint64_t ticket, struct herd_span id)
{
    static const unsigned types[] = {HERD_POSTGRES_INT4, HERD_POSTGRES_BYTEA};
    if (database->state != HERD_POSTGRES_READY)
        return HERD_E_STATE;
    struct herd_postgres_op *op = herd_postgres_op_new(on_found, ticket);
    if (!op)
        return HERD_E_NOMEM;
    const char *const values[] = {database->number, id.len > 0 ? id.at : ""};
    const int lengths[] = {sizeof database->number, (int)id.len};
    const struct herd_postgres_params params = {2, types, values, lengths, .text = false};
    herd_postgres_send(&database->pipeline, herd_postgres_plan_sql, NULL);
    herd_postgres_send(&database->pipeline, herd_postgres_find_sql, &params);
    return herd_postgres_commit(&database->pipeline, op);
}
