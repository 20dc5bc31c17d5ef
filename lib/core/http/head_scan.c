/* SPDX-License-Identifier: MIT */
/* Where a head ends. */
#include "chars.h"
#include "head.h"

static enum herd_http_progress refuse(struct herd_http_fault *reterr_fault, int status, const char *message)
{
    *reterr_fault = (struct herd_http_fault){status, message};
    return HERD_HTTP_FAULT;
}

/* Sets *io_scan behind the CRLF at `at`: DONE if that ended the head. */
static enum herd_http_progress end_line(struct herd_http_scan *io_scan, struct herd_http_fault *reterr_fault)
{
    bool empty = io_scan->at == io_scan->line, first = io_scan->line == io_scan->from;
    io_scan->at += 2;
    io_scan->line = io_scan->at;
    if (!empty)
        return HERD_HTTP_MORE;
    if (!first)
        return HERD_HTTP_DONE;
    if (io_scan->from > 0)
        return refuse(reterr_fault, 400, "empty lines where a request line belongs");
    io_scan->from = io_scan->at;
    return HERD_HTTP_MORE;
}

enum herd_http_progress herd_http_head_scan(struct herd_http_scan *io_scan, struct herd_span bytes, size_t head_max,
                                            struct herd_http_fault *reterr_fault)
{
    size_t len = bytes.len < head_max ? bytes.len : head_max;
    while (io_scan->at < len) {
        const char *p = bytes.at + io_scan->at, *end = bytes.at + len;
        if (io_scan->at == io_scan->from && *p != '\r' && !herd_http_is(*p, HERD_HTTP_TOKEN))
            return refuse(reterr_fault, 400, "the first byte begins no method");
        p = herd_http_text_end(p, end);
        io_scan->at = (size_t)(p - bytes.at);
        if (p == end)
            break;
        if (*p == '\t') {
            io_scan->at++;
            continue;
        }
        if (*p != '\r')
            return refuse(reterr_fault, 400, *p == '\n' ? "LF without CR" : "control character in the head");
        if (p + 1 == end)
            break;
        if (p[1] != '\n')
            return refuse(reterr_fault, 400, "CR without LF");
        enum herd_http_progress progress = end_line(io_scan, reterr_fault);
        if (progress != HERD_HTTP_MORE)
            return progress;
    }
    if (bytes.len < head_max)
        return HERD_HTTP_MORE;
    return io_scan->line == io_scan->from ? refuse(reterr_fault, 414, "request line too long")
                                          : refuse(reterr_fault, 431, "head too long");
}
