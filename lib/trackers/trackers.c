/* SPDX-License-Identifier: MIT */
/* A request of a phone app, one message after the other. */
#include "trackers_impl.h"

const char *herd_tracker_outcome_name(enum herd_tracker_outcome outcome)
{
    static const char *const names[] = {
#define HERD_TRACKER_OUTCOME(name, text) text,
        HERD_TRACKER_OUTCOMES(HERD_TRACKER_OUTCOME)
#undef HERD_TRACKER_OUTCOME
    };
    return names[outcome];
}

static struct herd_span of(struct herd_span text)
{
    return text.len > 0 ? text : (struct herd_span){"", 0};
}

void herd_tracker_begin(struct herd_tracker *tracker, enum herd_tracker_format format,
                        const struct herd_tracker_request *request)
{
    static herd_tracker_read *const first[] = {
        [HERD_TRACKER_OWNTRACKS] = herd_tracker_owntracks,
        [HERD_TRACKER_OSMAND] = herd_tracker_osmand,
        [HERD_TRACKER_OVERLAND] = herd_tracker_overland,
    };
    tracker->request = (struct herd_tracker_request){
        .query = of(request->query),
        .body = of(request->body),
        .limit_user = of(request->limit_user),
        .limit_device = of(request->limit_device),
        .user = of(request->user),
        .name = of(request->name),
        .own_user = request->own_user,
        .wall_ns = request->wall_ns,
        .id_max_bytes = request->id_max_bytes,
    };
    tracker->read = first[format];
    tracker->points = 0;
    tracker->id.len = 0;
}

int herd_tracker_next(struct herd_tracker *tracker, struct herd_tracker_report *ret_report)
{
    return tracker->read ? tracker->read(tracker, ret_report) : 0;
}

void herd_tracker_fini(struct herd_tracker *tracker)
{
    herd_buf_fini(&tracker->id);
    tracker->read = NULL;
}
