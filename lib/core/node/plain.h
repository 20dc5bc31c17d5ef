/* SPDX-License-Identifier: MIT */
/* What plain neighbours are told. */
#ifndef HERD_CORE_PLAIN_H
#define HERD_CORE_PLAIN_H

#include "node_impl.h"

/* A connection to a plain neighbour was made: says what is due and is done. HERD_E_NOMEM: nothing said. */
int herd_plain_send(struct herd_session *session, struct herd_peer *peer, struct herd_buf *out);
void herd_plain_failed(struct herd_node *node, struct herd_peer *peer);
void herd_plain_tick(struct herd_node *node, struct herd_peer *peer);
int64_t herd_plain_next_ns(const struct herd_node *node, const struct herd_peer *peer);

#endif
