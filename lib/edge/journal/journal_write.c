/* SPDX-License-Identifier: MIT */
/* Appending to the journal, and what to do when the disk does not take it. */
#include "journal_impl.h"

#include <errno.h>
#include <unistd.h>

/* What piled up while the disk took nothing is written so many batches a turn. */
#define BATCHES_A_TURN 4
#define RETRY_NS       INT64_C(1000000000)

/* 0 or an errno; *ret_wrote bytes are in the file in any case. */
static int write_all(int fd, struct herd_span bytes, size_t *ret_wrote)
{
    size_t wrote = 0;
    int error = 0;
    while (wrote < bytes.len && !error) {
        ssize_t n = write(fd, bytes.at + wrote, bytes.len - wrote);
        if (n > 0)
            wrote += (size_t)n;
        else if (n == 0)
            error = EIO; /* no progress and no reason: asking again might not end */
        else if (errno != EINTR)
            error = errno;
    }
    *ret_wrote = wrote;
    return error;
}

int herd_journal_append(struct herd_journal_file *file, struct herd_span bytes)
{
    size_t wrote;
    if (file->torn) {
        /* The part of a line behind the last whole one goes, or is ended, so that it spoils no other. */
        int error = 0;
        if (ftruncate(file->fd, file->size) < 0) {
            error = write_all(file->fd, (struct herd_span){"\n", 1}, &wrote);
            if (!error) {
                off_t end = lseek(file->fd, 0, SEEK_END);
                file->size = end >= 0 ? end : file->size;
            }
        }
        if (error)
            return error;
        file->torn = false;
    }
    int error = write_all(file->fd, bytes, &wrote);
    if (error) {
        file->torn = wrote > 0 && ftruncate(file->fd, file->size) < 0;
        return error;
    }
    file->size += (off_t)bytes.len;
    return 0;
}

static void wrote_at(struct herd_journal_file *file, int lines, int64_t now_ns)
{
    file->lines += (uint64_t)lines;
    if (now_ns < file->unsynced_ns)
        file->unsynced_ns = now_ns;
}

static void fall_behind(struct herd_journal *journal, int error, struct herd_now now)
{
    journal->failures++;
    journal->retry_ns = now.steady_ns + RETRY_NS;
    herd_journal_log_failure(journal, "journal_behind", error, &journal->failures_seen);
}

static void catch_up(struct herd_journal *journal)
{
    if (journal->failures == 0)
        return;
    struct herd_log_field field = herd_log_int("failures", (int64_t)journal->failures);
    herd_log_event(journal->log, HERD_LOG_INFO, "journal_caught_up", &field, 1);
    journal->failures = 0;
    journal->retry_ns = 0;
}

bool herd_journal_append_due(struct herd_journal *journal, struct herd_now now)
{
    if (now.steady_ns < journal->retry_ns)
        return false;
    for (int i = 0; i < BATCHES_A_TURN && herd_journal_encoder_pending(&journal->encoder); i++) {
        journal->buf.len = 0;
        int lines = herd_journal_encode_changes(&journal->encoder, HERD_JOURNAL_BATCH_BYTES, &journal->buf);
        if (lines == 0)
            continue; /* what was due was removed */
        struct herd_span bytes = {journal->buf.at, journal->buf.len};
        int error = lines < 0 ? ENOMEM : herd_journal_append(&journal->file, bytes);
        if (error) {
            if (lines > 0)
                herd_journal_encoder_requeue(&journal->encoder);
            fall_behind(journal, error, now);
            return false;
        }
        wrote_at(&journal->file, lines, now.steady_ns);
        if (journal->replacement.fd >= 0) {
            error = herd_journal_append(&journal->replacement, bytes);
            if (error) {
                herd_journal_log_failure(journal, "journal_compaction_failed", error, &journal->compact_failures);
                herd_journal_compact_abandon(journal);
            } else {
                wrote_at(&journal->replacement, lines, now.steady_ns);
            }
        }
    }
    if (herd_journal_encoder_pending(&journal->encoder))
        return true;
    catch_up(journal);
    return false;
}

void herd_journal_sync(struct herd_journal *journal, struct herd_now now)
{
    int error;
    journal->sync_poll_ns = now.steady_ns + HERD_JOURNAL_SYNC_POLL_NS;
    if (herd_syncer_poll(&journal->syncer, &error) == HERD_SYNCER_DONE) {
        journal->syncing_ns = INT64_MAX;
        if (error) {
            journal->rewrite = true;
            herd_journal_log_failure(journal, "journal_sync_failed", error, &journal->sync_failures);
        }
    }
    if (journal->sync_ns > 0 && journal->syncing_ns == INT64_MAX && journal->file.unsynced_ns != INT64_MAX &&
        now.steady_ns - journal->file.unsynced_ns >= journal->sync_ns) {
        journal->syncing_ns = journal->file.unsynced_ns;
        journal->file.unsynced_ns = INT64_MAX;
        herd_syncer_begin(&journal->syncer, journal->file.fd);
    }
}
