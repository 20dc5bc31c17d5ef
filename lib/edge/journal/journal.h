/* SPDX-License-Identifier: MIT */
/*
 * The journal of a server: what its node knows, in a file, so that a herd whose servers all stop at once
 * knows it again. Its format is that of lib/core/journal/journal_encoder.h.
 *
 *     herd_journal_open     reads FILE into the node
 *     herd_journal_write    begins to append what changed; before replies
 *     herd_journal_ticket   what the journal must have before a reply may leave, so that an acknowledged report is in
 *                           the file whenever this process ends
 *     herd_journal_run     once a turn of the loop: appends, syncs, compacts, a slice at a time
 *
 * A thread does all that touches the disk: no call but herd_journal_open, herd_journal_flush and herd_journal_close
 * waits for it, the last two no longer than they are told. What changes meanwhile stays due: a bit a record.
 * Where no thread can be had, each call does its part on the spot.
 *
 * Against the end of the machine it is synced at the latest so long after it was written (sync_ns), by a
 * thread. When less than half of its lines are records of today it is written anew beside itself
 * (FILE~compact) while both files take what changes; then the new one is synced and renamed over the old one.
 * Whenever that stops, FILE is whole.
 *
 * A disk that takes no more costs durability, not service: what cannot be written stays due and is tried
 * again every second. Nor does a disk that takes too long (wait_ns): the journal counts as behind, and replies do not
 * wait until it has caught up. A file that is moved or removed is noticed when it is synced or looked at
 * (herd_journal_look), and written anew. When syncing fails nobody knows what the disk holds: the file is written anew.
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
    int64_t wait_ns;        /* how long replies wait before the journal counts as behind; 0: for ever */
    const int *notify_fd;   /* an eventfd written to when its thread is done, and a turn is due; borrowed for the
                               journal's life. NULL: none, herd_journal_next_ns looks again and again */
    uint64_t compact_lines; /* a file of fewer is not compacted; 0: 65536 */
};

/* Reads the file into the node, or makes it; nobody else may use it meanwhile. HERD_E_NOMEM, HERD_E_IO
 * (cannot be read or written, in use by another process), HERD_E_SYNTAX (no journal), each with a
 * sentence in *reterr_diagnostic. */
int herd_journal_open(struct herd_journal **ret_journal, const struct herd_journal_options *options,
                      struct herd_now now, struct herd_diagnostic *reterr_diagnostic);
/* Writes and syncs what is due, then frees. Before the node is freed. NULL is fine. */
void herd_journal_close(struct herd_journal *journal, struct herd_now now);

/* Syncs at the latest so long after writing from now on; 0: never. And replies wait no longer than `wait_ns`. */
void herd_journal_configure(struct herd_journal *journal, int64_t sync_ns, int64_t wait_ns);
/* Looks at the next turn whether FILE is still the file that is written to. */
void herd_journal_look(struct herd_journal *journal);
void herd_journal_write(struct herd_journal *journal, struct herd_now now);
void herd_journal_run(struct herd_journal *journal, struct herd_now now);
/* What a reply that leaves now must wait for: all that changed up to now, and whether the file has it, or replies do not
 * wait because it is behind. */
uint64_t herd_journal_ticket(const struct herd_journal *journal);
bool herd_journal_has(const struct herd_journal *journal, uint64_t ticket);
/* Whether the disk does not take what is due, or takes too long for it. */
bool herd_journal_is_behind(const struct herd_journal *journal);
/* Writes and syncs what is due, and waits up to `timeout_ms` for it; after once in vain not any more. */
void herd_journal_flush(struct herd_journal *journal, struct herd_now now, int64_t timeout_ms);
/* How many records the file lacks, or may lack because the last sync failed or did not end. */
size_t herd_journal_unwritten(const struct herd_journal *journal);
struct herd_journal_stats {
    uint64_t bytes;               /* of FILE: its whole lines */
    uint64_t failures;            /* to write, in time or at all, to sync, and to write it anew */
    struct herd_histogram synced; /* how long the disk took to sync FILE */
};
struct herd_journal_stats herd_journal_stats(const struct herd_journal *journal);
/* The steady time of the next turn it wants; INT64_MAX: when something changed. */
int64_t herd_journal_next_ns(const struct herd_journal *journal);

#endif
