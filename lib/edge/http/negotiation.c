/* SPDX-License-Identifier: MIT */
/* What whoever asks can read. */
#include "../../core/http/field_list.h"
#include "http_impl.h"

#include <string.h>

/* Whether the parameters of an element have a weight of nought: "; q=0", "; q=0.000". */
static bool is_weight_zero(struct herd_span parameters)
{
    const char *equals = parameters.len ? memchr(parameters.at, '=', parameters.len) : NULL;
    if (!equals)
        return false;
    for (const char *p = equals + 1; p < parameters.at + parameters.len; p++)
        if (*p != '0' && *p != '.' && *p != ' ' && *p != '\t')
            return false;
    return true;
}

bool herd_http_accepts_coding(struct herd_span list, const char *coding)
{
    struct herd_span element;
    bool any = false;
    while (herd_http_list_next(&list, &element)) {
        const char *semicolon = memchr(element.at, ';', element.len);
        struct herd_span name = {element.at, semicolon ? (size_t)(semicolon - element.at) : element.len};
        const struct herd_span parameters = {name.at + name.len, element.len - name.len};
        while (name.len > 0 && (name.at[name.len - 1] == ' ' || name.at[name.len - 1] == '\t'))
            name.len--;
        if (herd_http_equal_nocase(name, coding))
            return !is_weight_zero(parameters);
        if (herd_http_equal_nocase(name, "*"))
            any = !is_weight_zero(parameters);
    }
    return any;
}
