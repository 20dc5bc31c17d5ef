/* SPDX-License-Identifier: MIT */
/*
 * The journal of a server: what its node knows, in a file, so that a herd whose servers all stop at once
 * knows it again. Its format is that of lib/core/journal/journal_encoder.h.
 *
 *     herd_journal_open     reads FILE into the node
 *     herd_journal_write    appends what changed; before replies, so that an acknowledged report is in
 *                           the file whenever this process ends
 *     herd_journal_run     once a turn of the loop: appends, syncs, compacts, a slice at a time
 *
 * Against the end of the machine it is synced at the latest so long after it was written (sync_ns), by a
 * thread. When less than half of its lines are records of today it is written anew beside itself
 * (FILE~compact) while both files take what changes; then the new one is synced and renamed over the old one.
 * Whenever that stops, FILE is whole.
 *
 * A disk that takes no more costs durability, not service: what cannot be written stays due and is tried
 * again every second. When syncing fails nobody knows what the disk holds: the file is written anew.
 */
#ifndef HERD_EDGE_JOURNAL_H
#define HERD_EDGE_JOURNAL_H

#include <herd/config.h>
#include <herd/log.h>
#include <herd/node.h>

struct herd_journal;

struct herd_journal_options {
    struct herd_node *node; /* borrowed for the journal's life */
    struct herd_log *log;   /* borrowed likewise; NULL: silent */
    const char *path;       /* borrowed for the call */
    int64_t sync_ns;        /* 0: never */
    uint64_t compact_lines; /* a file of fewer is not compacted; 0: 65536 */
};

/* Reads the file into the node, or makes it; nobody else may use it meanwhile. HERD_E_NOMEM, HERD_E_IO
 * (cannot be read or written, in use by another process), HERD_E_SYNTAX (no journal), each with a
 * sentence in *reterr_diagnostic. */
int herd_journal_open(struct herd_journal **ret_journal, const struct herd_journal_options *options,
                      struct herd_now now, struct herd_diagnostic *reterr_diagnostic);
/* Writes and syncs what is due, then frees. Before the node is freed. NULL is fine. */
void herd_journal_close(struct herd_journal *journal, struct herd_now now);

/* Syncs at the latest so long after writing from now on; 0: never. */
void herd_journal_set_sync(struct herd_journal *journal, int64_t sync_ns);
void herd_journal_write(struct herd_journal *journal, struct herd_now now);
void herd_journal_run(struct herd_journal *journal, struct herd_now now);
/* Writes and syncs what is due, and waits for it. */
void herd_journal_flush(struct herd_journal *journal, struct herd_now now);
/* How many records are still to be written. */
size_t herd_journal_unwritten(const struct herd_journal *journal);
/* The steady time of the next turn it wants; INT64_MAX: when something changed. */
int64_t herd_journal_next_ns(const struct herd_journal *journal);

#endif
