/* SPDX-License-Identifier: MIT */
/* Interned names of servers, counted by their references. */
#include "names.h"

#include "../base/array.h"
#include "../base/hash.h"

#include <stdlib.h>
#include <string.h>

#define NONE HERD_NAMES_MAX

void herd_names_init(struct herd_names *names, uint64_t seed, const uint64_t key[2])
{
    *names = (struct herd_names){
        .seed = seed, .key = {key[0], key[1]}, .unused_first = NONE, .unused_last = NONE, .last = NONE};
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

static size_t home(const struct herd_names *names, struct herd_span name)
{
    return (size_t)herd_siphash(names->key, name.at, name.len) & (names->table_size - 1);
}

/* The cell of the table that holds `name`, or the empty one where it belongs. */
static size_t find_bucket(const struct herd_names *names, struct herd_span name)
{
    size_t mask = names->table_size - 1;
    size_t at = home(names, name);
    while (names->table[at] && !is_name(names, names->table[at] - 1u, name))
        at = (at + 1) & mask;
    return at;
}

/* Takes a name out of the table, and moves back each later name of the run that may stand in the gap. */
static void empty_cell(struct herd_names *names, size_t at)
{
    size_t mask = names->table_size - 1;
    for (size_t next = (at + 1) & mask; names->table[next]; next = (next + 1) & mask) {
        size_t wanted = home(names, herd_names_text(names, names->table[next] - 1u));
        if (((next - wanted) & mask) >= ((next - at) & mask)) {
            names->table[at] = names->table[next];
            at = next;
        }
    }
    names->table[at] = 0;
}

/* ---- names without references ---- */

static void unused_append(struct herd_names *names, uint16_t number)
{
    struct herd_name *name = &names->list[number];
    name->prev = names->unused_last;
    name->next = NONE;
    *(name->prev == NONE ? &names->unused_first : &names->list[name->prev].next) = number;
    names->unused_last = number;
    names->unused++;
}

static void unused_remove(struct herd_names *names, uint16_t number)
{
    const struct herd_name *name = &names->list[number];
    *(name->prev == NONE ? &names->unused_first : &names->list[name->prev].next) = name->next;
    *(name->next == NONE ? &names->unused_last : &names->list[name->next].prev) = name->prev;
    names->unused--;
}

void herd_names_ref(struct herd_names *names, unsigned number)
{
    if (names->list[number].refs++ == 0)
        unused_remove(names, (uint16_t)number);
}

void herd_names_unref(struct herd_names *names, unsigned number)
{
    if (--names->list[number].refs == 0)
        unused_append(names, (uint16_t)number);
}

/* ---- new names ---- */

/* Room for one more name in the list, and a table at most half full. */
static int make_room(struct herd_names *names)
{
    struct herd_name *list = herd_array_reserve(names->list, &names->cap, names->count + 1, sizeof *list);
    if (!list)
        return HERD_E_NOMEM;
    names->list = list;
    if ((names->count + 1) * 2 > names->table_size) {
        size_t size = names->table_size ? names->table_size * 2 : 16;
        uint16_t *table = calloc(size, sizeof *table);
        if (!table)
            return HERD_E_NOMEM;
        free(names->table);
        names->table = table;
        names->table_size = size;
        for (size_t i = 0; i < names->count; i++)
            table[find_bucket(names, herd_names_text(names, (unsigned)i))] = (uint16_t)(i + 1);
    }
    return 0;
}

/* A number for a new name: the next, or that of the name unused longest, which is forgotten. */
static int make_number(struct herd_names *names)
{
    bool reuse = names->unused > HERD_NAMES_UNUSED || names->count == HERD_NAMES_MAX;
    if (!reuse) {
        int err = make_room(names);
        return err < 0 ? err : (int)names->count;
    }
    if (names->unused == 0)
        return HERD_E_LIMIT;
    return names->unused_first;
}

int herd_names_intern(struct herd_names *names, struct herd_span name)
{
    if (names->last < names->count && is_name(names, names->last, name))
        return names->last;
    if (names->count > 0) {
        uint16_t found = names->table[find_bucket(names, name)];
        if (found)
            return names->last = (uint16_t)(found - 1);
    }
    int number = make_number(names);
    if (number < 0)
        return number;
    char *text = malloc(name.len ? name.len : 1);
    if (!text)
        return HERD_E_NOMEM;
    memcpy(text, name.at, name.len);
    if ((size_t)number < names->count) {
        unused_remove(names, (uint16_t)number);
        empty_cell(names, find_bucket(names, herd_names_text(names, (unsigned)number)));
        free(names->list[number].text);
        names->renamed++;
    } else {
        names->count++;
    }
    names->list[number] =
        (struct herd_name){.text = text, .len = name.len, .hash = herd_hash(names->seed, name.at, name.len)};
    unused_append(names, (uint16_t)number);
    names->table[find_bucket(names, name)] = (uint16_t)(number + 1);
    return names->last = (uint16_t)number;
}
