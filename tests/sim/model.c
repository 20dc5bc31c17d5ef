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

/* How far ahead of the server's clock a client's is believed to be right. */
static int64_t ahead_ns(const struct world *w)
{
    return w->expire_ns < 300 * SECOND ? w->expire_ns : 300 * SECOND;
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
    *v = (struct version){.key = key,
                          .len = (uint32_t)line.len,
                          .previous = m->keys[key].last,
                          .hash = line_hash(line),
                          .calm = w->calm};
    m->keys[key].last = (int32_t)m->count;
    char *text = malloc(line.len);
    if (!text)
        abort();
    memcpy(text, line.at, line.len);
    m->texts[m->count] = text;
    v->gone = *line.at == 'G';
    const char *p = text + (v->gone ? 5 : 3), *end = text + line.len; /* behind "AT " or "GONE " */
    for (int i = 0; i < 5; i++) {
        if (v->gone && i == 3) {
            v->part[i] = (struct herd_span){"", 0};
            continue;
        }
        const char *space = memchr(p, ' ', (size_t)(end - p));
        const char *stop = i < 4 ? space : end;
        if (!stop || (i == 4 && space))
            sim_fail(w, "not an AT line: %.*s", (int)line.len, line.at);
        v->part[i] = (struct herd_span){p, (size_t)(stop - p)};
        p = stop + 1;
    }
    int64_t time_ns = nanoseconds(v->part[4]);
    v->accepted_ns = time_ns + nanoseconds(v->part[1]);
    v->effective_ns = time_ns;
    if (time_ns < v->accepted_ns - w->expire_ns)
        v->effective_ns = v->accepted_ns - w->expire_ns;
    if (time_ns > v->accepted_ns + ahead_ns(w))
        v->effective_ns = v->accepted_ns + ahead_ns(w);
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

int model_order(const struct model *m, int32_t a, int32_t b)
{
    if (a == b)
        return 0;
    if (a == NO_VERSION || b == NO_VERSION)
        return a == NO_VERSION ? -1 : 1;
    const struct version *x = &m->versions[a], *y = &m->versions[b];
    if (m->effective && x->effective_ns != y->effective_ns)
        return x->effective_ns < y->effective_ns ? -1 : 1;
    enum { SERVER, DIFF, ID, PLACE, TIME };
    int order = model_time_order(x->part[TIME], y->part[TIME]);
    if (!order)
        order = x->gone - y->gone;
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

static struct sent *sent_cell(const struct model *m, uint64_t what)
{
    uint64_t at = mix(what, 0);
    for (;; at++) {
        struct sent *cell = &m->sent[at & (m->sent_size - 1)];
        if (cell->run != m->run || cell->what == what)
            return cell;
    }
}

uint32_t model_epoch(const struct world *w, const struct end *end, uint32_t key)
{
    uint32_t epoch = end->conn->epoch * 65537;
    for (int i = 0; i < 2; i++) {
        int node = end->conn->end[i].node;
        if (node >= 0 && node < w->count)
            epoch += w->nodes[node].lives[key] * 2654435761U;
    }
    return epoch;
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

/* What the node's store holds of a client, or NO_VERSION; *ret_slot is where. */
static int32_t stored(struct world *w, int node, uint32_t key, uint32_t *ret_slot)
{
    struct sim_node *n = &w->nodes[node];
    struct herd_store *store = n->node->store;
    struct herd_span id = {w->model.keys[key].id, w->model.keys[key].len};
    *ret_slot = herd_store_find(store, herd_store_hash(store, id), HERD_NO_SLOT, id);
    if (*ret_slot == HERD_NO_SLOT)
        return NO_VERSION;
    struct herd_buf line = {0};
    if (herd_store_format(store, *ret_slot, &line) < 0)
        sim_fail(w, "%s cannot format %.*s", n->name, (int)id.len, id.at);
    int32_t version = model_find(&w->model, (struct herd_span){line.at, line.len - 1});
    if (version == NO_VERSION)
        sim_fail(w, "%s holds what nobody reported: %.*s", n->name, (int)line.len - 1, line.at);
    herd_buf_fini(&line);
    return version;
}

static uint64_t removal(int node, int32_t version)
{
    return UINT64_C(1) << 63 | (uint64_t)node << 40 | (uint32_t)version;
}

void model_remove(struct world *w, int node, int32_t version)
{
    struct model *m = &w->model;
    uint32_t key = m->versions[version].key;
    int32_t *safe = &w->nodes[node].safe[key];
    if (model_order(m, *safe, version) <= 0)
        *safe = NO_VERSION;
    for (int32_t v = m->keys[key].last; v != NO_VERSION; v = m->versions[v].previous)
        if (model_order(m, v, version) <= 0 && !model_removed(w, node, v))
            model_note(m, removal(node, v), 1);
}

bool model_removed(const struct world *w, int node, int32_t version)
{
    return model_noted(&w->model, removal(node, version), 1);
}

bool model_gone(const struct world *w, int node, uint32_t key)
{
    int32_t has = w->nodes[node].has[key];
    return has != NO_VERSION && w->model.versions[has].gone;
}

bool model_present(const struct world *w, int node, uint32_t key)
{
    return w->nodes[node].has[key] != NO_VERSION && !model_gone(w, node, key);
}

bool model_refuses(const struct world *w, int node, int32_t version)
{
    const struct sim_node *n = &w->nodes[node];
    const struct version *v = &w->model.versions[version];
    if (v->gone)
        return !model_gone(w, node, v->key) && n->gone >= 2 * n->options.tombstones_max;
    return w->mixed && n->options.records_max && !model_present(w, node, v->key) &&
           n->held - n->gone >= 2 * n->options.records_max;
}

/* What was removed once counts again when it is held again. */
static void hold(struct world *w, int node, uint32_t key, int32_t version)
{
    struct sim_node *n = &w->nodes[node];
    n->held -= n->has[key] != NO_VERSION;
    n->gone -= model_gone(w, node, key);
    n->has[key] = version;
    n->held += version != NO_VERSION;
    n->gone += model_gone(w, node, key);
    if (version == NO_VERSION || !model_removed(w, node, version))
        return;
    model_note(&w->model, removal(node, version), 0);
    if (model_order(&w->model, n->safe[key], version) <= 0)
        n->safe[key] = NO_VERSION; /* until it is written again */
}

void model_forget(struct world *w, int node)
{
    for (uint32_t key = 0; key < w->model.key_count; key++)
        hold(w, node, key, NO_VERSION);
}

void model_learn(struct world *w, int node, int32_t version)
{
    struct sim_node *n = &w->nodes[node];
    uint32_t key = w->model.versions[version].key;
    if (!model_within(w, node, version))
        return;
    if (n->has[key] != NO_VERSION && w->model.versions[n->has[key]].effective_ns > model_window_end(w, node)) {
        uint32_t slot;
        model_corrected(w, node, n->has[key]);
        if (stored(w, node, key, &slot) == n->has[key])
            return; /* a copy of what it had taken in: not looked at, and the other not either, until the next tick */
        model_settle(w, node, key);
    }
    if (model_order(&w->model, version, n->has[key]) > 0 && !model_refuses(w, node, version))
        hold(w, node, key, version);
}

void model_follow(struct world *w, int node)
{
    struct sim_node *n = &w->nodes[node];
    for (uint32_t key = 0; key < w->model.key_count; key++) {
        uint32_t slot;
        int32_t least = n->has[key], may = least;
        if (least != NO_VERSION && w->model.versions[least].effective_ns > model_window_end(w, node))
            may = model_corrected(w, node, least);
        int32_t version = stored(w, node, key, &slot);
        if (version == least)
            may = least;
        if (model_order(&w->model, version, may) < 0)
            sim_fail(w, "%s %s client %u", n->name, version == NO_VERSION ? "lost" : "went back on", key);
        if (may != least) {
            model_remove(w, node, least);
            n->lives[key]++;
        }
        hold(w, node, key, version);
        n->slots[key] = slot;
    }
}

/* ---- forgetting ---- */

#define PERIOD_NS (300 * SECOND)
#define GRACE_NS  (300 * SECOND)

int64_t model_window_begin(const struct world *w, int node)
{
    int64_t wall_ns = world_clock(w, node).wall_ns;
    return w->expire_ns ? wall_ns / PERIOD_NS * PERIOD_NS - GRACE_NS - 2 * w->expire_ns : INT64_MIN;
}

int64_t model_window_end(const struct world *w, int node)
{
    int64_t future_ns = w->nodes[node].options.future_ns;
    return w->expire_ns ? world_clock(w, node).wall_ns + ahead_ns(w) + (future_ns ? future_ns : 300 * SECOND)
                        : INT64_MAX;
}

bool model_within(const struct world *w, int node, int32_t version)
{
    int64_t effective_ns = w->model.versions[version].effective_ns;
    return !w->expire_ns ||
           (effective_ns >= model_window_begin(w, node) && effective_ns <= model_window_end(w, node));
}

bool model_expired(const struct world *w, int node, int32_t version)
{
    return w->expire_ns && w->model.versions[version].accepted_ns < world_clock(w, node).wall_ns - w->expire_ns;
}

int32_t model_corrected(struct world *w, int node, int32_t version)
{
    const struct version *v = &w->model.versions[version];
    int64_t time_ns = nanoseconds(v->part[4]), latest_ns = world_clock(w, node).wall_ns;
    int64_t accepted_ns = time_ns < latest_ns - w->expire_ns ? latest_ns - w->expire_ns
                          : time_ns > latest_ns              ? latest_ns
                                                             : time_ns;
    int64_t diff_ns = accepted_ns - time_ns;
    uint64_t size = diff_ns < 0 ? 0 - (uint64_t)diff_ns : (uint64_t)diff_ns;
    char line[2048];
    int len = snprintf(line, sizeof line, "%s %.*s %c%llu.%09llu %.*s %.*s%s%.*s", v->gone ? "GONE" : "AT",
                       (int)v->part[0].len, v->part[0].at, diff_ns < 0 ? '-' : '+',
                       (unsigned long long)(size / 1000000000), (unsigned long long)(size % 1000000000),
                       (int)v->part[2].len, v->part[2].at, (int)v->part[3].len, v->part[3].at, v->gone ? "" : " ",
                       (int)v->part[4].len, v->part[4].at);
    int32_t corrected = model_add(w, v->key, (struct herd_span){line, (size_t)len});
    /* So that nobody takes it instead of what it was, and who was told that again keeps it: nothing alternates. */
    if (model_order(&w->model, corrected, version) >= 0)
        sim_fail(w, "accepted anew, %.*s is not less than it was", len, line);
    return corrected;
}

void model_settle(struct world *w, int node, uint32_t key)
{
    struct sim_node *n = &w->nodes[node];
    if (n->has[key] == NO_VERSION || w->model.versions[n->has[key]].effective_ns <= model_window_end(w, node))
        return;
    int32_t corrected = model_corrected(w, node, n->has[key]);
    model_remove(w, node, n->has[key]);
    hold(w, node, key, corrected);
    n->lives[key]++;
}

static void drop(struct world *w, int node, uint32_t key)
{
    struct sim_node *n = &w->nodes[node];
    model_remove(w, node, n->has[key]);
    hold(w, node, key, NO_VERSION);
    n->watched[key] = NO_VERSION;
    n->slots[key] = HERD_NO_SLOT;
    n->lives[key]++;
    w->figures->forgotten++;
}

void model_tick(struct world *w, int node)
{
    struct sim_node *n = &w->nodes[node];
    bool sweeping = n->node->sweep_at != UINT32_MAX; /* not all in one tick */
    for (uint32_t key = 0; w->expire_ns && key < w->model.key_count; key++) {
        uint32_t slot;
        int32_t has = n->has[key];
        if (has == NO_VERSION || model_within(w, node, has))
            continue;
        if (w->model.versions[has].effective_ns > model_window_end(w, node)) {
            model_corrected(w, node, has);
            if (!(sweeping || n->oom_one_in) || stored(w, node, key, &slot) != has)
                model_settle(w, node, key);
            w->figures->corrected++;
        } else if (!sweeping || stored(w, node, key, &slot) != has) {
            drop(w, node, key);
        }
    }
}
