/* SPDX-License-Identifier: MIT */
/* Timers of sessions. */
#ifndef HERD_CORE_TIMEOUTS_H
#define HERD_CORE_TIMEOUTS_H

#include "node_impl.h"

/* Starts a timer now, anew if it was running. */
void herd_timeout_start(struct herd_session *session, enum herd_timeout timeout);
void herd_timeout_stop(struct herd_session *session, enum herd_timeout timeout);
bool herd_timeout_running(const struct herd_session *session, enum herd_timeout timeout);
/* The session whose timer of this class has run longest, or NULL. */
struct herd_session *herd_timeout_oldest(const struct herd_node *node, enum herd_timeout timeout);
/* Stops a timer that has ended and gives its session; NULL: none of this class has. */
struct herd_session *herd_timeout_next_ended(struct herd_node *node, enum herd_timeout timeout);
/* When the first timer of all ends; INT64_MAX: none runs. */
int64_t herd_timeouts_next_ns(const struct herd_node *node);

#endif
