/* SPDX-License-Identifier: MIT */
/*
 * Checks answers of providers and truncates them to the bound as text. Nothing is formatted again: escapes, the
 * forms of numbers, the order of members and the layout stay what the provider sent.
 */
#include "answer.h"
#include "raw.h"
#include "raw_bytes.h"

#include <stdio.h>
#include <string.h>

static int refuse(char *reterr_why, size_t cap, const char *what, size_t offset)
{
    snprintf(reterr_why, cap, "%s at byte %zu", what, offset);
    return HERD_E_SYNTAX;
}

/* The array of results, piece by piece. */
static bool read_results(struct herd_raw_scan *scan, struct herd_answer_shape *shape)
{
    struct herd_span value;
    const char *from = scan->at;
    for (bool more = herd_raw_scan_open(scan, '['); more; more = herd_raw_scan_next(scan)) {
        if (!herd_raw_scan_value(scan, &value))
            return false;
        if (shape->result_count < HERD_ANSWER_ENDS)
            shape->result_ends[shape->result_count] = scan->at;
        shape->result_count++;
    }
    shape->results = (struct herd_span){from, (size_t)(scan->at - from)};
    return !scan->what;
}

/* One member of the answer. False at a fault of the text; a fault of the shape is in *ret_fault. */
static bool read_member(struct herd_raw_scan *scan, struct herd_answer_shape *shape,
                        struct herd_raw_fault *ret_fault)
{
    struct herd_span key, value;
    const char *what = NULL;
    if (!herd_raw_scan_key(scan, &key))
        return false;
    char kind = herd_raw_scan_peek(scan);
    if (herd_raw_is(key, "results")) {
        /* Of two members, one parser takes the first and another the last: truncating one of them is wrong for some. */
        what = kind != '[' ? "\"results\" is not an array" : shape->results.at ? "\"results\" a second time" : NULL;
        if (!what)
            return read_results(scan, shape);
    } else if (!herd_raw_scan_value(scan, &value)) {
        return false;
    } else if (herd_raw_is(key, "status")) {
        what = kind != '"' ? "\"status\" is not a string" : shape->status.at ? "\"status\" a second time" : NULL;
        shape->status = herd_raw_inside(value);
    } else if (herd_raw_is(key, "error_message")) {
        shape->message = herd_raw_inside(value);
    }
    if (what)
        *ret_fault = (struct herd_raw_fault){(size_t)(key.at - scan->begin), what};
    return !what;
}

int herd_answer_read(struct herd_span json, struct herd_answer_shape *ret_shape, char *reterr_why, size_t why_cap)
{
    struct herd_raw_fault fault = {0, NULL};
    struct herd_raw_scan scan = herd_raw_scan(json);
    struct herd_answer_shape shape = {0};
    if (herd_raw_scan_peek(&scan) != '{') {
        size_t offset = (size_t)(scan.at - scan.begin);
        if (herd_raw_check(json, &fault) < 0)
            return refuse(reterr_why, why_cap, fault.what, fault.offset);
        return refuse(reterr_why, why_cap, "not an object", offset);
    }
    for (bool more = herd_raw_scan_open(&scan, '{'); more; more = herd_raw_scan_next(&scan))
        if (!read_member(&scan, &shape, &fault))
            break;
    if (fault.what || herd_raw_scan_end(&scan, &fault) < 0)
        return refuse(reterr_why, why_cap, fault.what, fault.offset);
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
        if (out->len > begin && out->at[out->len - 1] == '\n')
            while (at < end && *at == '\n')
                at++;
        const char *stop = herd_raw_blank_line(at, end);
        herd_buf_add(out, at, (size_t)(stop - at)); /* there is room */
        at = stop;
    }
    return 0;
}

int herd_answer_truncate(struct herd_buf *out, struct herd_span json, const struct herd_answer_shape *shape,
                         unsigned bound)
{
    const char *end = json.at + json.len;
    const char *from = end, *to = end; /* what is cut out */
    if (shape->results.at && shape->result_count > bound) {
        unsigned known = bound < HERD_ANSWER_ENDS ? bound : HERD_ANSWER_ENDS;
        to = shape->results.at + shape->results.len - 1;
        from = known ? shape->result_ends[known - 1] : shape->results.at + 1;
        struct herd_raw_walk walk = {from, to};
        struct herd_span element;
        for (unsigned kept = known; kept < bound; kept++) /* there are more than `bound` */
            (void)herd_raw_element(&walk, &element);
        from = walk.at;
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
    while (out->at[out->len - 1] == '\n') /* the brackets of the object are in front */
        out->len--;
    return 0;
}
