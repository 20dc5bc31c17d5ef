/* SPDX-License-Identifier: MIT */
/* The files of a journal: bytes at the end of one, whole or not at all, and which file has its name. */
#include "journal_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

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

int herd_journal_same(const struct herd_journal *journal)
{
    struct stat ours, named;
    if (fstat(journal->file.fd, &ours) < 0)
        return errno;
    if (stat(journal->path, &named) < 0)
        return errno == ENOTDIR ? ENOENT : errno;
    return named.st_dev == ours.st_dev && named.st_ino == ours.st_ino ? 0 : EEXIST;
}
