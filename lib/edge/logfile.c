/* SPDX-License-Identifier: MIT */
/*
 * A file that takes the log. A full disk, a vanished reader or a stuck pipe costs lines, never service:
 * no write waits without bound, and a line torn by a failure is ended before the next one begins.
 */
#include <herd/log.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { STALL_MAX_MS = 100 };

struct herd_logfile {
    int fd;
    bool is_stderr;
    bool is_torn; /* the last thing written was part of a line */
    char path[];
};

/* Non-blocking, so that a FIFO nobody reads is an error and not a hang. */
static int open_path(const char *path)
{
    int fd;
    do
        fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
    while (fd < 0 && errno == EINTR);
    return fd;
}

/* Whether the file ends in the middle of a line: a server that was killed wrote it. */
static bool ends_torn(const char *path, int fd)
{
    struct stat info;
    char last = '\n';
    if (fstat(fd, &info) < 0 || !S_ISREG(info.st_mode) || info.st_size == 0)
        return false;
    int reader = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (reader < 0)
        return false;
    bool torn = pread(reader, &last, 1, info.st_size - 1) == 1 && last != '\n';
    close(reader);
    return torn;
}

int herd_logfile_open(struct herd_logfile **ret_file, const char *path)
{
    size_t size = strlen(path) + 1;
    struct herd_logfile *file = malloc(sizeof *file + size);
    if (!file)
        return HERD_E_NOMEM;
    memcpy(file->path, path, size);
    file->is_torn = false;
    file->is_stderr = strcmp(path, "-") == 0;
    file->fd = file->is_stderr ? STDERR_FILENO : open_path(path);
    if (file->fd < 0) {
        int why = errno;
        free(file);
        errno = why;
        return HERD_E_IO;
    }
    file->is_torn = !file->is_stderr && ends_torn(path, file->fd);
    *ret_file = file;
    return 0;
}

int herd_logfile_reopen(struct herd_logfile *file)
{
    if (file->is_stderr)
        return 0;
    int fd = open_path(file->path);
    if (fd < 0)
        return HERD_E_IO;
    close(file->fd);
    file->fd = fd;
    file->is_torn = false;
    return 0;
}

static int64_t clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Waits for room, up to STALL_MAX_MS in all for one hand-over: *io_until_ms is 0 before the first wait. */
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

static int write_all(struct herd_logfile *file, const char *bytes, size_t len)
{
    int64_t until_ms = 0;
    while (len) {
        ssize_t wrote = write(file->fd, bytes, len);
        if (wrote > 0) {
            bytes += wrote;
            len -= (size_t)wrote;
            file->is_torn = bytes[-1] != '\n';
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

int herd_logfile_sink(void *ctx, const char *bytes, size_t len)
{
    struct herd_logfile *file = ctx;
    int err = 0;
    if (file->is_torn)
        err = write_all(file, "\n", 1);
    return err < 0 ? err : write_all(file, bytes, len);
}

void herd_logfile_close(struct herd_logfile *file)
{
    if (!file)
        return;
    if (!file->is_stderr)
        close(file->fd);
    free(file);
}
