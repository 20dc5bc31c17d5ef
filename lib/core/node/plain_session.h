/* SPDX-License-Identifier: MIT */
/* Connections that plain neighbours make. */
#ifndef HERD_CORE_PLAIN_SESSION_H
#define HERD_CORE_PLAIN_SESSION_H

#include "node_impl.h"

/* Takes a line that is no client's, on a session that may be a plain neighbour's: 1; 0: it is invalid. HERD_E_NOMEM. */
int herd_plain_receive(struct herd_session *session, const struct herd_parsed_line *parsed);
/* Takes a line without LF behind which nothing came for a while: 1; 0: it is no AT line, and stays. HERD_E_NOMEM. */
int herd_plain_take_unfinished(struct herd_session *session, struct herd_span line);
/* A line of a session that may be a plain neighbour's has begun, or more of it came. */
void herd_plain_time_line(struct herd_session *session);

#endif
