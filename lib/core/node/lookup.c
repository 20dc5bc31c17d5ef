/* SPDX-License-Identifier: MIT */
/*
 * WHATSAT and other commands that are answered later, and replies kept in the order of their commands.
 *
 *     session -> [ ticket 1 | behind: AT.. AT.. ] -> [ ticket 2 | behind: ?.. ]
 *
 * Commands behind a WHATSAT are carried out at once, but their replies wait behind its ticket. When the
 * oldest ticket is answered, it goes out with what stands behind it, and so on to the first that is not.
 */
#include "node_impl.h"

#include <stdlib.h>

void herd_ticket_free(struct herd_ticket *ticket)
{
    if (!ticket)
        return;
    herd_list_remove(&ticket->pending.link);
    herd_buf_fini(&ticket->texts);
    herd_buf_fini(&ticket->answer);
    herd_buf_fini(&ticket->queued_replies);
    free(ticket);
}

static int grow_table(struct herd_node *node)
{
    uint32_t cap = node->ticket_cap ? node->ticket_cap * 2 : 16;
    struct herd_ticket_entry *tickets = realloc(node->tickets, cap * sizeof *tickets);
    if (!tickets)
        return HERD_E_NOMEM;
    for (uint32_t at = cap; at-- > node->ticket_cap;) {
        tickets[at] = (struct herd_ticket_entry){.next_free = node->ticket_free};
        node->ticket_free = at + 1;
    }
    node->tickets = tickets;
    node->ticket_cap = cap;
    return 0;
}

/* Allocates a table entry. The generation is the upper half of the id, so that the id of a freed ticket no longer
 * matches. HERD_E_NOMEM. */
static int table_insert(struct herd_node *node, struct herd_ticket *ticket)
{
    if (node->ticket_free == 0) {
        int err = grow_table(node);
        if (err < 0)
            return err;
    }
    uint32_t at = node->ticket_free - 1;
    struct herd_ticket_entry *place = &node->tickets[at];
    node->ticket_free = place->next_free;
    place->ticket = ticket;
    ticket->id = (uint64_t)++place->generation << 32 | at;
    return 0;
}

void herd_ticket_remove(struct herd_node *node, struct herd_ticket *ticket)
{
    uint32_t at = (uint32_t)ticket->id;
    node->tickets[at].ticket = NULL;
    node->tickets[at].next_free = node->ticket_free;
    node->ticket_free = at + 1;
    herd_ticket_free(ticket);
}

static struct herd_ticket *find(struct herd_node *node, uint64_t id)
{
    uint32_t at = (uint32_t)id;
    if (at >= node->ticket_cap || !node->tickets[at].ticket || node->tickets[at].generation != id >> 32)
        return NULL;
    return node->tickets[at].ticket;
}

/* Makes the newest ticket of a session and queues its effect; frees it instead if making it failed
 * with `err` or it can get no number. HERD_E_NOMEM, or `err`. */
static int submit(struct herd_session *session, struct herd_ticket *ticket, enum herd_effect_kind kind, int err)
{
    if (err >= 0)
        err = table_insert(session->node, ticket);
    if (err < 0) {
        herd_ticket_free(ticket);
        return err;
    }
    ticket->session = session;
    herd_list_append(&session->tickets, &ticket->of_session);
    session->ticket_count++;
    herd_effect_queue(session->node, &ticket->pending, kind);
    return 0;
}

int herd_whatsat_begin(struct herd_session *session, const struct herd_parsed_line *parsed, struct herd_buf *out)
{
    struct herd_node *node = session->node;
    const struct herd_command *command = &parsed->command;
    struct herd_record record;
    uint64_t hash = herd_store_hash(node->store, command->id);
    uint32_t slot = herd_store_find(node->store, hash, HERD_NO_SLOT, command->id);
    if (slot == HERD_NO_SLOT) {
        node->stats.invalid++;
        return herd_format_invalid(herd_session_replies(session, out), parsed->line);
    }
    if (!herd_store_get_slot(node->store, slot, &record))
        return HERD_E_NOMEM;
    if (herd_expired(node, &record)) {
        node->stats.invalid++;
        return herd_format_invalid(herd_session_replies(session, out), parsed->line);
    }

    struct herd_ticket *ticket = calloc(1, sizeof *ticket);
    if (!ticket)
        return HERD_E_NOMEM;
    ticket->id_len = record.id.len;
    ticket->position_len = record.position.len;
    ticket->radius_len = command->radius.len;
    ticket->bound = command->bound;
    int err = herd_buf_add(&ticket->texts, record.id.at, record.id.len);
    if (err >= 0)
        err = herd_buf_add(&ticket->texts, record.position.at, record.position.len);
    if (err >= 0)
        err = herd_buf_add(&ticket->texts, command->radius.at, command->radius.len);
    if (err >= 0)
        err = herd_format_at(&ticket->texts, record.server, record.diff, record.id, record.position, record.time);
    err = submit(session, ticket, HERD_EFFECT_LOOKUP, err);
    if (err >= 0)
        node->stats.lookups++;
    return err;
}

void herd_session_abandon_tickets(struct herd_session *session)
{
    struct herd_node *node = session->node;
    while (!herd_list_empty(&session->tickets)) {
        struct herd_ticket *ticket = HERD_CONTAINER_OF(session->tickets.next, struct herd_ticket, of_session);
        herd_list_remove(&ticket->of_session);
        ticket->session = NULL;
        if (ticket->answered || herd_list_linked(&ticket->pending.link))
            herd_ticket_remove(node, ticket); /* nobody outside knows of it, or nobody does any more */
        else
            herd_effect_queue(node, &ticket->pending, HERD_EFFECT_CANCEL);
    }
    session->ticket_count = 0;
    session->queued_reply_bytes = 0;
}

void herd_ticket_user(struct herd_node *node, uint64_t ticket, void *user)
{
    struct herd_ticket *found = find(node, ticket);
    if (found)
        found->user = user;
}

/* Sends what is no longer held up. */
static int flush_answered(struct herd_session *session, struct herd_buf *out)
{
    while (!herd_list_empty(&session->tickets)) {
        struct herd_ticket *ticket = HERD_CONTAINER_OF(session->tickets.next, struct herd_ticket, of_session);
        if (!ticket->answered)
            return 0;
        int err = herd_buf_reserve(out, ticket->answer.len + ticket->queued_replies.len);
        if (err < 0)
            return err;
        herd_buf_add(out, ticket->answer.at, ticket->answer.len);
        herd_buf_add(out, ticket->queued_replies.at, ticket->queued_replies.len);
        session->ticket_count--;
        session->queued_reply_bytes -= ticket->queued_replies.len;
        herd_list_remove(&ticket->of_session);
        herd_ticket_remove(session->node, ticket);
    }
    return 0;
}

/* The ticket that an answer is for, and its session; NULL: nobody wants it any more. */
static struct herd_ticket *take_answer(struct herd_node *node, uint64_t ticket_id, struct herd_now now,
                                       struct herd_session **ret_session)
{
    struct herd_ticket *ticket = find(node, ticket_id);
    node->now = now;
    *ret_session = NULL;
    if (!ticket || ticket->answered)
        return NULL;
    if (!ticket->session) {
        herd_ticket_remove(node, ticket);
        return NULL;
    }
    *ret_session = ticket->session;
    ticket->answered = true;
    return ticket;
}

/* Where the answer of a ticket goes: out at once, if no older one holds it up. */
static struct herd_buf *answer_buf(struct herd_ticket *ticket, struct herd_buf *out)
{
    bool oldest = ticket->session->tickets.next == &ticket->of_session;
    return oldest ? out : &ticket->answer;
}

/* The answer of a ticket of this session is complete. */
static int complete(struct herd_session *session, struct herd_now now, struct herd_buf *out)
{
    struct herd_node *node = session->node;
    int err = flush_answered(session, out);
    if (err < 0)
        return err;
    session->last_rx_ns = now.steady_ns;
    if (herd_list_linked(&session->idle)) { /* the list is in order of last_rx_ns; one that is held is in none */
        herd_list_remove(&session->idle);
        herd_list_append(session->plain_spoke ? &node->plains : &node->idle, &session->idle);
    }
    if (session->draining && session->ticket_count == 0)
        herd_session_terminate(session, "done");
    return 0;
}

int herd_node_answer(struct herd_node *node, uint64_t ticket_id, struct herd_span json, struct herd_now now,
                     struct herd_buf *out, struct herd_session **ret_session)
{
    struct herd_ticket *ticket = take_answer(node, ticket_id, now, ret_session);
    if (!ticket)
        return 0;
    size_t shown = ticket->id_len + ticket->position_len + ticket->radius_len;
    struct herd_buf *to = answer_buf(ticket, out);
    int err = herd_buf_reserve(to, ticket->texts.len - shown + json.len + 2 + ticket->queued_replies.len);
    if (err < 0)
        return err;
    herd_buf_add(to, ticket->texts.at + shown, ticket->texts.len - shown);
    herd_buf_add(to, json.at, json.len);
    herd_buf_add(to, "\n\n", 2);
    return complete(*ret_session, now, out);
}

/* ---- commands that the protocol does not know ---- */

int herd_command_offer(struct herd_session *session, const struct herd_parsed_line *parsed)
{
    struct herd_ticket *ticket = calloc(1, sizeof *ticket);
    if (!ticket)
        return HERD_E_NOMEM;
    int err = herd_buf_add(&ticket->texts, parsed->line.at, parsed->line.len);
    err = submit(session, ticket, HERD_EFFECT_COMMAND, err);
    if (err >= 0)
        session->awaiting_command = true; /* later commands may depend on what this one does */
    return err;
}

int herd_node_reply(struct herd_node *node, uint64_t ticket_id, const struct herd_span *reply, struct herd_now now,
                    struct herd_buf *out, struct herd_session **ret_session)
{
    struct herd_ticket *ticket = take_answer(node, ticket_id, now, ret_session);
    int err;
    if (!ticket)
        return 0;
    (*ret_session)->awaiting_command = false;
    if (reply) {
        err = herd_buf_add(answer_buf(ticket, out), reply->at, reply->len);
    } else {
        node->stats.invalid++;
        err = herd_format_invalid(answer_buf(ticket, out), (struct herd_span){ticket->texts.at, ticket->texts.len});
    }
    return err < 0 ? err : complete(*ret_session, now, out);
}
