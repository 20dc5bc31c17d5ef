/* SPDX-License-Identifier: MIT */
/* One GeoJSON Feature (RFC 7946, section 3.2) as a point with a name; its geometry is read in geometry.c. */
#include "raw.h"
#include "reader.h"

#include <string.h>

struct feature {
    struct herd_points_reader *reader;
    struct herd_span text;
    struct herd_config_fault *fault;
};

/* The line of an offset: features are written over one line or over many. */
static int refuse(const struct feature *f, int err, const char *what, size_t offset)
{
    struct herd_points_reader *reader = f->reader;
    unsigned now = reader->line;
    reader->line = reader->item_line;
    for (size_t i = 0; i < offset; i++)
        reader->line += f->text.at[i] == '\n';
    err = herd_reader_fault(reader, f->fault, err, "%s", what);
    reader->line = now;
    return err;
}

static size_t offset_of(const struct feature *f, struct herd_span value)
{
    return value.at ? (size_t)(value.at - f->text.at) : 0;
}

/* A string or a number as text. */
static struct herd_span text_or_number(struct herd_span object, const char *name)
{
    struct herd_span value;
    (void)herd_raw_get(object, name, &value);
    return herd_raw_kind(value) == '0' ? value : herd_raw_inside(value);
}

static struct herd_span first_text(struct herd_span object, const char *const *names)
{
    struct herd_span text = {NULL, 0};
    for (; *names && !text.len; names++)
        text = text_or_number(object, *names);
    return text;
}

static struct herd_span kind_of(struct herd_span properties)
{
    static const char *const names[] = {"category", "amenity", "shop",  "tourism", "leisure",
                                        "office",   "fclass",  "class", NULL};
    struct herd_span kind = first_text(properties, names), categories;
    if (!kind.len && herd_raw_get(properties, "categories", &categories))
        kind = herd_raw_text(categories, "primary"); /* Overture */
    return kind;
}

/* The inside of the array of types, in the scratch buffer. */
static int types(struct herd_buf *scratch, struct herd_span properties, struct herd_span kind)
{
    struct herd_span list, element;
    int err = 0;
    if (herd_raw_get(properties, "types", &list) && herd_raw_kind(list) == '[') {
        struct herd_raw_walk walk = herd_raw_walk(list);
        size_t begin = scratch->len;
        while (err == 0 && herd_raw_element(&walk, &element))
            if (herd_raw_kind(element) == '"' &&
                (scratch->len == begin || (err = herd_buf_add_text(scratch, ", ")) == 0))
                err = herd_buf_add(scratch, element.at, element.len);
        return err;
    }
    if (kind.len &&
        ((err = herd_buf_add_text(scratch, "\"")) < 0 || (err = herd_buf_add(scratch, kind.at, kind.len)) < 0 ||
         (err = herd_buf_add_text(scratch, "\", ")) < 0))
        return err;
    return herd_buf_add_text(scratch, "\"point_of_interest\", \"establishment\"");
}

/* An address as one line, in the scratch buffer: OpenStreetMap has it in pieces. */
static int vicinity(struct herd_buf *scratch, struct herd_span properties)
{
    static const char *const whole[] = {"vicinity", "address", "addr:full", "formatted_address", NULL};
    struct herd_span text = first_text(properties, whole);
    if (text.len)
        return herd_buf_add(scratch, text.at, text.len);
    struct herd_span number = text_or_number(properties, "addr:housenumber");
    struct herd_span street = herd_raw_text(properties, "addr:street");
    struct herd_span city = herd_raw_text(properties, "addr:city");
    if ((street.len && number.len &&
         (herd_buf_add(scratch, number.at, number.len) < 0 || herd_buf_add_text(scratch, " ") < 0)) ||
        herd_buf_add(scratch, street.at, street.len) < 0 ||
        (street.len && city.len && herd_buf_add_text(scratch, ", ") < 0))
        return HERD_E_NOMEM;
    return herd_buf_add(scratch, city.at, city.len);
}

static struct herd_span id_of(struct herd_span feature, struct herd_span properties)
{
    static const char *const names[] = {"place_id", "@id", "id", NULL};
    struct herd_span id = text_or_number(feature, "id");
    return id.len ? id : first_text(properties, names);
}

static struct herd_span name_of(struct herd_span properties, struct herd_span kind, struct herd_span id)
{
    static const char *const names[] = {"name", "name:en", "title", NULL};
    struct herd_span name = first_text(properties, names), all;
    if (!name.len && herd_raw_get(properties, "names", &all))
        name = herd_raw_text(all, "primary"); /* Overture */
    return name.len ? name : kind.len ? kind : id;
}

int herd_feature_add(struct herd_points_reader *reader, struct herd_span text,
                     struct herd_config_fault *reterr_fault)
{
    struct feature f = {reader, text, reterr_fault};
    struct herd_raw_fault bad;
    struct herd_span type, geometry, properties;
    if (herd_raw_check(text, &bad) < 0)
        return refuse(&f, HERD_E_SYNTAX, bad.what, bad.offset);
    if (!herd_raw_get(text, "type", &type) || !herd_raw_is(type, "Feature"))
        return refuse(&f, HERD_E_SYNTAX, "not a GeoJSON Feature: \"type\" says something else",
                      offset_of(&f, type));
    (void)herd_raw_get(text, "geometry", &geometry);
    (void)herd_raw_get(text, "properties", &properties);
    struct herd_point point = {0};
    bool found;
    int err = herd_geometry_centre(geometry, &found, &point, &bad);
    if (err < 0)
        return refuse(&f, err, bad.what, offset_of(&f, geometry) + bad.offset);
    if (!found) {
        reader->skipped++;
        return 0;
    }
    struct herd_span kind = kind_of(properties);
    point.id = id_of(text, properties);
    point.name = name_of(properties, kind, point.id);
    if (!point.name.len) {
        reader->skipped++;
        return 0;
    }
    struct herd_buf *scratch = &reader->scratch;
    scratch->len = 0;
    if ((err = types(scratch, properties, kind)) < 0)
        return refuse(&f, err, "out of memory", 0);
    size_t types_len = scratch->len;
    if ((err = vicinity(scratch, properties)) < 0)
        return refuse(&f, err, "out of memory", 0);
    point.types = (struct herd_span){scratch->at, types_len};
    point.vicinity = (struct herd_span){scratch->at + types_len, scratch->len - types_len};
    err = herd_points_add(reader->points, &point);
    return err < 0 ? refuse(&f, err, herd_strerror(err), 0) : 0;
}
