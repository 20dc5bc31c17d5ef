/* SPDX-License-Identifier: MIT */
/* Commands that are answered later. */
#ifndef HERD_CORE_LOOKUP_H
#define HERD_CORE_LOOKUP_H

#include "node_impl.h"

int herd_whatsat_begin(struct herd_session *session, const struct herd_parsed_line *parsed, struct herd_buf *out);
/* A line that the protocol does not know becomes a COMMAND effect; its reply keeps its place. */
int herd_command_offer(struct herd_session *session, const struct herd_parsed_line *parsed);
/* A token becomes an AUTH effect. HERD_E_NOMEM. */
int herd_auth_offer(struct herd_session *session, struct herd_span token);
/* The session that waits for this ticket's answer, or NULL. */
struct herd_session *herd_ticket_session(struct herd_node *node, uint64_t ticket_id);

#endif
