/* SPDX-License-Identifier: MIT */
/* The queue of pending effects. */
#ifndef HERD_CORE_EFFECT_H
#define HERD_CORE_EFFECT_H

#include "node_impl.h"

void herd_effect_queue(struct herd_node *node, struct herd_pending_effect *pending, enum herd_effect_kind kind);
/*
 * Queue PEER_UP, or PEER_DOWN, of a peer. Whatever happens to it before the caller takes effects, the two come in
 * turn: a PEER_DOWN of what is known to be up first, a PEER_UP of what is up now last, and nothing of a link that
 * came and went meanwhile. Of a link that another one replaces quietly PEER_UP alone comes, a second time.
 */
void herd_effect_peer_up(struct herd_node *node, struct herd_peer *peer);
void herd_effect_peer_down(struct herd_node *node, struct herd_peer *peer, const char *why);
void herd_notice(struct herd_node *node, const char *text, struct herd_span detail);
/* Warnings that others can cause are given at 1, 2, 4, 8, ... occurrences. */
static inline bool herd_worth_saying(uint64_t count)
{
    return (count & (count - 1)) == 0;
}
/* Counts, and gives a notice if it is worth saying. */
void herd_notice_damped(struct herd_node *node, uint64_t *io_count, const char *text, struct herd_span detail);

#endif
