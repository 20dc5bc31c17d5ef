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
                                        struct herd_points **ret_points, size_t *ret_skipped,
                                        struct herd_config_fault *fault)
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
        err = herd_points_read(reader, (struct herd_span){copy, piece}, fault);
        free(copy);
        at += piece;
    }
    if (err == 0)
        err = herd_points_read_end(reader, fault);
    *ret_skipped = herd_points_skipped(reader);
    herd_points_reader_free(reader);
    if (err == 0)
        err = herd_points_seal(points);
    if (err < 0) {
        herd_points_free(points);
        points = NULL;
    }
    *ret_points = points;
    return err;
}

static inline int read_points(enum herd_points_format format, const char *text, struct herd_points **ret_points,
                              size_t *ret_skipped, struct herd_config_fault *fault)
{
    size_t len = strlen(text), skipped;
    int whole = read_points_in_pieces(format, text, len, len, ret_points, ret_skipped, fault);
    for (size_t cut = 0; cut < len; cut++) {
        struct herd_points *points;
        struct herd_config_fault other = {0};
        int err = read_points_in_pieces(format, text, len, cut, &points, &skipped, &other);
        if (err != whole ||
            (err == 0 &&
             (herd_points_count(points) != herd_points_count(*ret_points) || skipped != *ret_skipped)) ||
            (err < 0 && (other.line != fault->line || strcmp(other.what, fault->what) != 0)))
            fail_msg("cut at %zu: %d line %u %s; whole: %d line %u %s in %s", cut, err, other.line, other.what,
                     whole, fault->line, fault->what, text);
        herd_points_free(points);
    }
    return whole;
}

struct bad_row {
    const char *text;
    int err;
    unsigned line;
    const char *what; /* a part of the sentence */
};

static inline void refuse_rows(enum herd_points_format format, const struct bad_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct herd_points *points;
        size_t skipped;
        struct herd_config_fault fault = {0};
        int err = read_points(format, rows[i].text, &points, &skipped, &fault);
        if (err != rows[i].err || fault.line != rows[i].line || !strstr(fault.what, rows[i].what))
            fail_msg("row %zu: %d, line %u: %s", i, err, fault.line, fault.what);
    }
}

#endif
