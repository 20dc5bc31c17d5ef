/* SPDX-License-Identifier: MIT */
/*
 * WHATSAT and other commands that are answered later, and replies kept in the order of their commands.
 *
 *     session -> [ ticket 1 | behind: AT.. AT.. ] -> [ ticket 2 | behind: ?.. ]
 *
 * Commands behind a WHATSAT are carried out at once, but their replies wait behind its ticket. When the
 * oldest ticket is answered, it goes out with what stands behind it, and so on to the first that is not.
 */
#include "lookup.h"

#include "access.h"
#include "effect.h"
#include "foreign.h"
#include "report.h"
#include "session.h"
#include "ticket.h"

#include <assert.h>
#include <stdlib.h>

/* Makes the newest ticket of a session and queues its effect; frees it instead if making it failed
 * with `err` or it can get no number. HERD_E_NOMEM, or `err`. */
static int submit(struct herd_session *session, struct herd_ticket *ticket, enum herd_effect_kind kind, int err)
{
    if (err >= 0)
        err = herd_ticket_insert(session->node, ticket);
    if (err < 0) {
        herd_ticket_free(ticket);
        return err;
    }
    assert(session->role == HERD_ROLE_CLIENT && !session->draining);
    ticket->session = session;
    herd_list_append(&session->tickets, &ticket->of_session);
    session->ticket_count++;
    herd_effect_queue(session->node, &ticket->pending, kind);
    return 0;
}

int herd_lookup_make(struct herd_ticket *ticket, const struct herd_command *command,
                     const struct herd_record *record)
{
    struct herd_buf texts = {0};
    int err = herd_buf_add(&texts, record->id.at, record->id.len);
    if (err >= 0)
        err = herd_buf_add(&texts, record->position.at, record->position.len);
    if (err >= 0)
        err = herd_buf_add(&texts, command->radius.at, command->radius.len);
    if (err >= 0)
        err = herd_format_at(&texts, record->server, record->diff, record->id, record->position, record->time);
    if (err < 0) {
        herd_buf_fini(&texts);
        return err;
    }
    ticket->id_len = record->id.len;
    ticket->position_len = record->position.len;
    ticket->radius_len = command->radius.len;
    ticket->bound = command->bound;
    herd_buf_fini(&ticket->texts); /* of a FETCH: the line, which `command` shows */
    ticket->texts = texts;
    return 0;
}

bool herd_fetch_wanted(const struct herd_node *node, struct herd_span id)
{
    return node->options.fetch_unknown &&
           herd_store_find(node->store, herd_store_hash(node->store, id), HERD_NO_SLOT, id) == HERD_NO_SLOT;
}

static int fetch_begin(struct herd_session *session, const struct herd_parsed_line *parsed)
{
    struct herd_ticket *ticket = calloc(1, sizeof *ticket);
    if (!ticket)
        return HERD_E_NOMEM;
    ticket->id_at = (size_t)(parsed->command.id.at - parsed->line.at);
    ticket->id_len = parsed->command.id.len;
    int err = herd_buf_add(&ticket->texts, parsed->line.at, parsed->line.len);
    return submit(session, ticket, HERD_EFFECT_FETCH, err);
}

int herd_whatsat_begin(struct herd_session *session, const struct herd_parsed_line *parsed, struct herd_buf *out)
{
    struct herd_node *node = session->node;
    const struct herd_command *command = &parsed->command;
    struct herd_record record;
    unsigned bucket;
    bool allowed = herd_access_ask(session, command->id);
    if (allowed && herd_foreign(node, command->id, &bucket))
        return herd_foreign_see(node, command->id, bucket, herd_session_replies(session, out));
    int err = allowed ? herd_report_find(node, command->id, &record) : HERD_E_NOTFOUND;
    if (err == HERD_E_NOTFOUND && allowed && herd_fetch_wanted(node, command->id))
        return fetch_begin(session, parsed);
    if (err == HERD_E_NOTFOUND) {
        node->stats.invalid++;
        return herd_format_invalid(herd_session_replies(session, out), parsed->line);
    }
    if (err < 0)
        return err;

    struct herd_ticket *ticket = calloc(1, sizeof *ticket);
    if (!ticket)
        return HERD_E_NOMEM;
    err = submit(session, ticket, HERD_EFFECT_LOOKUP, herd_lookup_make(ticket, command, &record));
    if (err >= 0)
        node->stats.lookups++;
    return err;
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
    struct herd_ticket *ticket = herd_ticket_find(node, ticket_id);
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
static int complete(struct herd_session *session, struct herd_buf *out)
{
    int err = flush_answered(session, out);
    if (err < 0)
        return err;
    herd_session_touch_if_timed(session);
    if (session->draining && session->ticket_count == 0)
        herd_session_mark_closing(session, "done");
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
    return complete(*ret_session, out);
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

int herd_auth_offer(struct herd_session *session, struct herd_span token)
{
    struct herd_ticket *ticket = calloc(1, sizeof *ticket);
    if (!ticket)
        return HERD_E_NOMEM;
    ticket->secret = true;
    int err = herd_buf_add(&ticket->texts, token.at, token.len);
    err = submit(session, ticket, HERD_EFFECT_AUTH, err);
    if (err >= 0)
        session->awaiting_command = true; /* what it may depends on the answer */
    return err;
}

struct herd_session *herd_ticket_session(struct herd_node *node, uint64_t ticket_id)
{
    const struct herd_ticket *ticket = herd_ticket_find(node, ticket_id);
    return ticket && !ticket->answered ? ticket->session : NULL;
}

/* "? " and the line of a ticket. */
static int reply_invalid(struct herd_node *node, struct herd_ticket *ticket, struct herd_buf *out)
{
    node->stats.invalid++;
    return herd_format_invalid(answer_buf(ticket, out), (struct herd_span){ticket->texts.at, ticket->texts.len});
}

int herd_node_reply(struct herd_node *node, uint64_t ticket_id, const struct herd_span *reply, struct herd_now now,
                    struct herd_buf *out, struct herd_session **ret_session)
{
    struct herd_ticket *ticket = take_answer(node, ticket_id, now, ret_session);
    if (!ticket)
        return 0;
    (*ret_session)->awaiting_command = false;
    int err =
        reply ? herd_buf_add(answer_buf(ticket, out), reply->at, reply->len) : reply_invalid(node, ticket, out);
    return err < 0 ? err : complete(*ret_session, out);
}

int herd_lookup_unknown(struct herd_node *node, uint64_t ticket_id, struct herd_now now, struct herd_buf *out,
                        struct herd_session **ret_session)
{
    struct herd_ticket *ticket = take_answer(node, ticket_id, now, ret_session);
    if (!ticket)
        return 0;
    int err = reply_invalid(node, ticket, out);
    return err < 0 ? err : complete(*ret_session, out);
}
