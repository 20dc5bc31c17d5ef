/* SPDX-License-Identifier: MIT */
/*
 * How a record lies in memory: one cache line.
 *
 *     0        8    10  11 12 13 14                                      64
 *     | time_ns | srv | id di pl ti | id bytes | diff place time, packed  |
 *
 * A time stamp as nearly everybody writes it (no leading zeros, at most nine decimals) is given back
 * exactly by time_ns and the number of its decimals: its text is not kept. A record that does not fit has its body (the id and the packed text, laid out the same way) on the
 * heap, and id_len says HERD_BODY_APART. The body is the same on every machine: digests hash it.
 */
#ifndef HERD_CORE_RECORD_H
#define HERD_CORE_RECORD_H

#include "names.h"
#include "pack.h"

#include <herd/store.h>

#define HERD_BODY_INLINE_MAX 50
#define HERD_BODY_APART      255
#define HERD_NO_SERVER       65535 /* in `server`: the slot is empty */

struct herd_cell {
    int64_t time_ns;
    uint16_t server;
    uint8_t id_len, diff_len, place_len, time_len;
    unsigned char body[HERD_BODY_INLINE_MAX];
};
#define HERD_CELL_BYTES 64
_Static_assert(sizeof(struct herd_cell) == HERD_CELL_BYTES, "a record is one cache line");

/* `decimals` of a time stamp whose text is kept; in `time_len` of a cell the others are marked by a bit. */
#define HERD_TIME_VERBATIM 10
#define HERD_TIME_MARK     128

/* The lengths of what is in a body; everything else about it follows from them. */
struct herd_shape {
    uint32_t id, diff, place;
    uint32_t time;     /* 0 unless the stamp is verbatim */
    uint32_t decimals; /* 0..9, or HERD_TIME_VERBATIM */
};

struct herd_body_apart {
    struct herd_shape shape;
    unsigned char body[];
};

/* A record ready to be stored: where it is now, and what it will be. */
struct herd_draft {
    const struct herd_record *record; /* borrowed: the texts */
    uint16_t server;
    struct herd_shape shape;
    const unsigned char *body;
    bool fits; /* into a cell */
};

static inline size_t herd_shape_text(const struct herd_shape *s)
{
    return (size_t)s->diff + s->place + s->time;
}

static inline size_t herd_shape_body(const struct herd_shape *s)
{
    return s->id + herd_packed_size(herd_shape_text(s));
}

static inline bool herd_shape_fits(const struct herd_shape *s)
{
    return herd_shape_body(s) <= HERD_BODY_INLINE_MAX && s->id < HERD_BODY_APART && s->time < HERD_TIME_MARK;
}

/* Memory that a record of this shape takes besides its cell. */
static inline size_t herd_shape_apart(const struct herd_shape *s)
{
    return herd_shape_fits(s) ? 0 : sizeof(struct herd_body_apart) + herd_shape_body(s) + HERD_PACK_SLACK;
}

static inline bool herd_cell_empty(const struct herd_cell *cell)
{
    return cell->server == HERD_NO_SERVER;
}

static inline struct herd_body_apart *herd_cell_apart(const struct herd_cell *cell)
{
    struct herd_body_apart *apart;
    memcpy(&apart, cell->body, sizeof apart);
    return apart;
}

static inline struct herd_shape herd_cell_shape(const struct herd_cell *cell)
{
    if (cell->id_len == HERD_BODY_APART)
        return herd_cell_apart(cell)->shape;
    bool verbatim = cell->time_len < HERD_TIME_MARK;
    return (struct herd_shape){
        .id = cell->id_len,
        .diff = cell->diff_len,
        .place = cell->place_len,
        .time = verbatim ? cell->time_len : 0,
        .decimals = verbatim ? HERD_TIME_VERBATIM : cell->time_len & (HERD_TIME_MARK - 1u),
    };
}

static inline size_t herd_cell_apart_bytes(const struct herd_cell *cell)
{
    return cell->id_len == HERD_BODY_APART ? herd_shape_apart(&herd_cell_apart(cell)->shape) : 0;
}

static inline const unsigned char *herd_cell_body(const struct herd_cell *cell)
{
    return cell->id_len == HERD_BODY_APART ? herd_cell_apart(cell)->body : cell->body;
}

static inline struct herd_span herd_cell_id(const struct herd_cell *cell)
{
    if (cell->id_len == HERD_BODY_APART) {
        const struct herd_body_apart *apart = herd_cell_apart(cell);
        return (struct herd_span){(const char *)apart->body, apart->shape.id};
    }
    return (struct herd_span){(const char *)cell->body, cell->id_len};
}

/* Lays out a record in `scratch` (kept by the caller between calls); *ret_draft points into it and at
 * the record.
 * HERD_E_NOMEM; HERD_E_LIMIT for a text beyond 4 GiB. */
int herd_draft_make(struct herd_draft *ret_draft, struct herd_buf *scratch, const struct herd_record *record,
                    uint16_t server);

/* Stores a draft in a cell, empty or not. HERD_E_NOMEM: the cell is as before. */
int herd_cell_write(struct herd_cell *cell, const struct herd_draft *draft);
/* Empties a cell. */
void herd_cell_clear(struct herd_cell *cell);

/* Gives diff and place of a cell back as text, in `scratch`, and the time if its text is kept; else the time
 * is empty, and herd_put_stamp makes it. HERD_E_NOMEM. */
int herd_cell_unpack(const struct herd_cell *cell, const struct herd_shape *shape, struct herd_buf *scratch,
                     struct herd_record *ret_texts);

#define HERD_STAMP_MAX 20 /* ten digits, a point, nine decimals */
/* The text of a stamp that is not kept; returns its end. */
char *herd_put_stamp(char *out, int64_t time_ns, uint32_t decimals);

/* Gives diff, place and time of a cell back as text, in `scratch`. HERD_E_NOMEM. */
int herd_cell_texts(const struct herd_cell *cell, struct herd_buf *scratch, struct herd_record *ret_texts);

/* The hash of a record for digests; `server_hash` stands for the name of the accepting server. */
uint64_t herd_body_hash(const unsigned char *body, const struct herd_shape *shape, int64_t time_ns,
                        uint64_t server_hash);

#endif
