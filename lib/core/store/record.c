/* SPDX-License-Identifier: MIT */
/* Records in memory: drafts, cells, and their hash. */
#include "record.h"

#include "../base/copy.h"
#include "../base/hash.h"
#include "../base/print.h"

#include <stdlib.h>

/* How many decimals a timestamp has, or HERD_TIME_VERBATIM if its value would not give its text back. */
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

int herd_record_encode(struct herd_encoded_record *ret_encoded, struct herd_buf *scratch,
                       const struct herd_record *record, uint16_t server)
{
    if (record->id.len > UINT32_MAX / 2 || record->diff.len > UINT32_MAX / 8 ||
        record->position.len > UINT32_MAX / 8 || record->time.len > UINT32_MAX / 8)
        return HERD_E_LIMIT;
    uint32_t decimals = count_decimals(record->time);
    struct herd_span time = record->time;
    if (decimals != HERD_TIME_VERBATIM)
        time.len = 0;
    size_t text_len = record->diff.len + record->position.len + time.len;

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
    herd_copy(end, record->position.at, record->position.len);
    end += record->position.len;
    if (time.len)
        memcpy(end, time.at, time.len);
    end += time.len;
    memset(end, 0, HERD_PACK_SLACK);

    unsigned char *body = (unsigned char *)end + HERD_PACK_SLACK;
    herd_copy(body, record->id.at, record->id.len);
    herd_pack(body + record->id.len, text, text_len);

    *ret_encoded = (struct herd_encoded_record){
        .record = record,
        .server = server,
        .layout = {(uint32_t)record->id.len, (uint32_t)record->diff.len, (uint32_t)record->position.len,
                   (uint32_t)time.len, decimals},
        .body = body,
    };
    ret_encoded->fits = herd_record_layout_fits(&ret_encoded->layout);
    return 0;
}

int herd_packed_record_write(struct herd_packed_record *packed, const struct herd_encoded_record *encoded)
{
    const struct herd_record_layout *layout = &encoded->layout;
    struct herd_external_body *old = !herd_packed_record_empty(packed) && packed->id_len == HERD_BODY_EXTERNAL
                                         ? herd_packed_record_external(packed)
                                         : NULL;
    size_t len = herd_record_layout_body(layout);

    if (encoded->fits) {
        herd_copy(packed->body, encoded->body, len);
        packed->id_len = (uint8_t)layout->id;
        packed->diff_len = (uint8_t)layout->diff;
        packed->position_len = (uint8_t)layout->position;
        packed->time_len =
            (uint8_t)(layout->decimals == HERD_TIME_VERBATIM ? layout->time : HERD_TIME_MARK | layout->decimals);
        free(old);
    } else {
        struct herd_external_body *external = malloc(herd_record_layout_external(layout));
        if (!external)
            return HERD_E_NOMEM;
        external->layout = *layout;
        memcpy(external->body, encoded->body, len);
        memcpy(packed->body, &external, sizeof external);
        packed->id_len = HERD_BODY_EXTERNAL;
        free(old);
    }
    packed->time_ns = encoded->record->time_ns;
    packed->server = encoded->server;
    return 0;
}

void herd_packed_record_clear(struct herd_packed_record *packed)
{
    if (!herd_packed_record_empty(packed) && packed->id_len == HERD_BODY_EXTERNAL)
        free(herd_packed_record_external(packed));
    packed->server = HERD_NO_SERVER;
    packed->id_len = 0;
}

char *herd_put_timestamp(char *out, int64_t time_ns, uint32_t decimals)
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

int herd_packed_record_unpack(const struct herd_packed_record *packed, const struct herd_record_layout *layout,
                              struct herd_buf *scratch, struct herd_record *ret_texts)
{
    size_t text_len = herd_record_layout_text(layout);
    scratch->len = 0;
    int err = herd_buf_reserve(scratch, text_len + HERD_PACK_SLACK + HERD_TIMESTAMP_MAX);
    if (err < 0)
        return err;
    herd_unpack(scratch->at, herd_packed_record_body(packed) + layout->id, text_len);
    ret_texts->diff = (struct herd_span){scratch->at, layout->diff};
    ret_texts->position = (struct herd_span){scratch->at + layout->diff, layout->position};
    ret_texts->time = (struct herd_span){scratch->at + layout->diff + layout->position, layout->time};
    return 0;
}

int herd_packed_record_texts(const struct herd_packed_record *packed, struct herd_buf *scratch,
                             struct herd_record *ret_texts)
{
    struct herd_record_layout layout = herd_packed_record_layout(packed);
    int err = herd_packed_record_unpack(packed, &layout, scratch, ret_texts);
    if (err >= 0 && layout.decimals != HERD_TIME_VERBATIM) {
        char *time = scratch->at + layout.diff + layout.position;
        ret_texts->time.len = (size_t)(herd_put_timestamp(time, packed->time_ns, layout.decimals) - time);
    }
    return err;
}

uint64_t herd_body_hash(const unsigned char *body, const struct herd_record_layout *layout, int64_t time_ns,
                        uint64_t server_hash)
{
    /* All lengths are part of the record: "1" "23" is not "12" "3", and where packed text ends, "1.5" and
     * "1.50" differ in nothing else. */
    uint64_t seed = herd_mul_fold(server_hash ^ ((uint64_t)layout->diff << 32 | layout->position), HERD_HASH_A);
    seed = herd_mul_fold(seed ^ ((uint64_t)layout->time << 36 | (uint64_t)layout->decimals << 32 | layout->id),
                         HERD_HASH_B);
    return herd_hash(seed ^ (uint64_t)time_ns, body, herd_record_layout_body(layout));
}
