/* SPDX-License-Identifier: MIT */
/* Points: collected, dealt into strips of longitude, sorted by latitude. */
#include "points.h"

#include "../core/base/array.h"
#include "points_index.h"

#include <stdlib.h>
#include <string.h>

int herd_points_new(struct herd_points **ret_points, const char *attributions, const char *id_prefix)
{
    struct herd_points *p = calloc(1, sizeof *p);
    if (!p)
        return HERD_E_NOMEM;
    if (herd_buf_add_text(&p->attributions, attributions) < 0 || herd_buf_add_text(&p->id_prefix, id_prefix) < 0) {
        herd_points_free(p);
        return HERD_E_NOMEM;
    }
    *ret_points = p;
    return 0;
}

void herd_points_free(struct herd_points *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->type_count; i++)
        free(p->types[i]);
    herd_buf_fini(&p->attributions);
    herd_buf_fini(&p->id_prefix);
    herd_buf_fini(&p->text);
    free(p->at);
    free(p);
}

/* Few kinds of places are in a file and many points are of each: the number of the kind is kept. */
static int intern_types(struct herd_points *p, struct herd_span types, uint16_t *ret_type)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < types.len; i++)
        hash = (hash ^ (unsigned char)types.at[i]) * 16777619u;
    size_t slot = hash % HERD_POINTS_TYPE_SLOTS;
    while (p->type_slots[slot]) {
        const char *known = p->types[p->type_slots[slot] - 1];
        if (herd_span_equal(herd_span_of(known), types)) {
            *ret_type = p->type_slots[slot];
            return 0;
        }
        slot = (slot + 1) % HERD_POINTS_TYPE_SLOTS;
    }
    if (p->type_count == HERD_POINTS_TYPES_MAX) {
        *ret_type = 0; /* more kinds than anyone has: the rest have none */
        return 0;
    }
    char *copy = malloc(types.len + 1);
    if (!copy)
        return HERD_E_NOMEM;
    if (types.len)
        memcpy(copy, types.at, types.len);
    copy[types.len] = '\0';
    p->types[p->type_count++] = copy;
    *ret_type = p->type_slots[slot] = (uint16_t)p->type_count;
    return 0;
}

static int add_text(struct herd_points *p, struct herd_span text)
{
    int err = herd_buf_add(&p->text, text.at, text.len);
    return err < 0 ? err : herd_buf_add(&p->text, "", 1);
}

int herd_points_add(struct herd_points *p, const struct herd_point *point)
{
    if (p->indexed)
        return HERD_E_STATE;
    uint64_t text_bytes = p->text.len; /* a size_t may be smaller than the bound */
    if (p->count == UINT32_MAX || text_bytes > HERD_POINTS_TEXT_MAX)
        return HERD_E_LIMIT;
    struct herd_points_entry *at = herd_array_reserve(p->at, &p->cap, p->count + 1, sizeof *at);
    if (!at)
        return HERD_E_NOMEM;
    p->at = at;
    size_t text_at = p->text.len;
    uint16_t type;
    int err;
    if ((err = intern_types(p, point->types, &type)) < 0 || (err = add_text(p, point->name)) < 0 ||
        (err = add_text(p, point->id)) < 0 || (err = add_text(p, point->vicinity)) < 0) {
        p->text.len = text_at;
        return err;
    }
    p->at[p->count++] = (struct herd_points_entry){point->lat_e7, point->lon_e7, (uint64_t)text_at << 16 | type};
    return 0;
}

static int by_latitude(const void *a, const void *b)
{
    const struct herd_points_entry *x = a, *y = b;
    if (x->lat_e7 != y->lat_e7)
        return x->lat_e7 < y->lat_e7 ? -1 : 1;
    if (x->lon_e7 != y->lon_e7)
        return x->lon_e7 < y->lon_e7 ? -1 : 1;
    return (x->text_type > y->text_type) - (x->text_type < y->text_type);
}

int herd_points_build_index(struct herd_points *p)
{
    if (p->indexed)
        return 0;
    struct herd_points_entry *sorted = malloc((p->count ? p->count : 1) * sizeof *sorted);
    if (!sorted)
        return HERD_E_NOMEM;
    /* Counting sort by strip, stable, then each strip by latitude. */
    size_t next[HERD_POINTS_STRIPS] = {0};
    for (size_t i = 0; i < p->count; i++)
        next[herd_points_strip(p->at[i].lon_e7)]++;
    size_t begin = 0;
    for (size_t s = 0; s < HERD_POINTS_STRIPS; s++) {
        size_t count = next[s];
        p->strips[s] = next[s] = begin;
        begin += count;
    }
    p->strips[HERD_POINTS_STRIPS] = begin;
    for (size_t i = 0; i < p->count; i++)
        sorted[next[herd_points_strip(p->at[i].lon_e7)]++] = p->at[i];
    for (size_t s = 0; s < HERD_POINTS_STRIPS; s++)
        qsort(sorted + p->strips[s], p->strips[s + 1] - p->strips[s], sizeof *sorted, by_latitude);
    free(p->at);
    p->at = sorted;
    p->cap = p->count ? p->count : 1;
    if (p->text.len) { /* growing left up to half of it unused */
        char *text = realloc(p->text.at, p->text.len);
        if (text) {
            p->text.at = text;
            p->text.cap = p->text.len;
        }
    }
    p->indexed = true;
    return 0;
}

size_t herd_points_count(const struct herd_points *p)
{
    return p->count;
}

size_t herd_points_index_bytes(const struct herd_points *p)
{
    return sizeof *p + p->cap * sizeof *p->at;
}

size_t herd_points_text_bytes(const struct herd_points *p)
{
    return p->text.cap;
}

void herd_points_get(const struct herd_points *p, size_t i, struct herd_point *ret_point)
{
    const struct herd_points_entry *entry = &p->at[i];
    const char *name = p->text.at + (entry->text_type >> 16);
    const char *id = name + strlen(name) + 1;
    const char *vicinity = id + strlen(id) + 1;
    unsigned type = (unsigned)(entry->text_type & 0xffff);
    *ret_point = (struct herd_point){
        .lat_e7 = entry->lat_e7,
        .lon_e7 = entry->lon_e7,
        .name = {name, (size_t)(id - name) - 1},
        .id = {id, (size_t)(vicinity - id) - 1},
        .vicinity = herd_span_of(vicinity),
        .types = herd_span_of(type ? p->types[type - 1] : ""),
    };
}
