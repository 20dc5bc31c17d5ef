/* SPDX-License-Identifier: MIT */
/* A journal's life, and its turn. */
#include "journal_impl.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void herd_journal_log_failure(struct herd_journal *journal, const char *event, int error, uint64_t *io_count)
{
    uint64_t count = ++*io_count;
    if ((count & (count - 1)) != 0)
        return;
    struct herd_log_field fields[] = {
        herd_log_text("why", strerror(error)),
        herd_log_int("count", (int64_t)count),
    };
    herd_log_event(journal->log, HERD_LOG_ERROR, event, fields, 2);
}

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

static void release(struct herd_journal *journal)
{
    herd_syncer_fini(&journal->syncer);
    herd_syncer_fini(&journal->replacement_syncer);
    if (journal->file.fd >= 0)
        close(journal->file.fd);
    if (journal->folder_fd >= 0)
        close(journal->folder_fd);
    herd_journal_encoder_close(&journal->encoder);
    herd_buf_fini(&journal->buf);
    free(journal->path);
    free(journal->path_new);
    free(journal->folder);
    free(journal);
}

int herd_journal_open(struct herd_journal **ret_journal, const struct herd_journal_options *options,
                      struct herd_now now, struct herd_diagnostic *reterr_diagnostic)
{
    struct herd_journal *journal = calloc(1, sizeof *journal);
    if (!journal)
        return herd_journal_fault(reterr_diagnostic, HERD_E_NOMEM, options->path, herd_strerror(HERD_E_NOMEM));
    journal->node = options->node;
    journal->log = options->log;
    journal->sync_ns = options->sync_ns;
    journal->compact_lines = options->compact_lines;
    journal->file = journal->replacement = (struct herd_journal_file){.fd = -1, .unsynced_ns = INT64_MAX};
    journal->folder_fd = -1;
    journal->syncing_ns = INT64_MAX;
    journal->retry_ns = journal->compact_next_ns = 0;
    herd_syncer_init(&journal->syncer);
    herd_syncer_init(&journal->replacement_syncer);

    int err = make_paths(journal, options->path);
    if (err >= 0) {
        /* What reading changes (records from a clock that was ahead) is written again. */
        err = herd_journal_encoder_open(&journal->encoder, journal->node);
    }
    if (err < 0) {
        herd_journal_fault(reterr_diagnostic, err, options->path, herd_strerror(err));
        goto out;
    }
    err = herd_journal_read(journal, now, reterr_diagnostic);
out:
    if (err < 0)
        release(journal);
    else
        *ret_journal = journal;
    return err;
}

void herd_journal_write(struct herd_journal *journal, struct herd_now now)
{
    if (herd_journal_encoder_pending(&journal->encoder))
        herd_journal_append_due(journal, now);
}

void herd_journal_run(struct herd_journal *journal, struct herd_now now)
{
    herd_journal_write(journal, now);
    herd_journal_sync(journal, now);
    herd_journal_compact(journal, now);
}

void herd_journal_set_sync(struct herd_journal *journal, int64_t sync_ns)
{
    journal->sync_ns = sync_ns;
}

int64_t herd_journal_next_ns(const struct herd_journal *journal)
{
    int64_t next = INT64_MAX;
    if (herd_journal_encoder_pending(&journal->encoder))
        next = journal->retry_ns;
    if (journal->syncing_ns != INT64_MAX) {
        next = journal->sync_poll_ns < next ? journal->sync_poll_ns : next;
    } else if (journal->sync_ns > 0 && journal->file.unsynced_ns != INT64_MAX) {
        int64_t sync_ns = journal->file.unsynced_ns + journal->sync_ns;
        next = sync_ns < next ? sync_ns : next;
    }
    if (journal->compaction != HERD_COMPACTION_NONE || herd_journal_compact_due(journal))
        next = journal->compact_next_ns < next ? journal->compact_next_ns : next;
    return next;
}

void herd_journal_flush(struct herd_journal *journal, struct herd_now now)
{
    int error;
    journal->retry_ns = 0; /* one more attempt, whatever came before */
    while (herd_journal_append_due(journal, now))
        continue;
    if (herd_syncer_wait(&journal->syncer, &error) == HERD_SYNCER_DONE && error)
        herd_journal_log_failure(journal, "journal_sync_failed", error, &journal->sync_failures);
    journal->syncing_ns = INT64_MAX;
    if (journal->sync_ns > 0 && journal->file.unsynced_ns != INT64_MAX) {
        journal->file.unsynced_ns = INT64_MAX;
        herd_syncer_begin(&journal->syncer, journal->file.fd);
        if (herd_syncer_wait(&journal->syncer, &error) == HERD_SYNCER_DONE && error)
            herd_journal_log_failure(journal, "journal_sync_failed", error, &journal->sync_failures);
    }
}

size_t herd_journal_unwritten(const struct herd_journal *journal)
{
    return journal->encoder.subscriber.pending;
}

void herd_journal_close(struct herd_journal *journal, struct herd_now now)
{
    if (!journal)
        return;
    herd_journal_flush(journal, now);
    if (herd_journal_encoder_pending(&journal->encoder)) {
        struct herd_log_field field = herd_log_int("records", (int64_t)journal->encoder.subscriber.pending);
        herd_log_event(journal->log, HERD_LOG_ERROR, "journal_incomplete", &field, 1);
    }
    herd_journal_compact_abandon(journal);
    release(journal);
}
