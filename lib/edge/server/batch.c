/* SPDX-License-Identifier: MIT */
/*
 * Replies held until the end of the turn. Sent each as soon as it is there, with work between them, each of them wakes
 * up whoever reads it, and to the kernel that is more work than all of ours. Sent one right after the other, they wake
 * up a program that has many connections once. It also makes one write to the journal of all that a turn acknowledges.
 */
#include "server_impl.h"

#include <stdlib.h>

/* More in one piece is worth a call of its own; and no more is held than stays in the cache. */
#define PIECE_MAX_BYTES 16384
#define HELD_MAX_BYTES  262144

bool herd_batch_wanted(const struct herd_conn *conn, size_t len)
{
    bool client = conn->peer < 0 && !conn->link && !conn->over_limit;
    return conn->transport->ops->joins && client && len <= PIECE_MAX_BYTES &&
           conn->server->batch.bytes.len < HELD_MAX_BYTES;
}

static struct herd_batch_part *part_of(struct herd_batch *batch, struct herd_conn *conn)
{
    if (batch->count > 0 && batch->parts[batch->count - 1].conn == conn)
        return &batch->parts[batch->count - 1];
    if (batch->count == batch->cap) {
        size_t cap = batch->cap ? batch->cap * 2 : 64;
        struct herd_batch_part *parts = realloc(batch->parts, cap * sizeof *parts);
        if (!parts)
            return NULL;
        batch->parts = parts;
        batch->cap = cap;
    }
    batch->parts[batch->count] = (struct herd_batch_part){.conn = conn};
    return &batch->parts[batch->count++];
}

int herd_batch_add(struct herd_conn *conn, struct herd_span bytes)
{
    struct herd_batch *batch = &conn->server->batch;
    if (herd_buf_reserve(&batch->bytes, bytes.len) < 0)
        return HERD_E_NOMEM;
    struct herd_batch_part *part = part_of(batch, conn);
    if (!part)
        return HERD_E_NOMEM;
    (void)herd_buf_add(&batch->bytes, bytes.at, bytes.len); /* there is room */
    part->len += bytes.len;
    conn->batched_bytes += bytes.len;
    herd_server_schedule_flush(conn->server);
    return 0;
}

void herd_batch_drop(struct herd_conn *conn)
{
    struct herd_batch *batch = &conn->server->batch;
    for (size_t i = 0; conn->batched_bytes > 0 && i < batch->count; i++)
        if (batch->parts[i].conn == conn) {
            conn->batched_bytes -= batch->parts[i].len;
            batch->parts[i].conn = NULL;
        }
}

void herd_batch_flush_full(struct herd_server *server)
{
    if (server->batch.bytes.len >= HELD_MAX_BYTES)
        herd_batch_flush(server);
}

void herd_batch_flush(struct herd_server *server)
{
    struct herd_batch *batch = &server->batch;
    size_t at = 0;
    if (server->journal && batch->count > 0)
        herd_journal_write(server->journal, herd_clock()); /* what is acknowledged is in the file */
    /* What was sent makes room, commands go on, and their answers may add parts. */
    for (size_t i = 0; i < batch->count; i++) {
        struct herd_batch_part part = batch->parts[i];
        batch->parts[i].conn = NULL;
        if (part.conn) {
            part.conn->batched_bytes -= part.len;
            herd_conn_sent(part.conn, herd_transport_send(part.conn->transport,
                                                          (struct herd_span){batch->bytes.at + at, part.len}));
            enum herd_conn_state state = part.conn->state;
            bool waits = state == HERD_CONN_DRAINING || state == HERD_CONN_BLOCKED ||
                         herd_list_linked(&part.conn->deadline_link);
            if (state != HERD_CONN_CLOSED && waits && !server->freeing)
                herd_conn_drained(part.conn);
        }
        at += part.len;
    }
    batch->count = 0;
    batch->bytes.len = 0;
    if (batch->bytes.cap > 2 * HELD_MAX_BYTES)
        herd_buf_fini(&batch->bytes);
}

void herd_batch_fini(struct herd_batch *batch)
{
    free(batch->parts);
    herd_buf_fini(&batch->bytes);
}
