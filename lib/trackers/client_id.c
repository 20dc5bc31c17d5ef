/* SPDX-License-Identifier: MIT */
/* Ids of clients made of names. */
#include "client_id.h"

#include "../core/protocol/fields.h"

#include <assert.h>

static bool is_escaped(char c, enum herd_client_id_slash slash)
{
    return herd_is_space(c) || c == '%' || (c == '/' && slash == HERD_CLIENT_ID_ESCAPE);
}

int herd_client_id_add(struct herd_buf *out, struct herd_span name, enum herd_client_id_slash slash, size_t max)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t len = name.len;
    assert(out->len <= max);
    for (size_t i = 0; i < name.len; i++) {
        if (name.at[i] == '\0')
            return HERD_E_SYNTAX;
        len += is_escaped(name.at[i], slash) ? 2 : 0;
    }
    if (len > max - out->len)
        return HERD_E_LIMIT;
    int err = herd_buf_reserve(out, len);
    if (err < 0)
        return err;
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.at[i];
        if (is_escaped(name.at[i], slash)) {
            out->at[out->len++] = '%';
            out->at[out->len++] = hex[c >> 4];
            out->at[out->len++] = hex[c & 15];
        } else {
            out->at[out->len++] = name.at[i];
        }
    }
    return 0;
}
