/* SPDX-License-Identifier: MIT */
/* Numbers as servers write them to each other: 1 to 16 hexadecimal digits, lower case. */
#ifndef HERD_CORE_HEX_H
#define HERD_CORE_HEX_H

#include "../base/digits.h"

#include <herd/types.h>

static inline bool herd_hex_read(struct herd_span text, uint64_t *ret)
{
    uint64_t value = 0;
    if (text.len == 0 || text.len > 16)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        if (herd_is_digit(c))
            value = value << 4 | (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            value = value << 4 | (uint64_t)(c - 'a' + 10);
        else
            return false;
    }
    *ret = value;
    return true;
}

#endif
