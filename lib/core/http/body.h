/* SPDX-License-Identifier: MIT */
/*
 * The body of a request, by its length or in chunks (RFC 9112, 6 and 7). Every byte given is consumed at once, so that
 * no input has to be kept, and bytes cut anywhere give the same body.
 *
 *     herd_http_body_begin(&body, &head, 1 << 20, &fault)        refused: 413
 *     while ((progress = herd_http_body_take(&body, &bytes, &piece, &fault)) == HERD_HTTP_DONE && piece.len)
 *         use piece
 *     HERD_HTTP_MORE: bytes are used up; HERD_HTTP_DONE: `bytes` is what comes behind the body
 */
#ifndef HERD_CORE_HTTP_BODY_H
#define HERD_CORE_HTTP_BODY_H

#include "head.h"

#define HERD_HTTP_BODY_MAX_BYTES (UINT64_C(1) << 20)

/* Of one body: chunk extensions and the fields behind the last chunk, which are both read and dropped. */
#define HERD_HTTP_EXTENSIONS_MAX_BYTES 4096
#define HERD_HTTP_TRAILERS_MAX_BYTES   8192

struct herd_http_body {
    uint64_t left;   /* of the body or chunk that is being read */
    uint64_t room;   /* bytes of the body that may still come */
    uint32_t extras; /* bytes of extensions or trailers so far */
    uint8_t state;
    uint8_t digits; /* of a chunk's size */
};

/* Begins the body that `head` announces; without one it is done at once. HERD_E_LIMIT: its length is above `body_max`
 * (fault 413), whatever comes of it must not be read as a request. */
int herd_http_body_begin(struct herd_http_body *ret_body, const struct herd_http_head *head, uint64_t body_max,
                         struct herd_http_fault *reterr_fault);

/* Whether all of it came. */
bool herd_http_body_done(const struct herd_http_body *body);

/*
 * Takes bytes from the front of *io_bytes until it has a piece of the body, or all of it. HERD_HTTP_DONE with a piece
 * in *io_bytes: call again. HERD_HTTP_DONE with an empty piece: that was the body, *io_bytes begins with the next
 * request. HERD_HTTP_MORE: *io_bytes is empty, the piece too. HERD_HTTP_FAULT: 400, 413 above `body_max`, 431 for
 * trailers; the body stays refused.
 */
enum herd_http_progress herd_http_body_take(struct herd_http_body *body, struct herd_span *io_bytes,
                                            struct herd_span *ret_piece, struct herd_http_fault *reterr_fault);

#endif
