/* SPDX-License-Identifier: MIT */
/* Forced into the files of lib/edge that make a journal: what they write lies on the simulator's disk. */
#ifndef SIM_FILES_H
#define SIM_FILES_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

int sim_open(const char *path, int flags);
int sim_close(int fd);
ssize_t sim_read(int fd, void *at, size_t len);
ssize_t sim_write(int fd, const void *at, size_t len);
int sim_ftruncate(int fd, off_t len);
off_t sim_lseek(int fd, off_t offset, int whence);
int sim_fstat(int fd, struct stat *ret);
int sim_stat(const char *path, struct stat *ret);
int sim_rename(const char *from, const char *to);
int sim_unlink(const char *path);
int sim_fdatasync(int fd);
char *sim_strdup(const char *text); /* in memory that is counted */

#ifndef SIM_DISK
#define open(path, ...)           sim_open(path, SIM_FLAGS(__VA_ARGS__, 0))
#define SIM_FLAGS(flags, ...)     (flags)
#define close(fd)                 sim_close(fd)
#define read(fd, at, len)         sim_read(fd, at, len)
#define write(fd, at, len)        sim_write(fd, at, len)
#define ftruncate(fd, len)        sim_ftruncate(fd, len)
#define lseek(fd, offset, whence) sim_lseek(fd, offset, whence)
#define fstat(fd, ret)            sim_fstat(fd, ret)
#define stat(path, ret)           sim_stat(path, ret)
#define rename(from, to)          sim_rename(from, to)
#define unlink(path)              sim_unlink(path)
#define fdatasync(fd)             sim_fdatasync(fd)
#define flock(fd, how)            ((void)(fd), 0)
#undef strdup
#define strdup(text)        sim_strdup(text)
#define realpath(path, out) ((char *)0)
#endif
#endif
