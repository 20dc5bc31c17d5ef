/* SPDX-License-Identifier: MIT */
/*
 * Replies held until the end of the turn. Sent each as soon as it is there, with work between them, each of them wakes
 * up whoever reads it, and to the kernel that is more work than all of ours. Sent one right after the other, they wake
 * up a program that has many connections once.
 *
 *     collecting --end of the turn--> sent                                    the journal lacks nothing, or there is none
 *     collecting --end of the turn--> waiting --the journal has it--> sent
 *
 * With a journal replies also wait until it has all that changed before them, whoever reported it: what anybody was
 * answered survives this process. Events do not wait: who views them gets a new snapshot of the process that follows.
 * While some wait, the others are collected; what is held counts as unsent of its connection, so the limits of output
 * bound it.
 */
#include "../../core/base/array.h"
#include "conn.h"

#include <stdlib.h>

/* More in one piece is worth a call of its own. */
#define PIECE_MAX_BYTES 16384

static bool is_client(const struct herd_conn *conn)
{
    return conn->peer < 0 && !conn->link && !conn->over_limit;
}

bool herd_batch_required(const struct herd_conn *conn)
{
    struct herd_journal *journal = conn->server->journal;
    return journal && is_client(conn) && !conn->server->freeing &&
           !herd_journal_has(journal, herd_journal_ticket(journal));
}

bool herd_batch_wanted(const struct herd_conn *conn, size_t len)
{
    if (conn->transport->ops->joins && is_client(conn) && len <= PIECE_MAX_BYTES &&
        conn->server->batch.collecting.bytes.len < HERD_BATCH_MAX_BYTES)
        return true;
    return herd_batch_required(conn);
}

static struct herd_batch_part *part_of(struct herd_batch_list *list, struct herd_conn *conn)
{
    if (list->count > 0 && list->parts[list->count - 1].conn == conn)
        return &list->parts[list->count - 1];
    if (list->count == list->cap) {
        struct herd_batch_part *parts = herd_array_reserve(list->parts, &list->cap, list->count + 1, sizeof *parts);
        if (!parts)
            return NULL;
        list->parts = parts;
    }
    list->parts[list->count] = (struct herd_batch_part){.conn = conn};
    return &list->parts[list->count++];
}

int herd_batch_add(struct herd_conn *conn, struct herd_span bytes)
{
    struct herd_batch_list *list = &conn->server->batch.collecting;
    if (herd_buf_reserve(&list->bytes, bytes.len) < 0)
        return HERD_E_NOMEM;
    struct herd_batch_part *part = part_of(list, conn);
    if (!part)
        return HERD_E_NOMEM;
    (void)herd_buf_add(&list->bytes, bytes.at, bytes.len); /* there is room */
    part->len += bytes.len;
    conn->batched_bytes += bytes.len;
    herd_server_schedule_flush(conn->server);
    return 0;
}

static void drop(struct herd_batch_list *list, struct herd_conn *conn)
{
    for (size_t i = 0; conn->batched_bytes > 0 && i < list->count; i++)
        if (list->parts[i].conn == conn) {
            conn->batched_bytes -= list->parts[i].len;
            list->parts[i].conn = NULL;
        }
}

void herd_batch_drop(struct herd_conn *conn)
{
    drop(&conn->server->batch.waiting, conn);
    drop(&conn->server->batch.collecting, conn);
}

static void fini(struct herd_batch_list *list)
{
    free(list->parts);
    herd_buf_fini(&list->bytes);
}

void herd_batch_fini(struct herd_batch *batch)
{
    fini(&batch->collecting);
    fini(&batch->waiting);
}
