/* SPDX-License-Identifier: MIT */
/* libevent's messages into the log. */
#include "loop_log.h"

#include <event2/event.h>

static struct herd_log *target;

static void on_message(int severity, const char *message)
{
    enum herd_log_level level = HERD_LOG_DEBUG;
    if (severity == EVENT_LOG_MSG)
        level = HERD_LOG_INFO;
    else if (severity == EVENT_LOG_WARN)
        level = HERD_LOG_WARN;
    else if (severity == EVENT_LOG_ERR)
        level = HERD_LOG_ERROR;
    struct herd_log_field field = herd_log_text("message", message);
    herd_log_event(target, level, "libevent", &field, 1);
    if (severity == EVENT_LOG_ERR)
        herd_log_flush(target); /* libevent ends the program next */
}

void loop_log_to(struct herd_log *log)
{
    target = log;
    event_set_log_callback(log ? on_message : NULL);
}
