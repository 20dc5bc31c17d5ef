/* SPDX-License-Identifier: MIT */
/* What records there are and how they are ordered, told once more in the plainest way. */
#include "world.h"

#include "node_impl.h"

#include <stdlib.h>

void model_init(struct model *m)
{
    *m = (struct model){.table_size = 1024, .sent_size = 4096, .run = 1};
    m->table = calloc(m->table_size, sizeof *m->table);
    m->sent = calloc(m->sent_size, sizeof *m->sent);
    if (!m->table || !m->sent)
        abort();
}

void model_fini(struct model *m)
{
    for (uint32_t i = 0; i < m->key_count; i++)
        free(m->keys[i].id);
    for (uint32_t i = 0; i < m->count; i++)
        free(m->texts[i]);
    free(m->keys);
    free(m->texts);
    free(m->versions);
    free(m->table);
    free(m->sent);
    *m = (struct model){0};
}

static uint64_t line_hash(struct herd_span line)
{
    return herd_hash(77, line.at, line.len);
}

int32_t model_find(const struct model *m, struct herd_span line)
{
    uint64_t hash = line_hash(line);
    for (uint32_t at = (uint32_t)hash & (m->table_size - 1); m->table[at]; at = (at + 1) & (m->table_size - 1)) {
        const struct version *v = &m->versions[m->table[at] - 1];
        if (v->hash == hash && v->len == line.len && memcmp(m->texts[m->table[at] - 1], line.at, line.len) == 0)
            return (int32_t)m->table[at] - 1;
    }
    return NO_VERSION;
}

static void place(struct model *m, uint32_t version)
{
    uint32_t at = (uint32_t)m->versions[version].hash & (m->table_size - 1);
    while (m->table[at])
        at = (at + 1) & (m->table_size - 1);
    m->table[at] = version + 1;
}

/* Of a time or a difference, decimals beyond the ninth cut off. */
static int64_t nanoseconds(struct herd_span text)
{
    bool minus = text.len && *text.at == '-';
    int64_t ns = 0;
    int decimals = -1;
    for (size_t i = minus || *text.at == '+'; i < text.len; i++) {
        if (text.at[i] == '.')
            decimals = 0;
        else if (decimals < 9) {
            ns = ns * 10 + (text.at[i] - '0');
            decimals += decimals >= 0;
        }
    }
    for (decimals = decimals < 0 ? 0 : decimals; decimals < 9; decimals++)
        ns *= 10;
    return minus ? -ns : ns;
}

int32_t model_add(struct world *w, uint32_t key, struct herd_span line)
{
    struct model *m = &w->model;
    int32_t known = model_find(m, line);
    if (known != NO_VERSION)
        return known;
    if (m->count == m->cap) {
        m->cap = m->cap ? m->cap * 2 : 256;
        m->versions = realloc(m->versions, m->cap * sizeof *m->versions);
        m->texts = realloc(m->texts, m->cap * sizeof *m->texts);
    }
    struct version *v = &m->versions[m->count];
    *v = (struct version){.key = key, .len = (uint32_t)line.len, .hash = line_hash(line), .calm = w->calm};
    char *text = malloc(line.len);
    if (!text)
        abort();
    memcpy(text, line.at, line.len);
    m->texts[m->count] = text;
    const char *p = text + 3, *end = text + line.len; /* behind "AT " */
    for (int i = 0; i < 5; i++) {
        const char *space = memchr(p, ' ', (size_t)(end - p));
        const char *stop = i < 4 ? space : end;
        if (!stop || (i == 4 && space))
            sim_fail(w, "not an AT line: %.*s", (int)line.len, line.at);
        v->part[i] = (struct herd_span){p, (size_t)(stop - p)};
        p = stop + 1;
    }
    m->versions[m->count].accepted_ns = nanoseconds(v->part[4]) + nanoseconds(v->part[1]);
    place(m, m->count++);
    if (m->count * 2 > m->table_size) {
        free(m->table);
        m->table_size *= 2;
        m->table = calloc(m->table_size, sizeof *m->table);
        for (uint32_t i = 0; i < m->count; i++)
            place(m, i);
    }
    return (int32_t)m->count - 1;
}

static int bytes_order(struct herd_span a, struct herd_span b)
{
    int order = memcmp(a.at, b.at, a.len < b.len ? a.len : b.len);
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

/* Exact: whole digits without leading zeros by length, then as text; decimals without trailing zeros as text. */
int model_time_order(struct herd_span a, struct herd_span b)
{
    struct herd_span whole[2], frac[2], both[2] = {a, b};
    for (int i = 0; i < 2; i++) {
        struct herd_span t = both[i];
        const char *point = memchr(t.at, '.', t.len);
        whole[i] = (struct herd_span){t.at, point ? (size_t)(point - t.at) : t.len};
        frac[i] = point ? (struct herd_span){point + 1, t.len - whole[i].len - 1} : (struct herd_span){"", 0};
        while (whole[i].len && *whole[i].at == '0')
            whole[i].at++, whole[i].len--;
        while (frac[i].len && frac[i].at[frac[i].len - 1] == '0')
            frac[i].len--;
    }
    if (whole[0].len != whole[1].len)
        return whole[0].len < whole[1].len ? -1 : 1;
    int order = bytes_order(whole[0], whole[1]);
    return order ? order : bytes_order(frac[0], frac[1]);
}

bool model_outlives(const struct model *m, int32_t a, int32_t b)
{
    int64_t apart = m->versions[a].accepted_ns - m->versions[b].accepted_ns;
    return m->outlives_ns && (apart > m->outlives_ns || -apart > m->outlives_ns);
}

int model_order(const struct model *m, int32_t a, int32_t b)
{
    if (a == b)
        return 0;
    if (a == NO_VERSION || b == NO_VERSION)
        return a == NO_VERSION ? -1 : 1;
    const struct version *x = &m->versions[a], *y = &m->versions[b];
    if (model_outlives(m, a, b))
        return x->accepted_ns < y->accepted_ns ? -1 : 1;
    enum { SERVER, DIFF, ID, PLACE, TIME };
    int order = model_time_order(x->part[TIME], y->part[TIME]);
    if (!order)
        order = bytes_order(x->part[SERVER], y->part[SERVER]);
    if (!order)
        order = bytes_order(x->part[DIFF], y->part[DIFF]);
    if (!order)
        order = bytes_order(x->part[PLACE], y->part[PLACE]);
    if (!order)
        order = bytes_order(x->part[TIME], y->part[TIME]);
    return order;
}

bool model_below(const struct world *w, int32_t has, int32_t least)
{
    return w->expire_ns ? has == NO_VERSION && least != NO_VERSION : model_order(&w->model, has, least) < 0;
}

static struct sent *sent_cell(const struct model *m, uint64_t what)
{
    uint64_t at = mix(what, 0);
    for (;; at++) {
        struct sent *cell = &m->sent[at & (m->sent_size - 1)];
        if (cell->run != m->run || cell->what == what)
            return cell;
    }
}

bool model_noted(const struct model *m, uint64_t what, uint32_t epoch)
{
    const struct sent *cell = sent_cell(m, what);
    return cell->run == m->run && cell->epoch == epoch;
}

bool model_note(struct model *m, uint64_t what, uint32_t epoch)
{
    if (m->sent_used * 2 > m->sent_size) {
        struct sent *old = m->sent;
        uint32_t size = m->sent_size;
        m->sent_size *= 2;
        m->sent = calloc(m->sent_size, sizeof *m->sent);
        for (uint32_t i = 0; i < size; i++)
            if (old[i].run == m->run)
                *sent_cell(m, old[i].what) = old[i];
        free(old);
    }
    struct sent *cell = sent_cell(m, what);
    bool again = cell->run == m->run && cell->epoch == epoch;
    m->sent_used += cell->run != m->run;
    *cell = (struct sent){what, m->run, epoch};
    return !again;
}

void model_learn(struct world *w, int node, int32_t version)
{
    struct sim_node *n = &w->nodes[node];
    uint32_t key = w->model.versions[version].key;
    if (model_order(&w->model, version, n->has[key]) <= 0 || w->model.versions[version].accepted_ns < n->forget_ns)
        return;
    n->held += n->has[key] == NO_VERSION;
    n->has[key] = version;
}

void model_follow(struct world *w, int node)
{
    struct sim_node *n = &w->nodes[node];
    struct herd_store *store = n->node->store;
    for (uint32_t key = 0; key < w->model.key_count; key++) {
        struct herd_span id = {w->model.keys[key].id, w->model.keys[key].len};
        uint32_t slot = herd_store_find(store, herd_store_hash(store, id), HERD_NO_SLOT, id);
        if (slot == HERD_NO_SLOT) {
            if (n->has[key] != NO_VERSION)
                sim_fail(w, "%s lost %.*s", n->name, (int)id.len, id.at);
            continue;
        }
        w->out.len = 0;
        if (herd_store_format(store, slot, &w->out) < 0)
            sim_fail(w, "%s cannot format %.*s", n->name, (int)id.len, id.at);
        int32_t version = model_find(&w->model, (struct herd_span){w->out.at, w->out.len - 1});
        if (version == NO_VERSION)
            sim_fail(w, "%s holds what nobody reported: %.*s", n->name, (int)w->out.len - 1, w->out.at);
        if (model_order(&w->model, version, n->has[key]) < 0)
            sim_fail(w, "%s went back to %.*s", n->name, (int)w->out.len - 1, w->out.at);
        n->held += n->has[key] == NO_VERSION;
        n->has[key] = version;
        n->slots[key] = slot;
        w->out.len = 0;
    }
}

/* ---- forgetting ---- */

#define EDGE_NS  (300 * SECOND)
#define GRACE_NS (300 * SECOND)

int64_t model_forget_ns(const struct world *w, int node)
{
    int64_t wall_ns = world_clock(w, node).wall_ns;
    return w->expire_ns ? wall_ns / EDGE_NS * EDGE_NS - GRACE_NS - w->expire_ns : INT64_MIN;
}

int64_t model_forgotten_ns(const struct world *w)
{
    int64_t latest = INT64_MIN;
    for (int i = 0; i < w->count; i++) {
        int64_t soon = model_forget_ns(w, i), done = w->nodes[i].forget_ns;
        latest = soon > latest ? soon : latest;
        latest = done > latest ? done : latest;
    }
    return latest;
}

bool model_expired(const struct world *w, int node, int32_t version)
{
    return w->expire_ns && w->model.versions[version].accepted_ns < world_clock(w, node).wall_ns - w->expire_ns;
}

/* A record that is forgotten may have kept out another, with an older time, that was accepted later (by a server that
 * was cut off, say) and is not to be forgotten yet. Who comes back with that one just when some have forgotten and
 * some have not is told of by the alarm, not before. */
static void refused_meanwhile(struct world *w, uint32_t key, int32_t forgotten)
{
    int64_t forgotten_ns = model_forgotten_ns(w);
    for (uint32_t v = 0; v < w->model.count && !w->out_of_order[key]; v++)
        if (w->model.versions[v].key == key && w->model.versions[v].accepted_ns >= forgotten_ns &&
            model_order(&w->model, (int32_t)v, forgotten) < 0)
            w->out_of_order[key] = w->repairs = true;
}

void model_forget(struct world *w, int node)
{
    struct sim_node *n = &w->nodes[node];
    int64_t forget_ns = model_forget_ns(w, node);
    if (forget_ns > n->forget_ns)
        n->forget_ns = forget_ns;
    bool sweeping = n->node->sweep_at != UINT32_MAX; /* not all in one tick */
    for (uint32_t key = 0; w->expire_ns && key < w->model.key_count; key++) {
        if (n->has[key] == NO_VERSION || w->model.versions[n->has[key]].accepted_ns >= n->forget_ns)
            continue;
        struct herd_span id = {w->model.keys[key].id, w->model.keys[key].len};
        struct herd_store *store = n->node->store;
        if (sweeping && herd_store_find(store, herd_store_hash(store, id), HERD_NO_SLOT, id) != HERD_NO_SLOT)
            continue;
        refused_meanwhile(w, key, n->has[key]);
        n->has[key] = n->watched[key] = NO_VERSION;
        n->slots[key] = HERD_NO_SLOT;
        n->held--;
        w->figures->forgotten++;
    }
}
