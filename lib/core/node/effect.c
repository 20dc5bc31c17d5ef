/* SPDX-License-Identifier: MIT */
/* The queue of what a node wants done or known. */
#include "node_impl.h"

void herd_wish_make(struct herd_node *node, struct herd_wish *wish, enum herd_effect_kind kind)
{
    herd_list_remove(&wish->link);
    wish->kind = kind;
    herd_list_append(&node->wishes, &wish->link);
}

void herd_notice(struct herd_node *node, const char *text, struct herd_span detail)
{
    if (herd_list_empty(&node->notices_free))
        return; /* the caller takes effects after each call: so many at once say the same */
    struct herd_notice *notice = HERD_ITEM(node->notices_free.next, struct herd_notice, wish.link);
    herd_list_remove(&notice->wish.link);
    notice->text = text;
    notice->detail_len = detail.len < HERD_NOTICE_DETAIL_MAX ? detail.len : HERD_NOTICE_DETAIL_MAX;
    if (notice->detail_len)
        memcpy(notice->detail, detail.at, notice->detail_len);
    herd_wish_make(node, &notice->wish, HERD_EFFECT_NOTICE);
}

void herd_notice_damped(struct herd_node *node, uint64_t *io_count, const char *text, struct herd_span detail)
{
    uint64_t count = ++*io_count;
    if ((count & (count - 1)) == 0)
        herd_notice(node, text, detail);
}

static void show_lookup(const struct herd_ticket *ticket, struct herd_effect *ret)
{
    const char *text = ticket->texts.at;
    ret->session = ticket->session;
    ret->ticket = ticket->id;
    ret->id = (struct herd_span){text, ticket->id_len};
    ret->place = (struct herd_span){text + ticket->id_len, ticket->place_len};
    ret->radius = (struct herd_span){text + ticket->id_len + ticket->place_len, ticket->radius_len};
    ret->bound = ticket->bound;
}

static void show_peer(const struct herd_peer *peer, struct herd_effect *ret)
{
    ret->peer = peer->number;
    ret->session = peer->session;
    ret->detail = peer->name;
}

bool herd_node_effect(struct herd_node *node, struct herd_effect *ret_effect)
{
    if (node->notice_lent) {
        herd_list_append(&node->notices_free, &node->notice_lent->wish.link);
        node->notice_lent = NULL;
    }
    if (herd_list_empty(&node->wishes))
        return false;
    struct herd_wish *wish = HERD_ITEM(node->wishes.next, struct herd_wish, link);
    herd_list_remove(&wish->link);
    *ret_effect = (struct herd_effect){.kind = wish->kind};

    switch (wish->kind) {
    case HERD_EFFECT_LOOKUP: show_lookup(HERD_ITEM(wish, struct herd_ticket, wish), ret_effect); break;
    case HERD_EFFECT_COMMAND: {
        const struct herd_ticket *ticket = HERD_ITEM(wish, struct herd_ticket, wish);
        ret_effect->session = ticket->session;
        ret_effect->ticket = ticket->id;
        ret_effect->detail = (struct herd_span){ticket->texts.len ? ticket->texts.at : "", ticket->texts.len};
        break;
    }
    case HERD_EFFECT_CANCEL: {
        struct herd_ticket *ticket = HERD_ITEM(wish, struct herd_ticket, wish);
        ret_effect->ticket = ticket->id;
        ret_effect->lookup_user = ticket->user;
        herd_ticket_leave(node, ticket);
        break;
    }
    case HERD_EFFECT_CLOSE: {
        struct herd_session *session = HERD_ITEM(wish, struct herd_session, close);
        ret_effect->session = session;
        ret_effect->text = session->close_why;
        break;
    }
    case HERD_EFFECT_LINE_TIMEOUT: ret_effect->session = HERD_ITEM(wish, struct herd_session, line_due); break;
    case HERD_EFFECT_DIAL: show_peer(HERD_ITEM(wish, struct herd_peer, dial), ret_effect); break;
    case HERD_EFFECT_PEER_UP: show_peer(HERD_ITEM(wish, struct herd_peer, up), ret_effect); break;
    case HERD_EFFECT_RESUME: show_peer(HERD_ITEM(wish, struct herd_peer, resume), ret_effect); break;
    case HERD_EFFECT_PEER_DOWN: {
        const struct herd_peer *peer = HERD_ITEM(wish, struct herd_peer, down);
        show_peer(peer, ret_effect);
        ret_effect->text = peer->down_why;
        break;
    }
    case HERD_EFFECT_NOTICE: {
        struct herd_notice *notice = HERD_ITEM(wish, struct herd_notice, wish);
        ret_effect->text = notice->text;
        ret_effect->detail = (struct herd_span){notice->detail, notice->detail_len};
        node->notice_lent = notice;
        break;
    }
    }
    return true;
}
