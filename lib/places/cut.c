/* SPDX-License-Identifier: MIT */
/*
 * Answers from outside: checked, then cut to the bound as text. Nothing is written anew: escapes, the
 * forms of numbers, the order of members and the layout stay what the provider sent.
 */
#include "answer.h"
#include "raw.h"

#include <stdio.h>
#include <string.h>

static int refuse(char *reterr_why, size_t cap, const char *what, size_t offset)
{
    snprintf(reterr_why, cap, "%s at byte %zu", what, offset);
    return HERD_E_SYNTAX;
}

int herd_answer_read(struct herd_span json, struct herd_answer_shape *ret_shape, char *reterr_why, size_t why_cap)
{
    struct herd_raw_fault fault;
    if (herd_raw_check(json, &fault) < 0)
        return refuse(reterr_why, why_cap, fault.what, fault.offset);
    struct herd_span object = herd_raw_trim(json);
    if (*object.at != '{')
        return refuse(reterr_why, why_cap, "not an object", (size_t)(object.at - json.at));

    struct herd_answer_shape shape = {0};
    struct herd_raw_walk walk = herd_raw_walk(object);
    struct herd_span key, value;
    while (herd_raw_member(&walk, &key, &value)) {
        size_t offset = (size_t)(key.at - json.at);
        if (herd_raw_is(key, "results")) {
            if (herd_raw_kind(value) != '[')
                return refuse(reterr_why, why_cap, "\"results\" is not an array", offset);
            /* Of two, one parser takes the first and the next one the last: there is no right cut. */
            if (shape.results.at)
                return refuse(reterr_why, why_cap, "\"results\" a second time", offset);
            shape.results = value;
        } else if (herd_raw_is(key, "status")) {
            if (herd_raw_kind(value) != '"')
                return refuse(reterr_why, why_cap, "\"status\" is not a string", offset);
            if (shape.status.at)
                return refuse(reterr_why, why_cap, "\"status\" a second time", offset);
            shape.status = herd_raw_inside(value);
        } else if (herd_raw_is(key, "error_message")) {
            shape.message = herd_raw_inside(value);
        }
    }
    walk = herd_raw_walk(shape.results);
    while (herd_raw_element(&walk, &value))
        shape.result_count++;
    *ret_shape = shape;
    return 0;
}

/* Appends bytes with runs of LF made one; a run may straddle two calls. */
static int add_squeezed(struct herd_buf *out, const char *at, const char *end, size_t begin)
{
    int err = herd_buf_reserve(out, (size_t)(end - at));
    if (err < 0)
        return err;
    while (at < end) {
        const char *lf = memchr(at, '\n', (size_t)(end - at));
        const char *stop = lf ? lf + 1 : end;
        if (*at != '\n' || out->len == begin || out->at[out->len - 1] != '\n') {
            memcpy(out->at + out->len, at, (size_t)(stop - at));
            out->len += (size_t)(stop - at);
        }
        at = stop;
    }
    return 0;
}

int herd_answer_cut(struct herd_buf *out, struct herd_span json, const struct herd_answer_shape *shape,
                    unsigned bound)
{
    const char *end = json.at + json.len;
    const char *from = end, *to = end; /* what is cut out */
    if (shape->results.at && shape->result_count > bound) {
        struct herd_raw_walk walk = herd_raw_walk(shape->results);
        struct herd_span element = {shape->results.at, 1};
        to = walk.end;
        for (unsigned kept = 0; kept < bound; kept++)
            (void)herd_raw_element(&walk, &element);
        from = element.at + element.len;
        /* The white space before the bracket stays where a result stays: the layout of Google's end. */
        if (bound)
            while (strchr(" \t\r\n", to[-1]))
                to--;
    }
    size_t begin = out->len;
    int err;
    if ((err = add_squeezed(out, json.at, from, begin)) < 0 || (err = add_squeezed(out, to, end, begin)) < 0) {
        out->len = begin;
        return err;
    }
    while (out->len > begin && out->at[out->len - 1] == '\n')
        out->len--;
    return 0;
}
