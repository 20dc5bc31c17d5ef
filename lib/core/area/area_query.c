/* SPDX-License-Identifier: MIT */
/*
 * Questions: the cells that a shape touches are looked up and their lists walked, eight lists at a time, each next point
 * being fetched while the others are looked at. Where a shape touches more cells than there are slots, and where anywhere
 * is meant, the slots are looked at in their order instead. The nearest are looked for in a circle, and in a larger one
 * until there are enough in it.
 */
#include "area_query.h"

#include "../node/expiry.h"

#include <herd/geo.h>

#include <math.h>
#include <stdlib.h>

#define RING_FIRST_M 5000
/* A cell that is looked up costs about as much as two slots in a row. */
#define SLOTS_PER_CELL 2
#define TEXT_STEPS     4 /* reading a record */

static const struct herd_shape *shape_of(const struct herd_area_query *query)
{
    return query->question.shape;
}

static bool record_of(struct herd_area_query *query, uint32_t slot, struct herd_record *ret_record)
{
    query->steps += TEXT_STEPS;
    return herd_store_get_slot(query->area->node->store, slot, ret_record);
}

/* Whether who asks may know of the client. */
static bool is_visible(struct herd_area_query *query, uint32_t slot)
{
    const struct herd_area_question *question = &query->question;
    const struct herd_node *node = query->area->node;
    struct herd_record record;
    if (!question->identity && !question->except.at && node->options.expire_ns <= 0)
        return true;
    if (!record_of(query, slot, &record) || herd_record_is_tombstone(&record) || herd_expired(node, &record))
        return false;
    if (question->except.at && herd_span_equal(question->except, record.id))
        return false;
    return !question->identity || herd_identity_may_ask(question->identity, record.id);
}

/* Whether a point is in the shape, and its key. */
static bool matches(struct herd_area_query *query, uint32_t slot, const struct herd_grid_point *point,
                    double *ret_key)
{
    const struct herd_area_question *question = &query->question;
    const struct herd_shape *shape = shape_of(query);
    struct herd_e7 e7 = herd_grid_position(point);
    struct herd_record record;
    struct herd_position position;
    query->steps++;
    if (shape && !herd_box_has(&shape->box, e7))
        return false;
    double lat_deg = herd_e7_degrees(e7.lat), lon_deg = herd_e7_degrees(e7.lon);
    if (shape && shape->kind == HERD_SHAPE_POLYGON) {
        query->steps += herd_shape_steps(shape);
        if (!herd_shape_has_e7(shape, e7))
            return false;
    }
    bool circle = shape && shape->kind == HERD_SHAPE_CIRCLE;
    if (!herd_grid_exact(point)) {
        if (circle &&
            herd_haversine(shape->lat_deg, shape->cos_lat, shape->lon_deg, lat_deg, lon_deg) > shape->haversine_out)
            return false;
        if (record_of(query, slot, &record) && herd_position_parse(record.position, &position) >= 0) {
            lat_deg = herd_coordinate_degrees(position.lat);
            lon_deg = herd_coordinate_degrees(position.lon);
        }
    }
    if (shape && shape->kind == HERD_SHAPE_BOX && !herd_shape_has_exactly(shape, lat_deg, lon_deg))
        return false;
    *ret_key = slot;
    if (question->by_distance)
        *ret_key = herd_haversine(question->lat_deg, query->cos_lat, question->lon_deg, lat_deg, lon_deg);
    if (!circle)
        return true;
    if (question->by_distance && shape->lat_deg == question->lat_deg && shape->lon_deg == question->lon_deg)
        return *ret_key <= shape->haversine;
    return herd_shape_has_exactly(shape, lat_deg, lon_deg);
}

static bool before(const struct herd_query_hit *a, const struct herd_query_hit *b)
{
    return a->key < b->key || (a->key == b->key && a->slot < b->slot);
}

/* Puts a hit where the hole at `at` is, or below. */
static void sift_down(struct herd_query_hit *hits, size_t count, size_t at, struct herd_query_hit hit)
{
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && before(&hits[child], &hits[child + 1]))
            child++;
        if (!before(&hit, &hits[child]))
            break;
        hits[at] = hits[child];
    }
    hits[at] = hit;
}

static void consider(struct herd_area_query *query, uint32_t slot, const struct herd_grid_point *point)
{
    struct herd_query_hit hit = {.slot = slot};
    bool full = query->count == query->question.limit;
    if (!query->question.by_distance && slot < query->question.from_slot)
        return;
    if (!matches(query, slot, point, &hit.key))
        return;
    if (full && query->truncated && !before(&hit, &query->hits[0]))
        return;
    if (!is_visible(query, slot))
        return;
    if (full) {
        query->truncated = true;
        if (before(&hit, &query->hits[0]))
            sift_down(query->hits, query->count, 0, hit);
        return;
    }
    size_t at = query->count++;
    for (; at > 0 && before(&query->hits[(at - 1) / 2], &hit); at = (at - 1) / 2)
        query->hits[at] = query->hits[(at - 1) / 2];
    query->hits[at] = hit;
}

/* ---- cells ---- */

static void begin_scan(struct herd_area_query *query)
{
    query->phase = HERD_QUERY_SCAN;
    query->scan_at = query->question.by_distance ? 0 : query->question.from_slot;
    query->ring_m = 0;
    query->count = 0;
    query->truncated = false;
}

static void begin_cells(struct herd_area_query *query, const struct herd_box *box)
{
    int64_t west = box->west + HERD_E7_LON_MAX;
    query->row = herd_grid_row(box->south);
    query->row_end = herd_grid_row(box->north) + 1;
    query->column = (uint32_t)(west / HERD_GRID_CELL_E7);
    uint64_t columns = (uint64_t)((west + box->width) / HERD_GRID_CELL_E7) - query->column + 1;
    query->columns = columns < HERD_GRID_COLUMNS ? (uint32_t)columns : HERD_GRID_COLUMNS;
    query->column_at = 0;
    query->ahead_count = query->ahead_at = 0;
    query->count = 0;
    query->truncated = false;
    query->phase = HERD_QUERY_CELLS;
    uint64_t cells = (uint64_t)(query->row_end - query->row) * query->columns;
    if (cells * SLOTS_PER_CELL > herd_store_slots(query->area->node->store))
        begin_scan(query);
}

static void begin_ring(struct herd_area_query *query, double radius_m)
{
    query->ring_m = radius_m;
    struct herd_box box = herd_box_of_circle(query->question.lat_deg, query->question.lon_deg, radius_m);
    begin_cells(query, &box);
}

static void fetch_ahead(struct herd_area_query *query)
{
    const struct herd_cells *cells = &query->area->grid.cells;
    query->ahead_at = query->ahead_count = 0;
    while (query->ahead_count < HERD_QUERY_AHEAD && query->row < query->row_end) {
        uint32_t cell = query->row * HERD_GRID_COLUMNS + (query->column + query->column_at) % HERD_GRID_COLUMNS;
        uint64_t hash = herd_cells_hash(cells, cell);
        const uint64_t *home = herd_cells_home(cells, hash);
        if (home)
            __builtin_prefetch(home);
        query->ahead[query->ahead_count] = cell;
        query->ahead_hash[query->ahead_count++] = hash;
        if (++query->column_at == query->columns) {
            query->column_at = 0;
            query->row++;
        }
    }
}

/* The first point of the next cell that has one. */
static uint32_t next_list(struct herd_area_query *query)
{
    const struct herd_grid *grid = &query->area->grid;
    for (;;) {
        if (query->ahead_at == query->ahead_count)
            fetch_ahead(query);
        if (query->ahead_count == 0)
            return HERD_GRID_NONE;
        unsigned i = query->ahead_at++;
        query->steps++;
        uint32_t slot = herd_cells_find(&grid->cells, query->ahead_hash[i], query->ahead[i]);
        if (slot == HERD_CELLS_NONE)
            continue;
        __builtin_prefetch(herd_grid_point_at(grid, slot));
        return slot;
    }
}

/* True: there is more. */
static bool walk_cells(struct herd_area_query *query, uint64_t until)
{
    const struct herd_grid *grid = &query->area->grid;
    uint32_t *at = query->walk.at;
    while (query->steps < until) {
        bool any = false;
        for (size_t i = 0; i < HERD_GRID_LANES; i++) {
            if (at[i] == HERD_GRID_NONE) {
                at[i] = next_list(query);
                any |= at[i] != HERD_GRID_NONE;
                continue;
            }
            uint32_t slot = at[i];
            const struct herd_grid_point *point = herd_grid_point_at(grid, slot);
            at[i] = point->next;
            if (point->next != HERD_GRID_NONE)
                __builtin_prefetch(herd_grid_point_at(grid, point->next));
            consider(query, slot, point);
            any = true;
        }
        if (!any)
            return false;
    }
    return true;
}

static bool scan_slots(struct herd_area_query *query, uint64_t until)
{
    const struct herd_grid *grid = &query->area->grid;
    uint32_t slots = herd_store_slots(query->area->node->store);
    for (; query->scan_at < slots && query->steps < until; query->scan_at++) {
        uint32_t slot = query->scan_at;
        if (slot % HERD_GRID_CHUNK == 0)
            query->steps++;
        if (slot / HERD_GRID_CHUNK >= grid->chunk_count || !grid->chunks[slot / HERD_GRID_CHUNK]) {
            query->scan_at |= HERD_GRID_CHUNK - 1;
            continue;
        }
        if (query->truncated && !query->question.by_distance)
            return false; /* none of a higher slot is wanted */
        const struct herd_grid_point *point = herd_grid_point(grid, slot);
        if (point)
            consider(query, slot, point);
        else
            query->steps += slot % 8 == 0;
    }
    return query->scan_at < slots;
}

static int compare(const void *a, const void *b)
{
    const struct herd_query_hit *x = a, *y = b;
    return before(x, y) ? -1 : before(y, x) ? 1 : 0;
}

static void sort(struct herd_area_query *query)
{
    qsort(query->hits, query->count, sizeof query->hits[0], compare);
    query->phase = HERD_QUERY_DONE;
    herd_list_remove(&query->walk.link);
}

/* All cells of a circle are looked at: are there enough in it? */
static void end_cells(struct herd_area_query *query)
{
    double ring_m = query->ring_m;
    if (ring_m > 0 && query->count < query->question.limit) {
        begin_ring(query, ring_m * (query->count > 0 ? 2 : 4));
        return;
    }
    if (ring_m > 0 && query->hits[0].key > herd_metres_haversine(ring_m)) {
        begin_ring(query, herd_haversine_metres(query->hits[0].key) * 1.000001 + 1);
        return;
    }
    if (ring_m > 0)
        query->truncated = query->truncated || query->area->grid.count > query->count;
    query->phase = HERD_QUERY_VERIFY;
}

/* Drops hits that are none any more. A client that moved from a cell that was searched to one that was not is in twice, and
 * with the same key now, so that both are beside each other. */
static bool verify(struct herd_area_query *query, uint64_t until)
{
    if (query->verify_at == 0)
        query->verified = query->area->grid.changes;
    if (query->recheck || query->changes != query->verified) {
        while (query->verify_at < query->count) {
            struct herd_query_hit *hit = &query->hits[query->verify_at];
            const struct herd_grid_point *point = herd_grid_point(&query->area->grid, hit->slot);
            if (query->steps >= until)
                return true;
            if (point && matches(query, hit->slot, point, &hit->key) && is_visible(query, hit->slot))
                query->verify_at++;
            else
                *hit = query->hits[--query->count];
        }
    }
    sort(query);
    size_t kept = 0;
    for (size_t i = 0; i < query->count; i++)
        if (kept == 0 || query->hits[i].slot != query->hits[kept - 1].slot)
            query->hits[kept++] = query->hits[i];
    query->count = kept;
    query->steps += kept;
    query->changes = query->verified;
    return false;
}

bool herd_area_step(struct herd_area_query *query, struct herd_now now, size_t steps)
{
    uint64_t until = query->steps + steps;
    query->area->node->now = now;
    while (query->phase != HERD_QUERY_DONE && query->steps < until) {
        if (query->phase == HERD_QUERY_CELLS && !walk_cells(query, until))
            end_cells(query);
        else if (query->phase == HERD_QUERY_SCAN && !scan_slots(query, until))
            query->phase = HERD_QUERY_VERIFY;
        else if (query->phase == HERD_QUERY_VERIFY)
            (void)verify(query, until);
    }
    return query->phase != HERD_QUERY_DONE;
}

int herd_area_ask(struct herd_area *area, const struct herd_area_question *question,
                  struct herd_area_query **ret_query)
{
    if (question->limit < 1 || question->limit > HERD_AREA_HITS_MAX)
        return HERD_E_ARG;
    if (question->shape && question->shape->kind == HERD_SHAPE_PROXIMITY)
        return HERD_E_ARG;
    if (question->by_distance && !(fabs(question->lat_deg) <= 90 && fabs(question->lon_deg) <= 180))
        return HERD_E_RANGE;
    struct herd_area_query *query = calloc(1, sizeof *query + question->limit * sizeof query->hits[0]);
    if (!query)
        return HERD_E_NOMEM;
    query->area = area;
    query->question = *question;
    query->cos_lat = herd_cosine_deg(question->lat_deg);
    query->changes = area->grid.changes;
    for (size_t i = 0; i < HERD_GRID_LANES; i++)
        query->walk.at[i] = HERD_GRID_NONE;
    herd_list_append(&area->queries, &query->link);
    herd_list_append(&area->grid.walks, &query->walk.link);
    if (question->shape)
        begin_cells(query, &question->shape->box);
    else if (question->by_distance)
        begin_ring(query, RING_FIRST_M);
    else
        begin_scan(query);
    *ret_query = query;
    return 0;
}

bool herd_area_hit(struct herd_area_query *query, struct herd_area_hit *ret_hit)
{
    const struct herd_store *store = query->area->node->store;
    bool again = query->recheck || query->changes != query->area->grid.changes;
    while (query->phase == HERD_QUERY_DONE && query->next < query->count) {
        /* Records lie anywhere in memory: some are on their way before they are read. */
        for (; query->fetched < query->count && query->fetched < query->next + HERD_QUERY_AHEAD; query->fetched++)
            __builtin_prefetch(herd_store_packed(store, query->hits[query->fetched].slot));
        struct herd_query_hit *hit = &query->hits[query->next++];
        const struct herd_grid_point *point = again ? herd_grid_point(&query->area->grid, hit->slot) : NULL;
        if (again && !(point && matches(query, hit->slot, point, &hit->key) && is_visible(query, hit->slot)))
            continue;
        if (!herd_store_get_slot(query->area->node->store, hit->slot, &ret_hit->record) ||
            herd_record_is_tombstone(&ret_hit->record))
            continue;
        ret_hit->slot = hit->slot;
        ret_hit->distance_m = query->question.by_distance ? herd_haversine_metres(hit->key) : 0;
        return true;
    }
    return false;
}

void herd_area_query_set_identity(struct herd_area_query *query, const struct herd_identity *identity)
{
    query->question.identity = identity;
    query->recheck = true;
}

size_t herd_area_hit_count(const struct herd_area_query *query)
{
    return query->phase == HERD_QUERY_DONE ? query->count : 0;
}

bool herd_area_truncated(const struct herd_area_query *query)
{
    return query->truncated;
}

uint64_t herd_area_steps(const struct herd_area_query *query)
{
    return query->steps;
}

void herd_area_query_free(struct herd_area_query *query)
{
    if (!query)
        return;
    herd_list_remove(&query->link);
    herd_list_remove(&query->walk.link);
    free(query);
}
