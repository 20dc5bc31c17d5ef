/* SPDX-License-Identifier: MIT */
/* Files of places: pushed through the reader of their format. */
#include "reader.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES 65536

int herd_reader_fault(const struct herd_points_reader *reader, struct herd_config_fault *reterr_fault, int err,
                      const char *what, ...)
{
    va_list args;
    va_start(args, what);
    vsnprintf(reterr_fault->what, sizeof reterr_fault->what, what, args);
    va_end(args);
    reterr_fault->line = reader ? reader->line : 0;
    reterr_fault->column = 0;
    return err;
}

int herd_points_reader_new(struct herd_points_reader **ret_reader, enum herd_points_format format,
                           struct herd_points *points)
{
    struct herd_points_reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return HERD_E_NOMEM;
    reader->format = format;
    reader->points = points;
    reader->line = reader->item_line = 1;
    *ret_reader = reader;
    return 0;
}

void herd_points_reader_free(struct herd_points_reader *reader)
{
    if (!reader)
        return;
    herd_buf_fini(&reader->carry);
    herd_buf_fini(&reader->scratch);
    free(reader);
}

int herd_points_read(struct herd_points_reader *reader, struct herd_span bytes,
                     struct herd_config_fault *reterr_fault)
{
    return reader->format == HERD_POINTS_TSV ? herd_tsv_read(reader, bytes, reterr_fault)
                                             : herd_geojson_read(reader, bytes, reterr_fault);
}

int herd_points_read_end(struct herd_points_reader *reader, struct herd_config_fault *reterr_fault)
{
    return reader->format == HERD_POINTS_TSV ? herd_tsv_end(reader, reterr_fault)
                                             : herd_geojson_end(reader, reterr_fault);
}

size_t herd_points_skipped(const struct herd_points_reader *reader)
{
    return reader ? reader->skipped : 0;
}

/* A table begins with a number, GeoJSON with a brace or a record separator. */
static enum herd_points_format format_of(const char *at, size_t len)
{
    while (len && strchr(" \t\r\n", *at) && *at) {
        at++;
        len--;
    }
    return len && (*at == '{' || *at == 0x1e) ? HERD_POINTS_GEOJSON : HERD_POINTS_TSV;
}

static int begin(struct herd_points_reader **ret_reader, struct herd_points **ret_points, const char *at,
                 size_t len)
{
    enum herd_points_format format = format_of(at, len);
    bool table = format == HERD_POINTS_TSV;
    int err = herd_points_new(ret_points, table ? HERD_GEONAMES_ATTRIBUTION : "", table ? "geonames:" : "");
    return err < 0 ? err : herd_points_reader_new(ret_reader, format, *ret_points);
}

int herd_points_load(struct herd_points **ret_points, const char *path, const atomic_bool *stop,
                     size_t *ret_skipped, struct herd_config_fault *reterr_fault)
{
    struct herd_points *points = NULL;
    struct herd_points_reader *reader = NULL;
    int err = 0;
    FILE *file = NULL;
    char *chunk = malloc(CHUNK_BYTES);
    if (!chunk) {
        err = herd_reader_fault(NULL, reterr_fault, HERD_E_NOMEM, "out of memory");
        goto out;
    }
    file = fopen(path, "rbe");
    if (!file) {
        err = herd_reader_fault(NULL, reterr_fault, HERD_E_IO, "%s", strerror(errno));
        goto out;
    }
    size_t got;
    while (err == 0 && (got = fread(chunk, 1, CHUNK_BYTES, file)) > 0) {
        struct herd_span bytes = {chunk, got};
        if (!reader) {
            if (got >= 3 && memcmp(chunk, "\xef\xbb\xbf", 3) == 0) { /* a byte order mark */
                bytes.at += 3;
                bytes.len -= 3;
            }
            err = begin(&reader, &points, bytes.at, bytes.len);
            if (err < 0 || !reader) {
                err = herd_reader_fault(NULL, reterr_fault, HERD_E_NOMEM, "out of memory");
                break;
            }
        }
        if (stop && atomic_load(stop))
            err = herd_reader_fault(reader, reterr_fault, HERD_E_STATE, "stopped");
        else
            err = herd_points_read(reader, bytes, reterr_fault);
    }
    if (err < 0)
        goto out;
    if (ferror(file)) {
        err = herd_reader_fault(reader, reterr_fault, HERD_E_IO, "%s", strerror(errno));
    } else if (!reader) {
        err = herd_reader_fault(NULL, reterr_fault, HERD_E_SYNTAX, "empty file");
    } else if ((err = herd_points_read_end(reader, reterr_fault)) == 0 && (err = herd_points_seal(points)) < 0) {
        err = herd_reader_fault(reader, reterr_fault, err, "out of memory");
    }
out:
    if (err == 0) {
        *ret_skipped = herd_points_skipped(reader);
        *ret_points = points;
        points = NULL;
    }
    herd_points_reader_free(reader);
    herd_points_free(points);
    if (file)
        fclose(file);
    free(chunk);
    return err;
}
