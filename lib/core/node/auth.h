/* SPDX-License-Identifier: MIT */
/* A client proves who it is. */
#ifndef HERD_CORE_AUTH_H
#define HERD_CORE_AUTH_H

#include "node_impl.h"

/* A line AUTH: its reply, or an AUTH effect and no more input until it is answered. HERD_E_NOMEM. */
int herd_access_auth(struct herd_session *session, const struct herd_parsed_line *parsed, bool first,
                     struct herd_buf *out);

#endif
