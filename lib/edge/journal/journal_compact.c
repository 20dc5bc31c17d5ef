/* SPDX-License-Identifier: MIT */
/*
 * Writing the journal anew, a slice a turn:
 *
 *     COPY         FILE~compact: every slot, one after the other; FILE and FILE~compact both take what changes
 *     SYNC         FILE~compact is on its way to the disk; both still take what changes
 *     rename       FILE~compact is FILE
 *     SYNC_FOLDER  the name too is on its way to the disk
 *
 * Whatever happens before the rename, FILE is whole and FILE~compact is removed at the next start.
 */
#include "journal_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* So much is copied at once, and so often: a disk of ordinary speed keeps up, and the loop has its time. */
#define SLICE_BYTES    HERD_JOURNAL_BATCH_BYTES
#define SLICE_EVERY_NS INT64_C(2000000)
#define RETRY_NS       INT64_C(10000000000)
#define LINES_MIN      65536

void herd_journal_compact_abandon(struct herd_journal *journal)
{
    int error;
    if (journal->replacement.fd < 0)
        return;
    herd_syncer_wait(&journal->replacement_syncer, &error);
    close(journal->replacement.fd);
    journal->replacement.fd = -1;
    unlink(journal->path_new);
    journal->compaction = HERD_COMPACTION_NONE;
    journal->compact_next_ns = 0;
}

static void fail(struct herd_journal *journal, int error, struct herd_now now)
{
    herd_journal_log_failure(journal, "journal_compaction_failed", error, &journal->compact_failures);
    herd_journal_compact_abandon(journal);
    journal->compact_next_ns = now.steady_ns + RETRY_NS;
}

bool herd_journal_compact_due(const struct herd_journal *journal)
{
    uint64_t least = journal->compact_lines ? journal->compact_lines : LINES_MIN;
    return journal->rewrite || (journal->file.lines >= least &&
                                journal->file.lines / 2 > herd_store_count(herd_node_store(journal->node)));
}

/* Ours is an ordinary file that nobody has locked and that begins as a journal does, or is empty. */
void herd_journal_remove_leftover(const struct herd_journal *journal)
{
    static const char head[] = "JOURNAL ";
    char got[sizeof head - 1];
    struct stat about;
    int fd = open(journal->path_new, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return;
    if (fstat(fd, &about) == 0 && S_ISREG(about.st_mode) && flock(fd, LOCK_EX | LOCK_NB) == 0) {
        ssize_t n = read(fd, got, sizeof got);
        if (n >= 0 && memcmp(got, head, (size_t)n) == 0)
            unlink(journal->path_new);
    }
    close(fd);
}

static int begin(struct herd_journal *journal, struct herd_now now)
{
    herd_journal_remove_leftover(journal);
    int fd = open(journal->path_new, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno;
    journal->replacement = (struct herd_journal_file){.fd = fd, .lines = 1, .unsynced_ns = INT64_MAX};
    journal->compaction = HERD_COMPACTION_COPY;
    journal->copy_at = 0;
    journal->copy_end = herd_store_slots(herd_node_store(journal->node));
    journal->compact_next_ns = now.steady_ns;
    journal->buf.len = 0;
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return errno;
    if (herd_journal_encode_header(&journal->buf) < 0)
        return ENOMEM;
    return herd_journal_append(&journal->replacement, (struct herd_span){journal->buf.at, journal->buf.len});
}

static int copy(struct herd_journal *journal, struct herd_now now)
{
    journal->buf.len = 0;
    int lines = herd_journal_encode_range(&journal->encoder, &journal->copy_at, journal->copy_end, SLICE_BYTES,
                                          &journal->buf);
    int error = lines < 0 ? ENOMEM
                          : herd_journal_append(&journal->replacement,
                                                (struct herd_span){journal->buf.at, journal->buf.len});
    if (error)
        return error;
    journal->replacement.lines += (uint64_t)lines;
    journal->compact_next_ns = now.steady_ns + SLICE_EVERY_NS;
    if (journal->copy_at == journal->copy_end) {
        journal->compaction = HERD_COMPACTION_SYNC;
        journal->replacement.unsynced_ns = INT64_MAX; /* from here on it is what this sync may miss */
        herd_syncer_begin(&journal->replacement_syncer, journal->replacement.fd);
    }
    return 0;
}

/* The new file is on the disk: it takes the old one's place. */
static int replace(struct herd_journal *journal, struct herd_now now)
{
    int error;
    if (rename(journal->path_new, journal->path) < 0)
        return errno;
    herd_syncer_wait(&journal->syncer, &error); /* of the old file: it does not matter any more */
    close(journal->file.fd);
    struct herd_log_field fields[] = {
        herd_log_int("lines_before", (int64_t)journal->file.lines),
        herd_log_int("lines", (int64_t)journal->replacement.lines),
        herd_log_int("bytes", (int64_t)journal->replacement.size),
    };
    herd_log_event(journal->log, HERD_LOG_INFO, "journal_compacted", fields, 3);
    journal->file = journal->replacement;
    journal->replacement.fd = -1;
    journal->syncing_ns = INT64_MAX;
    journal->rewrite = false;
    journal->compaction = HERD_COMPACTION_SYNC_FOLDER;
    journal->compact_next_ns = now.steady_ns + HERD_JOURNAL_SYNC_POLL_NS;
    journal->folder_fd = open(journal->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (journal->folder_fd >= 0)
        herd_syncer_begin(&journal->replacement_syncer, journal->folder_fd);
    return 0;
}

static int step(struct herd_journal *journal, struct herd_now now)
{
    int error = 0;
    switch (journal->compaction) {
    case HERD_COMPACTION_NONE: return herd_journal_compact_due(journal) ? begin(journal, now) : 0;
    case HERD_COMPACTION_COPY: return copy(journal, now);
    case HERD_COMPACTION_SYNC:
        journal->compact_next_ns = now.steady_ns + HERD_JOURNAL_SYNC_POLL_NS;
        if (herd_syncer_poll(&journal->replacement_syncer, &error) == HERD_SYNCER_BUSY)
            return 0;
        return error ? error : replace(journal, now);
    default:
        journal->compact_next_ns = now.steady_ns + HERD_JOURNAL_SYNC_POLL_NS;
        if (herd_syncer_poll(&journal->replacement_syncer, &error) == HERD_SYNCER_BUSY)
            return 0;
        if (journal->folder_fd >= 0)
            close(journal->folder_fd);
        journal->folder_fd = -1;
        journal->compaction = HERD_COMPACTION_NONE;
        journal->compact_next_ns = 0;
        if (error)
            herd_journal_log_failure(journal, "journal_sync_failed", error, &journal->sync_failures);
        return 0;
    }
}

void herd_journal_compact(struct herd_journal *journal, struct herd_now now)
{
    if (now.steady_ns < journal->compact_next_ns)
        return;
    int error = step(journal, now);
    if (error)
        fail(journal, error, now);
}
