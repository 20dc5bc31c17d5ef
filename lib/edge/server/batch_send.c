/* SPDX-License-Identifier: MIT */
/* A batch is sent: at the end of the loop iteration, when it is much, or when the journal has what it acknowledges. */
#include "conn.h"

/* What was sent makes space, and connections that waited for it become ready; nothing is added here. */
static void send_list(struct herd_server *server, struct herd_batch_list *list)
{
    size_t at = 0;
    for (size_t i = 0; i < list->count; i++) {
        struct herd_batch_part part = list->parts[i];
        list->parts[i].conn = NULL;
        if (part.conn) {
            part.conn->batched_bytes -= part.len;
            herd_conn_sent(part.conn, herd_transport_send(part.conn->transport,
                                                          (struct herd_span){list->bytes.at + at, part.len}));
            enum herd_conn_state state = part.conn->state;
            bool waits = state == HERD_CONN_DRAINING || state == HERD_CONN_BLOCKED ||
                         herd_list_linked(&part.conn->deadline_link);
            if (state != HERD_CONN_CLOSED && waits && !server->freeing)
                herd_conn_drained(part.conn);
        }
        at += part.len;
    }
    list->count = 0;
    list->bytes.len = 0;
    if (list->bytes.cap > 2 * HERD_BATCH_MAX_BYTES)
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
}

void herd_batch_flush_full(struct herd_server *server)
{
    if (server->batch.collecting.bytes.len >= HERD_BATCH_MAX_BYTES)
        herd_batch_flush(server);
}
