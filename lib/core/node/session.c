/* SPDX-License-Identifier: MIT */
/* A session's life: opened, timed, marked to be closed, freed. What its bytes mean is in input.c. */
#include "session.h"

#include "../access/identities_impl.h"
#include "effect.h"
#include "ticket.h"
#include "timeouts.h"

#include <assert.h>
#include <stdlib.h>

struct herd_session *herd_session_new(struct herd_node *node, void *user, struct herd_now now)
{
    struct herd_session *session = calloc(1, sizeof *session);
    if (!session)
        return NULL;
    node->now = now;
    session->node = node;
    session->user = user;
    session->peer = -1;
    herd_list_init(&session->tickets);
    herd_list_append(&node->sessions, &session->all);
    return session;
}

int herd_session_open(struct herd_node *node, struct herd_session **ret_session, void *user, struct herd_now now)
{
    struct herd_session *session = herd_session_new(node, user, now);
    if (!session)
        return HERD_E_NOMEM;
    session->role = HERD_ROLE_CLIENT;
    herd_session_touch(session);
    *ret_session = session;
    return 0;
}

void herd_session_allow_plain(struct herd_session *session, int peer)
{
    assert(session->role == HERD_ROLE_CLIENT || session->role == HERD_ROLE_CLOSING);
    session->plain = true;
    session->peer = peer;
}

bool herd_session_plain(const struct herd_session *session)
{
    return session->plain_spoke;
}

void *herd_session_user(const struct herd_session *session)
{
    return session->user;
}

int herd_session_peer(const struct herd_session *session)
{
    return session->role == HERD_ROLE_LINK ? session->peer : -1;
}

struct herd_buf *herd_session_replies(struct herd_session *session, struct herd_buf *out)
{
    if (herd_list_empty(&session->tickets))
        return out;
    return &HERD_CONTAINER_OF(session->tickets.prev, struct herd_ticket, of_session)->queued_replies;
}

/* ---- timing ---- */

void herd_session_touch(struct herd_session *session)
{
    herd_timeout_start(session, session->plain_spoke ? HERD_TIMEOUT_PLAIN_IDLE : HERD_TIMEOUT_IDLE);
}

void herd_session_touch_if_timed(struct herd_session *session)
{
    if (herd_timeout_running(session, HERD_TIMEOUT_IDLE) || herd_timeout_running(session, HERD_TIMEOUT_PLAIN_IDLE))
        herd_session_touch(session);
}

void herd_session_suspend_timeouts(struct herd_session *session)
{
    for (enum herd_timeout timeout = 0; timeout < HERD_TIMEOUTS; timeout++)
        herd_timeout_stop(session, timeout);
    herd_list_remove(&session->line_due.link);
}

void herd_session_resume_timeouts(struct herd_session *session, struct herd_now now)
{
    if (session->role != HERD_ROLE_CLIENT || herd_timeout_running(session, HERD_TIMEOUT_IDLE) ||
        herd_timeout_running(session, HERD_TIMEOUT_PLAIN_IDLE))
        return;
    session->node->now = now;
    herd_session_touch(session);
}

void herd_session_begin_message(struct herd_session *session, struct herd_now now)
{
    session->node->now = now;
    herd_session_touch(session);
    herd_timeout_start(session, HERD_TIMEOUT_LINE);
}

void herd_session_await_message(struct herd_session *session, struct herd_now now)
{
    session->node->now = now;
    herd_timeout_stop(session, HERD_TIMEOUT_LINE);
    herd_session_touch(session);
}

void herd_session_mark_plain(struct herd_session *session)
{
    assert(session->plain);
    if (session->plain_spoke)
        return;
    herd_timeout_stop(session, HERD_TIMEOUT_IDLE);
    session->plain_spoke = true;
    session->node->plain_count++;
    herd_session_touch(session);
}

static void timed_out(struct herd_session *session, enum herd_timeout timeout)
{
    struct herd_node *node = session->node;
    switch (timeout) {
    case HERD_TIMEOUT_IDLE:
        if (session->ticket_count > 0) { /* a client that waits for an answer is not idle */
            herd_session_touch(session);
            break;
        }
        herd_session_mark_closing(session, "idle");
        break;
    case HERD_TIMEOUT_PLAIN_IDLE: herd_session_mark_closing(session, "idle"); break;
    case HERD_TIMEOUT_LINE_SILENCE: herd_effect_queue(node, &session->line_due, HERD_EFFECT_LINE_TIMEOUT); break;
    default:
        herd_notice_damped(node, &node->deadline_count, "line_deadline", (struct herd_span){"", 0});
        herd_session_mark_closing(session, "line_deadline");
    }
}

void herd_sessions_tick(struct herd_node *node)
{
    for (enum herd_timeout timeout = 0; timeout < HERD_TIMEOUTS; timeout++)
        for (struct herd_session *session; (session = herd_timeout_next_ended(node, timeout)) != NULL;)
            timed_out(session, timeout);
}

/* ---- the end ---- */

static void abandon_tickets(struct herd_session *session)
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

void herd_session_stop_input(struct herd_session *session, const char *why)
{
    session->node->plain_count -= session->plain_spoke;
    session->plain_spoke = false;
    abandon_tickets(session);
    herd_session_suspend_timeouts(session);
    session->role = HERD_ROLE_CLOSING;
    session->close_why = why;
}

#ifndef NDEBUG
/* Whether a neighbour's entry still has the session for its link, or for its way to one. */
static bool attached(const struct herd_session *session)
{
    const struct herd_peer *peer = herd_session_neighbour(session);
    return peer && (peer->session == session || peer->dialled == session);
}
#endif

void herd_session_mark_closing(struct herd_session *session, const char *why)
{
    assert(!attached(session));
    if (session->role == HERD_ROLE_CLOSING)
        return;
    herd_session_stop_input(session, why);
    herd_effect_queue(session->node, &session->close, HERD_EFFECT_CLOSE);
}

void herd_session_free(struct herd_session *session)
{
    assert(!attached(session));
    herd_session_stop_input(session, NULL);
    if (session->identity)
        herd_identity_leave(session->identity);
    herd_list_remove(&session->close.link);
    herd_list_remove(&session->all);
    free(session);
}
