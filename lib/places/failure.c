/* SPDX-License-Identifier: MIT */
/* The answer of last resort: Google's shape, no results, and a sentence about why. */
#include "answer.h"
#include "raw.h"

int herd_answer_failure(struct herd_buf *out, const char *status, struct herd_span why)
{
    size_t begin = out->len;
    int err;
    if ((err = herd_buf_add_text(out, "{\n   \"error_message\" : \"")) < 0 ||
        (err = herd_raw_escape(out, why)) < 0 ||
        (err = herd_buf_add_text(
             out, "\",\n   \"html_attributions\" : [],\n   \"results\" : [],\n   \"status\" : \"")) < 0 ||
        (err = herd_raw_escape(out, herd_span_of(status))) < 0 || (err = herd_buf_add_text(out, "\"\n}")) < 0)
        out->len = begin;
    return err < 0 ? err : 0;
}
