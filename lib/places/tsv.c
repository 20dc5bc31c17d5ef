/* SPDX-License-Identifier: MIT */
/* GeoNames' tables: 19 columns parted by TAB, no quoting, one place a line, UTF-8. A line that is none of these (a
 * header, a row short of a field) is noted and left out. */
#include "decimal.h"
#include "points.h"
#include "raw.h"
#include "reader.h"

#include <string.h>

enum { TSV_ID = 0, TSV_NAME = 1, TSV_LAT = 4, TSV_LON = 5, TSV_CLASS = 6, TSV_COUNTRY = 8, TSV_COLUMNS = 19 };

/* Google's place types for GeoNames' feature classes. */
static const char *types_of(struct herd_span class)
{
    switch (class.len == 1 ? *class.at : 0) {
    case 'P': return "\"locality\", \"political\"";
    case 'A': return "\"political\"";
    case 'R': return "\"route\"";
    case 'S': return "\"point_of_interest\", \"establishment\"";
    case 'H':
    case 'T':
    case 'U':
    case 'V': return "\"natural_feature\"";
    default: return "\"point_of_interest\"";
    }
}

static int shown(struct herd_span text)
{
    return text.len < 40 ? (int)text.len : 40;
}

static bool coordinate(struct herd_points_reader *reader, struct herd_span text, const char *what, int64_t most_deg,
                       int32_t *ret_e7)
{
    int64_t e7;
    int err = herd_decimal_e7(text, &e7);
    if (err == HERD_E_SYNTAX) {
        herd_reader_note(reader, err, reader->line, "%s is not a number: %.*s", what, shown(text), text.at);
        return false;
    }
    if (err < 0 || e7 > most_deg * HERD_E7 || e7 < -most_deg * HERD_E7) {
        herd_reader_note(reader, HERD_E_RANGE, reader->line, "%s is beyond %lld: %.*s", what, (long long)most_deg,
                         shown(text), text.at);
        return false;
    }
    *ret_e7 = (int32_t)e7;
    return true;
}

/* Splits a line into its columns and checks them. False: noted. */
static bool read_columns(struct herd_points_reader *reader, struct herd_span line,
                         struct herd_span column[TSV_COLUMNS], struct herd_point *io_point)
{
    size_t count = 0;
    for (const char *at = line.at, *end = line.at + line.len;;) {
        const char *tab = memchr(at, '\t', (size_t)(end - at));
        if (count < TSV_COLUMNS)
            column[count] = (struct herd_span){at, (size_t)((tab ? tab : end) - at)};
        count++;
        if (!tab)
            break;
        at = tab + 1;
    }
    if (count != TSV_COLUMNS) {
        herd_reader_note(reader, HERD_E_SYNTAX, reader->line, "%zu columns where GeoNames has %d", count,
                         TSV_COLUMNS);
        return false;
    }
    for (size_t i = 0; i < line.len;) {
        size_t len = herd_utf8_len((struct herd_span){line.at + i, line.len - i});
        if (!len || !line.at[i]) {
            herd_reader_note(reader, HERD_E_SYNTAX, reader->line, "not UTF-8 at byte %zu of the line", i);
            return false;
        }
        i += len;
    }
    return coordinate(reader, column[TSV_LAT], "latitude", 90, &io_point->lat_e7) &&
           coordinate(reader, column[TSV_LON], "longitude", 180, &io_point->lon_e7);
}

static int add_line(struct herd_points_reader *reader, struct herd_span line,
                    struct herd_diagnostic *reterr_diagnostic)
{
    struct herd_span column[TSV_COLUMNS] = {{NULL, 0}};
    struct herd_point point = {0};
    int err;
    if (line.len && line.at[line.len - 1] == '\r')
        line.len--;
    if (!line.len)
        return 0;
    if (!read_columns(reader, line, column, &point) || !column[TSV_NAME].len) {
        reader->summary.skipped++;
        return 0;
    }
    struct herd_buf *scratch = &reader->scratch;
    scratch->len = 0;
    if (herd_raw_escape(scratch, column[TSV_NAME]) < 0)
        return herd_reader_fault(reader, reterr_diagnostic, HERD_E_NOMEM, "out of memory");
    size_t name_len = scratch->len;
    if (herd_raw_escape(scratch, column[TSV_ID]) < 0)
        return herd_reader_fault(reader, reterr_diagnostic, HERD_E_NOMEM, "out of memory");
    size_t id_len = scratch->len - name_len;
    struct herd_span country = herd_country_name(column[TSV_COUNTRY]);
    point.vicinity = country;
    if (!country.len) {
        if (herd_raw_escape(scratch, column[TSV_COUNTRY]) < 0)
            return herd_reader_fault(reader, reterr_diagnostic, HERD_E_NOMEM, "out of memory");
        point.vicinity = (struct herd_span){scratch->at + name_len + id_len, scratch->len - name_len - id_len};
    }
    point.name = (struct herd_span){scratch->at, name_len};
    point.id = (struct herd_span){scratch->at + name_len, id_len};
    point.types = herd_span_of(types_of(column[TSV_CLASS]));
    if ((err = herd_points_add(reader->points, &point)) < 0)
        return herd_reader_fault(reader, reterr_diagnostic, err, "%s", herd_strerror(err));
    reader->summary.taken++;
    return 0;
}

/* Keeps a part of a line. One without end is no line of a table: it is left out up to its end. */
static int keep(struct herd_points_reader *reader, struct herd_span piece,
                struct herd_diagnostic *reterr_diagnostic)
{
    if (reader->partial.len + piece.len > HERD_READER_ITEM_MAX) {
        herd_reader_note(reader, HERD_E_LIMIT, reader->line, "a line this long is no table");
        reader->summary.skipped++;
        reader->skip_line = true;
        reader->partial.len = 0;
    } else if (herd_buf_add(&reader->partial, piece.at, piece.len) < 0) {
        return herd_reader_fault(reader, reterr_diagnostic, HERD_E_NOMEM, "out of memory");
    }
    return 0;
}

int herd_tsv_read(struct herd_points_reader *reader, struct herd_span bytes,
                  struct herd_diagnostic *reterr_diagnostic)
{
    const char *at = bytes.at, *end = bytes.at + bytes.len;
    int err = 0;
    while (at < end) {
        const char *lf = memchr(at, '\n', (size_t)(end - at));
        struct herd_span piece = {at, (size_t)((lf ? lf : end) - at)};
        bool in_parts = !lf || reader->partial.len;
        if (in_parts && !reader->skip_line && (err = keep(reader, piece, reterr_diagnostic)) < 0)
            return err;
        if (!lf)
            return 0;
        if (in_parts)
            piece = (struct herd_span){reader->partial.at, reader->partial.len};
        if (!reader->skip_line && (err = add_line(reader, piece, reterr_diagnostic)) < 0)
            return err;
        reader->skip_line = false;
        reader->partial.len = 0;
        reader->line++;
        at = lf + 1;
    }
    return 0;
}

int herd_tsv_end(struct herd_points_reader *reader, struct herd_diagnostic *reterr_diagnostic)
{
    return reader->partial.len
               ? add_line(reader, (struct herd_span){reader->partial.at, reader->partial.len}, reterr_diagnostic)
               : 0;
}
