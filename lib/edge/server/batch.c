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
 * told survives this process. While some wait, the others are collected; what is held counts as unsent of its
 * connection, so the limits of output bound it.
 */
#include "server_impl.h"

#include <stdlib.h>

/* More in one piece is worth a call of its own; and no more is held than stays in the cache. */
#define PIECE_MAX_BYTES 16384
#define BATCH_MAX_BYTES 262144

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
    if (conn->fd >= 0 && is_client(conn) && len <= PIECE_MAX_BYTES &&
        conn->server->batch.collecting.bytes.len < BATCH_MAX_BYTES)
        return true;
    return herd_batch_required(conn);
}

static struct herd_batch_part *part_of(struct herd_batch_list *list, struct herd_conn *conn)
{
    if (list->count > 0 && list->parts[list->count - 1].conn == conn)
        return &list->parts[list->count - 1];
    if (list->count == list->cap) {
        size_t cap = list->cap ? list->cap * 2 : 64;
        struct herd_batch_part *parts = realloc(list->parts, cap * sizeof *parts);
        if (!parts)
            return NULL;
        list->parts = parts;
        list->cap = cap;
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

void herd_batch_flush_full(struct herd_server *server)
{
    if (server->batch.collecting.bytes.len >= BATCH_MAX_BYTES)
        herd_batch_flush(server);
}

/* What was sent makes room, commands go on, and their answers may add parts to `collecting`, also while that is sent. */
static void send_list(struct herd_server *server, struct herd_batch_list *list)
{
    size_t at = 0;
    for (size_t i = 0; i < list->count; i++) {
        struct herd_batch_part part = list->parts[i];
        list->parts[i].conn = NULL;
        if (part.conn) {
            part.conn->batched_bytes -= part.len;
            herd_conn_sent(part.conn,
                           herd_transport_send_now(part.conn, (struct herd_span){list->bytes.at + at, part.len}));
            bool waits = part.conn->closing || part.conn->blocked || herd_list_linked(&part.conn->deadline_link);
            if (!part.conn->closed && waits && !server->freeing)
                herd_conn_drained(part.conn);
        }
        at += part.len;
    }
    list->count = 0;
    list->bytes.len = 0;
    if (list->bytes.cap > 2 * BATCH_MAX_BYTES)
        herd_buf_fini(&list->bytes);
}

static void swap(struct herd_batch *batch)
{
    struct herd_batch_list list = batch->waiting;
    batch->waiting = batch->collecting;
    batch->collecting = list;
}

static bool has(const struct herd_server *server, uint64_t ticket)
{
    return server->freeing || herd_journal_has(server->journal, ticket);
}

void herd_batch_flush(struct herd_server *server)
{
    struct herd_batch *batch = &server->batch;
    if (!server->journal) {
        send_list(server, &batch->collecting);
        return;
    }
    if (batch->waiting.count == 0 && batch->collecting.count == 0)
        return;
    herd_journal_write(server->journal, herd_clock());
    /* What one list adds is sent, or waits, with the next one. */
    for (int i = 0; i < 2; i++) {
        if (batch->waiting.count > 0) {
            if (!has(server, batch->ticket))
                return;
            send_list(server, &batch->waiting);
        }
        if (batch->collecting.count == 0)
            return;
        batch->ticket = herd_journal_ticket(server->journal);
        swap(batch);
    }
    herd_server_schedule_flush(server);
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
