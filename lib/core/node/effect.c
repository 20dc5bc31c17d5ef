/* SPDX-License-Identifier: MIT */
/* The queue of what a node wants done or known. */
#include "effect.h"

#include "ticket.h"

#include <assert.h>

void herd_effect_queue(struct herd_node *node, struct herd_pending_effect *pending, enum herd_effect_kind kind)
{
    herd_list_remove(&pending->link);
    pending->kind = kind;
    herd_list_append(&node->pending_effects, &pending->link);
}

void herd_effect_peer_up(struct herd_node *node, struct herd_peer *peer)
{
    peer->links++;
    peer->changed_ns = node->now.steady_ns;
    herd_effect_queue(node, &peer->up, HERD_EFFECT_PEER_UP); /* behind a PEER_DOWN of the link before */
}

void herd_effect_peer_down(struct herd_node *node, struct herd_peer *peer, const char *why)
{
    herd_list_remove(&peer->up.link);
    if (!peer->told_up || herd_list_linked(&peer->down.link))
        return; /* nobody was told that it is up; or it will be told that it went, whatever came after */
    peer->down_why = why;
    peer->changed_ns = node->now.steady_ns;
    herd_effect_queue(node, &peer->down, HERD_EFFECT_PEER_DOWN);
}

void herd_notice(struct herd_node *node, const char *text, struct herd_span detail)
{
    if (herd_list_empty(&node->notices_free))
        return; /* the caller takes effects after each call: so many at once say the same */
    struct herd_notice *notice = HERD_CONTAINER_OF(node->notices_free.next, struct herd_notice, pending.link);
    herd_list_remove(&notice->pending.link);
    notice->text = text;
    notice->detail_len = detail.len < HERD_NOTICE_DETAIL_MAX ? detail.len : HERD_NOTICE_DETAIL_MAX;
    if (notice->detail_len)
        memcpy(notice->detail, detail.at, notice->detail_len);
    herd_effect_queue(node, &notice->pending, HERD_EFFECT_NOTICE);
}

void herd_notice_damped(struct herd_node *node, uint64_t *io_count, const char *text, struct herd_span detail)
{
    if (herd_worth_saying(++*io_count))
        herd_notice(node, text, detail);
}

static void show_lookup(const struct herd_ticket *ticket, struct herd_effect *ret)
{
    const char *text = ticket->texts.at;
    ret->session = ticket->session;
    ret->ticket = ticket->id;
    ret->id = (struct herd_span){text, ticket->id_len};
    ret->position = (struct herd_span){text + ticket->id_len, ticket->position_len};
    ret->radius = (struct herd_span){text + ticket->id_len + ticket->position_len, ticket->radius_len};
    ret->bound = ticket->bound;
}

static void show_peer(const struct herd_peer *peer, struct herd_effect *ret)
{
    ret->peer = peer->number;
    ret->session = peer->session;
    ret->detail = peer->name;
}

bool herd_node_next_effect(struct herd_node *node, struct herd_effect *ret_effect)
{
    if (node->notice_lent) {
        herd_list_append(&node->notices_free, &node->notice_lent->pending.link);
        node->notice_lent = NULL;
    }
    if (herd_list_empty(&node->pending_effects))
        return false;
    struct herd_pending_effect *pending =
        HERD_CONTAINER_OF(node->pending_effects.next, struct herd_pending_effect, link);
    herd_list_remove(&pending->link);
    *ret_effect = (struct herd_effect){.kind = pending->kind};

    switch (pending->kind) {
    case HERD_EFFECT_LOOKUP:
        show_lookup(HERD_CONTAINER_OF(pending, struct herd_ticket, pending), ret_effect);
        break;
    case HERD_EFFECT_FETCH: {
        const struct herd_ticket *ticket = HERD_CONTAINER_OF(pending, struct herd_ticket, pending);
        ret_effect->session = ticket->session;
        ret_effect->ticket = ticket->id;
        ret_effect->id = (struct herd_span){ticket->texts.at + ticket->id_at, ticket->id_len};
        break;
    }
    case HERD_EFFECT_AUTH:
    case HERD_EFFECT_COMMAND: {
        const struct herd_ticket *ticket = HERD_CONTAINER_OF(pending, struct herd_ticket, pending);
        ret_effect->session = ticket->session;
        ret_effect->ticket = ticket->id;
        ret_effect->detail = (struct herd_span){ticket->texts.len ? ticket->texts.at : "", ticket->texts.len};
        break;
    }
    case HERD_EFFECT_CANCEL: {
        struct herd_ticket *ticket = HERD_CONTAINER_OF(pending, struct herd_ticket, pending);
        ret_effect->ticket = ticket->id;
        ret_effect->lookup_user = ticket->user;
        herd_ticket_remove(node, ticket);
        break;
    }
    case HERD_EFFECT_CLOSE: {
        struct herd_session *session = HERD_CONTAINER_OF(pending, struct herd_session, close);
        ret_effect->session = session;
        ret_effect->text = session->close_why;
        break;
    }
    case HERD_EFFECT_LINE_TIMEOUT:
        ret_effect->session = HERD_CONTAINER_OF(pending, struct herd_session, line_due);
        break;
    case HERD_EFFECT_DIAL: show_peer(HERD_CONTAINER_OF(pending, struct herd_peer, dial), ret_effect); break;
    case HERD_EFFECT_PEER_UP: {
        struct herd_peer *peer = HERD_CONTAINER_OF(pending, struct herd_peer, up);
        assert(peer->plain || peer->session);
        peer->told_up = true;
        show_peer(peer, ret_effect);
        break;
    }
    case HERD_EFFECT_RESUME: show_peer(HERD_CONTAINER_OF(pending, struct herd_peer, resume), ret_effect); break;
    case HERD_EFFECT_PEER_DOWN: {
        struct herd_peer *peer = HERD_CONTAINER_OF(pending, struct herd_peer, down);
        assert(peer->told_up);
        peer->told_up = false;
        show_peer(peer, ret_effect);
        ret_effect->session = NULL; /* a link that is up again has a PEER_UP of its own, behind this */
        ret_effect->text = peer->down_why;
        break;
    }
    case HERD_EFFECT_NOTICE: {
        struct herd_notice *notice = HERD_CONTAINER_OF(pending, struct herd_notice, pending);
        ret_effect->text = notice->text;
        ret_effect->detail = (struct herd_span){notice->detail, notice->detail_len};
        node->notice_lent = notice;
        break;
    }
    }
    return true;
}
