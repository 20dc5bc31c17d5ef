/* SPDX-License-Identifier: MIT */
/* What the answers of Redis make of an operation. */
#include "command.h"
#include "redis_impl.h"

#include <string.h>

static struct herd_span text_of(const redisReply *reply)
{
    return (struct herd_span){reply->str, (size_t)reply->len};
}

/* The first failure is the one that is told. */
static void fail(const struct herd_database *database, struct herd_redis_operation *operation,
                 enum herd_database_result result, struct herd_span error)
{
    if (operation->result != HERD_DATABASE_DONE)
        return;
    operation->result = result;
    herd_redis_fault_text(operation->message, error, database->dsn.password);
}

static void fail_with(const struct herd_database *database, struct herd_redis_operation *operation,
                      const redisReply *reply)
{
    struct herd_span error = text_of(reply), code = herd_redis_fault_code(error);
    if (operation->kind == HERD_REDIS_WRITE && !operation->again && herd_span_equal(code, herd_span_of("NOSCRIPT")))
        operation->noscript = true;
    else
        fail(database, operation, herd_redis_fault_result(error), error);
}

static const char unexpected[] = "an answer that is not one to what was asked";

static void answer_write(const struct herd_database *database, struct herd_redis_operation *write,
                         const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_STRING)
        fail(database, write, herd_redis_fault_result(text_of(reply)), text_of(reply));
    else if (reply->type != REDIS_REPLY_INTEGER)
        fail(database, write, HERD_DATABASE_RETRY, herd_span_of(unexpected));
}

/* The answer is kept if it is an array, all of whose elements are texts or, with `nil`, missing. */
static bool is_texts(const redisReply *reply, bool nil)
{
    if (reply->type != REDIS_REPLY_ARRAY)
        return false;
    for (size_t i = 0; i < reply->elements; i++)
        if (reply->element[i]->type != REDIS_REPLY_STRING && !(nil && reply->element[i]->type == REDIS_REPLY_NIL))
            return false;
    return true;
}

/* Whether it is an answer to SCAN, which is noted. */
static bool answer_scan(struct herd_database *database, const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 || reply->element[0]->type != REDIS_REPLY_STRING ||
        !is_texts(reply->element[1], false) || (size_t)reply->element[0]->len >= sizeof database->cursor)
        return false;
    const redisReply *keys = reply->element[1];
    for (size_t i = 0; i < keys->elements; i++)
        if ((size_t)keys->element[i]->len <= database->prefix.len + 3 ||
            memcmp(keys->element[i]->str, database->prefix.at, database->prefix.len + 3) != 0)
            return false;
    memcpy(database->cursor, reply->element[0]->str, (size_t)reply->element[0]->len + 1);
    database->scanned = strcmp(database->cursor, "0") == 0;
    return true;
}

/* The keys of the page, or those of the next one. Empty parts of the tables are passed over. */
static bool take_keys(struct herd_database *database, struct herd_redis_operation *page, redisReply *reply,
                      bool *ret_kept, int *ret_err)
{
    if (!answer_scan(database, reply))
        return false;
    const redisReply *keys = reply->element[1];
    *ret_kept = keys->elements > 0;
    if (!database->scanned && database->scans >= HERD_REDIS_SCANS_MAX) {
        *ret_kept = false;
        fail(database, page, HERD_DATABASE_RETRY, herd_span_of("its keys have no end"));
        return true;
    }
    if (page->replies[0]) {
        /* What stays in the page is of the one before: this is for the next. */
        database->keys = *ret_kept ? reply : NULL;
        return true;
    }
    if (*ret_kept) {
        page->replies[0] = reply;
        *ret_err = herd_redis_encode_mget(database, page, keys);
    } else if (!database->scanned) {
        *ret_err = herd_redis_encode_scan(database, page);
    }
    return true;
}

/* Where an answer that is one to what was asked is kept, the event of WRITERS, FIND or PAGE being made of it; NULL: it is none. */
static redisReply **place_of(struct herd_redis_operation *operation, const redisReply *reply)
{
    if (operation->kind == HERD_REDIS_WRITERS) {
        const bool fits = operation->answered == 1 ? reply->elements == 2 : reply->elements % 2 == 0;
        return is_texts(reply, false) && fits ? &operation->replies[operation->answered - 1] : NULL;
    }
    if (operation->kind == HERD_REDIS_FIND)
        return reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_NIL ? &operation->replies[0] : NULL;
    return is_texts(reply, true) && reply->elements == operation->replies[0]->element[1]->elements
               ? &operation->replies[1]
               : NULL;
}

/* Whether it is an answer to what was asked; *ret_kept says whether it is somebody's now. */
static bool take(struct herd_database *database, struct herd_redis_operation *operation, redisReply *reply,
                 bool *ret_kept, int *ret_err)
{
    if (operation->kind == HERD_REDIS_PAGE && (!operation->replies[0] || operation->replies[1]))
        return take_keys(database, operation, reply, ret_kept, ret_err);
    redisReply **place = place_of(operation, reply);
    if (place)
        *place = reply;
    return *ret_kept = place != NULL;
}

/* The script is not there any more: Redis was started anew, or somebody threw it away. It and the commands go again. */
static void send_again(struct herd_redis_operation *write)
{
    write->again = true;
    write->noscript = false;
    write->load = true;
    write->sent = write->answered = 0;
    write->held = write->count > 1;
}

int herd_redis_answer(struct herd_database *database, struct herd_redis_operation *operation, redisReply *reply)
{
    bool kept = false;
    int err = 0;
    if (operation->loading) {
        operation->loading--;
        if (reply->type == REDIS_REPLY_ERROR)
            fail_with(database, operation, reply);
        freeReplyObject(reply);
        return 0;
    }
    operation->answered++;
    if (operation->stale)
        kept = false; /* whatever it is */
    else if (operation->kind == HERD_REDIS_SETUP)
        err = herd_redis_setup_answer(database, operation, reply);
    else if (reply->type == REDIS_REPLY_ERROR)
        fail_with(database, operation, reply);
    else if (operation->kind == HERD_REDIS_WRITE)
        answer_write(database, operation, reply);
    else if (!take(database, operation, reply, &kept, &err))
        fail(database, operation, HERD_DATABASE_RETRY, herd_span_of(unexpected));
    if (!kept)
        freeReplyObject(reply);
    if (err < 0 || operation->answered < operation->sent || operation->done)
        return err;
    /* All that was sent of it is answered. */
    if (operation->stale)
        herd_redis_operation_finish(operation, HERD_DATABASE_DONE, NULL);
    else if (operation->noscript)
        send_again(operation);
    else if (operation->result != HERD_DATABASE_DONE)
        herd_redis_operation_finish(operation, operation->result, operation->message);
    else if (operation->sent == operation->count)
        herd_redis_operation_finish(operation, HERD_DATABASE_DONE, NULL);
    else
        operation->held = 0;
    return 0;
}
