/* SPDX-License-Identifier: MIT */
/*
 * Appending to the journal, syncing it, and what to do when the disk does not take it.
 *
 *     due --take--> the thread appends --> in the file        is_last: nothing was left due
 *      ^                  |
 *      +------undo--------+ it failed
 *
 * What is due at any moment has the next ticket: it is in the file when a task that takes all there is has ended well.
 */
#include "../../core/base/histogram.h"
#include "journal_impl.h"

#include <errno.h>

/* Without a thread, what piled up while the disk took nothing is written so many batches a turn. */
#define BATCHES_A_TURN 4
#define RETRY_NS       INT64_C(1000000000)

static void wrote_at(struct herd_journal_file *file, size_t lines, int64_t now_ns)
{
    file->lines += lines;
    file->unsynced += lines;
    if (now_ns < file->unsynced_ns)
        file->unsynced_ns = now_ns;
}

static void fall_behind(struct herd_journal *journal, int error, struct herd_now now)
{
    journal->failures++;
    journal->is_behind = true;
    journal->retry_ns = now.steady_ns + RETRY_NS;
    herd_journal_log_failure(journal, "journal_behind", error, &journal->failures_seen);
}

/* All that was due when the last task began is in the file. */
static void catch_up(struct herd_journal *journal, struct herd_now now)
{
    journal->ticket_done = journal->ticket_taken;
    journal->due_ns = herd_journal_encoder_pending(&journal->encoder) ? journal->taken_ns : INT64_MAX;
    /* What came while the disk took its time has waited for too long already. */
    bool is_late =
        journal->wait_ns > 0 && journal->due_ns != INT64_MAX && now.steady_ns - journal->due_ns >= journal->wait_ns;
    if (!journal->is_behind || is_late)
        return;
    struct herd_log_field field = herd_log_int("failures", (int64_t)journal->failures);
    herd_log_event(journal->log, HERD_LOG_INFO, "journal_caught_up", &field, 1);
    journal->failures = 0;
    journal->is_behind = false;
    journal->retry_ns = 0;
}

static int append(void *arg)
{
    struct herd_journal *journal = arg;
    struct herd_span bytes = {journal->buf.at, journal->buf.len};
    journal->replacement_error = 0;
    int error = herd_journal_append(&journal->file, bytes);
    if (!error && journal->replacement.fd >= 0)
        journal->replacement_error = herd_journal_append(&journal->replacement, bytes);
    return error;
}

static void appended(struct herd_journal *journal, int error, struct herd_now now)
{
    size_t lines = journal->lines;
    journal->lines = 0;
    journal->task_turn = true;
    journal->bytes = (uint64_t)journal->file.size;
    if (error) {
        herd_journal_encoder_requeue(&journal->encoder);
        fall_behind(journal, error, now);
        return;
    }
    wrote_at(&journal->file, lines, journal->taken_ns);
    if (journal->replacement.fd >= 0 && !journal->replacement_error)
        wrote_at(&journal->replacement, lines, journal->taken_ns);
    if (journal->is_last)
        catch_up(journal, now);
    if (journal->replacement.fd >= 0 && journal->replacement_error) {
        herd_journal_log_failure(journal, "journal_compaction_failed", journal->replacement_error,
                                 &journal->compact_failures);
        herd_journal_compact_abandon(journal, now);
    }
}

void herd_journal_append_due(struct herd_journal *journal, struct herd_now now)
{
    if (herd_journal_encoder_pending(&journal->encoder) && journal->due_ns == INT64_MAX)
        journal->due_ns = now.steady_ns;
    for (int i = 0; i < BATCHES_A_TURN && herd_journal_encoder_pending(&journal->encoder); i++) {
        if (journal->done || now.steady_ns < journal->retry_ns)
            return;
        journal->buf.len = 0;
        int lines = herd_journal_encode_changes(&journal->encoder, HERD_JOURNAL_BATCH_BYTES, &journal->buf);
        if (lines < 0) {
            fall_behind(journal, ENOMEM, now);
            return;
        }
        journal->taken_ns = now.steady_ns;
        journal->is_last = !herd_journal_encoder_pending(&journal->encoder);
        journal->ticket_taken += journal->is_last;
        if (lines > 0) {
            journal->lines = (size_t)lines;
            herd_journal_begin(journal, append, appended, now);
        } else if (journal->is_last) {
            catch_up(journal, now); /* what was due was removed */
        }
    }
}

void herd_journal_watch(struct herd_journal *journal, struct herd_now now)
{
    if (journal->is_behind || journal->wait_ns <= 0 || journal->due_ns == INT64_MAX ||
        now.steady_ns - journal->due_ns < journal->wait_ns)
        return;
    journal->failures++;
    journal->is_behind = true;
    herd_journal_log_failure_text(journal, "journal_behind", "not written within journal_wait_ms",
                                  &journal->failures_seen);
}

void herd_journal_synced(struct herd_journal *journal, int error)
{
    journal->syncing_ns = INT64_MAX;
    herd_histogram_add(&journal->synced, journal->syncer.took_ns);
    if (error) {
        journal->rewrite = journal->sync_failed = true;
        herd_journal_log_failure(journal, "journal_sync_failed", error, &journal->sync_failures);
    } else if (!journal->sync_failed) {
        journal->file.unsynced -= journal->syncing;
    }
    journal->syncing = 0;
}

void herd_journal_sync(struct herd_journal *journal, struct herd_now now)
{
    int error;
    if (herd_syncer_poll(&journal->syncer, &error) == HERD_SYNCER_DONE)
        herd_journal_synced(journal, error);
    journal->sync_poll_ns = now.steady_ns + HERD_JOURNAL_SYNC_POLL_NS;
    if (journal->sync_ns > 0 && journal->syncing_ns == INT64_MAX && journal->file.unsynced_ns != INT64_MAX &&
        herd_journal_compact_lets_sync(journal) && now.steady_ns - journal->file.unsynced_ns >= journal->sync_ns) {
        journal->syncing_ns = journal->file.unsynced_ns;
        journal->syncing = journal->file.unsynced;
        journal->file.unsynced_ns = INT64_MAX;
        journal->look_due = true;
        herd_syncer_begin(&journal->syncer, journal->file.fd);
    }
}
