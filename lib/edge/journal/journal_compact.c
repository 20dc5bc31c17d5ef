/* SPDX-License-Identifier: MIT */
/*
 * Writing the journal anew, a slice a turn:
 *
 *     COPY         FILE~compact: every slot, one after the other; FILE and FILE~compact both take what changes
 *     SYNC         FILE~compact is on its way to the disk; both still take what changes
 *     SYNC_REST    what it took meanwhile is on its way too; FILE is not synced before its replacement is
 *     RENAME       FILE~compact is to be FILE
 *     SYNC_FOLDER  the name too is on its way to the disk
 *
 * Whatever happens before the rename, FILE is whole and FILE~compact is removed at the next start. What is on the disk
 * in FILE is there in FILE~compact too when it takes its name: the first sync may take long, so FILE is synced
 * meanwhile, with lines that the other does not cover; the second has little to do.
 */
#include "journal_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

/* So much is copied at once, and so often: a disk of ordinary speed keeps up, and the loop has its time. */
#define SLICE_BYTES    HERD_JOURNAL_BATCH_BYTES
#define SLICE_EVERY_NS INT64_C(2000000)
#define RETRY_NS       INT64_C(10000000000)
#define LINES_MIN      65536

/* ---- giving up ---- */

static int discard(void *arg)
{
    struct herd_journal *journal = arg;
    close(journal->discard_fd);
    journal->discard_fd = -1;
    unlink(journal->path_new);
    return 0;
}

static void discarded(struct herd_journal *journal, int error, struct herd_now now)
{
    (void)journal;
    (void)error;
    (void)now;
}

static void begin_discard(struct herd_journal *journal, struct herd_now now)
{
    journal->compaction = HERD_COMPACTION_NONE;
    herd_journal_begin(journal, discard, discarded, now);
}

void herd_journal_compact_abandon(struct herd_journal *journal, struct herd_now now)
{
    int error;
    if (journal->replacement.fd >= 0) {
        journal->discard_fd = journal->replacement.fd;
        journal->replacement.fd = -1;
        journal->compaction = HERD_COMPACTION_DISCARD;
        journal->compact_next_ns = 0;
    }
    if (journal->compaction == HERD_COMPACTION_DISCARD &&
        herd_syncer_poll(&journal->replacement_syncer, &error) != HERD_SYNCER_BUSY)
        begin_discard(journal, now); /* else when the disk lets go of it */
}

static void fail(struct herd_journal *journal, int error, struct herd_now now)
{
    herd_journal_log_failure(journal, "journal_compaction_failed", error, &journal->compact_failures);
    herd_journal_compact_abandon(journal, now);
    journal->compact_next_ns = now.steady_ns + RETRY_NS;
}

bool herd_journal_compact_due(const struct herd_journal *journal)
{
    uint64_t least = journal->compact_lines ? journal->compact_lines : LINES_MIN;
    return journal->rewrite || (journal->file.lines >= least &&
                                journal->file.lines / 2 > herd_store_count(herd_node_store(journal->node)));
}

/* ---- a new file ---- */

static int create(void *arg)
{
    struct herd_journal *journal = arg;
    herd_journal_remove_leftover(journal);
    int fd = open(journal->path_new, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno;
    journal->replacement = (struct herd_journal_file){.fd = fd, .lines = 1, .unsynced_ns = INT64_MAX};
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return errno;
    return herd_journal_append(&journal->replacement, (struct herd_span){journal->buf.at, journal->buf.len});
}

static void created(struct herd_journal *journal, int error, struct herd_now now)
{
    journal->task_turn = false;
    if (error) {
        fail(journal, error, now);
        return;
    }
    journal->compaction = HERD_COMPACTION_COPY;
    journal->copy_at = 0;
    journal->copy_end = herd_store_slots(herd_node_store(journal->node));
    journal->compact_next_ns = now.steady_ns;
}

static void begin(struct herd_journal *journal, struct herd_now now)
{
    journal->buf.len = 0;
    if (herd_journal_encode_header(&journal->buf) < 0)
        fail(journal, ENOMEM, now);
    else
        herd_journal_begin(journal, create, created, now);
}

/* ---- its lines ---- */

static int append(void *arg)
{
    struct herd_journal *journal = arg;
    return herd_journal_append(&journal->replacement, (struct herd_span){journal->buf.at, journal->buf.len});
}

static void begin_sync(struct herd_journal *journal, enum herd_compaction compaction)
{
    journal->compaction = compaction;
    journal->replacement.unsynced_ns = INT64_MAX; /* from here on it is what this sync may miss */
    journal->replacement.unsynced = 0;
    herd_syncer_begin(&journal->replacement_syncer, journal->replacement.fd);
}

static void copied(struct herd_journal *journal, int error, struct herd_now now)
{
    journal->task_turn = false;
    if (error) {
        fail(journal, error, now);
        return;
    }
    journal->compact_next_ns = now.steady_ns + SLICE_EVERY_NS;
    if (journal->copy_at == journal->copy_end)
        begin_sync(journal, HERD_COMPACTION_SYNC);
}

static void copy(struct herd_journal *journal, struct herd_now now)
{
    journal->buf.len = 0;
    int lines = herd_journal_encode_range(&journal->encoder, &journal->copy_at, journal->copy_end, SLICE_BYTES,
                                          &journal->buf);
    if (lines < 0) {
        fail(journal, ENOMEM, now);
        return;
    }
    journal->replacement.lines += (uint64_t)lines;
    herd_journal_begin(journal, append, copied, now);
}

/* ---- its name ---- */

/* Another process may keep a journal of this name, where ours was moved away. */
static int check_taken(const struct herd_journal *journal)
{
    if (herd_journal_same(journal) != EEXIST)
        return 0;
    int fd = open(journal->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return errno;
    int error = flock(fd, LOCK_EX | LOCK_NB) < 0 ? errno : 0;
    close(fd);
    return error;
}

static void open_folder(struct herd_journal *journal)
{
    journal->folder_fd = open(journal->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    journal->folder_error = journal->folder_fd < 0 ? errno : 0;
}

static void begin_sync_folder(struct herd_journal *journal, struct herd_now now)
{
    journal->compaction = HERD_COMPACTION_SYNC_FOLDER;
    journal->compact_next_ns = now.steady_ns + HERD_JOURNAL_SYNC_POLL_NS;
    if (journal->folder_fd >= 0)
        herd_syncer_begin(&journal->replacement_syncer, journal->folder_fd);
}

void herd_journal_compact_sync_folder(struct herd_journal *journal, struct herd_now now)
{
    open_folder(journal);
    begin_sync_folder(journal, now);
}

static int replace(void *arg)
{
    struct herd_journal *journal = arg;
    int error = check_taken(journal);
    if (error)
        return error;
    if (rename(journal->path_new, journal->path) < 0)
        return errno;
    close(journal->file.fd);
    journal->file.fd = -1;
    open_folder(journal);
    return 0;
}

/* The new file has taken the old one's place. */
static void replaced(struct herd_journal *journal, int error, struct herd_now now)
{
    journal->task_turn = false;
    if (error) {
        fail(journal, error, now);
        return;
    }
    struct herd_log_field fields[] = {
        herd_log_int("lines_before", (int64_t)journal->file.lines),
        herd_log_int("lines", (int64_t)journal->replacement.lines),
        herd_log_int("bytes", (int64_t)journal->replacement.size),
    };
    herd_log_event(journal->log, HERD_LOG_INFO, "journal_compacted", fields, 3);
    journal->file = journal->replacement;
    journal->bytes = (uint64_t)journal->file.size;
    journal->replacement.fd = -1;
    journal->rewrite = journal->sync_failed = false;
    begin_sync_folder(journal, now);
}

/* ---- */

static void step(struct herd_journal *journal, struct herd_now now)
{
    int error = 0;
    if (journal->compaction == HERD_COMPACTION_NONE) {
        if (herd_journal_compact_due(journal))
            begin(journal, now);
        return;
    }
    if (journal->compaction == HERD_COMPACTION_COPY) {
        copy(journal, now);
        return;
    }
    journal->compact_next_ns = now.steady_ns + HERD_JOURNAL_SYNC_POLL_NS;
    if (herd_syncer_poll(&journal->replacement_syncer, &error) == HERD_SYNCER_BUSY)
        return;
    switch (journal->compaction) {
    case HERD_COMPACTION_SYNC:
    case HERD_COMPACTION_SYNC_REST:
        if (error) {
            fail(journal, error, now);
            return;
        }
        /* Also where nobody waits for syncs: of a client that changed since the copy, what is safe in the old file may be
         * in these lines alone. */
        if (journal->compaction == HERD_COMPACTION_SYNC && journal->replacement.unsynced > 0) {
            begin_sync(journal, HERD_COMPACTION_SYNC_REST);
            return;
        }
        journal->compaction = HERD_COMPACTION_RENAME;
        __attribute__((fallthrough));
    case HERD_COMPACTION_RENAME:
        if (journal->syncing_ns == INT64_MAX) /* else the old file is in use */
            herd_journal_begin(journal, replace, replaced, now);
        return;
    case HERD_COMPACTION_DISCARD: begin_discard(journal, now); return;
    default:
        if (journal->folder_fd >= 0)
            close(journal->folder_fd);
        journal->folder_fd = -1;
        journal->compaction = HERD_COMPACTION_NONE;
        journal->compact_next_ns = 0;
        error = journal->folder_error ? journal->folder_error : error;
        if (!error)
            return;
        herd_journal_log_failure(journal, "journal_sync_failed", error, &journal->sync_failures);
        if (journal->sync_ns > 0) {
            journal->rewrite = journal->sync_failed = true; /* who knows which file has the name after a crash */
            journal->compact_next_ns = now.steady_ns + RETRY_NS;
        }
        return;
    }
}

bool herd_journal_compact_lets_sync(const struct herd_journal *journal)
{
    return journal->compaction != HERD_COMPACTION_SYNC_REST && journal->compaction != HERD_COMPACTION_RENAME;
}

void herd_journal_compact_overtaken(struct herd_journal *journal)
{
    if (!herd_journal_compact_lets_sync(journal))
        journal->compaction = HERD_COMPACTION_SYNC;
}

void herd_journal_compact(struct herd_journal *journal, struct herd_now now)
{
    if (!journal->done && now.steady_ns >= journal->compact_next_ns)
        step(journal, now);
}
