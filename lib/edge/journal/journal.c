/* SPDX-License-Identifier: MIT */
/* A journal's life, and its turn. */
#include "../clock.h"
#include "journal_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How long the end waits for the disk. */
#define CLOSE_TIMEOUT_MS 1000

/* The names of the file, of the one that will replace it, and of the folder of both. */
static int make_paths(struct herd_journal *journal, const char *path)
{
    /* Renaming over a symbolic link would replace the link. */
    char *real = realpath(path, NULL);
    if (!real) { /* perhaps one whose file is not there yet: it is made first */
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
        if (fd >= 0) {
            close(fd);
            real = realpath(path, NULL);
        }
    }
    journal->path = real ? real : strdup(path);
    if (!journal->path)
        return HERD_E_NOMEM;
    size_t len = strlen(journal->path);
    journal->path_new = malloc(len + sizeof HERD_JOURNAL_REPLACEMENT);
    journal->folder = strdup(journal->path);
    if (!journal->path_new || !journal->folder)
        return HERD_E_NOMEM;
    memcpy(journal->path_new, journal->path, len);
    memcpy(journal->path_new + len, HERD_JOURNAL_REPLACEMENT, sizeof HERD_JOURNAL_REPLACEMENT);
    char *slash = strrchr(journal->folder, '/');
    if (!slash)
        strcpy(journal->folder, *journal->folder ? "." : "");
    else
        slash[slash == journal->folder] = '\0';
    return 0;
}

/* ---- the end of it ---- */

static void release(struct herd_journal *journal)
{
    if (journal->file.fd >= 0)
        close(journal->file.fd);
    if (journal->replacement.fd >= 0)
        close(journal->replacement.fd);
    if (journal->discard_fd >= 0)
        close(journal->discard_fd);
    if (journal->folder_fd >= 0)
        close(journal->folder_fd);
    herd_buf_fini(&journal->buf);
    free(journal->path);
    free(journal->path_new);
    free(journal->folder);
    free(journal);
}

/* A thread is done with it. One that the disk does not let go of may be the last. */
static void leave(void *arg)
{
    struct herd_journal *journal = arg;
    if (atomic_fetch_sub(&journal->users, 1) == 1)
        release(journal);
}

static void end(struct herd_journal *journal, int64_t until_ns)
{
    herd_journal_encoder_close(&journal->encoder);
    journal->node = NULL;
    journal->log = NULL;
    herd_syncer_fini(&journal->syncer, herd_journal_left_ms(until_ns), leave, journal);
    herd_syncer_fini(&journal->replacement_syncer, herd_journal_left_ms(until_ns), leave, journal);
    herd_worker_fini(&journal->worker, herd_journal_left_ms(until_ns), leave, journal);
}

/* ---- its beginning ---- */

int herd_journal_open(struct herd_journal **ret_journal, const struct herd_journal_options *options,
                      struct herd_now now, struct herd_diagnostic *reterr_diagnostic)
{
    struct herd_journal *journal = calloc(1, sizeof *journal);
    if (!journal)
        return herd_journal_fault(reterr_diagnostic, HERD_E_NOMEM, options->path, herd_strerror(HERD_E_NOMEM));
    journal->node = options->node;
    journal->log = options->log;
    journal->sync_ns = options->sync_ns;
    journal->wait_ns = options->wait_ns;
    journal->compact_lines = options->compact_lines;
    journal->notifies = options->notify_fd != NULL;
    journal->file = journal->replacement = (struct herd_journal_file){.fd = -1, .unsynced_ns = INT64_MAX};
    journal->discard_fd = journal->folder_fd = -1;
    journal->syncing_ns = journal->due_ns = INT64_MAX;
    atomic_init(&journal->users, 3);
    herd_worker_init(&journal->worker, options->notify_fd ? *options->notify_fd : -1);
    herd_syncer_init(&journal->syncer);
    herd_syncer_init(&journal->replacement_syncer);

    int err = make_paths(journal, options->path);
    if (err >= 0)
        err = herd_journal_encoder_open(&journal->encoder, journal->node);
    if (err < 0) {
        herd_journal_fault(reterr_diagnostic, err, options->path, herd_strerror(err));
        goto out;
    }
    err = herd_journal_read(journal, now, reterr_diagnostic);
out:
    if (err < 0)
        end(journal, 0);
    else
        *ret_journal = journal;
    return err;
}

/* ---- its turn ---- */

void herd_journal_write(struct herd_journal *journal, struct herd_now now)
{
    herd_journal_collect(journal, now);
    if (herd_journal_encoder_pending(&journal->encoder))
        herd_journal_append_due(journal, now);
}

static int look(void *arg)
{
    struct herd_journal *journal = arg;
    int error = herd_journal_same(journal);
    journal->is_moved = error == ENOENT || error == EEXIST;
    return error;
}

static void looked(struct herd_journal *journal, int error, struct herd_now now)
{
    (void)now;
    if (!journal->is_moved || journal->rewrite)
        return;
    struct herd_log_field fields[] = {
        herd_log_text("file", journal->path),
        herd_log_text("why", error == ENOENT ? "moved or removed" : "another file has its name"),
    };
    herd_log_event(journal->log, HERD_LOG_WARN, "journal_missing", fields, 2);
    journal->rewrite = true;
}

void herd_journal_run(struct herd_journal *journal, struct herd_now now)
{
    herd_journal_collect(journal, now);
    if (journal->task_turn)
        herd_journal_compact(journal, now);
    journal->task_turn = false;
    herd_journal_write(journal, now);
    herd_journal_watch(journal, now);
    herd_journal_sync(journal, now);
    if (journal->look_due && !journal->done) {
        journal->look_due = false;
        herd_journal_begin(journal, look, looked, now);
    }
    herd_journal_compact(journal, now);
}

void herd_journal_look(struct herd_journal *journal)
{
    journal->look_due = true;
}

void herd_journal_configure(struct herd_journal *journal, int64_t sync_ns, int64_t wait_ns)
{
    journal->sync_ns = sync_ns;
    journal->wait_ns = wait_ns;
}

uint64_t herd_journal_ticket(const struct herd_journal *journal)
{
    return journal->ticket_taken + herd_journal_encoder_pending(&journal->encoder);
}

bool herd_journal_is_behind(const struct herd_journal *journal)
{
    return journal->is_behind;
}

bool herd_journal_has(const struct herd_journal *journal, uint64_t ticket)
{
    return journal->is_behind || journal->ticket_done >= ticket;
}

static void sooner(int64_t *io_next, int64_t ns)
{
    if (ns < *io_next)
        *io_next = ns;
}

int64_t herd_journal_next_ns(const struct herd_journal *journal)
{
    int64_t next = INT64_MAX;
    if (!journal->is_behind && journal->due_ns != INT64_MAX && journal->wait_ns > 0)
        next = journal->due_ns + journal->wait_ns;
    if (journal->syncing_ns != INT64_MAX)
        sooner(&next, journal->sync_poll_ns);
    else if (journal->sync_ns > 0 && journal->file.unsynced_ns != INT64_MAX &&
             herd_journal_compact_lets_sync(journal))
        sooner(&next, journal->file.unsynced_ns + journal->sync_ns);
    if (journal->done) { /* nothing else begins until that is done */
        if (!journal->notifies)
            sooner(&next, journal->sync_poll_ns);
        return next;
    }
    if (herd_journal_encoder_pending(&journal->encoder))
        sooner(&next, journal->retry_ns);
    if (journal->look_due)
        next = 0;
    if (journal->compaction != HERD_COMPACTION_NONE || herd_journal_compact_due(journal))
        sooner(&next, journal->compact_next_ns);
    return next;
}

/* ---- the last words ---- */

static void flush_sync(struct herd_journal *journal, int64_t until_ns)
{
    int error;
    switch (herd_syncer_wait(&journal->syncer, herd_journal_left_ms(until_ns), &error)) {
    case HERD_SYNCER_BUSY: journal->gave_up = true; return;
    case HERD_SYNCER_DONE: herd_journal_synced(journal, error); break;
    default: break;
    }
    if (journal->sync_ns <= 0 || journal->file.unsynced_ns == INT64_MAX || journal->file.fd < 0)
        return;
    journal->syncing = journal->file.unsynced;
    journal->file.unsynced_ns = INT64_MAX;
    herd_journal_compact_overtaken(journal);
    herd_syncer_begin(&journal->syncer, journal->file.fd);
    if (herd_syncer_wait(&journal->syncer, herd_journal_left_ms(until_ns), &error) == HERD_SYNCER_DONE)
        herd_journal_synced(journal, error);
    else
        journal->gave_up = true;
}

static void flush_until(struct herd_journal *journal, struct herd_now now, int64_t until_ns)
{
    bool idle = herd_journal_await(journal, until_ns, now), failed = false;
    journal->retry_ns = 0; /* one more attempt, whatever came before */
    while (idle && !failed && herd_journal_encoder_pending(&journal->encoder)) {
        uint64_t failures = journal->failures_seen;
        herd_journal_append_due(journal, now);
        idle = herd_journal_await(journal, until_ns, now);
        failed = journal->failures_seen != failures;
    }
    if (!idle) {
        journal->gave_up = true;
        return;
    }
    flush_sync(journal, until_ns);
}

static int64_t until(const struct herd_journal *journal, int64_t timeout_ms)
{
    return journal->gave_up ? 0 : herd_clock().steady_ns + timeout_ms * 1000000;
}

void herd_journal_flush(struct herd_journal *journal, struct herd_now now, int64_t timeout_ms)
{
    flush_until(journal, now, until(journal, timeout_ms));
}

size_t herd_journal_unwritten(const struct herd_journal *journal)
{
    size_t count = journal->encoder.subscriber.pending + journal->lines;
    bool unsynced = journal->sync_failed || (journal->gave_up && journal->sync_ns > 0);
    return count + (unsynced ? journal->file.unsynced : 0);
}

struct herd_journal_stats herd_journal_stats(const struct herd_journal *journal)
{
    return (struct herd_journal_stats){
        .bytes = journal->bytes,
        .failures = journal->failures_seen + journal->sync_failures + journal->compact_failures,
        .synced = journal->synced,
    };
}

static void give_up_compaction(struct herd_journal *journal, struct herd_now now, int64_t until_ns)
{
    int error;
    if (!herd_journal_await(journal, until_ns, now))
        return; /* what it leaves behind is removed at the next start */
    herd_syncer_wait(&journal->replacement_syncer, herd_journal_left_ms(until_ns), &error);
    herd_journal_compact_abandon(journal, now);
    herd_journal_await(journal, until_ns, now);
}

void herd_journal_close(struct herd_journal *journal, struct herd_now now)
{
    if (!journal)
        return;
    int64_t until_ns = until(journal, CLOSE_TIMEOUT_MS);
    flush_until(journal, now, until_ns);
    size_t lost = herd_journal_unwritten(journal);
    if (lost > 0) {
        struct herd_log_field field = herd_log_int("records", (int64_t)lost);
        herd_log_event(journal->log, HERD_LOG_ERROR, "journal_incomplete", &field, 1);
    }
    give_up_compaction(journal, now, until_ns);
    end(journal, until_ns);
}
