/* SPDX-License-Identifier: MIT */
/* What a link has to send. */
#ifndef HERD_CORE_FLOOD_H
#define HERD_CORE_FLOOD_H

#include "node_impl.h"

/* Appends the newest value of the next record that is due: 1, or 0 if none is. HERD_E_NOMEM. */
int herd_flood_record(struct herd_node *node, struct herd_peer *peer, struct herd_buf *out);

#endif
