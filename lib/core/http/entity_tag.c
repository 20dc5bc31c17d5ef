/* SPDX-License-Identifier: MIT */
/* Lists of entity tags. */
#include "entity_tag.h"

#include "chars.h"

#include <string.h>

/* What may stand between the quotes: any byte that is visible, and those above ASCII; a backslash is one like others. */
static bool is_tag_char(char c)
{
    unsigned char byte = (unsigned char)c;
    return byte >= 0x21 && byte != 0x22 && byte != 0x7f;
}

/* The entity tag at `p`, with its quotes and without W/; its end. NULL: there is none. */
static const char *read_tag(const char *p, const char *end, struct herd_span *ret_tag)
{
    if (end - p >= 2 && p[0] == 'W' && p[1] == '/')
        p += 2;
    if (p == end || *p != '"')
        return NULL;
    const char *at = p + 1;
    while (at < end && is_tag_char(*at))
        at++;
    if (at == end || *at != '"')
        return NULL;
    *ret_tag = (struct herd_span){p, (size_t)(at + 1 - p)};
    return at + 1;
}

static const char *skip_blanks(const char *p, const char *end)
{
    while (p < end && herd_http_is_blank(*p))
        p++;
    return p;
}

bool herd_http_tag_listed(struct herd_span list, struct herd_span tag)
{
    if (list.len == 0)
        return false; /* it may have no address */
    const char *p = skip_blanks(list.at, list.at + list.len), *end = list.at + list.len;
    struct herd_span one;
    if (p < end && *p == '*' && skip_blanks(p + 1, end) == end)
        return true;
    for (;;) {
        while (p < end && (herd_http_is_blank(*p) || *p == ','))
            p++; /* elements may be empty */
        p = p < end ? read_tag(p, end, &one) : NULL;
        if (!p)
            return false;
        p = skip_blanks(p, end);
        if (p < end && *p != ',')
            return false;
        if (one.len == tag.len && memcmp(one.at, tag.at, tag.len) == 0)
            return true;
    }
}
