/* SPDX-License-Identifier: MIT */
/*
 * Timers of sessions: a list for each class. All timers of a class have one period, so they end in the order in which
 * they were started: one that is started goes to the end of its list, and only the first of a list is looked at.
 */
#include "timeouts.h"

/* How long nothing has come behind a plain neighbour's line without LF when it is taken. A message is one write and
 * one segment as a rule; a segment that was lost is sent again after 200 ms. */
#define LINE_SILENCE_NS INT64_C(250000000)

/* 0 or less: timers of this class never end. */
static int64_t period_ns(const struct herd_node *node, enum herd_timeout timeout)
{
    switch (timeout) {
    case HERD_TIMEOUT_IDLE: return node->options.client_idle_ns;
    case HERD_TIMEOUT_PLAIN_IDLE: return node->options.hello_ns;
    case HERD_TIMEOUT_LINE: return node->options.line_deadline_ns;
    default: return LINE_SILENCE_NS;
    }
}

void herd_timeout_start(struct herd_session *session, enum herd_timeout timeout)
{
    struct herd_timer *timer = &session->timers[timeout];
    struct herd_list *list = &session->node->timeouts[timeout];
    timer->started_ns = session->node->now.steady_ns;
    if (list->prev == &timer->link)
        return;
    herd_list_remove(&timer->link);
    herd_list_append(list, &timer->link);
}

void herd_timeout_stop(struct herd_session *session, enum herd_timeout timeout)
{
    herd_list_remove(&session->timers[timeout].link);
}

bool herd_timeout_running(const struct herd_session *session, enum herd_timeout timeout)
{
    return herd_list_linked(&session->timers[timeout].link);
}

struct herd_session *herd_timeout_oldest(const struct herd_node *node, enum herd_timeout timeout)
{
    const struct herd_list *list = &node->timeouts[timeout];
    if (herd_list_empty(list))
        return NULL;
    struct herd_timer *timer = HERD_CONTAINER_OF(list->next, struct herd_timer, link);
    return HERD_CONTAINER_OF(timer - timeout, struct herd_session, timers);
}

/* When the first timer of a class ends; INT64_MAX: none runs. */
static int64_t ends_ns(const struct herd_node *node, enum herd_timeout timeout)
{
    const struct herd_session *oldest = herd_timeout_oldest(node, timeout);
    int64_t period = period_ns(node, timeout);
    return oldest && period > 0 ? oldest->timers[timeout].started_ns + period : INT64_MAX;
}

struct herd_session *herd_timeout_next_ended(struct herd_node *node, enum herd_timeout timeout)
{
    if (ends_ns(node, timeout) > node->now.steady_ns)
        return NULL;
    struct herd_session *session = herd_timeout_oldest(node, timeout);
    herd_timeout_stop(session, timeout);
    return session;
}

int64_t herd_timeouts_next_ns(const struct herd_node *node)
{
    int64_t next = INT64_MAX;
    for (enum herd_timeout timeout = 0; timeout < HERD_TIMEOUTS; timeout++)
        if (ends_ns(node, timeout) < next)
            next = ends_ns(node, timeout);
    return next;
}
