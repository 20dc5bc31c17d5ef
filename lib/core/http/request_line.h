/* SPDX-License-Identifier: MIT */
/* The first line of a request. */
#ifndef HERD_CORE_HTTP_REQUEST_LINE_H
#define HERD_CORE_HTTP_REQUEST_LINE_H

#include "head.h"

/* Reads the request line at the front of *io_rest, and cuts it off. Sets method, minor, path and query of *head, and
 * host where the target has one. 0 or HERD_E_SYNTAX. */
int herd_http_request_line(struct herd_http_head *head, struct herd_span *io_rest,
                           struct herd_http_fault *reterr_fault);

/* Whether `text` is host [":" port], not empty: a name, an IPv4 address, or an IPv6 address in brackets. */
bool herd_http_host_valid(struct herd_span text);

#endif
