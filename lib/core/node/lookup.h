/* SPDX-License-Identifier: MIT */
/* Commands that are answered later. */
#ifndef HERD_CORE_LOOKUP_H
#define HERD_CORE_LOOKUP_H

#include "node_impl.h"

/* Whether nothing is held of the id, a tombstone neither, and the caller may know where else to look. */
bool herd_fetch_wanted(const struct herd_node *node, struct herd_span id);
int herd_whatsat_begin(struct herd_session *session, const struct herd_parsed_line *parsed, struct herd_buf *out);
/* Makes a ticket one for a LOOKUP of what `command` asks about `record`. HERD_E_NOMEM: it is as it was. */
int herd_lookup_make(struct herd_ticket *ticket, const struct herd_command *command,
                     const struct herd_record *record);
/* A FETCH came to nothing: as herd_node_reply, but that later commands did not wait for it. */
int herd_lookup_unknown(struct herd_node *node, uint64_t ticket_id, struct herd_now now, struct herd_buf *out,
                        struct herd_session **ret_session);
/* A line that the protocol does not know becomes a COMMAND effect; its reply keeps its place. */
int herd_command_offer(struct herd_session *session, const struct herd_parsed_line *parsed);
/* A token becomes an AUTH effect. HERD_E_NOMEM. */
int herd_auth_offer(struct herd_session *session, struct herd_span token);
/* The session that waits for this ticket's answer, or NULL. */
struct herd_session *herd_ticket_session(struct herd_node *node, uint64_t ticket_id);

#endif
