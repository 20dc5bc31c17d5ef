/* SPDX-License-Identifier: MIT */
/* IAMAT of a client, AT and GONE of a neighbour. */
#ifndef HERD_CORE_REPORT_H
#define HERD_CORE_REPORT_H

#include "node_impl.h"
#include "offer.h"

/* As herd_node_report, with the rights and limits of a session: then the verdict may be NOT_ALLOWED or TOO_OFTEN. */
int herd_session_report(struct herd_session *session, struct herd_span id, struct herd_span position,
                        struct herd_span time, struct herd_now now, struct herd_buf *out,
                        enum herd_verdict *ret_verdict);
/* Whether a link's line was taken in a moment ago and asks for nothing: then it has been dealt with. */
bool herd_report_seen(struct herd_session *session, uint64_t line_hash);
/* Appends the answer. HERD_E_NOMEM: there is none. */
int herd_report_apply_client(struct herd_session *session, const struct herd_parsed_line *parsed,
                             struct herd_buf *replies);
/* HERD_E_NOMEM: the record was not taken in. */
int herd_report_apply_peer(struct herd_session *session, const struct herd_parsed_line *parsed);
/* herd_node_find at the node's time. */
int herd_report_find(struct herd_node *node, struct herd_span id, struct herd_record *ret_record);

#endif
