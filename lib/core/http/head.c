/* SPDX-License-Identifier: MIT */
/* A head that was read. */
#include "head.h"

#include "field_list.h"

size_t herd_http_head_find(const struct herd_http_head *head, const char *name, struct herd_span *ret_value)
{
    struct herd_span wanted = herd_span_of(name);
    size_t count = 0;
    for (size_t i = 0; i < head->field_count; i++)
        if (head->fields[i].name_len == wanted.len &&
            herd_http_spans_equal_nocase(herd_http_field_name(head, i), wanted) && count++ == 0)
            *ret_value = herd_http_field_value(head, i);
    return count;
}

static void rebase(struct herd_span *text, const struct herd_http_head *head, const char *at)
{
    if (text->at)
        text->at = at + (text->at - head->at);
}

void herd_http_head_rebase(struct herd_http_head *head, const char *at)
{
    rebase(&head->path, head, at);
    rebase(&head->query, head, at);
    rebase(&head->host, head, at);
    head->at = at;
}
