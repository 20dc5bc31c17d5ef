/* SPDX-License-Identifier: MIT */
/* A session's life. */
#ifndef HERD_CORE_SESSION_H
#define HERD_CORE_SESSION_H

#include "node_impl.h"

/* A session of no role yet but CLIENT, and untimed. NULL: no memory. */
struct herd_session *herd_session_new(struct herd_node *node, void *user, struct herd_now now);
/* Where the next reply of this session goes: `out`, or behind the newest ticket. */
struct herd_buf *herd_session_replies(struct herd_session *session, struct herd_buf *out);
/* A client gave a sign of life, or was answered: its idle time begins anew. */
void herd_session_touch(struct herd_session *session);
/* The same, unless its timers are suspended. */
void herd_session_touch_if_timed(struct herd_session *session);
/* Other protocols than that of lines have sessions too, for their rights and their timers, and give them no bytes: a request
 * of such a one begins or goes on (it has line_deadline_ms for its head, and again for its body), or has been read whole and
 * the next is waited for (client_idle_ms). herd_session_suspend_timeouts for what takes as long as it takes. */
void herd_session_begin_message(struct herd_session *session, struct herd_now now);
void herd_session_await_message(struct herd_session *session, struct herd_now now);
/* A client that was suspended takes its replies again: it is idle from now on, if nothing else runs. */
void herd_session_resume_timeouts(struct herd_session *session, struct herd_now now);
/* The session has brought an AT line of a plain neighbour. */
void herd_session_mark_plain(struct herd_session *session);
/* Carries out what timers that have ended ask for. */
void herd_sessions_tick(struct herd_node *node);

/* The session takes no more input, and what it was to be answered is not wanted any more. */
void herd_session_stop_input(struct herd_session *session, const char *why);
/* The same, and a CLOSE effect says why. For a session that may be a neighbour's: herd_session_terminate. */
void herd_session_mark_closing(struct herd_session *session, const char *why);
/* Frees a session that no neighbour's entry points to. */
void herd_session_free(struct herd_session *session);

/* The neighbour whose link the session is, or which it is known to come from; NULL: none, or one of several. */
static inline struct herd_peer *herd_session_neighbour(const struct herd_session *session)
{
    return session->peer >= 0 ? session->node->peers[session->peer] : NULL;
}

#endif
