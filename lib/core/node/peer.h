/* SPDX-License-Identifier: MIT */
/* Neighbours: their links, whether they live, when to dial. */
#ifndef HERD_CORE_PEER_H
#define HERD_CORE_PEER_H

#include "node_impl.h"

/* HERD_E_NOTFOUND. */
int herd_peer_find(const struct herd_node *node, struct herd_span name);
/* Takes no more input of a session, which may be a link; a CLOSE effect says why. */
void herd_session_terminate(struct herd_session *session, const char *why);
/* Leaves a connection that lost against another, made at once, to the other side, which closes it when it knows of
 * the other one too. Closed here, it might be the other side's only link for a moment. */
void herd_peer_leave(struct herd_peer *peer, struct herd_session *session, const char *why);
void herd_peer_tick(struct herd_node *node, struct herd_peer *peer);
int64_t herd_peer_next_ns(const struct herd_node *node, const struct herd_peer *peer);

#endif
