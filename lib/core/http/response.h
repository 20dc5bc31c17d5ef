/* SPDX-License-Identifier: MIT */
/*
 * Heads of replies, into a buffer. Each function fails with HERD_E_NOMEM only, unless it says more.
 *
 *     herd_http_response_begin(&out, 200, now.wall_ns);
 *     herd_http_response_field(&out, "Content-Type", herd_span_of("application/json"));
 *     herd_http_response_length(&out, body.len);
 *     herd_http_response_end(&out);
 */
#ifndef HERD_CORE_HTTP_RESPONSE_H
#define HERD_CORE_HTTP_RESPONSE_H

#include <herd/types.h>

/* The reason phrase of a status; "Unknown" for one that is not in RFC 9110 or RFC 6585; static. */
const char *herd_http_reason(int status);

/* HTTP/1.1 (whatever the request's version was), status, reason, and Date. `status` has three digits. */
int herd_http_response_begin(struct herd_buf *out, int status, int64_t wall_ns);

/* A field. HERD_E_SYNTAX: `value` holds a control character other than TAB, which would begin another line; then
 * nothing is added. `name` is a token. */
int herd_http_response_field(struct herd_buf *out, const char *name, struct herd_span value);
int herd_http_response_number(struct herd_buf *out, const char *name, uint64_t value);

/* Content-Length. */
int herd_http_response_length(struct herd_buf *out, uint64_t len);

/* Connection: close; or keep-alive, where a client of HTTP/1.0 asked for it. */
int herd_http_response_connection(struct herd_buf *out, bool keep_alive);

/* The empty line. */
int herd_http_response_end(struct herd_buf *out);

/* "HTTP/1.1 100 Continue" and its empty line. */
int herd_http_response_continue(struct herd_buf *out);

/* A body whose length is not known before (Transfer-Encoding: chunked): `len` bytes follow this line and have to be
 * followed by CRLF. 0 ends the body, with all that has to follow. Not for clients of HTTP/1.0. */
int herd_http_response_chunk(struct herd_buf *out, size_t len);

#define HERD_HTTP_DATE_BYTES 29

/* "Thu, 26 Nov 2026 19:45:00 GMT" (IMF-fixdate, RFC 9110, 5.6.7), no NUL. */
void herd_http_date_put(char to[HERD_HTTP_DATE_BYTES], int64_t wall_ns);

#endif
