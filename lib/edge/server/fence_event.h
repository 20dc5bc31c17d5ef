/* SPDX-License-Identifier: MIT */
/* Events of fences as JSON, alike for streams of events and for a webhook. */
#ifndef HERD_EDGE_SERVER_FENCE_EVENT_H
#define HERD_EDGE_SERVER_FENCE_EVENT_H

#include <herd/area.h>

#define HERD_FENCE_EVENT_ID_BYTES 32

/* Whether one may be told of an event who may ask for some clients: `may_ask(ctx, id)` of each client that it shows. */
static inline bool herd_fence_event_visible(const struct herd_fence_event *event,
                                            bool (*may_ask)(void *ctx, struct herd_span id), void *ctx)
{
    return may_ask(ctx, event->record.id) && (event->other.len == 0 || may_ask(ctx, event->other));
}

/* "enter", "leave", "inside" or "cross". */
const char *herd_fence_kind_name(enum herd_fence_kind kind);
/* 32 hexadecimal digits, NUL-terminated: the same for the same event on every server, so that whoever is told twice knows.
 * Without the record, of a client that is gone, `now_ns` takes the place of its time. */
void herd_fence_event_id(const struct herd_fence_event *event, int64_t now_ns,
                         char ret_id[HERD_FENCE_EVENT_ID_BYTES + 1]);
/* Appends an object without its closing brace, to be gone on with: event, fence, kind, id, gone, of a proximity `other` and
 * `distance` in metres, to the centimetre, and unless the client is gone
 * `position` [longitude, latitude] and `time`, digits as they were reported. HERD_E_NOMEM. */
int herd_fence_event_put(struct herd_buf *out, const struct herd_fence_event *event, int64_t now_ns);

#endif
