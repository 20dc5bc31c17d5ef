/* SPDX-License-Identifier: MIT */
/* What lines mean, by the role of their session. */
#ifndef HERD_CORE_DISPATCH_H
#define HERD_CORE_DISPATCH_H

#include "node_impl.h"

/* Whether commands of this session have to wait for answers to others, or for its next turn. */
bool herd_session_waits(const struct herd_session *session);
/* Whether it takes another line now. */
bool herd_session_accepts_input(const struct herd_session *session);

/* Carries out a line of a session that accepts input. HERD_E_NOMEM: a reply could not be made. */
int herd_dispatch(struct herd_session *session, const struct herd_parsed_line *parsed, struct herd_buf *out);
/* The same, for one that is a client and has just begun to drain. */
int herd_dispatch_client(struct herd_session *session, const struct herd_parsed_line *parsed, struct herd_buf *out);
/* Ends a session whose record found no memory: the neighbour brings it again on another. */
void herd_dispatch_no_memory(struct herd_session *session);

#endif
