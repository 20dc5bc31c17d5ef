/* SPDX-License-Identifier: MIT */
/* A request of an app and what it should become, as one text: a line "ID POSITION TIME" for each report, "OUTCOME ID" for
 * what is none. */
#ifndef TEST_TRACKERS_REQUEST_H
#define TEST_TRACKERS_REQUEST_H

#include "trackers.h"

#include <herd/types.h>

#include <stdlib.h>
#include <string.h>

struct request {
    enum herd_tracker_format format;
    const char *query, *body, *user, *device, *basic, *name;
    bool own_user;
};

static inline struct herd_span span_or_none(const char *text)
{
    return text ? herd_span_of(text) : (struct herd_span){NULL, 0};
}

static inline struct herd_tracker_request request_of(const struct request *request)
{
    return (struct herd_tracker_request){
        .query = span_or_none(request->query),
        .body = span_or_none(request->body),
        .limit_user = span_or_none(request->user),
        .limit_device = span_or_none(request->device),
        .user = span_or_none(request->basic),
        .name = span_or_none(request->name),
        .own_user = request->own_user,
        .wall_ns = INT64_C(1795694400000000000),
        .id_max_bytes = 1000,
    };
}

static inline void add(struct herd_buf *out, struct herd_span text)
{
    if (herd_buf_add(out, text.at, text.len) < 0)
        abort();
}

/* Reads to the end; < 0 where memory ran out. */
static inline int read_all(struct herd_tracker *tracker, enum herd_tracker_format format,
                           const struct herd_tracker_request *request, struct herd_buf *out)
{
    struct herd_tracker_report report;
    int more;
    herd_tracker_begin(tracker, format, request);
    while ((more = herd_tracker_next(tracker, &report)) > 0) {
        if (report.outcome == HERD_TRACKER_REPORT) {
            add(out, report.id);
            add(out, herd_span_of(" "));
            add(out, report.position);
            add(out, herd_span_of(" "));
            add(out, report.time);
        } else {
            add(out, herd_span_of(herd_tracker_outcome_name(report.outcome)));
            if (report.id.len > 0)
                add(out, herd_span_of(" "));
            add(out, report.id);
        }
        add(out, herd_span_of("\n"));
    }
    return more;
}

#endif
