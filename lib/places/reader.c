/* SPDX-License-Identifier: MIT */
/* A reader of files of places: pushed through the reader of their format. */
#include "reader.h"

#include <stdlib.h>

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
    herd_buf_fini(&reader->partial);
    herd_buf_fini(&reader->scratch);
    free(reader);
}

int herd_points_read(struct herd_points_reader *reader, struct herd_span bytes,
                     struct herd_diagnostic *reterr_diagnostic)
{
    return reader->format == HERD_POINTS_TSV ? herd_tsv_read(reader, bytes, reterr_diagnostic)
                                             : herd_geojson_read(reader, bytes, reterr_diagnostic);
}

int herd_points_read_end(struct herd_points_reader *reader, struct herd_diagnostic *reterr_diagnostic)
{
    int err = 0;
    if (reader->format == HERD_POINTS_TSV)
        err = herd_tsv_end(reader, reterr_diagnostic);
    else
        herd_geojson_end(reader);
    if (err == 0 && reader->summary.faulty && !reader->summary.taken) {
        *reterr_diagnostic = reader->summary.first;
        err = reader->summary.first_err;
    }
    return err;
}

const struct herd_points_summary *herd_points_reader_summary(const struct herd_points_reader *reader)
{
    return &reader->summary;
}
