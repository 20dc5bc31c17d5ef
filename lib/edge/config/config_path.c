/* SPDX-License-Identifier: MIT */
/* Paths with the name of a server in them. */
#include "config_path.h"

#include <string.h>

int herd_config_path(const char *text, const char *name, struct herd_buf *out)
{
    static const char mark[] = "{name}";
    int err = 0;
    for (const char *found; err >= 0 && (found = strstr(text, mark)); text = found + sizeof mark - 1) {
        err = herd_buf_add(out, text, (size_t)(found - text));
        if (err >= 0)
            err = herd_buf_add_text(out, name);
    }
    if (err >= 0)
        err = herd_buf_add_text(out, text);
    return err < 0 ? err : herd_buf_add(out, "", 1);
}
