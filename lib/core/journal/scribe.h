/* SPDX-License-Identifier: MIT */
/*
 * What a journal is made of: the records of a node as lines, taken from the stream of accepted updates.
 *
 *     JOURNAL 1 3c5a9d20
 *     AT Riley +0.263873386 kiwi +34.068930-118.445127 1621464827.959498503 9f31c0aa
 *
 * A line is a record's AT line and a checksum of it. Lines may stand in any order and more than once: the
 * total order of records decides, so a journal is read back by offering each line to the store. The first
 * line names the format.
 *
 * Lines that could not be written are not kept: their slots become due again, and what is written later
 * is the value of that time. So a disk that stays full costs a bit a record, however long it does.
 */
#ifndef HERD_CORE_SCRIBE_H
#define HERD_CORE_SCRIBE_H

#include "../store/changes.h"

struct herd_node;

#define HERD_JOURNAL_VERSION "JOURNAL 1"
#define HERD_CHECKSUM_LEN    9 /* a space and 8 hex digits */

struct herd_scribe {
    struct herd_node *node;
    struct herd_reader reader;
    struct herd_buf batch; /* uint32_t: the slots taken last */
};

/* Sees what changes from now on. HERD_E_NOMEM. */
int herd_scribe_open(struct herd_scribe *scribe, struct herd_node *node);
/* Before the node is freed; fine for a zeroed scribe. */
void herd_scribe_close(struct herd_scribe *scribe);

static inline bool herd_scribe_due(const struct herd_scribe *scribe)
{
    return scribe->reader.pending > 0;
}

/* Appends the lines of records that changed until about `room` bytes are there or none is left. Returns
 * how many lines. HERD_E_NOMEM: not even one; all is still due. */
int herd_scribe_take(struct herd_scribe *scribe, size_t room, struct herd_buf *out);
/* What was taken last did not reach the file: it is due again. */
void herd_scribe_undo(struct herd_scribe *scribe);

/* Appends the lines of all records in slots from *io_slot up to `end`, likewise until about `room` bytes;
 * *io_slot is where to go on. Returns how many lines, 0 perhaps where many slots are empty. HERD_E_NOMEM: not even
 * one. */
int herd_scribe_copy(struct herd_scribe *scribe, uint32_t *io_slot, uint32_t end, size_t room,
                     struct herd_buf *out);

/* Appends the first line of a journal. HERD_E_NOMEM. */
int herd_scribe_begin(struct herd_buf *out);

/* Ends the line that begins at `start` of `out` with its checksum; its LF, if it has one, is replaced.
 * HERD_E_NOMEM: cut back to `start`. */
int herd_checksum_add(struct herd_buf *out, size_t start);
/* Whether a line (no LF) carries the right checksum; then *ret_text is what stands before it. */
bool herd_checksum_check(struct herd_span line, struct herd_span *ret_text);

#endif
