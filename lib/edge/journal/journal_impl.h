/* SPDX-License-Identifier: MIT */
/*
 * The inside of a journal, shared by the files that make it:
 *
 *     journal.c          its life, its turn
 *     journal_read.c     the file into the node, when it is opened
 *     journal_write.c    appending, and what to do when the disk does not take it
 *     journal_compact.c  writing it anew
 *     syncer.c           waiting for the disk
 */
#ifndef HERD_EDGE_JOURNAL_IMPL_H
#define HERD_EDGE_JOURNAL_IMPL_H

#include "../../core/journal/journal_encoder.h"
#include "../../core/journal/replay.h"
#include "journal.h"
#include "syncer.h"

#include <sys/types.h>

/* One write takes about so much; a simulator has smaller ones. */
#ifndef HERD_JOURNAL_BATCH_BYTES
#define HERD_JOURNAL_BATCH_BYTES (256u << 10)
#endif
/* Whether the disk is done with a sync is looked at so often. */
#define HERD_JOURNAL_SYNC_POLL_NS INT64_C(5000000)

/* What the file that replaces FILE is called: FILE and this. No name of a server holds a "~", so no "{name}" makes a
 * journal that is called so. */
#define HERD_JOURNAL_REPLACEMENT "~compact"

/* How far writing the file anew has come. */
enum herd_compaction {
    HERD_COMPACTION_NONE,
    HERD_COMPACTION_COPY,        /* slot by slot */
    HERD_COMPACTION_SYNC,        /* the new file is whole, and on its way to the disk */
    HERD_COMPACTION_SYNC_FOLDER, /* renamed: its name is on its way to the disk */
};

struct herd_journal_file {
    int fd;
    uint64_t lines;
    off_t size;          /* whole lines */
    bool torn;           /* behind them there may be a part of one */
    int64_t unsynced_ns; /* when the oldest byte not synced was written; INT64_MAX: none */
};

struct herd_journal {
    struct herd_node *node;
    struct herd_log *log;
    char *path, *path_new, *folder;
    int64_t sync_ns;
    uint64_t compact_lines;
    struct herd_journal_encoder encoder;
    struct herd_buf buf;
    struct herd_journal_file file, replacement; /* fresh: FILE~compact, fd -1 where there is none */
    struct herd_syncer syncer, replacement_syncer;
    int64_t syncing_ns;   /* of `file`, what a sync under way covers; INT64_MAX: none */
    int64_t sync_poll_ns; /* when to see whether that sync is done */
    enum herd_compaction compaction;
    uint32_t copy_at, copy_end;
    int folder_fd;
    bool rewrite;            /* what the disk holds is not known: compact, however fresh it is */
    int64_t retry_ns;        /* behind: the next attempt to append; 0: not behind */
    int64_t compact_next_ns; /* the next slice, or the next attempt after a failure */
    uint64_t failures;       /* in a row */
    uint64_t failures_seen;  /* in all: logged at 1, 2, 4, ... */
    uint64_t sync_failures, compact_failures;
};

/* Logs a failure at its first, 2nd, 4th, 8th, ... occurrence. */
void herd_journal_log_failure(struct herd_journal *journal, const char *event, int error, uint64_t *io_count);

/* ---- journal_read.c ---- */
int herd_journal_read(struct herd_journal *journal, struct herd_now now, struct herd_diagnostic *diagnostic);
int herd_journal_fault(struct herd_diagnostic *diagnostic, int err, const char *path, const char *what);

/* ---- journal_write.c ---- */
/* Appends bytes whole, or as if nothing had been tried: 0 or an errno. */
int herd_journal_append(struct herd_journal_file *file, struct herd_span bytes);
/* Appends what is due. True: there is more. */
bool herd_journal_append_due(struct herd_journal *journal, struct herd_now now);
void herd_journal_sync(struct herd_journal *journal, struct herd_now now);

/* ---- journal_compact.c ---- */
void herd_journal_compact(struct herd_journal *journal, struct herd_now now);
/* Whether the file is worth writing anew. */
bool herd_journal_compact_due(const struct herd_journal *journal);
/* Gives the new file up. */
void herd_journal_compact_abandon(struct herd_journal *journal);
/* Removes what an earlier attempt left behind, and nothing else. Only while FILE is locked. */
void herd_journal_remove_leftover(const struct herd_journal *journal);

#endif
