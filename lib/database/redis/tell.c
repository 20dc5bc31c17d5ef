/* SPDX-License-Identifier: MIT */
/* Events, made of the answers that were kept. */
#include "command.h"
#include "redis_impl.h"
#include "value.h"

#include <stdlib.h>
#include <string.h>

#define WRITERS_MAX 4096

static struct herd_span text_of(const redisReply *reply)
{
    return (struct herd_span){reply->str, (size_t)reply->len};
}

static const char *message_of(const struct herd_redis_operation *operation)
{
    return operation->result == HERD_DATABASE_DONE ? NULL : operation->message;
}

/* The next number of `*io_text`, in `base`, up to a space or the end. */
static bool number(struct herd_span *io_text, unsigned base, uint64_t *ret_number)
{
    uint64_t value = 0;
    size_t i = 0;
    bool negative = base == 10 && io_text->len && io_text->at[0] == '-';
    for (i = negative; i < io_text->len && io_text->at[i] != ' '; i++) {
        char c = io_text->at[i];
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                                                : 99;
        if (digit >= base || value > (UINT64_MAX - digit) / base)
            return false;
        value = value * base + digit;
    }
    if (i == negative)
        return false;
    *ret_number = negative ? 0 - value : value;
    *io_text = i < io_text->len ? (struct herd_span){io_text->at + i + 1, io_text->len - i - 1}
                                : (struct herd_span){"", 0};
    return true;
}

static bool read_writer(struct herd_span server, struct herd_span text, int64_t now_us,
                        struct herd_database_writer *ret_writer)
{
    struct herd_database_writer writer = {.server = server};
    uint64_t until = 0, at_us = 0;
    if (!number(&text, 16, &writer.incarnation) || !number(&text, 10, &writer.sequence) ||
        !number(&text, 10, &until) || !number(&text, 10, &at_us) || text.len || at_us > INT64_MAX)
        return false;
    writer.written_until_ns = (int64_t)until;
    int64_t age_us = now_us > (int64_t)at_us ? now_us - (int64_t)at_us : 0;
    writer.age_ns = age_us > INT64_MAX / 1000 ? INT64_MAX : age_us * 1000;
    *ret_writer = writer;
    return true;
}

static void tell_writers(struct herd_database *database, struct herd_redis_operation *operation)
{
    struct herd_database_writer *writers = NULL;
    size_t count = 0;
    if (operation->result == HERD_DATABASE_DONE) {
        const redisReply *time = operation->replies[0], *all = operation->replies[1];
        struct herd_span s = text_of(time->element[0]), us = text_of(time->element[1]);
        uint64_t now_s = 0, now_us = 0;
        size_t most = all->elements / 2 < WRITERS_MAX ? all->elements / 2 : WRITERS_MAX;
        bool ok = number(&s, 10, &now_s) && number(&us, 10, &now_us) && now_s < INT64_MAX / 1000000 - 1;
        writers = ok ? calloc(most + 1, sizeof *writers) : NULL;
        for (size_t i = 0; i < most && writers; i++)
            count += read_writer(text_of(all->element[2 * i]), text_of(all->element[2 * i + 1]),
                                 (int64_t)(now_s * 1000000 + now_us), &writers[count]);
        if (!writers)
            herd_redis_operation_finish(operation, HERD_DATABASE_RETRY, ok ? "out of memory" : "TIME is no time");
    }
    database->events->writers(database->ctx, operation->ticket, operation->result, message_of(operation), writers,
                              count);
    free(writers);
}

static void tell_found(struct herd_database *database, struct herd_redis_operation *operation)
{
    struct herd_database_row row;
    bool found = false;
    if (operation->result == HERD_DATABASE_DONE && operation->replies[0]->type == REDIS_REPLY_STRING) {
        struct herd_span id = {operation->bytes.at + operation->bytes.len - 2 - operation->id_len,
                               operation->id_len};
        found = herd_redis_value_parse(id, text_of(operation->replies[0]), &row);
    }
    database->events->found(database->ctx, operation->ticket, operation->result, message_of(operation),
                            found ? &row : NULL);
}

void herd_redis_tell(struct herd_database *database, struct herd_redis_operation *operation)
{
    switch (operation->kind) {
    case HERD_REDIS_SETUP: database->events->connected(database->ctx, database->server); break;
    case HERD_REDIS_WRITE:
        database->events->written(database->ctx, operation->ticket, operation->result, message_of(operation));
        break;
    case HERD_REDIS_WRITERS: tell_writers(database, operation); break;
    case HERD_REDIS_PAGE: herd_redis_pages_done(database, operation); return;
    case HERD_REDIS_FIND: tell_found(database, operation); break;
    }
    herd_redis_operation_free(operation);
}
