/* SPDX-License-Identifier: MIT */
/* What must be true of a node's own objects between any two calls, whatever happened to it. */
#include "world.h"

#include "node_impl.h"

#define HOLD(condition)                                             \
    do {                                                            \
        if (!(condition))                                           \
            sim_fail(w, "%s: broken invariant: " #condition, name); \
    } while (0)

static bool timed(const struct herd_session *session, enum herd_timeout timeout)
{
    return herd_list_linked(&session->timers[timeout].link);
}

static void hold_client(struct world *w, const char *name, const struct herd_session *session)
{
    size_t tickets = 0, bytes = 0;
    const struct herd_list *at = session->tickets.next;
    for (; at != &session->tickets; at = at->next) {
        const struct herd_ticket *ticket = HERD_CONTAINER_OF(at, struct herd_ticket, of_session);
        HOLD(ticket->session == session);
        tickets++;
        bytes += ticket->queued_replies.len;
    }
    HOLD(session->ticket_count == tickets);
    HOLD(session->queued_reply_bytes == bytes);
    HOLD(!session->awaiting_command || tickets > 0);
    HOLD(!timed(session, HERD_TIMEOUT_IDLE) || !session->plain_spoke);
    HOLD(!timed(session, HERD_TIMEOUT_PLAIN_IDLE) || session->plain_spoke);
    HOLD(!timed(session, HERD_TIMEOUT_LINE_SILENCE) || timed(session, HERD_TIMEOUT_LINE));
    HOLD(!session->skipping && !session->spent && !session->leaving);
}

static void hold_session(struct world *w, const char *name, const struct herd_session *session)
{
    const struct herd_node *node = session->node;
    HOLD(session->peer >= -1 && session->peer < (int32_t)node->peer_count);
    const struct herd_peer *peer = session->peer >= 0 ? node->peers[session->peer] : NULL;
    if (session->role == HERD_ROLE_CLIENT) {
        hold_client(w, name, session);
        return;
    }
    HOLD(herd_list_empty(&session->tickets) && session->ticket_count == 0);
    HOLD(!session->plain_spoke);
    for (enum herd_timeout timeout = 0; timeout < HERD_TIMEOUTS; timeout++)
        HOLD(!timed(session, timeout));
    HOLD(!herd_list_linked(&session->line_due.link));
    HOLD(session->role != HERD_ROLE_LINK || (peer && peer->session == session));
    HOLD(session->role != HERD_ROLE_HANDSHAKE || (peer && peer->dialled == session));
    HOLD(session->role != HERD_ROLE_CLOSING || !peer || (peer->session != session && peer->dialled != session));
    HOLD(session->role == HERD_ROLE_CLOSING || !herd_list_linked(&session->close.link));
}

static void hold_peer(struct world *w, const char *name, const struct herd_peer *peer)
{
    HOLD(!peer->session || (peer->session->role == HERD_ROLE_LINK && peer->session->peer == (int32_t)peer->number));
    HOLD(!peer->dialled || peer->dialled->role == HERD_ROLE_HANDSHAKE);
    HOLD(!peer->dialled || peer->dial_asked);
    HOLD(!peer->loser || (peer->loser->role == HERD_ROLE_CLOSING && peer->loser->leaving));
    HOLD(!peer->removed || (!peer->session && !peer->dialled && !peer->plain));
    HOLD(!peer->plain || (!peer->session && !peer->dialled));
    HOLD(peer->session || (!peer->sync.due && !peer->sync.scan && !peer->ping_due && !peer->pong_due));
    HOLD((peer->session || peer->plain) == (peer->subscriber.bits != NULL));
    HOLD(!herd_list_linked(&peer->dial.link) || peer->dial_asked);
}

static void hold_timeouts(struct world *w, const char *name, const struct herd_node *node)
{
    for (enum herd_timeout timeout = 0; timeout < HERD_TIMEOUTS; timeout++) {
        const struct herd_list *list = &node->timeouts[timeout];
        int64_t last_ns = INT64_MIN;
        for (const struct herd_list *at = list->next; at != list; at = at->next) {
            const struct herd_timer *timer = HERD_CONTAINER_OF(at, struct herd_timer, link);
            HOLD(timer->started_ns >= last_ns);
            last_ns = timer->started_ns;
        }
    }
}

static void hold_tickets(struct world *w, const char *name, const struct herd_node *node)
{
    uint32_t used = 0, unused = 0;
    for (uint32_t at = 0; at < node->ticket_cap; at++) {
        const struct herd_ticket_entry *entry = &node->tickets[at];
        HOLD(!entry->ticket || entry->ticket->id == ((uint64_t)entry->generation << 32 | at));
        used += entry->ticket != NULL;
    }
    for (uint32_t at = node->ticket_free; at != 0; at = node->tickets[at - 1].next_free) {
        HOLD(at <= node->ticket_cap && !node->tickets[at - 1].ticket);
        HOLD(++unused <= node->ticket_cap);
    }
    HOLD(used + unused == node->ticket_cap);
}

void check_invariants(struct world *w, int number)
{
    const struct herd_node *node = w->nodes[number].node;
    const char *name = w->nodes[number].name;
    size_t plain = 0;
    if (!node)
        return;
    for (const struct herd_list *at = node->sessions.next; at != &node->sessions; at = at->next) {
        const struct herd_session *session = HERD_CONTAINER_OF(at, struct herd_session, all);
        HOLD(session->node == node);
        hold_session(w, name, session);
        plain += session->plain_spoke;
    }
    HOLD(node->plain_count == plain);
    for (size_t i = 0; i < node->peer_count; i++) {
        HOLD(node->peers[i]->number == i);
        hold_peer(w, name, node->peers[i]);
    }
    hold_timeouts(w, name, node);
    hold_tickets(w, name, node);
}
