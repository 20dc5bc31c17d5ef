/* SPDX-License-Identifier: MIT */
/* fstat and read fail where the test says so, read returns less than it was asked for, and files are somebody else's. Link with -Wl,--wrap=read and
 * with libdl. */
#ifndef TEST_FAILING_FILE_CALLS_H
#define TEST_FAILING_FILE_CALLS_H

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>

static struct {
    int fstat_at, read_at; /* the call to fail, counted down; 0: none */
    int error;
    size_t read_most; /* bytes that a read returns; 0: all */
    gid_t gid;        /* whose group every file has; 0: its own */
    bool grows;       /* every file was empty when fstat looked at it */
} file_call_plan;

/* The header says which symbol `fstat` is: defined here, it takes the place of the C library's. */
int fstat(int fd, struct stat *about)
{
    int (*real)(int, struct stat *) = NULL;
    void *symbol = dlsym(RTLD_NEXT, sizeof(off_t) > sizeof(long) ? "fstat64" : "fstat");
    memcpy(&real, &symbol, sizeof real);
    if (file_call_plan.fstat_at && --file_call_plan.fstat_at == 0) {
        errno = file_call_plan.error;
        return -1;
    }
    int err = real(fd, about);
    if (file_call_plan.gid)
        about->st_gid = file_call_plan.gid;
    if (file_call_plan.grows)
        about->st_size = 0;
    return err;
}

ssize_t __real_read(int fd, void *to, size_t len);
ssize_t __wrap_read(int fd, void *to, size_t len);
ssize_t __wrap_read(int fd, void *to, size_t len)
{
    if (file_call_plan.read_at && --file_call_plan.read_at == 0) {
        errno = file_call_plan.error;
        return -1;
    }
    return __real_read(fd, to,
                       file_call_plan.read_most && file_call_plan.read_most < len ? file_call_plan.read_most : len);
}

#endif
