/* SPDX-License-Identifier: MIT */
/*
 * How a record lies in memory: one cache line.
 *
 *     0        8    10  11 12 13 14                                      64
 *     | time_ns | srv | id di pl ti | id bytes | diff place time, packed  |
 *
 * A time stamp as nearly everybody writes it (no leading zeros, at most nine decimals) is given back
 * exactly by time_ns and the number of its decimals: its text is not kept. A record that does not fit has its body (the id and the packed text, laid out the same way) on the
 * heap, and id_len says HERD_BODY_EXTERNAL. The body is the same on every machine: digests hash it.
 */
#ifndef HERD_CORE_RECORD_H
#define HERD_CORE_RECORD_H

#include "names.h"
#include "pack.h"

#include <herd/store.h>

#define HERD_BODY_INLINE_MAX 50
#define HERD_BODY_EXTERNAL   255
#define HERD_NO_SERVER       65535 /* in `server`: the slot is empty */

struct herd_packed_record {
    int64_t time_ns;
    uint16_t server;
    uint8_t id_len, diff_len, position_len, time_len;
    unsigned char body[HERD_BODY_INLINE_MAX];
};
#define HERD_PACKED_RECORD_BYTES 64
_Static_assert(sizeof(struct herd_packed_record) == HERD_PACKED_RECORD_BYTES, "a record is one cache line");

/* `decimals` of a time stamp whose text is kept; in `time_len` of a packed record
 * the others are marked by a bit. */
#define HERD_TIME_VERBATIM 10
#define HERD_TIME_MARK     128

/* The lengths of what is in a body; everything else about it follows from them. */
struct herd_record_layout {
    uint32_t id, diff, position;
    uint32_t time;     /* 0 unless its text is kept */
    uint32_t decimals; /* 0..9, or HERD_TIME_VERBATIM */
};

struct herd_external_body {
    struct herd_record_layout layout;
    unsigned char body[];
};
_Static_assert(offsetof(struct herd_packed_record, body) >= HERD_PACK_FRONT &&
                   offsetof(struct herd_external_body, body) >= HERD_PACK_FRONT,
               "what unpacking reads instead");

/* A record ready to be stored: its texts, and its encoded form. */
struct herd_encoded_record {
    const struct herd_record *record; /* borrowed: the texts */
    uint16_t server;
    struct herd_record_layout layout;
    const unsigned char *body;
    bool fits; /* into a packed record */
};

static inline size_t herd_record_layout_text(const struct herd_record_layout *layout)
{
    return (size_t)layout->diff + layout->position + layout->time;
}

static inline size_t herd_record_layout_body(const struct herd_record_layout *layout)
{
    return layout->id + herd_packed_size(herd_record_layout_text(layout));
}

static inline bool herd_record_layout_fits(const struct herd_record_layout *layout)
{
    return herd_record_layout_body(layout) <= HERD_BODY_INLINE_MAX && layout->id < HERD_BODY_EXTERNAL &&
           layout->time < HERD_TIME_MARK;
}

/* Memory that a record of this layout takes besides its packed record. */
static inline size_t herd_record_layout_external(const struct herd_record_layout *layout)
{
    return herd_record_layout_fits(layout) ? 0
                                           : sizeof(struct herd_external_body) + herd_record_layout_body(layout);
}

static inline bool herd_packed_record_empty(const struct herd_packed_record *packed)
{
    return packed->server == HERD_NO_SERVER;
}

/* A record without a place: the client was deleted. */
static inline bool herd_record_layout_tombstone(const struct herd_record_layout *layout)
{
    return layout->position == 0;
}

static inline struct herd_external_body *herd_packed_record_external(const struct herd_packed_record *packed)
{
    struct herd_external_body *external;
    memcpy(&external, packed->body, sizeof external);
    return external;
}

static inline struct herd_record_layout herd_packed_record_layout(const struct herd_packed_record *packed)
{
    if (packed->id_len == HERD_BODY_EXTERNAL)
        return herd_packed_record_external(packed)->layout;
    bool verbatim = packed->time_len < HERD_TIME_MARK;
    return (struct herd_record_layout){
        .id = packed->id_len,
        .diff = packed->diff_len,
        .position = packed->position_len,
        .time = verbatim ? packed->time_len : 0,
        .decimals = verbatim ? HERD_TIME_VERBATIM : packed->time_len & (HERD_TIME_MARK - 1u),
    };
}

/* Of a packed record that is not empty. */
static inline bool herd_packed_record_tombstone(const struct herd_packed_record *packed)
{
    return packed->id_len == HERD_BODY_EXTERNAL
               ? herd_record_layout_tombstone(&herd_packed_record_external(packed)->layout)
               : packed->position_len == 0;
}

static inline size_t herd_packed_record_external_bytes(const struct herd_packed_record *packed)
{
    return packed->id_len == HERD_BODY_EXTERNAL
               ? herd_record_layout_external(&herd_packed_record_external(packed)->layout)
               : 0;
}

static inline const unsigned char *herd_packed_record_body(const struct herd_packed_record *packed)
{
    return packed->id_len == HERD_BODY_EXTERNAL ? herd_packed_record_external(packed)->body : packed->body;
}

static inline struct herd_span herd_packed_record_id(const struct herd_packed_record *packed)
{
    if (packed->id_len == HERD_BODY_EXTERNAL) {
        const struct herd_external_body *external = herd_packed_record_external(packed);
        return (struct herd_span){(const char *)external->body, external->layout.id};
    }
    return (struct herd_span){(const char *)packed->body, packed->id_len};
}

/* Lays out a record in `scratch` (kept by the caller between calls); *ret_encoded points into it and at
 * the record.
 * HERD_E_NOMEM; HERD_E_LIMIT for a text beyond 4 GiB. */
int herd_record_encode(struct herd_encoded_record *ret_encoded, struct herd_buf *scratch,
                       const struct herd_record *record, uint16_t server);

/* Writes an encoded record over a packed one, empty or not. HERD_E_NOMEM: unchanged. */
int herd_packed_record_write(struct herd_packed_record *packed, const struct herd_encoded_record *encoded);
/* Empties a packed record. */
void herd_packed_record_clear(struct herd_packed_record *packed);

/* Gives diff and position of a packed record back as text, in `scratch`, and the time if its text is kept; else the time
 * is empty, and herd_put_timestamp makes it. HERD_E_NOMEM. */
int herd_packed_record_unpack(const struct herd_packed_record *packed, const struct herd_record_layout *layout,
                              struct herd_buf *scratch, struct herd_record *ret_texts);

#define HERD_TIMESTAMP_MAX 20 /* ten digits, a point, nine decimals */
/* Writes a timestamp whose text is not kept; returns its end. */
char *herd_put_timestamp(char *out, int64_t time_ns, uint32_t decimals);

/* Gives diff, position and time of a packed record back as text, in `scratch`. HERD_E_NOMEM. */
int herd_packed_record_texts(const struct herd_packed_record *packed, struct herd_buf *scratch,
                             struct herd_record *ret_texts);

/* The hash of a record for digests; `server_hash` stands for the name of the accepting server. */
uint64_t herd_body_hash(const unsigned char *body, const struct herd_record_layout *layout, int64_t time_ns,
                        uint64_t server_hash);

#endif
