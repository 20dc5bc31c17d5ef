/* SPDX-License-Identifier: MIT */
/* One event of a fence as JSON. */
#include "fence_event.h"

#include "../../core/base/hash.h"
#include "../../places/decimal.h"
#include "../../places/raw.h"
#include "../../trackers/recorder.h"

#include <herd/geo.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

const char *herd_fence_kind_name(enum herd_fence_kind kind)
{
    switch (kind) {
    case HERD_FENCE_ENTER: return "enter";
    case HERD_FENCE_LEAVE: return "leave";
    case HERD_FENCE_INSIDE: return "inside";
    default: return "cross";
    }
}

static int compare(struct herd_span a, struct herd_span b)
{
    const size_t len = a.len < b.len ? a.len : b.len;
    const int order = len > 0 ? memcmp(a.at, b.at, len) : 0;
    return order != 0 ? order : a.len < b.len ? -1 : a.len > b.len;
}

void herd_fence_event_id(const struct herd_fence_event *event, int64_t now_ns,
                         char ret_id[HERD_FENCE_EVENT_ID_BYTES + 1])
{
    static const uint64_t keys[2][2] = {{UINT64_C(0x66656e6365206576), 1}, {UINT64_C(0x66656e6365206576), 2}};
    const struct herd_span kind = herd_span_of(herd_fence_kind_name(event->kind));
    const struct herd_span gone = {(const char *)&now_ns, sizeof now_ns};
    const struct herd_span time = event->gone ? gone : event->record.time;
    /* Of two that are near each other either may have been the last to move, as a server sees it. */
    const bool first = event->gone || event->other.len == 0 || compare(event->record.id, event->other) < 0;
    const struct herd_span parts[] = {event->fence,
                                      kind,
                                      first ? event->record.id : event->other,
                                      first ? time : event->other_time,
                                      first ? event->other : event->record.id,
                                      first ? event->other_time : time};
    for (size_t half = 0; half < 2; half++) {
        uint64_t sum = half;
        for (size_t i = 0; i < (event->other.len > 0 ? 6 : 4); i++) {
            const uint64_t both[2] = {sum, herd_siphash(keys[half], parts[i].at, parts[i].len)};
            sum = herd_siphash(keys[half], both, sizeof both);
        }
        snprintf(ret_id + 16 * half, 17, "%016" PRIx64, sum);
    }
}

static int put(struct herd_buf *out, const char *text, int err)
{
    return err < 0 ? err : herd_buf_add_text(out, text);
}

static int put_escaped(struct herd_buf *out, struct herd_span text, int err)
{
    return err < 0 ? err : herd_raw_escape(out, text);
}

static int put_other(struct herd_buf *out, const struct herd_fence_event *event, int err)
{
    err = put_escaped(out, event->other, put(out, ",\"other\":\"", err));
    err = put(out, "\",\"distance\":", err);
    return err < 0 ? err : herd_decimal_e7_write(out, llround(event->distance_m * 100) * (HERD_E7 / 100));
}

int herd_fence_event_put(struct herd_buf *out, const struct herd_fence_event *event, int64_t now_ns)
{
    char id[HERD_FENCE_EVENT_ID_BYTES + 1];
    struct herd_position position;
    herd_fence_event_id(event, now_ns, id);
    int err = put(out, "{\"event\":\"", 0);
    err = put(out, id, err);
    err = put_escaped(out, event->fence, put(out, "\",\"fence\":\"", err));
    err = put(out, herd_fence_kind_name(event->kind), put(out, "\",\"kind\":\"", err));
    err = put_escaped(out, event->record.id, put(out, "\",\"id\":\"", err));
    err = put(out, event->gone ? "\",\"gone\":true" : "\",\"gone\":false", err);
    if (event->other.len > 0)
        err = put_other(out, event, err);
    if (err < 0 || event->gone || herd_position_parse(event->record.position, &position) < 0)
        return err;
    err = herd_recorder_put_number(out, ",\"position\":[", position.lon);
    if (err >= 0)
        err = herd_recorder_put_number(out, ",", position.lat);
    err = put_escaped(out, event->record.time, put(out, "],\"time\":\"", err));
    return put(out, "\"", err);
}
