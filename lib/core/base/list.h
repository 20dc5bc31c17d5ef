/* SPDX-License-Identifier: MIT */
/* Lists whose links live inside what they hold: O(1), no allocation. A zeroed link is in no list. */
#ifndef HERD_CORE_LIST_H
#define HERD_CORE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct herd_list {
    struct herd_list *prev, *next;
};

#define HERD_CONTAINER_OF(link, type, member) ((type *)(void *)((char *)(link)-offsetof(type, member)))

static inline void herd_list_init(struct herd_list *head)
{
    head->prev = head->next = head;
}

static inline bool herd_list_empty(const struct herd_list *head)
{
    return head->next == head;
}

static inline bool herd_list_linked(const struct herd_list *link)
{
    return link->next != NULL;
}

static inline void herd_list_append(struct herd_list *head, struct herd_list *link)
{
    link->prev = head->prev;
    link->next = head;
    head->prev->next = link;
    head->prev = link;
}

static inline void herd_list_prepend(struct herd_list *head, struct herd_list *link)
{
    herd_list_append(head->next, link);
}

/* Fine for a link that is in no list. */
static inline void herd_list_remove(struct herd_list *link)
{
    if (!link->next)
        return;
    link->prev->next = link->next;
    link->next->prev = link->prev;
    link->prev = link->next = NULL;
}

#endif
