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

bool herd_held_wants(const struct herd_conn *conn, size_t len)
{
    bool client = conn->peer < 0 && !conn->link && !conn->over;
    return conn->fd >= 0 && client && len <= PIECE_MAX_BYTES && conn->server->held.bytes.len < HELD_MAX_BYTES;
}

static struct herd_held_part *part_of(struct herd_held *held, struct herd_conn *conn)
{
    if (held->count > 0 && held->parts[held->count - 1].conn == conn)
        return &held->parts[held->count - 1];
    if (held->count == held->cap) {
        size_t cap = held->cap ? held->cap * 2 : 64;
        struct herd_held_part *parts = realloc(held->parts, cap * sizeof *parts);
        if (!parts)
            return NULL;
        held->parts = parts;
        held->cap = cap;
    }
    held->parts[held->count] = (struct herd_held_part){.conn = conn};
    return &held->parts[held->count++];
}

int herd_held_add(struct herd_conn *conn, struct herd_span bytes)
{
    struct herd_held *held = &conn->server->held;
    if (herd_buf_reserve(&held->bytes, bytes.len) < 0)
        return HERD_E_NOMEM;
    struct herd_held_part *part = part_of(held, conn);
    if (!part)
        return HERD_E_NOMEM;
    (void)herd_buf_add(&held->bytes, bytes.at, bytes.len); /* there is room */
    part->len += bytes.len;
    conn->held += bytes.len;
    herd_server_turn(conn->server);
    return 0;
}

void herd_held_drop(struct herd_conn *conn)
{
    struct herd_held *held = &conn->server->held;
    for (size_t i = 0; conn->held > 0 && i < held->count; i++)
        if (held->parts[i].conn == conn) {
            conn->held -= held->parts[i].len;
            held->parts[i].conn = NULL;
        }
}

void herd_held_check(struct herd_server *server)
{
    if (server->held.bytes.len >= HELD_MAX_BYTES)
        herd_held_release(server);
}

void herd_held_release(struct herd_server *server)
{
    struct herd_held *held = &server->held;
    size_t at = 0;
    if (server->journal && held->count > 0)
        herd_journal_write(server->journal, herd_clock()); /* what is acknowledged is in the file */
    /* What was sent makes room, commands go on, and their answers may add parts. */
    for (size_t i = 0; i < held->count; i++) {
        struct herd_held_part part = held->parts[i];
        held->parts[i].conn = NULL;
        if (part.conn) {
            part.conn->held -= part.len;
            herd_conn_sent(part.conn,
                           herd_socket_send(part.conn, (struct herd_span){held->bytes.at + at, part.len}));
            bool waits = part.conn->closing || part.conn->paused || herd_list_linked(&part.conn->unsent);
            if (!part.conn->closed && waits && !server->freeing)
                herd_conn_drained(part.conn);
        }
        at += part.len;
    }
    held->count = 0;
    held->bytes.len = 0;
    if (held->bytes.cap > 2 * HELD_MAX_BYTES)
        herd_buf_fini(&held->bytes);
}

void herd_held_fini(struct herd_held *held)
{
    free(held->parts);
    herd_buf_fini(&held->bytes);
}
