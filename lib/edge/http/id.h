/* SPDX-License-Identifier: MIT */
/* Ids of clients in a request: those that a line could name. A slash in one is written %2F. */
#ifndef HERD_EDGE_HTTP_ID_H
#define HERD_EDGE_HTTP_ID_H

#include "http.h"

#include <string.h>

/* Bytes without white space, and without NUL, which no request may hold. */
static inline bool herd_http_is_id(struct herd_span text)
{
    for (size_t i = 0; i < text.len; i++)
        if (memchr(" \t\n\v\f\r", text.at[i], 7)) /* its NUL too */
            return false;
    return text.len > 0;
}

/* Whether the first `{}` of the path is one, and not longer than a line may be. */
bool herd_http_has_id(const struct herd_http_exchange *exchange);
/* Answers 400 where it is none. */
int herd_http_bad_id(struct herd_http_exchange *exchange);

#endif
