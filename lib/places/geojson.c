/* SPDX-License-Identifier: MIT */
/*
 * GeoJSON in pieces: a FeatureCollection of any size, or Features one after the other (a line each, with or without
 * the record separator of RFC 8142). Only the feature being read is held in memory, and only if it is not whole in
 * one piece. Brackets and strings are followed here, which is enough to see where a feature ends; each feature, and
 * what remains of a collection when its features are taken out, is then checked strictly.
 *
 *     OUTSIDE -{-> IN_TEXT -"features":[-> FIRST_FEATURE -any-> IN_FEATURE -its end-> AFTER_FEATURE
 *        ^            |  ^                       |                  ^                    |     |
 *        +-----}------+  +----------]------------+              NEXT_FEATURE <-----,-----+     |
 *                        +------------------------------------------]--------------------------+
 *
 * What cannot be right is noted once, and reading goes on: behind an unexpected byte, behind an element
 * that is no feature, at the end of a line that ends inside a string (which no JSON text may), at the next record
 * separator.
 */
#include "raw.h"
#include "raw_bytes.h"
#include "reader.h"

#include <string.h>

#define RECORD_SEPARATOR '\x1e'

struct input {
    const char *at, *end;
    const char *from; /* of the item: not in r->partial yet */
    struct herd_diagnostic *fault;
};

static const char *expected(enum herd_geojson_state state)
{
    switch (state) {
    case HERD_GEOJSON_OUTSIDE: return "expected an object";
    case HERD_GEOJSON_AFTER_FEATURE: return "expected a comma or the end of \"features\"";
    default: return "expected a feature";
    }
}

/* Notes a byte that has no place here; those that follow it belong to the same fault. */
static void note_garbage(struct herd_points_reader *r)
{
    if (!r->in_garbage)
        herd_reader_note(r, HERD_E_SYNTAX, r->line, "%s", expected(r->state));
    r->in_garbage = true;
}

/* What breaks off in a text that is no collection so far is a feature of its own. */
static void count_broken_item(struct herd_points_reader *r)
{
    if (r->state == HERD_GEOJSON_IN_TEXT && !r->had_features)
        r->items++;
    r->summary.skipped += r->state == HERD_GEOJSON_IN_TEXT || r->state == HERD_GEOJSON_IN_FEATURE;
}

static void note_cut_short(struct herd_points_reader *r)
{
    r->summary.cut_short = true;
    count_broken_item(r);
    herd_reader_note(r, HERD_E_SYNTAX, r->line, "cut short: what begins on line %u never ends", r->item_line);
}

/* Forgets the text being read. */
static void restart(struct herd_points_reader *r)
{
    r->state = HERD_GEOJSON_OUTSIDE;
    r->depth = 0;
    r->partial.len = r->key_at = r->item_at = 0;
    r->in_string = r->escaped = r->had_features = false;
}

/* Moves the bytes of the item up to `to` into r->partial, behind what frames it, which was bounded likewise. An item
 * without end is given up, with all that follows. */
static int keep(struct herd_points_reader *r, struct input *in, const char *to)
{
    size_t len = (size_t)(to - in->from);
    if (r->partial.len - r->item_at + len > HERD_READER_ITEM_MAX) {
        count_broken_item(r);
        herd_reader_note(r, HERD_E_LIMIT, r->line, "a feature this large is no place");
        r->summary.cut_short = true;
        restart(r);
        r->state = HERD_GEOJSON_LOST;
        return 0;
    }
    if (herd_buf_add(&r->partial, in->from, len) < 0)
        return herd_reader_fault(r, in->fault, HERD_E_NOMEM, "out of memory");
    in->from = to;
    return 0;
}

/* The item up to `to`, without copying it if all of it is in this piece. An empty span: it is lost. */
static int item_until(struct herd_points_reader *r, struct input *in, const char *to, struct herd_span *ret_item)
{
    *ret_item = (struct herd_span){in->from, (size_t)(to - in->from)};
    if (r->partial.len == r->item_at) {
        in->from = to;
        return 0;
    }
    int err = keep(r, in, to);
    if (err == 0 && r->state != HERD_GEOJSON_LOST)
        *ret_item = (struct herd_span){r->partial.at + r->item_at, r->partial.len - r->item_at};
    else
        *ret_item = (struct herd_span){NULL, 0};
    return err;
}

static int end_feature(struct herd_points_reader *r, struct input *in, const char *to)
{
    struct herd_span item;
    int err = item_until(r, in, to, &item);
    if (err < 0 || !item.at)
        return err;
    err = herd_feature_add(r, item, in->fault);
    r->partial.len = r->item_at;
    r->state = HERD_GEOJSON_AFTER_FEATURE;
    return err;
}

/* A whole top-level value without its features: a Feature of its own, or what frames a collection. */
static int end_text(struct herd_points_reader *r, struct input *in)
{
    struct herd_raw_fault bad;
    struct herd_span type, text;
    int err = item_until(r, in, in->at, &text);
    if (err < 0 || !text.at)
        return err;
    r->texts++;
    if (!r->had_features) {
        r->items++;
        err = herd_feature_add(r, text, in->fault);
    } else if (herd_raw_check(text, &bad) < 0) {
        herd_reader_note(r, HERD_E_SYNTAX, r->line, "around the features: %s", bad.what);
    } else if (!herd_raw_get(text, "type", &type) || !herd_raw_is(type, "FeatureCollection")) {
        herd_reader_note(r, HERD_E_SYNTAX, r->line, "\"features\" outside a FeatureCollection");
    }
    restart(r);
    return err;
}

/* A string goes to its end. A control character ends the item, which is thereby no JSON: a line end or a separator
 * is where the next one may begin. */
static void skip_string(struct herd_points_reader *r, struct input *in)
{
    const char *at = in->at, *end = in->end;
    while (at < end) {
        char c = *at;
        if (c == '\n' || c == RECORD_SEPARATOR) {
            count_broken_item(r);
            herd_reader_note(r, HERD_E_SYNTAX, r->line, "control character in a string");
            r->in_string = r->escaped = false;
            r->partial.len = r->item_at;
            if (r->state == HERD_GEOJSON_IN_FEATURE && c == '\n') {
                r->state = HERD_GEOJSON_AFTER_FEATURE;
                r->depth = 2;
            } else {
                restart(r);
            }
            r->in_garbage = true;
            break;
        }
        at++;
        if (r->escaped) {
            r->escaped = false;
        } else if (c == '\\') {
            r->escaped = true;
        } else if (c == '"') {
            r->in_string = false;
            break;
        } else {
            at = herd_raw_plain_end(at, end);
        }
    }
    in->at = at;
}

/* Is `[` the value of a collection's "features"? The key has to be looked up in r->partial. */
static int begins_features(struct herd_points_reader *r, struct input *in, bool *ret_begins)
{
    *ret_begins = false;
    int err = keep(r, in, in->at);
    if (err < 0 || r->state == HERD_GEOJSON_LOST)
        return err;
    struct herd_span key = {r->partial.at + r->key_at, r->partial.len - r->key_at};
    const char *end = key.len > 1 ? memchr(key.at + 1, '"', key.len - 1) : NULL;
    bool is_features = end && herd_raw_is((struct herd_span){key.at, (size_t)(end - key.at) + 1}, "features");
    if (is_features && r->had_features)
        herd_reader_note(r, HERD_E_SYNTAX, r->line, "\"features\" a second time");
    *ret_begins = is_features && !r->had_features;
    return 0;
}

static void outside(struct herd_points_reader *r, struct input *in)
{
    char c = *in->at;
    if (c == '{') {
        r->state = HERD_GEOJSON_IN_TEXT;
        r->item_line = r->line;
        r->depth = 1;
        r->in_garbage = false;
        in->from = in->at;
    } else if (c == '\n') {
        r->line++;
    } else if (c != ' ' && c != '\t' && c != '\r' && c != RECORD_SEPARATOR) {
        note_garbage(r);
    }
    in->at++;
}

/* Behind everything that is neither a bracket, a quote, a comma, a line end nor a record separator. */
static const char *skip_plain(const char *at, const char *end)
{
    static const bool stops[256] = {['"'] = true, ['{'] = true, ['}'] = true,  ['['] = true,
                                    [']'] = true, [','] = true, ['\n'] = true, [RECORD_SEPARATOR] = true};
    while (at < end && !stops[(unsigned char)*at])
        at++;
    return at;
}

static int in_text(struct herd_points_reader *r, struct input *in)
{
    bool features = false;
    int err = 0;
    in->at = skip_plain(in->at, in->end);
    if (in->at == in->end)
        return 0;
    switch (*in->at) {
    case '"':
        r->in_string = true;
        if (r->depth == 1)
            r->key_at = r->partial.len + (size_t)(in->at - in->from);
        break;
    case '[':
        if (r->depth == 1 && ((err = begins_features(r, in, &features)) < 0 || r->state == HERD_GEOJSON_LOST))
            return err;
        r->depth++;
        break;
    case '{': r->depth++; break;
    case '}':
    case ']': in->at++; return --r->depth == 0 ? end_text(r, in) : 0;
    case '\n': r->line++; break;
    case RECORD_SEPARATOR:
        note_cut_short(r);
        restart(r);
        break;
    default: break;
    }
    in->at++;
    if (features) {
        if ((err = keep(r, in, in->at)) < 0)
            return err;
        r->had_features = true;
        r->state = HERD_GEOJSON_FIRST_FEATURE;
        r->item_at = r->partial.len;
    }
    return 0;
}

/* Between features: FIRST_FEATURE, NEXT_FEATURE or AFTER_FEATURE. */
static void between(struct herd_points_reader *r, struct input *in)
{
    bool after = r->state == HERD_GEOJSON_AFTER_FEATURE;
    switch (*in->at) {
    case '\n': r->line++; break;
    case ' ':
    case '\t':
    case '\r': break;
    case ',':
        if (!after)
            note_garbage(r);
        r->state = HERD_GEOJSON_NEXT_FEATURE;
        break;
    case ']':
        if (r->state == HERD_GEOJSON_NEXT_FEATURE)
            note_garbage(r);
        r->state = HERD_GEOJSON_IN_TEXT;
        r->depth = 1;
        r->item_at = 0;
        in->from = in->at;
        break;
    case '}':
    case ':': note_garbage(r); break;
    case RECORD_SEPARATOR:
        note_cut_short(r);
        restart(r);
        break;
    default:
        if (after)
            note_garbage(r);
        if (*in->at == '{')
            r->in_garbage = false;
        r->state = HERD_GEOJSON_IN_FEATURE;
        r->item_line = r->line;
        r->items++;
        in->from = in->at;
        return; /* the byte is the feature's first */
    }
    in->at++;
}

static int in_feature(struct herd_points_reader *r, struct input *in)
{
    in->at = skip_plain(in->at, in->end);
    if (in->at == in->end)
        return 0;
    switch (*in->at) {
    case '"': r->in_string = true; break;
    case '{':
    case '[': r->depth++; break;
    case '}':
    case ']':
        if (r->depth == 2) /* behind a number or a word */
            return end_feature(r, in, in->at);
        in->at++;
        return --r->depth == 2 ? end_feature(r, in, in->at) : 0;
    case ',':
        if (r->depth == 2)
            return end_feature(r, in, in->at);
        break;
    case '\n':
        if (r->depth == 2)
            return end_feature(r, in, in->at);
        r->line++;
        break;
    default: /* a record separator */ note_cut_short(r); restart(r);
    }
    in->at++;
    return 0;
}

int herd_geojson_read(struct herd_points_reader *r, struct herd_span bytes,
                      struct herd_diagnostic *reterr_diagnostic)
{
    struct input in = {bytes.at, bytes.at + bytes.len, bytes.at, reterr_diagnostic};
    int err = 0;
    while (in.at < in.end && err == 0) {
        if (r->in_string) {
            skip_string(r, &in);
            continue;
        }
        switch (r->state) {
        case HERD_GEOJSON_OUTSIDE: outside(r, &in); break;
        case HERD_GEOJSON_IN_TEXT: err = in_text(r, &in); break;
        case HERD_GEOJSON_FIRST_FEATURE:
        case HERD_GEOJSON_NEXT_FEATURE:
        case HERD_GEOJSON_AFTER_FEATURE: between(r, &in); break;
        case HERD_GEOJSON_IN_FEATURE: err = in_feature(r, &in); break;
        case HERD_GEOJSON_LOST: return 0;
        }
    }
    if (err == 0 && (r->state == HERD_GEOJSON_IN_TEXT || r->state == HERD_GEOJSON_IN_FEATURE))
        err = keep(r, &in, in.end);
    return err;
}

void herd_geojson_end(struct herd_points_reader *r)
{
    if (r->state == HERD_GEOJSON_LOST)
        return;
    if (r->state != HERD_GEOJSON_OUTSIDE)
        note_cut_short(r);
    else if (!r->texts && !r->summary.faulty)
        herd_reader_note(r, HERD_E_SYNTAX, r->line, "no GeoJSON in it");
}
