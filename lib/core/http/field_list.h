/* SPDX-License-Identifier: MIT */
/* Values of fields: comparing them, and those that are lists. */
#ifndef HERD_CORE_HTTP_FIELD_LIST_H
#define HERD_CORE_HTTP_FIELD_LIST_H

#include <herd/types.h>

/* Whether both are equal but for the case of ASCII letters. */
bool herd_http_spans_equal_nocase(struct herd_span a, struct herd_span b);
bool herd_http_equal_nocase(struct herd_span text, const char *other);

/* Cuts the next element off a list with commas (RFC 9110, 5.6.1): without white space around it, empty ones skipped.
 * A comma inside a quoted string is no end. False at the end. */
bool herd_http_list_next(struct herd_span *io_value, struct herd_span *ret_element);

#endif
