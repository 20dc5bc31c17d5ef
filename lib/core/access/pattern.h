/* SPDX-License-Identifier: MIT */
/* Patterns of ids: an exact id, or a prefix. Nothing else: no name of a user is ever substituted into one. */
#ifndef HERD_CORE_PATTERN_H
#define HERD_CORE_PATTERN_H

#include <herd/types.h>

#include <string.h>

struct herd_pattern {
    struct herd_span bytes;
    bool prefix;
};

struct herd_patterns {
    const struct herd_pattern *list;
    size_t count;
};

static inline bool herd_patterns_match(struct herd_patterns patterns, struct herd_span id)
{
    for (size_t i = 0; i < patterns.count; i++) {
        const struct herd_pattern *one = &patterns.list[i];
        if ((one->prefix ? id.len >= one->bytes.len : id.len == one->bytes.len) &&
            (one->bytes.len == 0 || memcmp(id.at, one->bytes.at, one->bytes.len) == 0))
            return true;
    }
    return false;
}

/* Whether some id that begins with `prefix` may match: one begins with the other. */
static inline bool herd_patterns_meet(struct herd_patterns patterns, struct herd_span prefix)
{
    for (size_t i = 0; i < patterns.count; i++) {
        const struct herd_pattern *one = &patterns.list[i];
        const size_t len = one->bytes.len < prefix.len ? one->bytes.len : prefix.len;
        if ((one->prefix || one->bytes.len >= prefix.len) &&
            (len == 0 || memcmp(prefix.at, one->bytes.at, len) == 0))
            return true;
    }
    return false;
}

#endif
