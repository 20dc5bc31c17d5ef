/* SPDX-License-Identifier: MIT */
/*
 * One GeoJSON Feature (RFC 7946, section 3.2) as a point with a name; its geometry is read in geometry.c, its texts
 * are chosen in feature_texts.c.
 */
#include "feature_texts.h"
#include "reader.h"

/* Notes why a feature is left out, or what was left out of it, with the line of an offset: features are written
 * over one line or over many. */
static void note(struct herd_points_reader *reader, struct herd_span feature, int err, const char *what,
                 size_t offset)
{
    unsigned line = reader->item_line;
    for (size_t i = 0; i < offset; i++)
        line += feature.at[i] == '\n';
    herd_reader_note(reader, err, line, "%s", what);
}

static size_t offset_of(struct herd_span feature, struct herd_span value)
{
    return value.at ? (size_t)(value.at - feature.at) : 0;
}

/* Returns what an object is that is no Feature, as a sentence. */
static const char *not_a_feature(struct herd_span text, struct herd_span type)
{
    struct herd_span value;
    if (herd_raw_kind(text) != '{')
        return "expected a feature";
    if (herd_raw_is(type, "Topology"))
        return "not a GeoJSON Feature: this is TopoJSON";
    if (herd_raw_get(text, "elements", &value))
        return "not a GeoJSON Feature: this is Overpass' own JSON; its results can be exported as GeoJSON";
    if (herd_raw_get(text, "coordinates", &value) || herd_raw_get(text, "geometries", &value))
        return "not a GeoJSON Feature: a geometry alone has no name";
    if (herd_raw_get(text, "attributes", &value))
        return "not a GeoJSON Feature: this is Esri's own JSON";
    return "not a GeoJSON Feature: \"type\" says something else";
}

/* Checks the text and finds the point; false: noted, if it is a fault. */
static bool read_position(struct herd_points_reader *reader, struct herd_span text,
                          struct herd_feature_texts *ret_texts, struct herd_point *io_point)
{
    struct herd_raw_fault bad;
    bool found;
    size_t left_out;
    if (herd_raw_check(text, &bad) < 0) {
        note(reader, text, HERD_E_SYNTAX, bad.what, bad.offset);
        return false;
    }
    herd_feature_texts(herd_raw_trim(text), ret_texts);
    if (!herd_raw_is(ret_texts->type, "Feature")) {
        note(reader, text, HERD_E_SYNTAX, not_a_feature(herd_raw_trim(text), ret_texts->type),
             offset_of(text, ret_texts->type));
        return false;
    }
    size_t geometry_at = offset_of(text, ret_texts->geometry);
    int err = herd_geometry_centre(ret_texts->geometry, &found, io_point, &left_out, &bad);
    if (err < 0) {
        note(reader, text, err, bad.what, geometry_at + bad.offset);
        return false;
    }
    if (left_out)
        note(reader, text, HERD_E_RANGE, bad.what, geometry_at + bad.offset);
    return found;
}

int herd_feature_add(struct herd_points_reader *reader, struct herd_span text,
                     struct herd_diagnostic *reterr_diagnostic)
{
    struct herd_feature_texts texts;
    struct herd_point point = {0};
    struct herd_buf *scratch = &reader->scratch;
    int err;
    if (!read_position(reader, text, &texts, &point) || !texts.name.len) {
        reader->summary.skipped++;
        return 0;
    }
    scratch->len = 0;
    if ((err = herd_feature_write_types(scratch, &texts)) < 0)
        return herd_reader_fault(reader, reterr_diagnostic, err, "out of memory");
    size_t types_len = scratch->len;
    if ((err = herd_feature_write_vicinity(scratch, &texts)) < 0)
        return herd_reader_fault(reader, reterr_diagnostic, err, "out of memory");
    point.id = texts.id;
    point.name = texts.name;
    point.types = (struct herd_span){scratch->at, types_len};
    point.vicinity = (struct herd_span){scratch->at + types_len, scratch->len - types_len};
    if ((err = herd_points_add(reader->points, &point)) < 0)
        return herd_reader_fault(reader, reterr_diagnostic, err, "%s", herd_strerror(err));
    reader->summary.taken++;
    return 0;
}
