/* SPDX-License-Identifier: MIT */
/*
 * GeoJSON in pieces: a FeatureCollection of any size, or Features one after the other (a line each, with or
 * without the record separator of RFC 8142). Only the feature being read is held in memory. Brackets
 * and strings are followed here, which is enough to see where a feature ends; each feature, and what
 * remains of a collection when its features are taken out, is then checked strictly.
 */
#include "raw.h"
#include "reader.h"

#include <string.h>

static struct herd_span item_of(const struct herd_points_reader *r, size_t from)
{
    return (struct herd_span){r->carry.at + from, r->carry.len - from};
}

/* A whole top-level value without its features: a Feature of its own, or what frames a collection. */
static int end_text(struct herd_points_reader *r, struct herd_config_fault *reterr_fault)
{
    int err;
    struct herd_raw_fault bad;
    struct herd_span type, text = item_of(r, 0);
    r->texts++;
    if (!r->any) {
        err = herd_feature_add(r, text, reterr_fault);
    } else if ((err = herd_raw_check(text, &bad)) < 0) {
        err = herd_reader_fault(r, reterr_fault, err, "around the features: %s", bad.what);
    } else if (!herd_raw_get(text, "type", &type) || !herd_raw_is(type, "FeatureCollection")) {
        err = herd_reader_fault(r, reterr_fault, HERD_E_SYNTAX, "\"features\" outside a FeatureCollection");
    }
    r->carry.len = r->key_at = 0;
    r->any = false;
    return err;
}

/* A byte between the features of a collection; *ret_keep says whether it begins or ends something. */
static int between(struct herd_points_reader *r, char c, bool *ret_keep, struct herd_config_fault *reterr_fault)
{
    *ret_keep = false;
    switch (c) {
    case ' ':
    case '\t':
    case '\r':
    case '\n': return 0;
    case ',':
        if (!r->comma_next)
            break;
        r->comma_next = false;
        r->closing = true; /* a comma wants a feature behind it */
        return 0;
    case '{':
        if (r->comma_next)
            break;
        *ret_keep = true;
        return 0;
    case ']':
        if (r->closing)
            break;
        *ret_keep = true;
        return 0;
    default: break;
    }
    return herd_reader_fault(r, reterr_fault, HERD_E_SYNTAX, "expected %s",
                             r->comma_next ? "a comma or the end of \"features\"" : "a feature");
}

static int open_bracket(struct herd_points_reader *r, char c, size_t at, struct herd_config_fault *reterr_fault)
{
    if (r->features && r->depth == 2) {
        r->item_at = at;
        r->item_line = r->line;
    } else if (r->depth == 0) {
        r->item_line = r->line;
    } else if (r->depth == 1 && c == '[' && !r->features) {
        struct herd_span key = item_of(r, r->key_at);
        const char *end = key.len > 1 ? memchr(key.at + 1, '"', key.len - 1) : NULL;
        if (end && herd_raw_is((struct herd_span){key.at, (size_t)(end - key.at) + 1}, "features")) {
            if (r->any)
                return herd_reader_fault(r, reterr_fault, HERD_E_SYNTAX, "\"features\" a second time");
            r->features = r->any = true;
            r->comma_next = r->closing = false;
        }
    }
    r->depth++;
    return 0;
}

/* Hands the bytes since *io_from to the carry, up to and including `at`. */
static int carry(struct herd_points_reader *r, const char **io_from, const char *end,
                 struct herd_config_fault *reterr_fault)
{
    size_t len = (size_t)(end - *io_from);
    if (r->carry.len + len > HERD_READER_ITEM_MAX)
        return herd_reader_fault(r, reterr_fault, HERD_E_LIMIT, "a feature this large is no place");
    if (herd_buf_add(&r->carry, *io_from, len) < 0)
        return herd_reader_fault(r, reterr_fault, HERD_E_NOMEM, "out of memory");
    *io_from = end;
    return 0;
}

int herd_geojson_read(struct herd_points_reader *r, struct herd_span bytes, struct herd_config_fault *reterr_fault)
{
    const char *at = bytes.at, *end = bytes.at + bytes.len, *from = at;
    int err = 0;
    for (; at < end && err == 0; at++) {
        char c = *at;
        if (c == '\n')
            r->line++;
        if (r->in_string) {
            if (r->escaped)
                r->escaped = false;
            else if (c == '\\')
                r->escaped = true;
            else if (c == '"')
                r->in_string = false;
            continue;
        }
        bool framing = r->features && r->depth == 2;
        if (framing || r->depth == 0) {
            bool keep = r->depth == 0 && c == '{';
            if (framing)
                err = between(r, c, &keep, reterr_fault);
            else if (!keep && !memchr(" \t\r\n\x1e", c, 5))
                err = herd_reader_fault(r, reterr_fault, HERD_E_SYNTAX, "expected an object");
            if (err < 0 || !keep) {
                from = at + 1;
                continue;
            }
        }
        switch (c) {
        case '"':
            r->in_string = true;
            if (r->depth == 1)
                r->key_at = r->carry.len + (size_t)(at - from);
            break;
        case '{':
        case '[':
            /* The key is looked at in the carry, so it has to be there whole. */
            if (r->depth == 1 || framing)
                err = carry(r, &from, at, reterr_fault);
            if (err == 0)
                err = open_bracket(r, c, r->carry.len, reterr_fault);
            if (err == 0 && r->features && r->depth == 2)
                err = carry(r, &from, at + 1, reterr_fault);
            break;
        case '}':
        case ']':
            r->depth--;
            if (framing) {
                r->features = false;
            } else if (r->features && r->depth == 2) {
                err = carry(r, &from, at + 1, reterr_fault);
                if (err == 0)
                    err = herd_feature_add(r, item_of(r, r->item_at), reterr_fault);
                r->carry.len = r->item_at;
                r->comma_next = true;
                r->closing = false;
            } else if (r->depth == 0) {
                err = carry(r, &from, at + 1, reterr_fault);
                if (err == 0)
                    err = end_text(r, reterr_fault);
            }
            break;
        default: break;
        }
    }
    if (err == 0 && from < end && (r->depth || r->in_string))
        err = carry(r, &from, end, reterr_fault);
    return err;
}

int herd_geojson_end(struct herd_points_reader *r, struct herd_config_fault *reterr_fault)
{
    if (r->depth || r->in_string)
        return herd_reader_fault(r, reterr_fault, HERD_E_SYNTAX, "cut short: what begins on line %u never ends",
                                 r->item_line);
    if (!r->texts)
        return herd_reader_fault(r, reterr_fault, HERD_E_SYNTAX, "no GeoJSON in it");
    return 0;
}
