/* SPDX-License-Identifier: MIT */
/* Interned names of servers. */
#include "names.h"

#include "../base/hash.h"

#include <stdlib.h>
#include <string.h>

void herd_names_init(struct herd_names *names, uint64_t seed)
{
    *names = (struct herd_names){.seed = seed};
}

void herd_names_fini(struct herd_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->list[i].text);
    free(names->list);
    free(names->table);
    *names = (struct herd_names){0};
}

static bool is_name(const struct herd_names *names, size_t number, struct herd_span name)
{
    return herd_span_equal(herd_names_text(names, (unsigned)number), name);
}

/* The cell of the table that holds `name`, or the empty one where it belongs. */
static size_t find_cell(const struct herd_names *names, struct herd_span name, uint64_t hash)
{
    size_t mask = names->table_size - 1;
    size_t at = (size_t)hash & mask;
    while (names->table[at] && !is_name(names, names->table[at] - 1u, name))
        at = (at + 1) & mask;
    return at;
}

/* Room for one more name in the list, and a table at most half full. */
static int make_room(struct herd_names *names)
{
    if (names->count == names->cap) {
        size_t cap = names->cap ? names->cap * 2 : 8;
        struct herd_name *list = realloc(names->list, cap * sizeof *list);
        if (!list)
            return HERD_E_NOMEM;
        names->list = list;
        names->cap = cap;
    }
    if ((names->count + 1) * 2 > names->table_size) {
        size_t size = names->table_size ? names->table_size * 2 : 16;
        uint16_t *table = calloc(size, sizeof *table);
        if (!table)
            return HERD_E_NOMEM;
        free(names->table);
        names->table = table;
        names->table_size = size;
        for (size_t i = 0; i < names->count; i++) {
            struct herd_span name = herd_names_text(names, (unsigned)i);
            table[find_cell(names, name, names->list[i].hash)] = (uint16_t)(i + 1);
        }
    }
    return 0;
}

int herd_names_intern(struct herd_names *names, struct herd_span name)
{
    if (names->last < names->count && is_name(names, names->last, name))
        return names->last;

    uint64_t hash = herd_hash(names->seed, name.at, name.len);
    if (names->count > 0) {
        uint16_t number = names->table[find_cell(names, name, hash)];
        if (number)
            return names->last = (uint16_t)(number - 1);
    }
    if (names->count == HERD_NAMES_MAX)
        return HERD_E_LIMIT;
    int err = make_room(names);
    if (err < 0)
        return err;
    char *text = malloc(name.len ? name.len : 1);
    if (!text)
        return HERD_E_NOMEM;
    memcpy(text, name.at, name.len);
    size_t number = names->count++;
    names->list[number] = (struct herd_name){text, name.len, hash};
    names->table[find_cell(names, name, hash)] = (uint16_t)(number + 1);
    return names->last = (uint16_t)number;
}
