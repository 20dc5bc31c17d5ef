/* SPDX-License-Identifier: MIT */
/* Reading files of keys and certificates: regular ones only, opened so that a FIFO holds nobody up. */
#include "tls_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX ((off_t)16 << 20)

void herd_tls_fail(struct herd_tls_fault *fault, const char *event, const char *form, ...)
{
    va_list args;
    va_start(args, form);
    fault->event = event;
    vsnprintf(fault->text, sizeof fault->text, form, args);
    va_end(args);
}

static int judge(const char *path, int fd, bool secret, struct stat *ret_status, struct herd_tls_fault *fault)
{
    if (fstat(fd, ret_status) < 0) {
        herd_tls_fail(fault, "file_unreadable", "%s: %s", path, strerror(errno));
        return HERD_E_IO;
    }
    if (!S_ISREG(ret_status->st_mode) || ret_status->st_size > FILE_MAX) {
        herd_tls_fail(fault, "file_unreadable", "%s: not a regular file of at most 16 MiB", path);
        return HERD_E_IO;
    }
    /* With an ACL the bits of the group are its mask, which says nothing of others (systemd's credentials). */
    if (secret && (ret_status->st_mode & (S_IROTH | S_IWOTH))) {
        herd_tls_fail(fault, "key_file_mode", "%s: mode %03o lets others read it; use 600 or 640", path,
                      (unsigned)ret_status->st_mode & 0777);
        return HERD_E_ACCESS;
    }
    if (ret_status->st_mode & S_IWOTH) {
        herd_tls_fail(fault, "key_file_mode", "%s: mode %03o lets others write it; use 644 or less", path,
                      (unsigned)ret_status->st_mode & 0777);
        return HERD_E_ACCESS;
    }
    return 0;
}

static int read_all(const char *path, int fd, off_t size, struct herd_buf *out, struct herd_tls_fault *fault)
{
    out->len = 0;
    for (;;) {
        int err = herd_buf_reserve(out, out->len ? 4096 : (size_t)size + 1);
        if (err < 0)
            return err;
        ssize_t got = read(fd, out->at + out->len, out->cap - out->len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            herd_tls_fail(fault, "file_unreadable", "%s: %s", path, strerror(errno));
            return HERD_E_IO;
        }
        if (got == 0)
            return 0;
        out->len += (size_t)got;
        if (out->len > (size_t)FILE_MAX) {
            herd_tls_fail(fault, "file_unreadable", "%s: it grows while it is read", path);
            return HERD_E_IO;
        }
    }
}

int herd_tls_file_read(const char *path, bool secret, struct herd_buf *out,
                       struct herd_tls_fault *reterr_diagnostic)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        herd_tls_fail(reterr_diagnostic, "file_unreadable", "%s: %s", path, strerror(errno));
        return HERD_E_IO;
    }
    int err = judge(path, fd, secret, &status, reterr_diagnostic);
    if (err >= 0)
        err = read_all(path, fd, status.st_size, out, reterr_diagnostic);
    close(fd);
    return err;
}
