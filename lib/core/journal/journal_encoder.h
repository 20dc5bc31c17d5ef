/* SPDX-License-Identifier: MIT */
/*
 * What a journal is made of: the records of a node as lines, taken from the stream of accepted updates.
 *
 *     JOURNAL 1 3c5a9d20
 *     AT Riley +0.263873386 kiwi +34.068930-118.445127 1621464827.959498503 9f31c0aa
 *
 * A line is a record's AT line, or a tombstone's GONE line, and a checksum of it. Lines may stand in any order and more than once: the
 * total order of records decides, so a journal is read back by offering each line to the store. The first
 * line names the format.
 *
 * Lines that could not be written are not kept: their slots become due again, and what is written later
 * is the value of that time. So a disk that stays full costs a bit a record, however long it does.
 */
#ifndef HERD_CORE_JOURNAL_ENCODER_H
#define HERD_CORE_JOURNAL_ENCODER_H

#include "../store/changes.h"

struct herd_node;

#define HERD_JOURNAL_VERSION "JOURNAL 1"
#define HERD_CHECKSUM_LEN    9 /* a space and 8 hex digits */

struct herd_journal_encoder {
    struct herd_node *node;
    struct herd_subscriber subscriber;
    struct herd_buf batch; /* uint32_t: the slots taken last */
};

/* Sees what changes from now on. HERD_E_NOMEM. */
int herd_journal_encoder_open(struct herd_journal_encoder *encoder, struct herd_node *node);
/* Before the node is freed; fine for a zeroed encoder. */
void herd_journal_encoder_close(struct herd_journal_encoder *encoder);

static inline bool herd_journal_encoder_pending(const struct herd_journal_encoder *encoder)
{
    return encoder->subscriber.pending > 0;
}

/* Appends the lines of records that changed until about `max_bytes` bytes are there or none is left. Returns
 * how many lines. HERD_E_NOMEM: not even one; all is still due. */
int herd_journal_encode_changes(struct herd_journal_encoder *encoder, size_t max_bytes, struct herd_buf *out);
/* What was taken last did not reach the file: it is due again. */
void herd_journal_encoder_requeue(struct herd_journal_encoder *encoder);

/* Appends the lines of all records in slots from *io_slot up to `end`, likewise until about `max_bytes` bytes;
 * *io_slot is where to go on. Returns how many lines, 0 perhaps where many slots are empty. HERD_E_NOMEM: not even
 * one. */
int herd_journal_encode_range(struct herd_journal_encoder *encoder, uint32_t *io_slot, uint32_t end,
                              size_t max_bytes, struct herd_buf *out);

/* Appends the first line of a journal. HERD_E_NOMEM. */
int herd_journal_encode_header(struct herd_buf *out);

/* Ends the line that begins at `start` of `out` with its checksum; its LF, if it has one, is replaced.
 * HERD_E_NOMEM: cut back to `start`. */
int herd_checksum_add(struct herd_buf *out, size_t start);
/* Whether a line (no LF) carries the right checksum; then *ret_text is what stands before it. */
bool herd_checksum_check(struct herd_span line, struct herd_span *ret_text);

#endif
