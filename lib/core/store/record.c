/* SPDX-License-Identifier: MIT */
/* Records in memory: drafts, cells, and their hash. */
#include "record.h"

#include "../base/copy.h"
#include "../base/hash.h"
#include "../base/print.h"

#include <stdlib.h>

/* How many decimals a stamp has, or HERD_TIME_VERBATIM if its value would not give its text back. */
static uint32_t count_decimals(struct herd_span time)
{
    const char *point =
        time.len > 10 && time.at[time.len - 10] == '.' ? time.at + time.len - 10 : memchr(time.at, '.', time.len);
    size_t whole = point ? (size_t)(point - time.at) : time.len;
    size_t decimals = point ? time.len - whole - 1 : 0;
    if (whole == 0 || (whole > 1 && time.at[0] == '0') || decimals > 9 || (point && decimals == 0))
        return HERD_TIME_VERBATIM;
    return (uint32_t)decimals;
}

int herd_draft_make(struct herd_draft *ret_draft, struct herd_buf *scratch, const struct herd_record *record,
                    uint16_t server)
{
    if (record->id.len > UINT32_MAX / 2 || record->diff.len > UINT32_MAX / 8 ||
        record->place.len > UINT32_MAX / 8 || record->time.len > UINT32_MAX / 8)
        return HERD_E_LIMIT;
    uint32_t decimals = count_decimals(record->time);
    struct herd_span time = record->time;
    if (decimals != HERD_TIME_VERBATIM)
        time.len = 0;
    size_t text_len = record->diff.len + record->place.len + time.len;

    /* text, its zero padding, then the body and the slack that packing may write */
    scratch->len = 0;
    int err =
        herd_buf_reserve(scratch, text_len + record->id.len + herd_packed_size(text_len) + 3 * HERD_PACK_SLACK);
    if (err < 0)
        return err;
    char *text = scratch->at;
    char *end = text;
    herd_copy(end, record->diff.at, record->diff.len);
    end += record->diff.len;
    herd_copy(end, record->place.at, record->place.len);
    end += record->place.len;
    if (time.len)
        memcpy(end, time.at, time.len);
    end += time.len;
    memset(end, 0, HERD_PACK_SLACK);

    unsigned char *body = (unsigned char *)end + HERD_PACK_SLACK;
    herd_copy(body, record->id.at, record->id.len);
    herd_pack(body + record->id.len, text, text_len);

    *ret_draft = (struct herd_draft){
        .record = record,
        .server = server,
        .shape = {(uint32_t)record->id.len, (uint32_t)record->diff.len, (uint32_t)record->place.len,
                  (uint32_t)time.len, decimals},
        .body = body,
    };
    ret_draft->fits = herd_shape_fits(&ret_draft->shape);
    return 0;
}

int herd_cell_write(struct herd_cell *cell, const struct herd_draft *draft)
{
    const struct herd_shape *shape = &draft->shape;
    struct herd_body_apart *old =
        !herd_cell_empty(cell) && cell->id_len == HERD_BODY_APART ? herd_cell_apart(cell) : NULL;
    size_t len = herd_shape_body(shape);

    if (draft->fits) {
        herd_copy(cell->body, draft->body, len);
        cell->id_len = (uint8_t)shape->id;
        cell->diff_len = (uint8_t)shape->diff;
        cell->place_len = (uint8_t)shape->place;
        cell->time_len =
            (uint8_t)(shape->decimals == HERD_TIME_VERBATIM ? shape->time : HERD_TIME_MARK | shape->decimals);
        free(old);
    } else {
        struct herd_body_apart *apart = malloc(herd_shape_apart(shape));
        if (!apart)
            return HERD_E_NOMEM;
        apart->shape = *shape;
        memcpy(apart->body, draft->body, len);
        memset(apart->body + len, 0, HERD_PACK_SLACK);
        memcpy(cell->body, &apart, sizeof apart);
        cell->id_len = HERD_BODY_APART;
        free(old);
    }
    cell->time_ns = draft->record->time_ns;
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

char *herd_put_stamp(char *out, int64_t time_ns, uint32_t decimals)
{
    char *p = herd_put_number(out, (uint64_t)time_ns / 1000000000);
    if (decimals == 0)
        return p;
    *p = '.';
    if (decimals == 9) {
        herd_put9(p + 1, (uint32_t)((uint64_t)time_ns % 1000000000));
    } else {
        char frac[9];
        herd_put9(frac, (uint32_t)((uint64_t)time_ns % 1000000000));
        memcpy(p + 1, frac, decimals);
    }
    return p + 1 + decimals;
}

int herd_cell_unpack(const struct herd_cell *cell, const struct herd_shape *shape, struct herd_buf *scratch,
                     struct herd_record *ret_texts)
{
    size_t text_len = herd_shape_text(shape);
    scratch->len = 0;
    int err = herd_buf_reserve(scratch, text_len + HERD_PACK_SLACK + HERD_STAMP_MAX);
    if (err < 0)
        return err;
    herd_unpack(scratch->at, herd_cell_body(cell) + shape->id, text_len);
    ret_texts->diff = (struct herd_span){scratch->at, shape->diff};
    ret_texts->place = (struct herd_span){scratch->at + shape->diff, shape->place};
    ret_texts->time = (struct herd_span){scratch->at + shape->diff + shape->place, shape->time};
    return 0;
}

int herd_cell_texts(const struct herd_cell *cell, struct herd_buf *scratch, struct herd_record *ret_texts)
{
    struct herd_shape shape = herd_cell_shape(cell);
    int err = herd_cell_unpack(cell, &shape, scratch, ret_texts);
    if (err >= 0 && shape.decimals != HERD_TIME_VERBATIM) {
        char *time = scratch->at + shape.diff + shape.place;
        ret_texts->time.len = (size_t)(herd_put_stamp(time, cell->time_ns, shape.decimals) - time);
    }
    return err;
}

uint64_t herd_body_hash(const unsigned char *body, const struct herd_shape *shape, int64_t time_ns,
                        uint64_t server_hash)
{
    /* All lengths are part of the record: "1" "23" is not "12" "3", and where packed text ends, "1.5" and
     * "1.50" differ in nothing else. */
    uint64_t seed = herd_fold(server_hash ^ ((uint64_t)shape->diff << 32 | shape->place), HERD_HASH_A);
    seed =
        herd_fold(seed ^ ((uint64_t)shape->time << 36 | (uint64_t)shape->decimals << 32 | shape->id), HERD_HASH_B);
    return herd_hash(seed ^ (uint64_t)time_ns, body, herd_shape_body(shape));
}
