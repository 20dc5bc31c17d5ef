/* SPDX-License-Identifier: MIT */
/* The table of tickets: their ids, found in one step and not used twice. */
#include "ticket.h"

#include "../base/array.h"

#include <assert.h>
#include <stdlib.h>

/* Through a volatile pointer: a compiler leaves out stores that nobody can read. */
static void wipe(struct herd_buf *buf)
{
    volatile char *at = buf->at;
    for (size_t i = 0; i < buf->cap; i++)
        at[i] = 0;
}

void herd_ticket_free(struct herd_ticket *ticket)
{
    if (!ticket)
        return;
    herd_list_remove(&ticket->pending.link);
    if (ticket->secret)
        wipe(&ticket->texts);
    herd_buf_fini(&ticket->texts);
    herd_buf_fini(&ticket->answer);
    herd_buf_fini(&ticket->queued_replies);
    free(ticket);
}

static int grow_table(struct herd_node *node)
{
    size_t cap = node->ticket_cap;
    struct herd_ticket_entry *tickets = herd_array_reserve(node->tickets, &cap, cap + 1, sizeof *tickets);
    if (!tickets)
        return HERD_E_NOMEM;
    for (uint32_t at = (uint32_t)cap; at-- > node->ticket_cap;) {
        tickets[at] = (struct herd_ticket_entry){.next_free = node->ticket_free};
        node->ticket_free = at + 1;
    }
    node->tickets = tickets;
    node->ticket_cap = (uint32_t)cap;
    return 0;
}

int herd_ticket_insert(struct herd_node *node, struct herd_ticket *ticket)
{
    if (node->ticket_free == 0) {
        int err = grow_table(node);
        if (err < 0)
            return err;
    }
    uint32_t at = node->ticket_free - 1;
    struct herd_ticket_entry *entry = &node->tickets[at];
    node->ticket_free = entry->next_free;
    entry->ticket = ticket;
    ticket->id = (uint64_t)++entry->generation << 32 | at;
    return 0;
}

void herd_ticket_remove(struct herd_node *node, struct herd_ticket *ticket)
{
    uint32_t at = (uint32_t)ticket->id;
    assert(at < node->ticket_cap && node->tickets[at].ticket == ticket);
    node->tickets[at].ticket = NULL;
    node->tickets[at].next_free = node->ticket_free;
    node->ticket_free = at + 1;
    herd_ticket_free(ticket);
}

struct herd_ticket *herd_ticket_find(struct herd_node *node, uint64_t id)
{
    uint32_t at = (uint32_t)id;
    if (at >= node->ticket_cap || !node->tickets[at].ticket || node->tickets[at].generation != id >> 32)
        return NULL;
    return node->tickets[at].ticket;
}

void herd_ticket_user(struct herd_node *node, uint64_t ticket, void *user)
{
    struct herd_ticket *found = herd_ticket_find(node, ticket);
    if (found)
        found->user = user;
}
