/* SPDX-License-Identifier: MIT */
/* Filters of event streams. */
#include "event_filter.h"

#include "id.h"

#include <herd/protocol.h>

#include <stdlib.h>
#include <string.h>

void herd_event_filter_fini(struct herd_event_filter *filter)
{
    free(filter->text);
    herd_buf_fini(&filter->ids);
    herd_buf_fini(&filter->fences);
    *filter = (struct herd_event_filter){0};
}

static int add_id(struct herd_event_filter *filter, struct herd_span id, const char **reterr_message)
{
    if (!herd_http_is_id(id) || filter->id_count == HERD_EVENT_IDS_MAX) {
        *reterr_message = "id is that of a client, up to 64 times";
        return HERD_E_SYNTAX;
    }
    filter->id_count++;
    int err = herd_buf_add(&filter->ids, id.at, id.len);
    return err < 0 ? err : herd_buf_add(&filter->ids, "\n", 1);
}

static int add_fence(struct herd_event_filter *filter, struct herd_span name, const char **reterr_message)
{
    if (herd_span_equal(name, herd_span_of("*"))) {
        filter->every_fence = true;
        return 0;
    }
    if (!herd_name_valid(name) || filter->fences.len > HERD_EVENT_IDS_MAX * 32) {
        *reterr_message = "fence is the name of one, or *";
        return HERD_E_SYNTAX;
    }
    int err = herd_buf_add(&filter->fences, name.at, name.len);
    return err < 0 ? err : herd_buf_add(&filter->fences, "\n", 1);
}

static int read_pairs(struct herd_event_filter *filter, struct herd_http_exchange *exchange,
                      const char **reterr_message)
{
    struct herd_http_pairs pairs = {.rest = exchange->query};
    struct herd_span name, value;
    int err = 0;
    while (err >= 0 && herd_http_pair_next(exchange, &pairs, &name, &value)) {
        if (herd_span_equal(name, herd_span_of("id"))) {
            err = add_id(filter, value, reterr_message);
        } else if (herd_span_equal(name, herd_span_of("fence"))) {
            err = add_fence(filter, value, reterr_message);
        } else if (herd_span_equal(name, herd_span_of("bbox"))) {
            *reterr_message = "bbox is west,south,east,north in degrees, south not above north, once";
            err = filter->in_bbox || herd_bbox_parse(value, &filter->bbox) < 0 ? HERD_E_SYNTAX : 0;
            filter->in_bbox = true;
        } else {
            *reterr_message = "expected bbox, id or fence";
            err = HERD_E_SYNTAX;
        }
    }
    if (err >= 0 && pairs.err < 0) {
        *reterr_message = "a percent sign without two hexadecimal digits";
        err = pairs.err;
    }
    filter->fences_only = herd_event_filter_wants_fences(filter) && !filter->in_bbox && filter->id_count == 0;
    return err;
}

int herd_event_filter_read(struct herd_event_filter *ret_filter, struct herd_http_exchange *exchange,
                           const char **reterr_message)
{
    struct herd_event_filter filter = {.text_len = exchange->query.len};
    filter.text = malloc(filter.text_len + 1);
    int err = filter.text ? read_pairs(&filter, exchange, reterr_message) : HERD_E_NOMEM;
    if (err < 0) {
        herd_event_filter_fini(&filter);
        return err;
    }
    memcpy(filter.text, exchange->query.at, filter.text_len);
    *ret_filter = filter;
    return 0;
}

static bool has_line(const struct herd_buf *lines, struct herd_span line)
{
    const char *at = lines->at, *end = at + lines->len;
    while (at < end) {
        const char *lf = memchr(at, '\n', (size_t)(end - at));
        if (herd_span_equal((struct herd_span){at, (size_t)(lf - at)}, line))
            return true;
        at = lf + 1;
    }
    return false;
}

bool herd_event_filter_has_id(const struct herd_event_filter *filter, struct herd_span id)
{
    return filter->id_count == 0 || has_line(&filter->ids, id);
}

bool herd_event_filter_wants_fences(const struct herd_event_filter *filter)
{
    return filter->every_fence || filter->fences.len > 0;
}

bool herd_event_filter_has_fence(const struct herd_event_filter *filter, struct herd_span name)
{
    return filter->every_fence || (filter->fences.len > 0 && has_line(&filter->fences, name));
}

bool herd_event_filter_has(const struct herd_event_filter *filter, const struct herd_record *record)
{
    return !herd_record_is_tombstone(record) && herd_event_filter_has_id(filter, record->id) &&
           (!filter->in_bbox || herd_bbox_has(&filter->bbox, record));
}
