/* SPDX-License-Identifier: MIT */
/*
 * Appends to a file. A write that a full disk or a blocked pipe does not accept is given up after STALL_MAX_MS;
 * whether the file ends in the middle of a line is remembered.
 *
 * Where much is written, room behind the end of the file is reserved in large pieces: the file system then need not
 * look for room with each write. What is left of it is given back on closing.
 */
#define _GNU_SOURCE /* fallocate */
#include "append.h"

#include "../clock.h"

#include <herd/types.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    STALL_MAX_MS = 100,
    MUCH_BYTES = 32768, /* in one write */
    RESERVE_MIN_BYTES = 1 << 20,
    RESERVE_MAX_BYTES = 16 << 20,
};

/* Opens non-blocking, so that a FIFO without a reader is an error and does not block. */
static int open_path(const char *path)
{
    int fd;
    do
        fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
    while (fd < 0 && errno == EINTR);
    return fd;
}

static bool is_regular(int fd, uint64_t *ret_size)
{
    struct stat info;
    if (fstat(fd, &info) < 0 || !S_ISREG(info.st_mode))
        return false;
    *ret_size = (uint64_t)info.st_size;
    return true;
}

/* True if the file ends in the middle of a line, as after a server was killed. */
static bool ends_torn(const char *path, uint64_t size)
{
    char last = '\n';
    int reader = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (reader < 0)
        return false;
    bool torn = pread(reader, &last, 1, (off_t)size - 1) == 1 && last != '\n';
    close(reader);
    return torn;
}

/* Begins with what is in a file just opened. */
static void begin(struct herd_append *file, int fd)
{
    uint64_t size = 0;
    file->fd = fd;
    file->is_regular = is_regular(fd, &size);
    file->reserves = file->is_regular && !file->is_stderr;
    file->offset = size;
    file->reserved = file->wrote = 0;
    file->in_line = size > 0 && !file->is_stderr && ends_torn(file->path, size);
}

static void reserve(struct herd_append *file)
{
#ifdef FALLOC_FL_KEEP_SIZE
    uint64_t size, more = file->wrote; /* at most as much again */
    if (!file->reserves || !is_regular(file->fd, &size) || size + MUCH_BYTES * 2 <= file->reserved)
        return;
    if (more < RESERVE_MIN_BYTES)
        more = RESERVE_MIN_BYTES;
    if (more > RESERVE_MAX_BYTES)
        more = RESERVE_MAX_BYTES;
    if (fallocate(file->fd, FALLOC_FL_KEEP_SIZE, (off_t)size, (off_t)more) == 0)
        file->reserved = size + more;
    else
        file->reserves = false; /* no such thing here, or little room: it goes without */
#else
    (void)file;
#endif
}

/* Releases the reserved space, unless another process has written behind it. */
static void end(struct herd_append *file)
{
    uint64_t size;
    if (file->reserved > 0 && is_regular(file->fd, &size) && size == file->offset &&
        ftruncate(file->fd, (off_t)size) < 0)
        return; /* it costs some room until the file goes */
}

int herd_append_open(struct herd_append **ret_file, const char *path)
{
    size_t size = strlen(path) + 1;
    struct herd_append *file = malloc(sizeof *file + size);
    if (!file)
        return HERD_E_NOMEM;
    memcpy(file->path, path, size);
    file->is_stderr = strcmp(path, "-") == 0;
    int fd = file->is_stderr ? STDERR_FILENO : open_path(path);
    if (fd < 0) {
        int why = errno;
        free(file);
        errno = why;
        return HERD_E_IO;
    }
    begin(file, fd);
    *ret_file = file;
    return 0;
}

int herd_append_reopen(struct herd_append *file)
{
    if (file->is_stderr)
        return 0;
    int fd = open_path(file->path);
    if (fd < 0)
        return HERD_E_IO;
    end(file);
    close(file->fd);
    begin(file, fd);
    return 0;
}

static int64_t clock_ms(void)
{
    return herd_clock_ns(CLOCK_MONOTONIC) / 1000000;
}

/* Waits for room, up to STALL_MAX_MS in all for one write: *io_until_ms is 0 before the first wait. */
static bool wait_for_room(int fd, int64_t *io_until_ms)
{
    struct pollfd want = {.fd = fd, .events = POLLOUT};
    int64_t now_ms = clock_ms();
    if (*io_until_ms == 0)
        *io_until_ms = now_ms + STALL_MAX_MS;
    int ready = 0;
    if (now_ms < *io_until_ms)
        ready = poll(&want, 1, (int)(*io_until_ms - now_ms));
    if (ready == 0)
        errno = EAGAIN;
    return ready > 0 || (ready < 0 && errno == EINTR);
}

int herd_append_write(struct herd_append *file, const char *bytes, size_t len, size_t *ret_wrote)
{
    int64_t until_ms = 0;
    *ret_wrote = 0;
    if (len >= MUCH_BYTES && file->offset + len > file->reserved)
        reserve(file);
    while (len) {
        ssize_t wrote = write(file->fd, bytes, len);
        if (wrote > 0) {
            bytes += wrote;
            len -= (size_t)wrote;
            *ret_wrote += (size_t)wrote;
            file->in_line = bytes[-1] != '\n';
            file->offset += (uint64_t)wrote;
            file->wrote += (uint64_t)wrote;
        } else if (wrote == 0) {
            errno = EIO; /* no progress and no reason: asking again might not end */
            return HERD_E_IO;
        } else if (errno == EAGAIN) {
            if (!wait_for_room(file->fd, &until_ms))
                return HERD_E_IO;
        } else if (errno != EINTR) {
            return HERD_E_IO;
        }
    }
    return 0;
}

void herd_append_close(struct herd_append *file)
{
    end(file);
    if (!file->is_stderr)
        close(file->fd);
    free(file);
}
