/* SPDX-License-Identifier: MIT */
/* All rows, a page after the other: one is told, the next is on its way. */
#include "redis_impl.h"
#include "value.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static struct herd_span text_of(const redisReply *reply)
{
    return (struct herd_span){reply->str, (size_t)reply->len};
}

void herd_redis_pages_rewind(struct herd_database *database)
{
    if (database->page)
        database->page->stale = true;
    if (database->ahead && database->ahead->lent)
        database->ahead->dropped = true; /* its rows are with the owner just now */
    else if (database->ahead)
        herd_redis_operation_free(database->ahead);
    if (database->next)
        herd_redis_operation_free(database->next);
    if (database->keys)
        freeReplyObject(database->keys);
    database->page = database->ahead = database->next = NULL;
    database->keys = NULL;
    database->scanned = false;
    database->scans = 0;
    memcpy(database->cursor, "0", 2);
}

int herd_redis_pages_begin(struct herd_database *database)
{
    struct herd_redis_operation *page;
    int err = herd_redis_encode_page(database, &page);
    if (err < 0)
        return err;
    database->page = page;
    herd_redis_operation_add(database, page);
    return 0;
}

static size_t keys_of(const struct herd_redis_operation *page)
{
    return page->replies[0] ? page->replies[0]->element[1]->elements : 0;
}

/* Rows from `at` to `end` of what succeeded; a key that went meanwhile, or is something else, has no value. NULL: no
 * memory. */
static struct herd_database_row *rows_of(const struct herd_database *database,
                                         const struct herd_redis_operation *page, size_t at, size_t end,
                                         size_t *ret_count)
{
    const redisReply *keys = page->replies[0]->element[1], *values = page->replies[1];
    const size_t front = database->prefix.len + 3;
    struct herd_database_row *rows = malloc((end - at) * sizeof *rows);
    for (size_t i = at; i < end && rows; i++) {
        struct herd_span key = text_of(keys->element[i]);
        struct herd_span id = {key.at + front, key.len - front};
        *ret_count += values->element[i]->type == REDIS_REPLY_STRING &&
                      herd_redis_value_parse(id, text_of(values->element[i]), &rows[*ret_count]);
    }
    return rows;
}

static bool ended(const struct herd_database *database)
{
    return database->scanned && !database->keys && !database->page && !database->next;
}

/* Tells a part of the page, which is the caller's until then. */
static void tell(struct herd_database *database, struct herd_redis_operation *page)
{
    const size_t at = page->told, keys = keys_of(page);
    const size_t end = keys - at > database->page_limit ? at + database->page_limit : keys;
    struct herd_database_row *rows = NULL;
    size_t count = 0;
    database->paging = false;
    if (page->result == HERD_DATABASE_DONE && end > at) {
        rows = rows_of(database, page, at, end, &count);
        if (!rows)
            herd_redis_operation_finish(page, HERD_DATABASE_RETRY, "out of memory");
    }
    const bool done = page->result == HERD_DATABASE_DONE, last = done && end == keys && ended(database);
    page->told = end;
    if (!done || last)
        herd_redis_pages_rewind(database);
    else if (at == 0 && !ended(database))
        (void)herd_redis_pages_begin(database); /* no memory: when it is asked for */
    /* Perhaps nothing of this is there any more when the event returns. */
    bool kept = done && end < keys;
    if (kept) {
        database->ahead = page;
    } else if (done && !last) {
        database->ahead = database->next;
        database->next = NULL;
    }
    if (kept)
        page->lent = true;
    database->events->page(database->ctx, database->page_ticket, page->result, done ? NULL : page->message, rows,
                           count, last);
    free(rows);
    if (kept)
        page->lent = false;
    if (!kept || page->dropped)
        herd_redis_operation_free(page);
}

void herd_redis_pages_done(struct herd_database *database, struct herd_redis_operation *page)
{
    if (page->stale) {
        herd_redis_operation_free(page);
        return;
    }
    database->page = NULL;
    if (database->ahead)
        database->next = page;
    else if (database->paging)
        tell(database, page);
    else
        database->ahead = page;
}

void herd_redis_pages_tell(struct herd_database *database)
{
    struct herd_redis_operation *page = database->ahead;
    assert(page && database->paging); /* whatever ends one of them takes the event back */
    database->ahead = NULL;
    tell(database, page);
}
