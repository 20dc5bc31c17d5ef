/* SPDX-License-Identifier: MIT */
/* The parts of a target, and of a form sent as a body: segments, pairs, and what their escapes stand for. */
#ifndef HERD_CORE_HTTP_TARGET_H
#define HERD_CORE_HTTP_TARGET_H

#include <herd/types.h>

/* Cuts the next segment off a path: "/v1/clients/a" is v1, clients, a; "/" is one that is empty, and so is what stands
 * behind a '/' at the end. False at the end, or if *io_path does not begin with '/'. Segments are still escaped:
 * %2F is a byte of an id, no end of a segment. */
bool herd_http_path_next(struct herd_span *io_path, struct herd_span *ret_segment);

/* Cuts the next pair off a query or a form: name, '=', value, with '&' between pairs. The value of a name without '='
 * is empty; pairs without any byte are skipped. False at the end. Both are still escaped. */
bool herd_http_query_next(struct herd_span *io_query, struct herd_span *ret_name, struct herd_span *ret_value);

/* What '+' stands for: itself in a path, a blank in what a form wrote (a body, or a query that a form made). */
enum herd_http_plus { HERD_HTTP_PLUS, HERD_HTTP_BLANK };

/* Undoes percent-encoding. `to` has room for text.len bytes, and may be where `text` is: it never gets longer.
 * HERD_E_SYNTAX: a '%' without two hexadecimal digits, or a NUL, escaped or not; `to` is spoilt then. */
int herd_http_unescape(struct herd_span text, enum herd_http_plus plus, char *to, size_t *ret_len);

#endif
