/* SPDX-License-Identifier: MIT */
/* How many requests were answered, by route. */
#include "http_impl.h"

#include <string.h>

bool herd_http_count_at(const struct herd_http *http, size_t index, struct herd_http_count *ret_count)
{
    *ret_count = (struct herd_http_count){NULL, {0}};
    if (index == 0) {
        memcpy(ret_count->by_class, http->answered, sizeof http->answered);
        return true;
    }
    index--;
    for (size_t i = 0; i < http->part_count; i++) {
        const struct herd_http_part *part = &http->parts[i];
        if (index < part->module->route_count) {
            ret_count->route = &part->module->routes[index];
            memcpy(ret_count->by_class, part->answered[index], sizeof ret_count->by_class);
            return true;
        }
        index -= part->module->route_count;
    }
    return false;
}
