/* SPDX-License-Identifier: MIT */
/* Introductions: which connection becomes a link. */
#ifndef HERD_CORE_HELLO_H
#define HERD_CORE_HELLO_H

#include "node_impl.h"

/* A HELLO on a session that is no link yet. */
int herd_peer_hello(struct herd_session *session, const struct herd_command *command, struct herd_buf *out);

#endif
