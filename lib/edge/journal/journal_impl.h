/* SPDX-License-Identifier: MIT */
/*
 * The inside of a journal, shared by the files that make it:
 *
 *     journal.c          its life, its turn
 *     journal_read.c     the file into the node, when it is opened
 *     journal_write.c    appending, syncing, and what to do when the disk does not take it
 *     journal_compact.c  writing it anew
 *     journal_file.c     one file: bytes at its end, whole or not at all
 *     journal_task.c     what waits for the disk, in a thread
 *     syncer.c           waiting for the disk
 */
#ifndef HERD_EDGE_JOURNAL_IMPL_H
#define HERD_EDGE_JOURNAL_IMPL_H

#include "../../core/journal/journal_encoder.h"
#include "../../core/journal/replay.h"
#include "../worker/worker.h"
#include "journal.h"
#include "syncer.h"

#include <stdatomic.h>
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
    HERD_COMPACTION_SYNC_REST,   /* and what came since: no more syncs of the old one begin */
    HERD_COMPACTION_SYNC_FOLDER, /* renamed: its name is on its way to the disk */
    HERD_COMPACTION_RENAME,      /* the new file is synced: likewise */
    HERD_COMPACTION_DISCARD,     /* given up while the disk syncs it */
};

struct herd_journal_file {
    int fd;
    uint64_t lines;
    off_t size;          /* whole lines */
    bool torn;           /* behind them there may be a part of one */
    int64_t unsynced_ns; /* when the oldest byte not synced was written; INT64_MAX: none */
    size_t unsynced;     /* lines since the last sync that went well */
};

struct herd_journal;
/* What the loop does when a task ended, with 0 or an errno. It may begin the next one. */
typedef void herd_journal_done(struct herd_journal *journal, int error, struct herd_now now);

struct herd_journal {
    struct herd_node *node;
    struct herd_log *log;
    char *path, *path_new, *folder;
    int64_t sync_ns, wait_ns;
    uint64_t compact_lines;
    struct herd_journal_encoder encoder;
    bool notifies;    /* the loop is woken up when a task ends */
    atomic_int users; /* threads that may still use this */
    struct herd_worker worker;
    herd_journal_done *done; /* of the task under way; NULL: none. Until then these are the thread's: */
    struct herd_buf buf;     /* what is to be written */
    struct herd_journal_file file,
        replacement;       /* fresh: FILE~compact, fd -1 where there is none. Of both only `fd`, `size`
                                             and `torn` */
    int replacement_error; /* of the last append */
    int discard_fd;        /* of FILE~compact given up; -1: none */
    int folder_fd, folder_error;
    bool is_moved;  /* FILE is another file than ours, or none; from here on the loop's again */
    size_t lines;   /* in the task under way, if it appends; else 0 */
    bool is_last;   /* it takes all that was due */
    bool look_due;  /* whether FILE is still ours is to be looked at */
    bool task_turn; /* compaction comes before the next append */
    bool is_behind; /* replies do not wait */
    bool gave_up;   /* the disk did not answer in time at the end */
    uint64_t ticket_taken, ticket_done;
    int64_t due_ns;   /* since when something is not written; INT64_MAX: all is */
    int64_t taken_ns; /* when the task under way took what it appends */
    struct herd_syncer syncer, replacement_syncer;
    int64_t syncing_ns;   /* of `file`, what a sync under way covers; INT64_MAX: none */
    size_t syncing;       /* how many lines */
    bool sync_failed;     /* and the file was not written anew since */
    int64_t sync_poll_ns; /* when to see whether that sync, or the task, is done */
    enum herd_compaction compaction;
    uint32_t copy_at, copy_end;
    bool rewrite;            /* what the disk holds is not known: compact, however fresh it is */
    int64_t retry_ns;        /* behind: the next attempt to append; 0: not behind */
    int64_t compact_next_ns; /* the next slice, or the next attempt after a failure */
    uint64_t failures;       /* in a row */
    uint64_t failures_seen;  /* in all: logged at 1, 2, 4, ... */
    uint64_t sync_failures, compact_failures;
    uint64_t bytes; /* of `file`, as the loop knows it */
    struct herd_histogram synced;
};

/* ---- journal_task.c ---- */
/* Lets the thread run `job`, whose argument is the journal, then `done`. Only when idle; where there is no thread both
 * run before it returns. */
void herd_journal_begin(struct herd_journal *journal, herd_worker_job *job, herd_journal_done *done,
                        struct herd_now now);
/* Carries on with what the thread has done. Returns whether it is idle. */
bool herd_journal_collect(struct herd_journal *journal, struct herd_now now);
/* The same, but waits for it until `until_ns` (steady). */
bool herd_journal_await(struct herd_journal *journal, int64_t until_ns, struct herd_now now);
/* How long it is until then, for a wait: 0 or more milliseconds. */
int64_t herd_journal_left_ms(int64_t until_ns);
/* Logs a failure at its first, 2nd, 4th, 8th, ... occurrence. */
void herd_journal_log_failure(struct herd_journal *journal, const char *event, int error, uint64_t *io_count);
void herd_journal_log_failure_text(struct herd_journal *journal, const char *event, const char *why,
                                   uint64_t *io_count);

/* ---- journal_file.c ---- */
/* Appends bytes whole, or as if nothing had been tried: 0 or an errno. */
int herd_journal_append(struct herd_journal_file *file, struct herd_span bytes);
/* Removes what an earlier attempt left behind, and nothing else. Only while FILE is locked. */
void herd_journal_remove_leftover(const struct herd_journal *journal);
/* Whether FILE has this inode: 0, ENOENT, EEXIST (it is another file), or why that is not known. */
int herd_journal_same(const struct herd_journal *journal);

/* ---- journal_read.c ---- */
int herd_journal_read(struct herd_journal *journal, struct herd_now now, struct herd_diagnostic *diagnostic);
int herd_journal_fault(struct herd_diagnostic *diagnostic, int err, const char *path, const char *what);

/* ---- journal_write.c ---- */
/* Begins to append what is due, if the thread is idle. */
void herd_journal_append_due(struct herd_journal *journal, struct herd_now now);
/* Counts the journal as behind if what is due waits for too long. */
void herd_journal_watch(struct herd_journal *journal, struct herd_now now);
void herd_journal_sync(struct herd_journal *journal, struct herd_now now);
/* The sync under way ended. */
void herd_journal_synced(struct herd_journal *journal, int error);

/* ---- journal_compact.c ---- */
/* The next step, if it is time and the thread is idle. */
void herd_journal_compact(struct herd_journal *journal, struct herd_now now);
/* Whether the file is worth writing anew. */
bool herd_journal_compact_due(const struct herd_journal *journal);
/* That FILE has its name is synced, as after a rename. */
void herd_journal_compact_sync_folder(struct herd_journal *journal, struct herd_now now);
/* Whether a sync of the old file may begin: not so that it gets ahead of the new one. */
bool herd_journal_compact_lets_sync(const struct herd_journal *journal);
/* One begins nevertheless: the new file is to be synced once more. */
void herd_journal_compact_overtaken(struct herd_journal *journal);
/* Gives the new file up. Only when idle. */
void herd_journal_compact_abandon(struct herd_journal *journal, struct herd_now now);

#endif
