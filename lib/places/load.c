/* SPDX-License-Identifier: MIT */
/* Reads a whole file of places: opens it, detects its format, reads it to its end. */
#include "reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK_BYTES 65536

struct load {
    int fd;
    const struct herd_points_watch *watch;
    struct herd_points *points;
    struct herd_points_reader *reader;
    struct herd_diagnostic *fault;
};

/* Opens regular files only: reading a FIFO, a terminal or a socket could block. O_NONBLOCK is for the
 * time until that is known. */
static int open_regular(const char *path, int *ret_fd, struct herd_diagnostic *reterr_diagnostic)
{
    struct stat about;
    const char *kind;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return herd_reader_fault(NULL, reterr_diagnostic, HERD_E_IO, "%s",
                                 errno == ENXIO ? "not a regular file" : strerror(errno));
    if (fstat(fd, &about) < 0) {
        kind = strerror(errno);
    } else if (S_ISREG(about.st_mode)) {
        *ret_fd = fd;
        return 0;
    } else {
        kind = S_ISDIR(about.st_mode)    ? "a directory, not a file"
               : S_ISFIFO(about.st_mode) ? "a FIFO, not a regular file"
                                         : "not a regular file";
    }
    close(fd);
    return herd_reader_fault(NULL, reterr_diagnostic, HERD_E_IO, "%s", kind);
}

/* GeoJSON begins with a brace or a record separator; all else is a table. Not all of the bytes are white space:
 * herd_file_kind was asked. */
static enum herd_points_format format_of(struct herd_span bytes)
{
    const char *at = bytes.at;
    while (*at && strchr(" \t\r\n", *at))
        at++;
    return *at == '{' || *at == 0x1e ? HERD_POINTS_GEOJSON : HERD_POINTS_TSV;
}

/* Looks at the first bytes and makes the reader for them; a byte order mark is taken off. */
static int begin(struct load *load, struct herd_span *io_bytes)
{
    if (io_bytes->len >= 3 && memcmp(io_bytes->at, "\xef\xbb\xbf", 3) == 0) {
        io_bytes->at += 3;
        io_bytes->len -= 3;
    }
    const char *kind = herd_file_kind(*io_bytes);
    if (kind)
        return herd_reader_fault(NULL, load->fault, HERD_E_SYNTAX, "%s", kind);
    enum herd_points_format format = format_of(*io_bytes);
    bool table = format == HERD_POINTS_TSV;
    if (herd_points_new(&load->points, table ? HERD_GEONAMES_ATTRIBUTION : "", table ? "geonames:" : "") < 0 ||
        herd_points_reader_new(&load->reader, format, load->points) < 0)
        return herd_reader_fault(NULL, load->fault, HERD_E_NOMEM, "out of memory");
    return 0;
}

/* Fills the chunk as far as the file goes. HERD_E_IO. */
static int read_chunk(struct load *load, char *chunk, size_t *ret_len)
{
    size_t len = 0;
    while (len < CHUNK_BYTES) {
        ssize_t got = read(load->fd, chunk + len, CHUNK_BYTES - len);
        if (got == 0)
            break;
        if (got > 0)
            len += (size_t)got;
        else if (errno != EINTR)
            return herd_reader_fault(load->reader, load->fault, HERD_E_IO, "%s", strerror(errno));
    }
    *ret_len = len;
    return 0;
}

static int read_all(struct load *load, char *chunk)
{
    for (bool first = true;; first = false) {
        struct herd_span bytes = {chunk, 0};
        int err = read_chunk(load, chunk, &bytes.len);
        bool whole = bytes.len == CHUNK_BYTES;
        if (err == 0 && load->watch && atomic_load(&load->watch->stop))
            err = herd_reader_fault(load->reader, load->fault, HERD_E_STATE, "stopped");
        if (err == 0 && !load->reader)
            err = begin(load, &bytes);
        if (err < 0)
            return err;
        if (!bytes.len)
            return herd_points_read_end(load->reader, load->fault);
        if ((err = herd_points_read(load->reader, bytes, load->fault)) < 0)
            return err;
        if (first && whole && load->watch && load->watch->begun)
            load->watch->begun(load->watch->ctx);
    }
}

int herd_points_load(struct herd_points **ret_points, const char *path, const struct herd_points_watch *watch,
                     struct herd_points_summary *ret_summary, struct herd_diagnostic *reterr_diagnostic)
{
    struct load load = {.fd = -1, .watch = watch, .fault = reterr_diagnostic};
    *ret_summary = (struct herd_points_summary){0};
    int err = open_regular(path, &load.fd, reterr_diagnostic);
    if (err < 0)
        return err;
    char *chunk = malloc(CHUNK_BYTES);
    err =
        chunk ? read_all(&load, chunk) : herd_reader_fault(NULL, reterr_diagnostic, HERD_E_NOMEM, "out of memory");
    if (err == 0 && (err = herd_points_build_index(load.points)) < 0)
        err = herd_reader_fault(load.reader, reterr_diagnostic, err, "out of memory");
    if (load.reader)
        *ret_summary = *herd_points_reader_summary(load.reader);
    if (err == 0) {
        *ret_points = load.points;
        load.points = NULL;
    }
    herd_points_reader_free(load.reader);
    herd_points_free(load.points);
    free(chunk);
    close(load.fd);
    return err;
}
