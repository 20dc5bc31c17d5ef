/* SPDX-License-Identifier: MIT */
/* Coordinates of polygons, RFC 7946 3.1.6 and 3.1.7, as rings. No more positions are kept than a shape may have. */
#include "../core/base/array.h"
#include "decimal.h"
#include "shape_reader.h"

#include <stdio.h>
#include <stdlib.h>

void herd_shape_reader_fini(struct herd_shape_reader *reader)
{
    free(reader->positions);
    free(reader->rings);
    reader->positions = NULL;
    reader->rings = NULL;
}

unsigned herd_shape_line(const struct herd_shape_reader *reader, const char *at)
{
    unsigned line = 1;
    for (const char *c = reader->text.at; c < at; c++)
        line += *c == '\n';
    return line;
}

int herd_shape_refuse(const struct herd_shape_reader *reader, int err, struct herd_span at, const char *message)
{
    struct herd_diagnostic *diagnostic = reader->diagnostic;
    diagnostic->line = diagnostic->column = 0;
    if (at.at) {
        diagnostic->line = herd_shape_line(reader, at.at);
        diagnostic->column = 1;
        for (const char *c = at.at; c > reader->text.at && c[-1] != '\n'; c--)
            diagnostic->column += ((unsigned char)c[-1] & 0xc0) != 0x80; /* characters, not bytes */
    }
    snprintf(diagnostic->message, sizeof diagnostic->message, "%s", message);
    return err;
}

int herd_shape_read_position(const struct herd_shape_reader *reader, struct herd_span position,
                             double ret_lon_lat[2])
{
    struct herd_raw_walk walk = herd_raw_walk(position);
    struct herd_span number;
    for (size_t i = 0; i < 2; i++) {
        int64_t e7;
        if (herd_raw_kind(position) != '[' || !herd_raw_element(&walk, &number) || herd_raw_kind(number) != '0')
            return herd_shape_refuse(reader, HERD_E_SYNTAX, position,
                                     "a position is [longitude, latitude], two numbers");
        int err = herd_decimal_e7(number, &e7);
        if (err < 0)
            return herd_shape_refuse(reader, err, number, i ? "a latitude beyond 90" : "a longitude beyond 360");
        ret_lon_lat[i] = (double)e7 / HERD_E7;
    }
    return 0;
}

static int add_position(struct herd_shape_reader *reader, struct herd_span position)
{
    double lon_lat[2];
    int err = herd_shape_read_position(reader, position, lon_lat);
    if (err < 0)
        return err;
    if (reader->position_count == HERD_SHAPE_POSITIONS_MAX)
        return herd_shape_refuse(reader, HERD_E_LIMIT, position, "more than 65536 positions");
    double *positions = herd_array_reserve(reader->positions, &reader->position_cap, reader->position_count + 1,
                                           2 * sizeof *positions);
    if (!positions)
        return herd_shape_refuse(reader, HERD_E_NOMEM, position, "out of memory");
    reader->positions = positions;
    double *at = &reader->positions[2 * reader->position_count++];
    at[0] = lon_lat[0];
    at[1] = lon_lat[1];
    return 0;
}

static int add_ring(struct herd_shape_reader *reader, struct herd_span ring, bool hole)
{
    struct herd_raw_walk walk = herd_raw_walk(ring);
    struct herd_span position;
    const size_t first = reader->position_count;
    int err = 0;
    while (err >= 0 && herd_raw_kind(ring) == '[' && herd_raw_element(&walk, &position))
        err = add_position(reader, position);
    if (err < 0)
        return err;
    /* Here, so that there are fewer rings than positions. */
    if (reader->position_count - first < 4)
        return herd_shape_refuse(reader, HERD_E_SYNTAX, ring,
                                 "a ring is a list of four positions or more, the last as the first");
    struct herd_ring *rings =
        herd_array_reserve(reader->rings, &reader->ring_cap, reader->ring_count + 1, sizeof *rings);
    if (!rings)
        return herd_shape_refuse(reader, HERD_E_NOMEM, ring, "out of memory");
    reader->rings = rings;
    reader->rings[reader->ring_count++] = (struct herd_ring){NULL, reader->position_count - first, hole};
    return 0;
}

static int add_polygon(struct herd_shape_reader *reader, struct herd_span polygon)
{
    struct herd_raw_walk walk = herd_raw_walk(polygon);
    struct herd_span ring;
    const size_t first = reader->ring_count;
    int err = 0;
    while (err >= 0 && herd_raw_kind(polygon) == '[' && herd_raw_element(&walk, &ring))
        err = add_ring(reader, ring, reader->ring_count > first);
    if (err >= 0 && reader->ring_count == first)
        err =
            herd_shape_refuse(reader, HERD_E_SYNTAX, polygon, "a polygon is a list of rings, and has one or more");
    return err;
}

int herd_shape_read_rings(struct herd_shape_reader *reader, struct herd_span coordinates, bool multi,
                          struct herd_shape **ret_shape)
{
    struct herd_raw_walk walk = herd_raw_walk(coordinates);
    struct herd_span polygon;
    int err = multi ? 0 : add_polygon(reader, coordinates);
    while (multi && err >= 0 && herd_raw_kind(coordinates) == '[' && herd_raw_element(&walk, &polygon))
        err = add_polygon(reader, polygon);
    if (err < 0)
        return err;
    if (reader->ring_count == 0)
        return herd_shape_refuse(reader, HERD_E_SYNTAX, coordinates, "coordinates without a polygon");
    const double *at = reader->positions;
    for (size_t i = 0; i < reader->ring_count; at += 2 * reader->rings[i++].count)
        reader->rings[i].positions = at;
    const char *message = "";
    err = herd_shape_polygon(ret_shape, reader->rings, reader->ring_count, &message);
    reader->position_count = reader->ring_count = 0;
    return err < 0 ? herd_shape_refuse(reader, err, coordinates, message) : 0;
}
