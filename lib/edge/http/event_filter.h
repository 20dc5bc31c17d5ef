/* SPDX-License-Identifier: MIT */
/* What a viewer wants to see: a box, some clients, or all; and which fences, or these alone. */
#ifndef HERD_EDGE_EVENT_FILTER_H
#define HERD_EDGE_EVENT_FILTER_H

#include "feature.h"
#include "http.h"

#define HERD_EVENT_IDS_MAX 64

struct herd_event_filter {
    char *text; /* the query it was made of: equal ones are equal filters */
    size_t text_len;
    bool in_bbox;
    struct herd_bbox bbox;
    struct herd_buf ids; /* each with a LF behind it, which no id has */
    size_t id_count;
    struct herd_buf fences; /* likewise */
    bool every_fence;
    bool fences_only; /* nothing of where clients are */
};

/* From a query `bbox=w,s,e,n&id=..&id=..&fence=..&fence=..`, where `fence=*` is every one. HERD_E_NOMEM; HERD_E_SYNTAX with a static sentence. */
int herd_event_filter_read(struct herd_event_filter *ret_filter, struct herd_http_exchange *exchange,
                           const char **reterr_message);
void herd_event_filter_fini(struct herd_event_filter *filter);
/* Whether it is about fences, that one among them. */
bool herd_event_filter_wants_fences(const struct herd_event_filter *filter);
bool herd_event_filter_has_fence(const struct herd_event_filter *filter, struct herd_span name);
/* Whether a client is one of those that it is about; and where it is, too. */
bool herd_event_filter_has_id(const struct herd_event_filter *filter, struct herd_span id);
bool herd_event_filter_has(const struct herd_event_filter *filter, const struct herd_record *record);

#endif
