/* SPDX-License-Identifier: MIT */
/* Filters of event streams. */
#include "event_filter.h"

#include <stdlib.h>
#include <string.h>

void herd_event_filter_fini(struct herd_event_filter *filter)
{
    free(filter->text);
    herd_buf_fini(&filter->ids);
    *filter = (struct herd_event_filter){0};
}

static int add_id(struct herd_event_filter *filter, struct herd_span id, const char **reterr_message)
{
    if (id.len == 0 || memchr(id.at, '\n', id.len) || filter->id_count == HERD_EVENT_IDS_MAX) {
        *reterr_message = "id is that of a client, up to 64 times";
        return HERD_E_SYNTAX;
    }
    filter->id_count++;
    int err = herd_buf_add(&filter->ids, id.at, id.len);
    return err < 0 ? err : herd_buf_add(&filter->ids, "\n", 1);
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
        } else if (herd_span_equal(name, herd_span_of("bbox"))) {
            filter->in_bbox = true;
            *reterr_message = "bbox is west,south,east,north in degrees";
            err = herd_bbox_parse(value, &filter->bbox) < 0 ? HERD_E_SYNTAX : 0;
        } else {
            *reterr_message = "expected bbox or id";
            err = HERD_E_SYNTAX;
        }
    }
    if (err >= 0 && pairs.bad) {
        *reterr_message = "a percent sign without two hexadecimal digits";
        err = HERD_E_SYNTAX;
    }
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

bool herd_event_filter_has_id(const struct herd_event_filter *filter, struct herd_span id)
{
    if (filter->id_count == 0)
        return true;
    const char *at = filter->ids.at, *end = at + filter->ids.len;
    while (at < end) {
        const char *lf = memchr(at, '\n', (size_t)(end - at));
        if (herd_span_equal((struct herd_span){at, (size_t)(lf - at)}, id))
            return true;
        at = lf + 1;
    }
    return false;
}

bool herd_event_filter_has(const struct herd_event_filter *filter, const struct herd_record *record)
{
    return !herd_record_is_tombstone(record) && herd_event_filter_has_id(filter, record->id) &&
           (!filter->in_bbox || herd_bbox_has(&filter->bbox, record));
}
