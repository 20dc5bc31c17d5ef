/* SPDX-License-Identifier: MIT */
/* What a journal lets its thread do: one task at a time, the loop carries on when it is done. */
#include "../clock.h"
#include "journal_impl.h"

#include <string.h>

void herd_journal_begin(struct herd_journal *journal, herd_worker_job *job, herd_journal_done *done,
                        struct herd_now now)
{
    journal->done = done;
    journal->sync_poll_ns = now.steady_ns + HERD_JOURNAL_SYNC_POLL_NS;
    herd_worker_begin(&journal->worker, job, journal);
    if (!journal->worker.threaded)
        herd_journal_collect(journal, now);
}

static bool finish(struct herd_journal *journal, enum herd_worker_state state, int error, struct herd_now now)
{
    if (state == HERD_WORKER_BUSY)
        return false;
    herd_journal_done *done = journal->done;
    journal->done = NULL;
    done(journal, error, now);
    return !journal->done;
}

bool herd_journal_collect(struct herd_journal *journal, struct herd_now now)
{
    int error = 0;
    if (!journal->done)
        return true;
    enum herd_worker_state state = herd_worker_poll(&journal->worker, &error);
    return finish(journal, state, error, now);
}

int64_t herd_journal_left_ms(int64_t until_ns)
{
    int64_t left_ns = until_ns - herd_clock().steady_ns;
    return left_ns > 0 ? left_ns / 1000000 : 0;
}

bool herd_journal_await(struct herd_journal *journal, int64_t until_ns, struct herd_now now)
{
    int error = 0;
    if (!journal->done)
        return true;
    enum herd_worker_state state = herd_worker_wait(&journal->worker, herd_journal_left_ms(until_ns), &error);
    return finish(journal, state, error, now);
}

void herd_journal_log_failure_text(struct herd_journal *journal, const char *event, const char *why,
                                   uint64_t *io_count)
{
    uint64_t count = ++*io_count;
    if ((count & (count - 1)) != 0)
        return;
    struct herd_log_field fields[] = {
        herd_log_text("why", why),
        herd_log_int("count", (int64_t)count),
    };
    herd_log_event(journal->log, HERD_LOG_ERROR, event, fields, 2);
}

void herd_journal_log_failure(struct herd_journal *journal, const char *event, int error, uint64_t *io_count)
{
    herd_journal_log_failure_text(journal, event, strerror(error), io_count);
}
