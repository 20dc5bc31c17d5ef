/* SPDX-License-Identifier: MIT */
/*
 * Loaded before libc: reading, writing and syncing the file HUNG_DISK_FILE does not return while the file
 * HUNG_DISK_WHILE exists. If that one is not empty, writing fails at once instead, as on a disk that is read-only.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_on_disk(int fd)
{
    char name[64], path[4096];
    const char *file = getenv("HUNG_DISK_FILE");
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(name, path, sizeof path - 1);
    if (!file || len < 0)
        return false;
    path[len] = '\0';
    return strcmp(path, file) == 0;
}

/* Whether the call is to fail. */
static bool hangs(int fd)
{
    struct stat about;
    const char *flag = getenv("HUNG_DISK_WHILE");
    int error = errno;
    if (!flag || stat(flag, &about) < 0 || !is_on_disk(fd)) {
        errno = error;
        return false;
    }
    while (stat(flag, &about) == 0 && about.st_size == 0)
        usleep(1000);
    bool fails = stat(flag, &about) == 0 && about.st_size > 0;
    errno = fails ? EROFS : error;
    return fails;
}

ssize_t write(int fd, const void *bytes, size_t len)
{
    static ssize_t (*next)(int, const void *, size_t);
    if (!next)
        next = (ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    return hangs(fd) ? -1 : next(fd, bytes, len);
}

ssize_t read(int fd, void *bytes, size_t len)
{
    static ssize_t (*next)(int, void *, size_t);
    if (!next)
        next = (ssize_t(*)(int, void *, size_t))dlsym(RTLD_NEXT, "read");
    (void)hangs(fd);
    return next(fd, bytes, len);
}

int fdatasync(int fd)
{
    static int (*next)(int);
    if (!next)
        next = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    return hangs(fd) ? -1 : next(fd);
}
