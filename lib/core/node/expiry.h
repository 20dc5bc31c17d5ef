/* SPDX-License-Identifier: MIT */
/* Removing what expired, and which records a clock lets in. */
#ifndef HERD_CORE_EXPIRY_H
#define HERD_CORE_EXPIRY_H

#include "node_impl.h"

/* A record is kept at least for so long after clients no longer see it. */
#define HERD_EXPIRY_GRACE_NS (300 * INT64_C(1000000000))

/* Where the effective time of a record lies: what a node holds is within its window, which its clock decides. */
enum herd_window {
    HERD_WINDOW_WITHIN,
    HERD_WINDOW_BEFORE, /* removed by all: expired long ago */
    HERD_WINDOW_BEHIND, /* from the future: not believed */
};
enum herd_window herd_expiry_window(struct herd_node *node, const struct herd_record *record);
/* Whether clients no longer see a record. */
bool herd_expired(const struct herd_node *node, const struct herd_record *record);
/* Accepts the record in a slot anew if it is from the future. HERD_E_NOMEM. */
int herd_expiry_settle(struct herd_node *node, uint32_t slot);
/* Whether a journal's line about the client in a slot takes the place of what is held, whatever the order says: 1 or 0.
 * HERD_E_NOMEM. */
int herd_expiry_replaced(struct herd_node *node, uint32_t slot);
/* A journal's record outside the window was stored: the next tick accepts it anew, or removes it. */
void herd_expiry_replayed(struct herd_node *node);
/* Follows node->now: the window moves with the clock, forth and back. */
void herd_expiry_look(struct herd_node *node);
void herd_expiry_tick(struct herd_node *node);
int64_t herd_expiry_next_ns(const struct herd_node *node);
/* Takes up options.expire_ns. */
void herd_expiry_configure(struct herd_node *node);
/* What ROOT says of the purge point: milliseconds; 0: none, or removing is under way. */
uint64_t herd_expiry_horizon(const struct herd_node *node);

#endif
