/* SPDX-License-Identifier: MIT */
/* Ids in the order of their bytes: a natural merge sort, as a rule by eight bytes behind those that all have. */
#include "keeper_sort.h"

/* Eight bytes of an id behind the first `skip` as a number; those of a short one with zeros behind. */
static uint64_t prefix_of(struct herd_span id, size_t skip)
{
    uint64_t prefix = 0;
    if (id.len >= skip + 8) {
        for (size_t i = 0; i < 8; i++)
            prefix = prefix << 8 | (unsigned char)id.at[skip + i];
        return prefix;
    }
    for (size_t i = skip; i < skip + 8; i++)
        prefix = prefix << 8 | (i < id.len ? (unsigned char)id.at[i] : 0);
    return prefix;
}

static struct herd_span id_of(const struct herd_keeper_gather *gather, const struct herd_keeper_key *key)
{
    const struct herd_keeper_item *item = &gather->items[key->item];
    return (struct herd_span){gather->texts.at + item->text, item->id};
}

static int compare(const struct herd_keeper_gather *gather, const struct herd_keeper_key *a,
                   const struct herd_keeper_key *b)
{
    if (a->prefix != b->prefix)
        return a->prefix < b->prefix ? -1 : 1;
    return herd_span_compare(id_of(gather, a), id_of(gather, b));
}

/* Where the run that begins at `at` ends. */
static size_t run_end(const struct herd_keeper_gather *gather, size_t at)
{
    const struct herd_keeper_key *keys = gather->keys;
    if (at >= gather->count)
        return gather->count;
    for (at++; at < gather->count && compare(gather, &keys[at - 1], &keys[at]) <= 0; at++)
        ;
    return at;
}

/* Merges two runs that stand side by side. */
static void merge(struct herd_keeper_gather *gather, size_t at, size_t middle, size_t end)
{
    struct herd_keeper_key *keys = gather->keys, *out = gather->merged;
    size_t left = at, right = middle, n = 0;
    while (left < middle && right < end)
        out[n++] = compare(gather, &keys[left], &keys[right]) <= 0 ? keys[left++] : keys[right++];
    while (left < middle)
        out[n++] = keys[left++];
    memcpy(&keys[at], out, n * sizeof *out); /* what is left on the right stands where it belongs */
}

void herd_keeper_sort(struct herd_keeper_gather *gather, size_t from)
{
    for (size_t i = from; i < gather->count; i++)
        gather->keys[i].prefix = prefix_of(id_of(gather, &gather->keys[i]), gather->common);
    for (;;) {
        size_t at = from, runs = 0;
        while (at < gather->count) {
            size_t middle = run_end(gather, at), end = run_end(gather, middle);
            if (end > middle)
                merge(gather, at, middle, end);
            at = end;
            runs++;
        }
        if (runs <= 1)
            return;
    }
}

void herd_keeper_unique(struct herd_keeper_gather *gather)
{
    size_t kept = 0;
    for (size_t i = 0; i < gather->count; i++) {
        bool equal = kept > 0 && compare(gather, &gather->keys[kept - 1], &gather->keys[i]) == 0;
        gather->keys[kept - equal] = gather->keys[i];
        kept += !equal;
    }
    gather->row_count = kept;
}
