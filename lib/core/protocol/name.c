/* SPDX-License-Identifier: MIT */
/* Which names servers may have. */
#include "../base/digits.h"

#include <herd/protocol.h>

bool herd_name_valid(struct herd_span name)
{
    if (name.len == 0 || name.len > HERD_NAME_MAX)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.at[i];
        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || herd_is_digit(c) || c == '.' || c == '_' ||
              c == '-'))
            return false;
    }
    return true;
}
