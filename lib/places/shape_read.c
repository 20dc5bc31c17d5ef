/* SPDX-License-Identifier: MIT */
/* Geometries, Features and collections of GeoJSON as shapes and fences. */
#include "decimal.h"
#include "shape_reader.h"

#include <herd/geojson.h>
#include <herd/protocol.h>

#include <string.h>

#define DWELL_MAX_MS HERD_FENCE_DWELL_MAX_MS

/* A member of an object; an empty span: there is none. */
static int member(const struct herd_shape_reader *reader, struct herd_span object, const char *name,
                  struct herd_span *ret_value)
{
    if (herd_raw_count(object, name, ret_value) > 1)
        return herd_shape_refuse(reader, HERD_E_SYNTAX, *ret_value, "a member that is there twice");
    return 0;
}

/* A number without sign and exponent. */
static int read_number(const struct herd_shape_reader *reader, struct herd_span value, const char *expected,
                       double *ret_number)
{
    struct herd_decimal decimal;
    *ret_number = 0;
    if (herd_raw_kind(value) != '0' || herd_decimal_split(value, &decimal) < 0 || decimal.negative)
        return herd_shape_refuse(reader, HERD_E_SYNTAX, value, expected);
    *ret_number = herd_decimal_double(value);
    return 0;
}

/* ---- shapes ---- */

static int read_circle(const struct herd_shape_reader *reader, struct herd_span geometry,
                       struct herd_span coordinates, struct herd_span radius, struct herd_shape **ret_shape)
{
    double lon_lat[2], radius_m;
    if (!radius.at)
        return herd_shape_refuse(reader, HERD_E_SYNTAX, geometry, "a Point needs a radius, in metres");
    int err = herd_shape_read_position(reader, coordinates, lon_lat);
    if (err >= 0)
        err = read_number(reader, radius, "a radius is metres, digits and perhaps a point and digits", &radius_m);
    if (err >= 0 && radius_m > HERD_GEOJSON_RADIUS_MAX_M)
        err = herd_shape_refuse(reader, HERD_E_RANGE, radius,
                                "a radius is at most 20015115 metres, half the way round the earth");
    if (err < 0)
        return err;
    err = herd_shape_circle(ret_shape, lon_lat[1], lon_lat[0], radius_m);
    if (err == HERD_E_RANGE)
        return herd_shape_refuse(reader, err, coordinates, "a longitude beyond 180 or a latitude beyond 90");
    return err < 0 ? herd_shape_refuse(reader, err, geometry, "out of memory") : 0;
}

static int read_geometry(struct herd_shape_reader *reader, struct herd_span geometry, struct herd_span options,
                         struct herd_shape **ret_shape)
{
    static const char expected[] = "expected a Polygon, a MultiPolygon, or a Point with a radius";
    struct herd_span type, coordinates, radius;
    if (herd_raw_kind(geometry) == 'n')
        return herd_shape_refuse(reader, HERD_E_SYNTAX, geometry,
                                 "a geometry is null only of a fence that has a proximity: expected a Polygon, a "
                                 "MultiPolygon, or a Point with a radius");
    if (herd_raw_kind(geometry) != '{')
        return herd_shape_refuse(reader, HERD_E_SYNTAX, geometry, expected);
    int err = member(reader, geometry, "type", &type);
    if (err >= 0)
        err = member(reader, geometry, "coordinates", &coordinates);
    if (err >= 0)
        err = member(reader, options, "radius", &radius);
    if (err < 0)
        return err;
    if (herd_raw_is(type, "Point"))
        return read_circle(reader, geometry, coordinates, radius, ret_shape);
    bool multi = herd_raw_is(type, "MultiPolygon");
    if (!multi && !herd_raw_is(type, "Polygon"))
        return herd_shape_refuse(reader, HERD_E_SYNTAX, type.at ? type : geometry, expected);
    return herd_shape_read_rings(reader, coordinates.at ? coordinates : geometry, multi, ret_shape);
}

/* The geometry of a Feature, or a geometry itself; and where its options are. */
static int find_geometry(const struct herd_shape_reader *reader, struct herd_span object,
                         struct herd_span *ret_geometry, struct herd_span *ret_options)
{
    struct herd_span type;
    int err = member(reader, object, "type", &type);
    *ret_geometry = *ret_options = object;
    if (err < 0 || !herd_raw_is(type, "Feature"))
        return err;
    err = member(reader, object, "geometry", ret_geometry);
    if (err >= 0)
        err = member(reader, object, "properties", ret_options);
    if (err >= 0 && !ret_geometry->at)
        *ret_geometry = object;
    return err;
}

/* Checks the text as JSON; *ret_value is it without the white space around. */
static int check(const struct herd_shape_reader *reader, struct herd_span *ret_value)
{
    struct herd_raw_fault fault;
    *ret_value = herd_raw_trim(reader->text);
    if (herd_raw_check(reader->text, &fault) >= 0)
        return 0;
    return herd_shape_refuse(reader, HERD_E_SYNTAX,
                             (struct herd_span){reader->text.len ? reader->text.at + fault.offset : NULL, 0},
                             fault.what);
}

int herd_shape_geojson(struct herd_shape **ret_shape, struct herd_span text,
                       struct herd_diagnostic *reterr_diagnostic)
{
    struct herd_shape_reader reader = {.text = text, .diagnostic = reterr_diagnostic};
    struct herd_span object, geometry, options;
    int err = check(&reader, &object);
    if (err >= 0)
        err = find_geometry(&reader, object, &geometry, &options);
    if (err >= 0)
        err = read_geometry(&reader, geometry, options, ret_shape);
    herd_shape_reader_fini(&reader);
    return err;
}

/* ---- fences ---- */

/* A group of clients: without the member, every one. */
static int read_group(const struct herd_shape_reader *reader, struct herd_span options, const char *name, char *out,
                      struct herd_span *ret_group)
{
    struct herd_span value;
    int err = member(reader, options, name, &value);
    *ret_group = herd_span_of("*");
    if (err < 0 || !value.at)
        return err;
    /* One character more than a group is too long already. */
    *ret_group =
        (struct herd_span){out, herd_raw_decode(herd_raw_inside(value), out, HERD_PROXIMITY_GROUP_MAX + 4)};
    return 0;
}

/* What has no geometry: a distance between two clients. */
static int read_proximity(const struct herd_shape_reader *reader, struct herd_span geometry,
                          struct herd_span options, struct herd_span value, struct herd_geojson_fence *io_fence)
{
    char texts[2][HERD_PROXIMITY_GROUP_MAX + 4];
    struct herd_span who, near;
    double distance_m;
    if (!herd_span_equal(geometry, herd_span_of("null")))
        return herd_shape_refuse(reader, HERD_E_SYNTAX, geometry, "a proximity has no geometry: null");
    int err =
        read_number(reader, value, "a proximity is metres, digits and perhaps a point and digits", &distance_m);
    if (err >= 0)
        err = read_group(reader, options, "who", texts[0], &who);
    if (err >= 0)
        err = read_group(reader, options, "near", texts[1], &near);
    if (err >= 0 && io_fence->options.kinds & HERD_FENCE_CROSS)
        err = herd_shape_refuse(reader, HERD_E_SYNTAX, value, "a proximity tells enter, leave and inside alone");
    if (err >= 0 && io_fence->options.dwell_ms > 0)
        err = herd_shape_refuse(reader, HERD_E_SYNTAX, value, "a proximity has no dwell");
    if (err < 0)
        return err;
    err = herd_shape_proximity(&io_fence->shape, who, near, distance_m);
    switch (err) {
    case HERD_E_ARG:
        return herd_shape_refuse(reader, HERD_E_SYNTAX, value,
                                 "who and near are ids of up to 255 bytes, with a * at the end alone");
    case HERD_E_RANGE: return herd_shape_refuse(reader, err, value, "a proximity is at most 100000 metres");
    case HERD_E_NOMEM: return herd_shape_refuse(reader, err, value, "out of memory");
    default: return err;
    }
}

static int read_kind(const struct herd_shape_reader *reader, struct herd_span value, unsigned *io_kinds)
{
    static const char *const names[] = {"enter", "leave", "inside", "cross"};
    for (unsigned i = 0; i < 4; i++) {
        if (!herd_raw_is(value, names[i]))
            continue;
        *io_kinds |= 1u << i;
        return 0;
    }
    return herd_shape_refuse(reader, HERD_E_SYNTAX, value, "kinds are enter, leave, inside and cross");
}

static int read_kinds(const struct herd_shape_reader *reader, struct herd_span value, unsigned *io_kinds)
{
    struct herd_raw_walk walk = herd_raw_walk(value);
    struct herd_span kind;
    int err = 0;
    if (herd_raw_kind(value) != '[')
        return herd_shape_refuse(reader, HERD_E_SYNTAX, value, "kinds are a list of texts");
    while (err >= 0 && herd_raw_element(&walk, &kind))
        err = read_kind(reader, kind, io_kinds);
    return err;
}

static int read_dwell(const struct herd_shape_reader *reader, struct herd_span value, int64_t *ret_ms)
{
    static const char expected[] = "a dwell is milliseconds, 0 to 86400000";
    double ms = 0;
    int err = read_number(reader, value, expected, &ms);
    if (err >= 0 && (ms > DWELL_MAX_MS || memchr(value.at, '.', value.len)))
        err = herd_shape_refuse(reader, HERD_E_RANGE, value, expected);
    *ret_ms = (int64_t)ms;
    return err;
}

static int read_options(const struct herd_shape_reader *reader, struct herd_span object,
                        struct herd_geojson_fence *ret_fence)
{
    struct herd_span name, kinds, margin, dwell;
    struct herd_fence_options *options = &ret_fence->options;
    int err = member(reader, object, "name", &name);
    if (err >= 0)
        err = member(reader, object, "kinds", &kinds);
    if (err >= 0)
        err = member(reader, object, "margin", &margin);
    if (err >= 0)
        err = member(reader, object, "dwell", &dwell);
    if (err >= 0 && name.at) {
        char text[HERD_FENCE_NAME_MAX + 4]; /* one character more than a name is too long already */
        size_t len = herd_raw_decode(herd_raw_inside(name), text, sizeof text);
        if (len > HERD_FENCE_NAME_MAX || !herd_name_valid((struct herd_span){text, len}))
            return herd_shape_refuse(reader, HERD_E_SYNTAX, name,
                                     "the name of a fence is 1 to 64 bytes of A-Z a-z 0-9 . _ -");
        memcpy(ret_fence->name, text, len);
        ret_fence->name[len] = '\0';
    }
    if (err >= 0 && kinds.at)
        err = read_kinds(reader, kinds, &options->kinds);
    if (err >= 0 && margin.at)
        err = read_number(reader, margin, "a margin is metres, digits and perhaps a point and digits",
                          &options->margin_m);
    if (err >= 0 && options->margin_m > HERD_FENCE_MARGIN_MAX_M)
        err = herd_shape_refuse(reader, HERD_E_RANGE, margin, "a margin is at most 100000 metres");
    if (err >= 0 && dwell.at)
        err = read_dwell(reader, dwell, &options->dwell_ms);
    return err;
}

static int read_fence(struct herd_shape_reader *reader, struct herd_span object,
                      struct herd_geojson_fence *ret_fence)
{
    struct herd_span geometry, options, proximity;
    memset(ret_fence, 0, sizeof *ret_fence);
    int err = find_geometry(reader, object, &geometry, &options);
    if (err >= 0)
        err = read_options(reader, options, ret_fence);
    if (err >= 0)
        err = member(reader, options, "proximity", &proximity);
    if (err < 0)
        return err;
    if (proximity.at)
        return read_proximity(reader, geometry, options, proximity, ret_fence);
    return read_geometry(reader, geometry, options, &ret_fence->shape);
}

int herd_fence_geojson(struct herd_geojson_fence *ret_fence, struct herd_span text,
                       struct herd_diagnostic *reterr_diagnostic)
{
    struct herd_shape_reader reader = {.text = text, .diagnostic = reterr_diagnostic};
    struct herd_geojson_fence fence;
    struct herd_span object;
    int err = check(&reader, &object);
    if (err >= 0)
        err = read_fence(&reader, object, &fence);
    herd_shape_reader_fini(&reader);
    if (err >= 0)
        *ret_fence = fence;
    return err;
}

/* `*io_line` is that of `*io_at`, so that lines of all are counted once. */
static int give_fence(struct herd_shape_reader *reader, struct herd_span object, const char **io_at,
                      unsigned *io_line, herd_geojson_fence_fn *on_fence, void *ctx)
{
    struct herd_geojson_fence fence;
    int err = read_fence(reader, object, &fence);
    if (err < 0)
        return err;
    if (!fence.name[0]) {
        herd_shape_free(fence.shape);
        return herd_shape_refuse(reader, HERD_E_SYNTAX, object, "a fence without a name in its properties");
    }
    for (; *io_at < object.at; ++*io_at)
        *io_line += **io_at == '\n';
    return on_fence(ctx, &fence, *io_line);
}

int herd_fences_geojson(struct herd_span text, herd_geojson_fence_fn *on_fence, void *ctx,
                        struct herd_diagnostic *reterr_diagnostic)
{
    struct herd_shape_reader reader = {.text = text, .diagnostic = reterr_diagnostic};
    struct herd_span object, type, features, feature;
    const char *at = text.at;
    unsigned line = 1;
    int err = check(&reader, &object);
    if (err >= 0)
        err = member(&reader, object, "type", &type);
    if (err >= 0 && herd_raw_is(type, "FeatureCollection")) {
        err = member(&reader, object, "features", &features);
        if (err >= 0 && herd_raw_kind(features) != '[')
            err = herd_shape_refuse(&reader, HERD_E_SYNTAX, object, "a FeatureCollection has a list of features");
        struct herd_raw_walk walk = err >= 0 ? herd_raw_walk(features) : (struct herd_raw_walk){NULL, NULL};
        while (err >= 0 && herd_raw_element(&walk, &feature))
            err = give_fence(&reader, feature, &at, &line, on_fence, ctx);
    } else if (err >= 0) {
        err = give_fence(&reader, object, &at, &line, on_fence, ctx);
    }
    herd_shape_reader_fini(&reader);
    return err;
}
