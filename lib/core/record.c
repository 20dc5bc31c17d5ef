/* SPDX-License-Identifier: MIT */
/* Records in memory: drafts, cells, and their hash. */
#include "record.h"

#include "hash.h"

#include <stdlib.h>

int herd_draft_make(struct herd_draft *ret_draft, struct herd_buf *scratch, const struct herd_record *record,
                    uint16_t server)
{
    size_t text_len = record->diff.len + record->place.len + record->time.len;
    if (record->id.len > UINT32_MAX / 2 || text_len > UINT32_MAX / 2)
        return HERD_E_LIMIT;

    /* text, its zero padding, then the body and the slack that packing may write */
    scratch->len = 0;
    int err = herd_buf_reserve(scratch, text_len + record->id.len + herd_packed_size(text_len) +
                                            3 * HERD_PACK_SLACK);
    if (err < 0)
        return err;
    char *text = scratch->at;
    char *end = text;
    memcpy(end, record->diff.at, record->diff.len);
    end += record->diff.len;
    memcpy(end, record->place.at, record->place.len);
    end += record->place.len;
    memcpy(end, record->time.at, record->time.len);
    end += record->time.len;
    memset(end, 0, HERD_PACK_SLACK);

    unsigned char *body = (unsigned char *)end + HERD_PACK_SLACK;
    memcpy(body, record->id.at, record->id.len);
    herd_pack(body + record->id.len, text, text_len);

    *ret_draft = (struct herd_draft){
        .time_ns = record->time_ns,
        .server = server,
        .shape = {(uint32_t)record->id.len, (uint32_t)record->diff.len, (uint32_t)record->place.len,
                  (uint32_t)record->time.len},
        .body = body,
    };
    return 0;
}

int herd_cell_write(struct herd_cell *cell, const struct herd_draft *draft)
{
    const struct herd_shape *shape = &draft->shape;
    struct herd_body_apart *old =
        !herd_cell_empty(cell) && cell->id_len == HERD_BODY_APART ? herd_cell_apart(cell) : NULL;
    size_t len = herd_shape_body(shape);

    if (herd_shape_fits(shape)) {
        memcpy(cell->body, draft->body, len);
        cell->id_len = (uint8_t)shape->id;
        cell->diff_len = (uint8_t)shape->diff;
        cell->place_len = (uint8_t)shape->place;
        cell->time_len = (uint8_t)shape->time;
        free(old);
    } else {
        struct herd_body_apart *apart = malloc(sizeof *apart + len + HERD_PACK_SLACK);
        if (!apart)
            return HERD_E_NOMEM;
        apart->shape = *shape;
        memcpy(apart->body, draft->body, len);
        memset(apart->body + len, 0, HERD_PACK_SLACK);
        memcpy(cell->body, &apart, sizeof apart);
        cell->id_len = HERD_BODY_APART;
        free(old);
    }
    cell->time_ns = draft->time_ns;
    cell->server = draft->server;
    return 0;
}

void herd_cell_clear(struct herd_cell *cell)
{
    if (!herd_cell_empty(cell) && cell->id_len == HERD_BODY_APART)
        free(herd_cell_apart(cell));
    cell->server = HERD_NO_SERVER;
    cell->id_len = 0;
}

int herd_cell_texts(const struct herd_cell *cell, struct herd_buf *scratch, struct herd_record *ret_texts)
{
    struct herd_shape shape = herd_cell_shape(cell);
    size_t text_len = herd_shape_text(&shape);
    scratch->len = 0;
    int err = herd_buf_reserve(scratch, text_len + HERD_PACK_SLACK);
    if (err < 0)
        return err;
    herd_unpack(scratch->at, herd_cell_body(cell) + shape.id, text_len);
    ret_texts->diff = (struct herd_span){scratch->at, shape.diff};
    ret_texts->place = (struct herd_span){scratch->at + shape.diff, shape.place};
    ret_texts->time = (struct herd_span){scratch->at + shape.diff + shape.place, shape.time};
    return 0;
}

uint64_t herd_body_hash(const unsigned char *body, const struct herd_shape *shape, uint64_t server_hash)
{
    /* All lengths are part of the record: "1" "23" is not "12" "3", and where packed text ends, "1.5" and
     * "1.50" differ in nothing else. */
    uint64_t seed = herd_fold(server_hash ^ ((uint64_t)shape->diff << 32 | shape->place), HERD_HASH_STEP);
    seed = herd_fold(seed ^ ((uint64_t)shape->time << 32 | shape->id), HERD_HASH_LAST);
    return herd_hash(seed, body, herd_shape_body(shape));
}
