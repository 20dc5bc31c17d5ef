/* SPDX-License-Identifier: MIT */
/* Opening a journal: the file is locked, read into the node, and its torn end mended. */
#include "../clock.h"
#include "journal_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_BYTES (1u << 20)
/* How often a file that is replaced while we lock it is opened again. */
#define OPENS_MAX 10

int herd_journal_fault(struct herd_diagnostic *diagnostic, int err, const char *path, const char *what)
{
    diagnostic->line = diagnostic->column = 0;
    snprintf(diagnostic->message, sizeof diagnostic->message, "journal %.150s: %.80s", path, what);
    return err;
}

/* Opens and locks the file that has this name now: between the two, its owner may have put a new one in
 * its place. */
static int open_locked(const char *path, struct herd_diagnostic *diagnostic)
{
    struct stat held, named;
    for (int i = 0; i < OPENS_MAX; i++) {
        /* Not blocking: a FIFO would wait for a writer. It means nothing for a file. */
        int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
        if (fd < 0)
            return herd_journal_fault(diagnostic, HERD_E_IO, path, strerror(errno));
        int error = 0;
        if (fstat(fd, &held) < 0 || (S_ISREG(held.st_mode) && flock(fd, LOCK_EX | LOCK_NB) < 0))
            error = errno;
        if (!error && !S_ISREG(held.st_mode)) {
            close(fd);
            return herd_journal_fault(diagnostic, HERD_E_IO, path, "not an ordinary file");
        }
        if (!error && stat(path, &named) == 0 && named.st_dev == held.st_dev && named.st_ino == held.st_ino)
            return fd;
        close(fd);
        if (error)
            return herd_journal_fault(diagnostic, HERD_E_IO, path,
                                      error == EWOULDBLOCK ? "in use by another process" : strerror(error));
    }
    return herd_journal_fault(diagnostic, HERD_E_IO, path, "is replaced again and again");
}

/* Reads more behind what is in the buffer: how many bytes, 0 at the end, or HERD_E_NOMEM, HERD_E_IO. */
static ssize_t read_more(struct herd_journal *journal)
{
    struct herd_buf *buf = &journal->buf;
    if (herd_buf_reserve(buf, READ_BYTES) < 0)
        return HERD_E_NOMEM;
    for (;;) {
        ssize_t n = read(journal->file.fd, buf->at + buf->len, READ_BYTES);
        if (n >= 0) {
            buf->len += (size_t)n;
            return n;
        }
        if (errno != EINTR)
            return HERD_E_IO;
    }
}

/* The whole file; what is left in the buffer is its tail. */
static int read_lines(struct herd_journal *journal, struct herd_replay *replay, struct herd_now now,
                      off_t *ret_size)
{
    struct herd_buf *buf = &journal->buf;
    off_t size = 0;
    ssize_t n;
    while ((n = read_more(journal)) > 0) {
        size_t consumed;
        int err = herd_replay_take(journal->node, replay, (struct herd_span){buf->at, buf->len}, now, &consumed);
        if (err < 0)
            return err;
        if (consumed)
            memmove(buf->at, buf->at + consumed, buf->len - consumed);
        buf->len -= consumed;
        size += (off_t)n;
    }
    *ret_size = size;
    return (int)n;
}

/* The file's end as the next line wants it: behind a LF. Returns the bytes that had to go. */
static int truncate_torn_tail(struct herd_journal *journal, struct herd_replay *replay, struct herd_now now,
                              off_t size, off_t *ret_torn)
{
    struct herd_span tail = {journal->buf.at, journal->buf.len};
    int whole = herd_replay_tail(journal->node, replay, tail, now);
    if (whole < 0)
        return whole;
    *ret_torn = 0;
    journal->file.size = size;
    if (whole || replay->skipping) /* behind a line too long to be one, the next begins anew */
        return herd_journal_append(&journal->file, (struct herd_span){"\n", 1}) ? HERD_E_IO : 0;
    if (tail.len == 0)
        return 0;
    *ret_torn = (off_t)tail.len;
    journal->file.size -= *ret_torn;
    return ftruncate(journal->file.fd, journal->file.size) < 0 ? HERD_E_IO : 0;
}

/* What was read can be a journal if it has a line of one, or is the beginning of a first line. HERD_E_SYNTAX: it is none;
 * HERD_E_NOMEM. */
static int check_journal(const struct herd_journal *journal, const struct herd_replay *replay, off_t size)
{
    struct herd_buf first = {0};
    if (replay->lines > 0 || size == 0)
        return 0;
    int err = herd_journal_encode_header(&first);
    if (err >= 0 && ((size_t)size != journal->buf.len || (size_t)size >= first.len ||
                     memcmp(first.at, journal->buf.at, (size_t)size) != 0))
        err = HERD_E_SYNTAX;
    herd_buf_fini(&first);
    return err;
}

/* A new file: its first line and its name are on the disk before anything relies on it. */
static int begin_file(struct herd_journal *journal)
{
    journal->buf.len = 0;
    if (herd_journal_encode_header(&journal->buf) < 0)
        return HERD_E_NOMEM;
    errno = herd_journal_append(&journal->file, (struct herd_span){journal->buf.at, journal->buf.len});
    if (errno)
        return HERD_E_IO;
    journal->file.lines = 1;
    int folder = open(journal->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (journal->sync_ns > 0 && (fdatasync(journal->file.fd) < 0 || folder < 0 || fdatasync(folder) < 0)) {
        /* Some file systems cannot sync folders; then there is nothing more to be had. */
        if (errno != EINVAL && errno != ENOTSUP) {
            int error = errno;
            if (folder >= 0)
                close(folder);
            errno = error;
            return HERD_E_IO;
        }
    }
    if (folder >= 0)
        close(folder);
    return 0;
}

/* A process that was killed had perhaps not synced its last lines, or the name of a file that it wrote anew. */
static void sync_what_was_read(struct herd_journal *journal, struct herd_now now)
{
    if (journal->sync_ns <= 0)
        return;
    journal->file.unsynced_ns = now.steady_ns;
    herd_journal_compact_sync_folder(journal, now);
}

static void log_read(const struct herd_journal *journal, const struct herd_replay *replay, off_t torn,
                     int64_t took_ns)
{
    struct herd_log_field fields[] = {
        herd_log_int("lines", (int64_t)replay->lines),
        herd_log_int("records", (int64_t)replay->records),
        herd_log_int("forgotten", (int64_t)replay->forgotten),
        herd_log_int("corrupt", (int64_t)replay->corrupt),
        herd_log_int("refused", (int64_t)replay->refused),
        herd_log_int("torn_bytes", (int64_t)torn),
        herd_log_int("ms", took_ns / 1000000),
    };
    bool whole = replay->corrupt == 0 && replay->refused == 0 && torn == 0;
    herd_log_event(journal->log, whole ? HERD_LOG_INFO : HERD_LOG_WARN, "journal_read", fields,
                   sizeof fields / sizeof *fields);
}

int herd_journal_read(struct herd_journal *journal, struct herd_now now, struct herd_diagnostic *diagnostic)
{
    struct herd_replay replay = {0};
    off_t size = 0, torn = 0;
    journal->file.fd = open_locked(journal->path, diagnostic);
    if (journal->file.fd < 0)
        return journal->file.fd;
    herd_journal_remove_leftover(journal);

    int err = read_lines(journal, &replay, now, &size);
    if (err >= 0 && replay.unknown)
        return herd_journal_fault(diagnostic, HERD_E_SYNTAX, journal->path, "written by a later version");
    if (err >= 0 && (err = check_journal(journal, &replay, size)) == HERD_E_SYNTAX)
        return herd_journal_fault(diagnostic, HERD_E_SYNTAX, journal->path, "not a journal");
    if (err >= 0)
        err = truncate_torn_tail(journal, &replay, now, size, &torn);
    journal->file.lines = replay.lines + replay.corrupt;
    if (err >= 0 && journal->file.size == 0)
        err = begin_file(journal);
    else if (err >= 0)
        sync_what_was_read(journal, now);
    if (err < 0)
        return herd_journal_fault(diagnostic, err, journal->path,
                                  err == HERD_E_IO ? strerror(errno) : herd_strerror(err));
    journal->bytes = (uint64_t)journal->file.size;
    log_read(journal, &replay, torn, herd_clock().steady_ns - now.steady_ns);
    return 0;
}
