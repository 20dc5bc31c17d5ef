/* SPDX-License-Identifier: MIT */
/* The table of tickets. */
#ifndef HERD_CORE_TICKET_H
#define HERD_CORE_TICKET_H

#include "node_impl.h"

/* Frees a ticket that has no id. NULL is fine. */
void herd_ticket_free(struct herd_ticket *ticket);
/* Gives a ticket its id. The generation is the upper half of it, so that the id of a freed ticket no longer
 * matches. HERD_E_NOMEM. */
int herd_ticket_insert(struct herd_node *node, struct herd_ticket *ticket);
/* Frees a ticket and its id. */
void herd_ticket_remove(struct herd_node *node, struct herd_ticket *ticket);
/* NULL: no such ticket. */
struct herd_ticket *herd_ticket_find(struct herd_node *node, uint64_t id);

#endif
