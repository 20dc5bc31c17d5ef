/* SPDX-License-Identifier: MIT */
/* Commands that are answered later. */
#ifndef HERD_CORE_LOOKUP_H
#define HERD_CORE_LOOKUP_H

#include "node_impl.h"

int herd_whatsat_begin(struct herd_session *session, const struct herd_parsed_line *parsed, struct herd_buf *out);
/* A line that the protocol does not know becomes a COMMAND effect; its reply keeps its place. */
int herd_command_offer(struct herd_session *session, const struct herd_parsed_line *parsed);

#endif
