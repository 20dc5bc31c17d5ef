/* SPDX-License-Identifier: MIT */
/* The records of a node as lines of a journal: those that changed, or all of them. */
#include "journal_encoder.h"

#include "../node/node_impl.h"

#define SLOTS_A_SLICE 16384

int herd_journal_encoder_open(struct herd_journal_encoder *encoder, struct herd_node *node)
{
    *encoder = (struct herd_journal_encoder){.node = node};
    return herd_changes_subscribe(&node->changes, &encoder->subscriber);
}

void herd_journal_encoder_close(struct herd_journal_encoder *encoder)
{
    if (encoder->node)
        herd_changes_unsubscribe(&encoder->node->changes, &encoder->subscriber);
    herd_buf_fini(&encoder->batch);
    *encoder = (struct herd_journal_encoder){0};
}

static int put_line(struct herd_node *node, uint32_t slot, struct herd_buf *out)
{
    size_t start = out->len;
    int err = herd_store_format(node->store, slot, out);
    return err < 0 ? err : herd_checksum_add(out, start);
}

int herd_journal_encode_changes(struct herd_journal_encoder *encoder, size_t max_bytes, struct herd_buf *out)
{
    struct herd_node *node = encoder->node;
    size_t start = out->len;
    int lines = 0;
    encoder->batch.len = 0;
    while (out->len - start < max_bytes) {
        uint32_t slot = herd_subscriber_next(&node->changes, &encoder->subscriber);
        if (slot == HERD_NO_SLOT)
            break;
        size_t before = out->len;
        int err = put_line(node, slot, out);
        if (err == HERD_E_NOTFOUND)
            continue; /* removed while it waited */
        if (err >= 0)
            err = herd_buf_add(&encoder->batch, &slot, sizeof slot);
        if (err < 0) {
            out->len = before;
            herd_subscriber_mark_dirty(&node->changes, &encoder->subscriber, slot);
            return lines ? lines : err;
        }
        lines++;
    }
    return lines;
}

void herd_journal_encoder_requeue(struct herd_journal_encoder *encoder)
{
    for (size_t at = 0; at < encoder->batch.len; at += sizeof(uint32_t)) {
        uint32_t slot;
        memcpy(&slot, encoder->batch.at + at, sizeof slot);
        herd_subscriber_mark_dirty(&encoder->node->changes, &encoder->subscriber, slot);
    }
    encoder->batch.len = 0;
}

int herd_journal_encode_range(struct herd_journal_encoder *encoder, uint32_t *io_slot, uint32_t end,
                              size_t max_bytes, struct herd_buf *out)
{
    size_t start = out->len;
    int lines = 0;
    /* Where many slots are empty their number bounds the slice. */
    for (uint32_t seen = 0; *io_slot < end && out->len - start < max_bytes && seen < SLOTS_A_SLICE;
         ++*io_slot, seen++) {
        int err = put_line(encoder->node, *io_slot, out);
        if (err == HERD_E_NOTFOUND)
            continue;
        if (err < 0)
            return lines ? lines : err;
        lines++;
    }
    return lines;
}

int herd_journal_encode_header(struct herd_buf *out)
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
