/* SPDX-License-Identifier: MIT */
/* The AT line of a slot, written in one go. */
#include "copy.h"
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
    int err = herd_cell_texts(cell, &store->texts, &record);
    if (err < 0)
        return err;
    struct herd_span server = herd_names_text(&store->names, cell->server);
    struct herd_span id = herd_cell_id(cell);
    size_t len = 8 + server.len + record.diff.len + id.len + record.place.len + record.time.len;
    err = herd_buf_reserve(out, len);
    if (err < 0)
        return err;
    char *p = put(out->at + out->len, "AT", 2);
    p = put(p, server.at, server.len);
    p = put(p, record.diff.at, record.diff.len);
    p = put(p, id.at, id.len);
    p = put(p, record.place.at, record.place.len);
    p = put(p, record.time.at, record.time.len);
    p[-1] = '\n';
    out->len += len;
    return 0;
}
