/* SPDX-License-Identifier: MIT */
/* The AT line of a slot, of a tombstone its GONE line, written in one go. */
#include "../base/copy.h"
#include "store_impl.h"

static char *put(char *p, const void *bytes, size_t len)
{
    herd_copy(p, bytes, len);
    p[len] = ' ';
    return p + len + 1;
}

int herd_store_format(struct herd_store *store, uint32_t slot, struct herd_buf *out)
{
    if (slot >= store->slots)
        return HERD_E_NOTFOUND;
    const struct herd_packed_record *packed = herd_store_packed(store, slot);
    if (herd_packed_record_empty(packed))
        return HERD_E_NOTFOUND;

    struct herd_record record;
    struct herd_record_layout layout = herd_packed_record_layout(packed);
    int err = herd_packed_record_unpack(packed, &layout, &store->texts, &record);
    if (err < 0)
        return err;
    struct herd_span server = herd_names_text(&store->names, packed->server);
    struct herd_span id = herd_packed_record_id(packed);
    size_t most =
        10 + server.len + record.diff.len + id.len + record.position.len + record.time.len + HERD_TIMESTAMP_MAX;
    err = herd_buf_reserve(out, most);
    if (err < 0)
        return err;
    const bool tombstone = herd_record_layout_tombstone(&layout);
    char *p = tombstone ? put(out->at + out->len, "GONE", 4) : put(out->at + out->len, "AT", 2);
    p = put(p, server.at, server.len);
    p = put(p, record.diff.at, record.diff.len);
    p = put(p, id.at, id.len);
    if (!tombstone)
        p = put(p, record.position.at, record.position.len);
    if (layout.decimals == HERD_TIME_VERBATIM)
        p = put(p, record.time.at, record.time.len) - 1;
    else
        p = herd_put_timestamp(p, packed->time_ns, layout.decimals);
    *p = '\n';
    out->len = (size_t)(p + 1 - out->at);
    return 0;
}
