/* SPDX-License-Identifier: MIT */
/* Deleting a client: by line, by a session of another protocol, by call. */
#ifndef HERD_CORE_DELETE_H
#define HERD_CORE_DELETE_H

#include "node_impl.h"

/* FORGET: appends the GONE line of the tombstone, or "? " and the line, also where memory does not suffice for a
 * tombstone. HERD_E_NOMEM: there is no answer. */
int herd_delete_apply_client(struct herd_session *session, const struct herd_parsed_line *parsed,
                             struct herd_buf *replies);
/* As herd_node_delete, with the rights and limits of a session: then the verdict may be NOT_ALLOWED or TOO_OFTEN, whether
 * there is such a client or not. */
int herd_session_delete(struct herd_session *session, struct herd_span id, struct herd_now now,
                        struct herd_buf *out, enum herd_verdict *ret_verdict);

#endif
