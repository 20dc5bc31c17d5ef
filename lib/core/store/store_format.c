/* SPDX-License-Identifier: MIT */
/* The AT line of a slot, written in one go. */
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
    const struct herd_cell *cell = herd_store_cell(store, slot);
    if (herd_cell_empty(cell))
        return HERD_E_NOTFOUND;

    struct herd_record record;
    struct herd_shape shape = herd_cell_shape(cell);
    int err = herd_cell_unpack(cell, &shape, &store->texts, &record);
    if (err < 0)
        return err;
    struct herd_span server = herd_names_text(&store->names, cell->server);
    struct herd_span id = herd_cell_id(cell);
    size_t most = 8 + server.len + record.diff.len + id.len + record.place.len + record.time.len + HERD_STAMP_MAX;
    err = herd_buf_reserve(out, most);
    if (err < 0)
        return err;
    char *p = put(out->at + out->len, "AT", 2);
    p = put(p, server.at, server.len);
    p = put(p, record.diff.at, record.diff.len);
    p = put(p, id.at, id.len);
    p = put(p, record.place.at, record.place.len);
    if (shape.decimals == HERD_TIME_VERBATIM)
        p = put(p, record.time.at, record.time.len) - 1;
    else
        p = herd_put_stamp(p, cell->time_ns, shape.decimals);
    *p = '\n';
    out->len = (size_t)(p + 1 - out->at);
    return 0;
}
