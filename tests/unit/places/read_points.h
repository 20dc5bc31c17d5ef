/* SPDX-License-Identifier: MIT */
/* Reads a text as a file of places, fed whole and then split at every byte, with the same outcome. */
#ifndef TEST_READ_POINTS_H
#define TEST_READ_POINTS_H

#include "cm.h"

#include "points.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline int read_points_in_pieces(enum herd_points_format format, const char *text, size_t len, size_t cut,
                                        struct herd_points **ret_points, struct herd_points_summary *ret_summary,
                                        struct herd_diagnostic *diagnostic)
{
    struct herd_points *points;
    struct herd_points_reader *reader;
    assert_int_equal(herd_points_new(&points, "", ""), 0);
    assert_int_equal(herd_points_reader_new(&reader, format, points), 0);
    int err = 0;
    size_t at = 0;
    while (at < len && err == 0) {
        size_t piece = at < cut ? cut - at : len - at;
        if (cut == 0)
            piece = 1;
        char *copy = malloc(piece); /* so that reading beyond a piece is seen */
        assert_non_null(copy);
        memcpy(copy, text + at, piece);
        err = herd_points_read(reader, (struct herd_span){copy, piece}, diagnostic);
        free(copy);
        at += piece;
    }
    if (err == 0)
        err = herd_points_read_end(reader, diagnostic);
    *ret_summary = *herd_points_reader_summary(reader);
    herd_points_reader_free(reader);
    if (err == 0)
        err = herd_points_build_index(points);
    if (err < 0) {
        herd_points_free(points);
        points = NULL;
    }
    *ret_points = points;
    return err;
}

static inline int read_points(enum herd_points_format format, const char *text, struct herd_points **ret_points,
                              struct herd_points_summary *ret_summary, struct herd_diagnostic *diagnostic)
{
    size_t len = strlen(text);
    int whole = read_points_in_pieces(format, text, len, len, ret_points, ret_summary, diagnostic);
    for (size_t cut = 0; cut < len; cut++) {
        struct herd_points *points;
        struct herd_points_summary summary;
        struct herd_diagnostic other = {0};
        int err = read_points_in_pieces(format, text, len, cut, &points, &summary, &other);
        if (err != whole || memcmp(&summary, ret_summary, sizeof summary) != 0 ||
            (err == 0 && herd_points_count(points) != herd_points_count(*ret_points)) ||
            (err < 0 && (other.line != diagnostic->line || strcmp(other.message, diagnostic->message) != 0)))
            fail_msg(
                "cut at %zu: %d line %u %s, faults %zu: line %u %s; whole: %d line %u %s, %zu: line %u %s in %s",
                cut, err, other.line, other.message, summary.faulty, summary.first.line, summary.first.message,
                whole, diagnostic->line, diagnostic->message, ret_summary->faulty, ret_summary->first.line,
                ret_summary->first.message, text);
        herd_points_free(points);
    }
    return whole;
}

/* What is wrong in a text that nothing could be taken from. */
struct bad_row {
    const char *text;
    int err;
    unsigned line;
    const char *what; /* a part of the sentence */
};

/* What is wrong first in a text that something could be taken from in spite of it. */
struct noted_row {
    struct bad_row bad;
    size_t taken, skipped, faulty;
};

static inline void check_row(enum herd_points_format format, size_t i, const struct noted_row *row)
{
    const struct bad_row *bad = &row->bad;
    struct herd_points *points;
    struct herd_points_summary summary;
    struct herd_diagnostic diagnostic = {0};
    int err = read_points(format, bad->text, &points, &summary, &diagnostic);
    if (err == 0)
        diagnostic = summary.first;
    if (err != (row->taken ? 0 : bad->err) || summary.taken != row->taken || summary.first_err != bad->err ||
        diagnostic.line != bad->line || !strstr(diagnostic.message, bad->what) ||
        strcmp(diagnostic.message, summary.first.message) != 0 ||
        (row->taken && (summary.skipped != row->skipped || summary.faulty != row->faulty)))
        fail_msg("row %zu: %d, taken %zu, skipped %zu, faults %zu, line %u: %s", i, err, summary.taken,
                 summary.skipped, summary.faulty, diagnostic.line, diagnostic.message);
    herd_points_free(points);
}

static inline void refuse_rows(enum herd_points_format format, const struct bad_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check_row(format, i, &(struct noted_row){.bad = rows[i]});
}

static inline void note_rows(enum herd_points_format format, const struct noted_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check_row(format, i, &rows[i]);
}

#endif
