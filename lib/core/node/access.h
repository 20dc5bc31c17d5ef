/* SPDX-License-Identifier: MIT */
/* What a session may do: its identity's rights, and how often. Who it is others find out. */
#ifndef HERD_CORE_ACCESS_H
#define HERD_CORE_ACCESS_H

#include "node_impl.h"

/* Whether a client's session may report `id` now; counts it for its limits. 0, or the verdict of a refusal:
 * NOT_ALLOWED, TOO_OFTEN. */
int herd_access_report_guarded(struct herd_session *session, struct herd_span id);
static inline int herd_access_report(struct herd_session *session, struct herd_span id)
{
    bool guarded = session->node->options.access || session->address_rate;
    return guarded ? herd_access_report_guarded(session, id) : 0;
}
/* What else bounds this session's reports, beside its identity: those of its address. Borrowed for the session's life;
 * NULL: nothing. */
void herd_session_set_rate(struct herd_session *session, struct herd_rate *rate);
/* Whether it may delete `id` now; counts it as a report. 0, or the verdict of a refusal. */
int herd_access_delete(struct herd_session *session, struct herd_span id);
/* Counts a refusal that was decided above, and tells of it. */
void herd_access_deny(struct herd_session *session, struct herd_span id);
/* Whether it may ask for `id`; a refusal is counted, and told of. */
bool herd_access_ask(struct herd_session *session, struct herd_span id);
/* The same of what it did not ask for by name, but is to be listed or told of: it is left out, and that is no refusal. */
bool herd_access_see(const struct herd_session *session, struct herd_span id);
/* Whether there may be an id in a group that it may ask for: an id, or what ids begin with and a star, as of a proximity. Of
 * such a group nothing is in sight but the beginning of an id that it may name. */
bool herd_access_see_group(const struct herd_session *session, struct herd_span group);

#endif
