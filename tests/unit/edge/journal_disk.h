/* SPDX-License-Identifier: MIT */
/*
 * A disk that fails as told. A program that includes this is linked with
 * -Wl,--wrap=write,--wrap=fdatasync,--wrap=rename,--wrap=ftruncate,--wrap=open,--wrap=read,--wrap=flock,--wrap=pthread_create.
 */
#ifndef TEST_JOURNAL_DISK_H
#define TEST_JOURNAL_DISK_H

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>
#include <unistd.h>

/* Atomic: a thread that was given up may still look at it when the next test begins. */
static struct disk {
    atomic_long room;       /* bytes that writes still take; negative: any number */
    atomic_size_t at_once;  /* a write takes no more than this; 0: all */
    atomic_int full_error;  /* what a write says when there is no room */
    atomic_uint interrupts; /* writes that are interrupted first */
    atomic_int rename_error, truncate_error, open_error, read_error, lock_error;
    atomic_long reads, opens; /* so many go well before one fails */
} disk;
static atomic_int disk_sync_error, disk_syncs_well; /* so many go well before one fails */
/* NULL, or runs when a file was locked. */
static void (*disk_on_lock)(void);
/* The next call of this kind, of any thread, does not return before disk_let_go. */
enum disk_hang { DISK_HANGS_NOT, DISK_HANGS_IN_WRITE, DISK_HANGS_IN_SYNC, DISK_HANGS_IN_RENAME };
static atomic_int disk_hang, disk_hung;
static atomic_int disk_syncs;

ssize_t __real_write(int fd, const void *bytes, size_t len);
ssize_t __wrap_write(int fd, const void *bytes, size_t len);
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);
int __real_ftruncate(int fd, off_t len);
int __wrap_ftruncate(int fd, off_t len);
int __wrap_ftruncate64(int fd, off_t len);
int __real_ftruncate64(int fd, off_t len);
int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);

ssize_t __real_read(int fd, void *at, size_t len);
ssize_t __wrap_read(int fd, void *at, size_t len);
int __real_flock(int fd, int how);
int __wrap_flock(int fd, int how);

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg);

/* Without threads each call does its part on the spot. */
static bool disk_threads;

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
    return disk_threads ? __real_pthread_create(thread, attr, run, arg) : EAGAIN;
}

static void disk_reset(void)
{
    disk.room = -1;
    disk.at_once = 0;
    disk.full_error = ENOSPC;
    disk.interrupts = 0;
    disk.rename_error = disk.truncate_error = disk.open_error = disk.read_error = disk.lock_error = 0;
    disk.reads = disk.opens = 0;
    disk_sync_error = disk_syncs_well = 0;
    disk_on_lock = NULL;
}

static inline void disk_let_go(void)
{
    disk_hang = DISK_HANGS_NOT;
}

/* This thread looks at another disk meanwhile, which hangs never. */
static _Thread_local bool disk_is_other;

static void hang(enum disk_hang where)
{
    if (disk_hang != (int)where || disk_is_other)
        return;
    disk_hung++;
    while (disk_hang == (int)where)
        usleep(500);
    disk_hung--;
}

ssize_t __wrap_write(int fd, const void *bytes, size_t len)
{
    hang(DISK_HANGS_IN_WRITE);
    if (disk.interrupts > 0) {
        disk.interrupts--;
        errno = EINTR;
        return -1;
    }
    if (disk.at_once && len > disk.at_once)
        len = disk.at_once;
    if (disk.room >= 0 && len > (size_t)disk.room)
        len = (size_t)disk.room;
    if (len == 0) {
        errno = disk.full_error;
        return disk.full_error ? -1 : 0;
    }
    if (disk.room >= 0)
        disk.room -= (long)len;
    return __real_write(fd, bytes, len);
}

ssize_t __wrap_read(int fd, void *at, size_t len)
{
    if (disk.read_error && --disk.reads < 0) {
        errno = disk.read_error;
        if (errno == EINTR)
            disk.read_error = 0;
        return -1;
    }
    return __real_read(fd, at, len);
}

int __wrap_flock(int fd, int how)
{
    if (disk.lock_error) {
        errno = disk.lock_error;
        return -1;
    }
    int err = __real_flock(fd, how);
    if (err == 0 && disk_on_lock)
        disk_on_lock();
    return err;
}

int __wrap_fdatasync(int fd)
{
    (void)fd;
    hang(DISK_HANGS_IN_SYNC);
    disk_syncs++;
    int error = disk_sync_error;
    if (!error || --disk_syncs_well >= 0)
        return 0; /* the real one has nothing to add but time */
    errno = error;
    if (error == EINTR)
        disk_sync_error = 0;
    return -1;
}

int __wrap_rename(const char *from, const char *to)
{
    hang(DISK_HANGS_IN_RENAME);
    if (disk.rename_error) {
        errno = disk.rename_error;
        return -1;
    }
    return __real_rename(from, to);
}

static int cut(int fd, off_t len)
{
    if (disk.truncate_error) {
        errno = disk.truncate_error;
        return -1;
    }
    return __real_ftruncate64(fd, len);
}

int __wrap_ftruncate(int fd, off_t len)
{
    return cut(fd, len);
}

int __wrap_ftruncate64(int fd, off_t len)
{
    return cut(fd, len);
}

static int open_any(const char *path, int flags, va_list args)
{
    if (disk.open_error && --disk.opens < 0) {
        errno = disk.open_error;
        return -1;
    }
    return __real_open64(path, flags, va_arg(args, unsigned));
}

int __wrap_open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    int fd = open_any(path, flags, args);
    va_end(args);
    return fd;
}

int __wrap_open64(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    int fd = open_any(path, flags, args);
    va_end(args);
    return fd;
}

#endif
