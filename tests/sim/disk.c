/* SPDX-License-Identifier: MIT */
/* Journals: written by the core's scribe, torn by crashes, read back by its replay. */
#include "world.h"

#include "node_impl.h"
#include "replay.h"

#include <stdlib.h>

static void must(struct world *w, int node, int err, uint64_t failed)
{
    if (err < 0 && !(err == HERD_E_NOMEM && sim_alloc.failed > failed))
        sim_fail(w, "%s: journal: %s", w->nodes[node].name, herd_strerror(err));
}

/* Every whole line of the file is known to the node again, or something newer. */
static void check_known(struct world *w, int node)
{
    struct sim_node *n = &w->nodes[node];
    const char *at = n->journal.at, *stop = at ? at + n->journal.len : at;
    for (const char *lf; at < stop && (lf = memchr(at, '\n', (size_t)(stop - at))) != NULL; at = lf + 1) {
        if (lf - at < 3 + HERD_CHECKSUM_LEN || memcmp(at, "AT ", 3) != 0)
            continue;
        struct herd_span line = {at, (size_t)(lf - at) - HERD_CHECKSUM_LEN};
        int32_t version = model_find(&w->model, line);
        if (version == NO_VERSION)
            sim_fail(w, "%s wrote down what nobody reported: %.*s", n->name, (int)line.len, line.at);
        if (w->model.versions[version].accepted_ns >= n->forget_ns &&
            model_below(w, n->has[w->model.versions[version].key], version))
            sim_fail(w, "%s forgot what it wrote down: %.*s", n->name, (int)line.len, line.at);
    }
}

void disk_open(struct world *w, int node)
{
    struct sim_node *n = &w->nodes[node];
    if (!n->journals)
        return;
    struct herd_replay replay = {0};
    struct herd_now now = world_clock(w, node);
    size_t used = 0;
    while (used < n->journal.len) { /* piece by piece */
        size_t consumed, piece = (size_t)rng_in(&w->checks, 1, (int64_t)(n->journal.len - used));
        struct herd_span bytes = {n->journal.at + used, piece};
        if (herd_replay_take(n->node, &replay, bytes, now, &consumed) < 0)
            sim_fail(w, "%s cannot read its journal", n->name);
        used += consumed;
        if (used + piece >= n->journal.len && consumed == 0)
            break;
    }
    if (used < n->journal.len) {
        int whole = herd_replay_tail(n->node, &replay, (struct herd_span){n->journal.at + used, n->journal.len - used}, now);
        if (whole > 0 && herd_buf_add_text(&n->journal, "\n") < 0)
            sim_fail(w, "out of memory");
        if (whole == 0)
            n->journal.len = used;
    }
    if (replay.corrupt || replay.unknown)
        sim_fail(w, "%s finds %llu corrupt lines in its journal", n->name, (unsigned long long)replay.corrupt);
    w->figures->replays += replay.lines > 0;
    n->forget_ns = n->node->forget_before_ns; /* it may have looked at the clock */
    model_follow(w, node);
    check_known(w, node);
    n->synced = n->journal.len;
    if (n->journal.len == 0 && herd_scribe_begin(&n->journal) < 0)
        sim_fail(w, "out of memory");
    if (herd_scribe_open(&n->scribe, n->node) < 0)
        sim_fail(w, "%s: no scribe", n->name);
}

void disk_turn(struct world *w, int node)
{
    struct sim_node *n = &w->nodes[node];
    if (!n->scribe.node || rng_one_in(&w->checks, 2))
        return;
    size_t before = n->journal.len;
    uint64_t failed = sim_alloc.failed;
    world_enter(w, node);
    int err = herd_scribe_take(&n->scribe, (size_t)rng_in(&w->checks, 1, 2000), &n->journal);
    world_leave(w);
    must(w, node, err, failed);
    if (err > 0 && !w->healed && rng_one_in(&w->checks, 10)) { /* the disk is full */
        n->journal.len = before;
        herd_scribe_undo(&n->scribe);
    }
    if (rng_one_in(&w->checks, 3))
        n->synced = n->journal.len;
}

void disk_crash(struct world *w, int node)
{
    struct sim_node *n = &w->nodes[node];
    if (!n->scribe.node)
        return;
    herd_scribe_close(&n->scribe);
    n->scribe = (struct herd_scribe){0};
    n->journal.len = (size_t)rng_in(&w->checks, (int64_t)n->synced, (int64_t)n->journal.len);
}

void disk_check(struct world *w, int node)
{
    struct sim_node *n = &w->nodes[node];
    if (!n->scribe.node)
        return;
    while (herd_scribe_due(&n->scribe))
        if (herd_scribe_take(&n->scribe, 4096, &n->journal) <= 0)
            sim_fail(w, "%s cannot write its journal", n->name);
    int32_t *newest = malloc(w->model.key_count * sizeof *newest);
    for (uint32_t key = 0; key < w->model.key_count; key++)
        newest[key] = NO_VERSION;
    const char *at = n->journal.at, *stop = at ? at + n->journal.len : at;
    for (const char *lf; at < stop && (lf = memchr(at, '\n', (size_t)(stop - at))) != NULL; at = lf + 1) {
        if (lf - at < 3 + HERD_CHECKSUM_LEN || memcmp(at, "AT ", 3) != 0)
            continue;
        int32_t version = model_find(&w->model, (struct herd_span){at, (size_t)(lf - at) - HERD_CHECKSUM_LEN});
        if (version != NO_VERSION && model_order(&w->model, version, newest[w->model.versions[version].key]) > 0)
            newest[w->model.versions[version].key] = version;
    }
    for (uint32_t key = 0; key < w->model.key_count; key++)
        if (newest[key] != n->has[key] && (newest[key] == NO_VERSION || w->model.versions[newest[key]].accepted_ns >= n->forget_ns))
            sim_fail(w, "%s did not write down client %u", n->name, key);
    free(newest);
}
