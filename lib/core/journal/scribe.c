/* SPDX-License-Identifier: MIT */
/* The records of a node as lines of a journal: those that changed, or all of them. */
#include "scribe.h"

#include "../node/node_impl.h"

#define SLOTS_A_SLICE 16384

int herd_scribe_open(struct herd_scribe *scribe, struct herd_node *node)
{
    *scribe = (struct herd_scribe){.node = node};
    return herd_changes_join(&node->changes, &scribe->reader);
}

void herd_scribe_close(struct herd_scribe *scribe)
{
    if (scribe->node)
        herd_changes_leave(&scribe->node->changes, &scribe->reader);
    herd_buf_fini(&scribe->batch);
    *scribe = (struct herd_scribe){0};
}

static int put_line(struct herd_node *node, uint32_t slot, struct herd_buf *out)
{
    size_t start = out->len;
    int err = herd_store_format(node->store, slot, out);
    return err < 0 ? err : herd_checksum_add(out, start);
}

int herd_scribe_take(struct herd_scribe *scribe, size_t room, struct herd_buf *out)
{
    struct herd_node *node = scribe->node;
    size_t start = out->len;
    int lines = 0;
    scribe->batch.len = 0;
    while (out->len - start < room) {
        uint32_t slot = herd_reader_take(&node->changes, &scribe->reader);
        if (slot == HERD_NO_SLOT)
            break;
        size_t before = out->len;
        int err = put_line(node, slot, out);
        if (err == HERD_E_NOTFOUND)
            continue; /* removed while it waited */
        if (err >= 0)
            err = herd_buf_add(&scribe->batch, &slot, sizeof slot);
        if (err < 0) {
            out->len = before;
            herd_reader_mark(&node->changes, &scribe->reader, slot);
            return lines ? lines : err;
        }
        lines++;
    }
    return lines;
}

void herd_scribe_undo(struct herd_scribe *scribe)
{
    for (size_t at = 0; at < scribe->batch.len; at += sizeof(uint32_t)) {
        uint32_t slot;
        memcpy(&slot, scribe->batch.at + at, sizeof slot);
        herd_reader_mark(&scribe->node->changes, &scribe->reader, slot);
    }
    scribe->batch.len = 0;
}

int herd_scribe_copy(struct herd_scribe *scribe, uint32_t *io_slot, uint32_t end, size_t room, struct herd_buf *out)
{
    size_t start = out->len;
    int lines = 0;
    /* Where many slots are empty their number bounds the slice. */
    for (uint32_t seen = 0; *io_slot < end && out->len - start < room && seen < SLOTS_A_SLICE; ++*io_slot, seen++) {
        int err = put_line(scribe->node, *io_slot, out);
        if (err == HERD_E_NOTFOUND)
            continue;
        if (err < 0)
            return lines ? lines : err;
        lines++;
    }
    return lines;
}

int herd_scribe_begin(struct herd_buf *out)
{
    size_t start = out->len;
    int err = herd_buf_add_text(out, HERD_JOURNAL_VERSION "\n");
    return err < 0 ? err : herd_checksum_add(out, start);
}

/* ---- checksums ---- */

/* All bits of a 64-bit hash in 32: of two billion damaged lines, half a line passes. */
static uint32_t checksum(const char *text, size_t len)
{
    uint64_t hash = herd_hash(UINT64_C(0x6a6f75726e616c31), text, len); /* "journal1" */
    return (uint32_t)(hash ^ hash >> 32);
}

int herd_checksum_add(struct herd_buf *out, size_t start)
{
    int err = herd_buf_reserve(out, HERD_CHECKSUM_LEN + 1);
    if (err < 0) {
        out->len = start;
        return err;
    }
    if (out->len > start && out->at[out->len - 1] == '\n')
        out->len--;
    uint32_t sum = checksum(out->at + start, out->len - start);
    char *p = out->at + out->len;
    *p++ = ' ';
    for (int shift = 28; shift >= 0; shift -= 4)
        *p++ = "0123456789abcdef"[sum >> shift & 15];
    *p++ = '\n';
    out->len = (size_t)(p - out->at);
    return 0;
}

bool herd_checksum_check(struct herd_span line, struct herd_span *ret_text)
{
    if (line.len < HERD_CHECKSUM_LEN)
        return false;
    size_t len = line.len - HERD_CHECKSUM_LEN;
    const char *p = line.at + len;
    uint32_t sum = checksum(line.at, len);
    if (*p++ != ' ')
        return false;
    for (int shift = 28; shift >= 0; shift -= 4)
        if (*p++ != "0123456789abcdef"[sum >> shift & 15])
            return false;
    *ret_text = (struct herd_span){line.at, len};
    return true;
}
