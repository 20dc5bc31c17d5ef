/* SPDX-License-Identifier: MIT */
/* Who is near whom. */
#include "proximity.h"

#include "../base/array.h"

#include <math.h>
#include <stdlib.h>

#define WIDTH_LEAST_M 10
#define CUBE_OFFSET   (INT64_C(1) << 20) /* cubes to both sides of the middle of the earth, at WIDTH_LEAST_M */
#define CUBE_BITS     21
/* What doubles make of one place, at a pole or at the date line, lies this far apart at most; two places, 1 cm. */
#define ROUNDING_M 0.000001

static double chord(double metres)
{
    return 2 * HERD_EARTH_RADIUS_M * sin(metres / (2 * HERD_EARTH_RADIUS_M)) + ROUNDING_M;
}

static double metres_of(double chord2)
{
    const double half = sqrt(chord2) / (2 * HERD_EARTH_RADIUS_M);
    return 2 * HERD_EARTH_RADIUS_M * asin(half < 1 ? half : 1);
}

static double distance2(const struct herd_proximity_client *a, const struct herd_proximity_client *b)
{
    const double x = a->at[0] - b->at[0], y = a->at[1] - b->at[1], z = a->at[2] - b->at[2];
    return x * x + y * y + z * z;
}

static void set_position(struct herd_proximity_client *client, struct herd_e7 position)
{
    const double lat = herd_e7_degrees(position.lat) * HERD_RADIANS;
    const double lon = herd_e7_degrees(position.lon) * HERD_RADIANS;
    client->at[0] = HERD_EARTH_RADIUS_M * cos(lat) * cos(lon);
    client->at[1] = HERD_EARTH_RADIUS_M * cos(lat) * sin(lon);
    client->at[2] = HERD_EARTH_RADIUS_M * sin(lat);
}

int herd_proximity_new(struct herd_proximity **ret_proximity, const struct herd_shape *shape, double margin_m,
                       const uint64_t key[2])
{
    struct herd_proximity *proximity = calloc(1, sizeof *proximity);
    if (!proximity)
        return HERD_E_NOMEM;
    const double far = chord(shape->radius_m + margin_m);
    proximity->shape = shape;
    proximity->reach = chord(shape->radius_m);
    proximity->near2 = proximity->reach * proximity->reach;
    proximity->far2 = far * far;
    proximity->width = proximity->reach > WIDTH_LEAST_M / 2.0 ? 2 * proximity->reach : WIDTH_LEAST_M;
    proximity->pairs_free = HERD_PROXIMITY_NONE;
    herd_cells_init(&proximity->cells, key);
    *ret_proximity = proximity;
    return 0;
}

void herd_proximity_free(struct herd_proximity *proximity)
{
    if (!proximity)
        return;
    for (size_t i = 0; i < proximity->chunk_count; i++)
        free(proximity->chunks[i]);
    free(proximity->chunks);
    free(proximity->pairs);
    herd_cells_fini(&proximity->cells);
    free(proximity);
}

static bool is_in(struct herd_span group, struct herd_span id)
{
    const bool prefix = group.at[group.len - 1] == '*';
    const size_t len = group.len - prefix;
    return herd_span_equal((struct herd_span){group.at, len},
                           (struct herd_span){id.at, prefix && id.len > len ? len : id.len});
}

unsigned herd_proximity_groups(const struct herd_proximity *proximity, struct herd_span id)
{
    return (is_in(proximity->shape->who, id) ? HERD_PROXIMITY_WHO : 0u) |
           (is_in(proximity->shape->near, id) ? HERD_PROXIMITY_NEAR : 0u);
}

struct herd_proximity_client *herd_proximity_client(const struct herd_proximity *proximity, uint32_t slot)
{
    const size_t chunk = slot / HERD_PROXIMITY_CHUNK;
    if (chunk >= proximity->chunk_count || !proximity->chunks[chunk])
        return NULL;
    struct herd_proximity_client *client = &proximity->chunks[chunk]->clients[slot % HERD_PROXIMITY_CHUNK];
    return client->groups ? client : NULL;
}

/* Of a slot that is known to have one. */
static struct herd_proximity_client *client_at(const struct herd_proximity *proximity, uint32_t slot)
{
    return &proximity->chunks[slot / HERD_PROXIMITY_CHUNK]->clients[slot % HERD_PROXIMITY_CHUNK];
}

static struct herd_proximity_client *new_client(struct herd_proximity *proximity, uint32_t slot, unsigned groups)
{
    const size_t at = slot / HERD_PROXIMITY_CHUNK;
    if (at >= proximity->chunk_count) {
        const size_t count = at < 2 * proximity->chunk_count ? 2 * proximity->chunk_count : at + 1;
        struct herd_proximity_chunk **chunks = realloc(proximity->chunks, count * sizeof *chunks);
        if (!chunks)
            return NULL;
        for (size_t i = proximity->chunk_count; i < count; i++)
            chunks[i] = NULL;
        proximity->chunks = chunks;
        proximity->chunk_count = count;
    }
    if (!proximity->chunks[at])
        proximity->chunks[at] = calloc(1, sizeof *proximity->chunks[at]);
    if (!proximity->chunks[at])
        return NULL;
    struct herd_proximity_client *client = client_at(proximity, slot);
    *client = (struct herd_proximity_client){.groups = (uint8_t)groups, .first_pair = HERD_PROXIMITY_NONE};
    proximity->chunks[at]->used++;
    proximity->client_count++;
    proximity->group_counts[groups]++;
    return client;
}

/* ---- lists ---- */

/* A list of clients: those of the same groups in one cube; now and then, of two. */
static uint32_t list_of(const struct herd_proximity *proximity, const int64_t cube[3], unsigned groups)
{
    uint64_t number = 0;
    for (size_t i = 0; i < 3; i++)
        number = number << CUBE_BITS | (uint64_t)(cube[i] + CUBE_OFFSET);
    const uint64_t both[2] = {number, groups};
    return (uint32_t)herd_siphash(proximity->cells.key, both, sizeof both);
}

static int64_t cube_of(const struct herd_proximity *proximity, double metres)
{
    return (int64_t)floor(metres / proximity->width);
}

static void unlist(struct herd_proximity *proximity, struct herd_proximity_client *client)
{
    if (!client->listed)
        return;
    const uint64_t hash = herd_cells_hash(&proximity->cells, client->cell);
    client->listed = false;
    if (client->next != HERD_PROXIMITY_NONE)
        client_at(proximity, client->next)->prev = client->prev;
    if (client->prev != HERD_PROXIMITY_NONE)
        client_at(proximity, client->prev)->next = client->next;
    else if (client->next != HERD_PROXIMITY_NONE)
        herd_cells_set(&proximity->cells, hash, client->cell, client->next);
    else
        herd_cells_remove(&proximity->cells, hash, client->cell);
}

/* Puts a client into the list of where it is. HERD_E_NOMEM: it is in none. */
static int list(struct herd_proximity *proximity, struct herd_proximity_client *client, uint32_t slot)
{
    const int64_t cube[3] = {cube_of(proximity, client->at[0]), cube_of(proximity, client->at[1]),
                             cube_of(proximity, client->at[2])};
    const uint32_t cell = list_of(proximity, cube, client->groups);
    if (client->listed && client->cell == cell)
        return 0;
    unlist(proximity, client);
    const uint64_t hash = herd_cells_hash(&proximity->cells, cell);
    int err = herd_cells_reserve(&proximity->cells, hash);
    if (err < 0)
        return err;
    client->next = herd_cells_find(&proximity->cells, hash, cell); /* HERD_CELLS_NONE is none, too */
    client->prev = HERD_PROXIMITY_NONE;
    client->cell = cell;
    client->listed = true;
    if (client->next != HERD_PROXIMITY_NONE)
        client_at(proximity, client->next)->prev = slot;
    herd_cells_set(&proximity->cells, hash, cell, slot);
    return 0;
}

/* ---- pairs ---- */

static unsigned side_of(const struct herd_proximity_pair *pair, uint32_t slot)
{
    return pair->slot[0] == slot ? 0 : 1;
}

static int add_pair(struct herd_proximity *proximity, uint32_t a, uint32_t b)
{
    uint32_t number = proximity->pairs_free;
    if (number != HERD_PROXIMITY_NONE) {
        proximity->pairs_free = proximity->pairs[number].next[0];
    } else {
        if (proximity->pairs_used == proximity->pairs_cap) {
            size_t cap = proximity->pairs_cap;
            struct herd_proximity_pair *pairs = herd_array_reserve(proximity->pairs, &cap, cap + 1, sizeof *pairs);
            if (!pairs)
                return HERD_E_NOMEM;
            proximity->pairs = pairs;
            proximity->pairs_cap = (uint32_t)cap;
        }
        number = proximity->pairs_used++;
    }
    struct herd_proximity_pair *pair = &proximity->pairs[number];
    *pair = (struct herd_proximity_pair){.slot = {a, b}};
    for (unsigned side = 0; side < 2; side++) {
        struct herd_proximity_client *client = client_at(proximity, pair->slot[side]);
        pair->prev[side] = HERD_PROXIMITY_NONE;
        pair->next[side] = client->first_pair;
        if (client->first_pair != HERD_PROXIMITY_NONE) {
            struct herd_proximity_pair *next = &proximity->pairs[client->first_pair];
            next->prev[side_of(next, pair->slot[side])] = number;
        }
        client->first_pair = number;
        client->pair_count++;
    }
    proximity->pair_count++;
    return 0;
}

static void remove_pair(struct herd_proximity *proximity, uint32_t number)
{
    struct herd_proximity_pair *pair = &proximity->pairs[number];
    for (unsigned side = 0; side < 2; side++) {
        const uint32_t slot = pair->slot[side], next = pair->next[side], prev = pair->prev[side];
        struct herd_proximity_client *client = client_at(proximity, slot);
        if (next != HERD_PROXIMITY_NONE)
            proximity->pairs[next].prev[side_of(&proximity->pairs[next], slot)] = prev;
        if (prev != HERD_PROXIMITY_NONE)
            proximity->pairs[prev].next[side_of(&proximity->pairs[prev], slot)] = next;
        else
            client->first_pair = next;
        client->pair_count--;
    }
    pair->next[0] = proximity->pairs_free;
    proximity->pairs_free = number;
    if (--proximity->pair_count == 0) { /* a crowd has parted: its memory is given back */
        free(proximity->pairs);
        proximity->pairs = NULL;
        proximity->pairs_used = proximity->pairs_cap = 0;
        proximity->pairs_free = HERD_PROXIMITY_NONE;
    }
}

/* ---- moves ---- */

struct search {
    struct herd_proximity *proximity;
    struct herd_proximity_client *client;
    uint32_t slot;
    herd_proximity_fn *on_found;
    void *ctx;
    size_t looks;
    bool ended; /* nothing more can be remembered, or looked at */
    struct herd_proximity_result result;
};

/* What it is near already: apart, or still near. */
static void look_at_pairs(struct search *search)
{
    struct herd_proximity *proximity = search->proximity;
    for (uint32_t at = search->client->first_pair, next; at != HERD_PROXIMITY_NONE; at = next) {
        const struct herd_proximity_pair *pair = &proximity->pairs[at];
        const unsigned side = side_of(pair, search->slot);
        const uint32_t slot = pair->slot[1 - side];
        struct herd_proximity_client *other = client_at(proximity, slot);
        const double d2 = distance2(search->client, other);
        const bool apart = d2 > proximity->far2;
        next = pair->next[side];
        search->result.steps++;
        other->turn = proximity->turn;
        if (apart)
            remove_pair(proximity, at);
        if (search->on_found)
            search->on_found(search->ctx, apart ? HERD_FENCE_LEAVE : HERD_FENCE_INSIDE, slot, metres_of(d2));
    }
}

static bool is_full(const struct herd_proximity *proximity, const struct herd_proximity_client *client)
{
    return client->pair_count >= HERD_PROXIMITY_NEAR_MAX || proximity->pair_count >= HERD_PROXIMITY_PAIRS_MAX;
}

static void consider(struct search *search, uint32_t slot)
{
    struct herd_proximity *proximity = search->proximity;
    struct herd_proximity_client *other = client_at(proximity, slot);
    const double d2 = distance2(search->client, other);
    if (slot == search->slot || other->turn == proximity->turn || !(d2 <= proximity->near2))
        return;
    if (is_full(proximity, search->client) || is_full(proximity, other)) {
        search->result.missed = true;
        search->ended = is_full(proximity, search->client);
        return;
    }
    const int err = add_pair(proximity, search->slot, slot);
    if (err < 0) {
        search->result.err = err;
        return;
    }
    other->turn = proximity->turn;
    if (search->on_found)
        search->on_found(search->ctx, HERD_FENCE_ENTER, slot, metres_of(d2));
}

/* False: no more is to be looked at. */
static bool look_at_list(struct search *search, const int64_t cube[3], unsigned groups)
{
    struct herd_proximity *proximity = search->proximity;
    const uint32_t cell = list_of(proximity, cube, groups);
    uint32_t slot = herd_cells_find(&proximity->cells, herd_cells_hash(&proximity->cells, cell), cell);
    search->result.steps++;
    for (; slot != HERD_PROXIMITY_NONE; slot = client_at(proximity, slot)->next) {
        if (search->looks++ == HERD_PROXIMITY_LOOKS_MAX)
            search->result.missed = search->ended = true;
        if (search->ended)
            return false;
        search->result.steps++;
        consider(search, slot);
    }
    return true;
}

/* Whether clients of two sets of groups make pairs. */
static bool go_together(unsigned a, unsigned b)
{
    return (a & HERD_PROXIMITY_WHO && b & HERD_PROXIMITY_NEAR) ||
           (a & HERD_PROXIMITY_NEAR && b & HERD_PROXIMITY_WHO);
}

static void look_around(struct search *search)
{
    const struct herd_proximity *proximity = search->proximity;
    int64_t low[3], high[3], cube[3];
    for (size_t i = 0; i < 3; i++) {
        low[i] = cube_of(proximity, search->client->at[i] - proximity->reach);
        high[i] = cube_of(proximity, search->client->at[i] + proximity->reach);
    }
    for (unsigned groups = 1; groups < 4; groups++) {
        if (proximity->group_counts[groups] == 0 || !go_together(groups, search->client->groups))
            continue;
        for (cube[0] = low[0]; cube[0] <= high[0]; cube[0]++)
            for (cube[1] = low[1]; cube[1] <= high[1]; cube[1]++)
                for (cube[2] = low[2]; cube[2] <= high[2]; cube[2]++)
                    if (!look_at_list(search, cube, groups))
                        return;
    }
}

struct herd_proximity_result herd_proximity_move(struct herd_proximity *proximity, uint32_t slot, unsigned groups,
                                                 struct herd_e7 position, herd_proximity_fn *on_found, void *ctx)
{
    struct herd_proximity_client *client = herd_proximity_client(proximity, slot);
    if (!client)
        client = new_client(proximity, slot, groups);
    if (!client)
        return (struct herd_proximity_result){.err = HERD_E_NOMEM};
    struct search search = {
        .proximity = proximity, .client = client, .slot = slot, .on_found = on_found, .ctx = ctx};
    proximity->turn++;
    set_position(client, position);
    search.result.err = list(proximity, client, slot);
    look_at_pairs(&search);
    look_around(&search);
    return search.result;
}

void herd_proximity_remove(struct herd_proximity *proximity, uint32_t slot, herd_proximity_fn *on_found, void *ctx)
{
    struct herd_proximity_client *client = herd_proximity_client(proximity, slot);
    if (!client)
        return;
    while (client->first_pair != HERD_PROXIMITY_NONE) {
        const struct herd_proximity_pair *pair = &proximity->pairs[client->first_pair];
        const uint32_t other = pair->slot[1 - side_of(pair, slot)];
        const double d2 = distance2(client, client_at(proximity, other));
        remove_pair(proximity, client->first_pair);
        if (on_found)
            on_found(ctx, HERD_FENCE_LEAVE, other, metres_of(d2));
    }
    unlist(proximity, client);
    proximity->client_count--;
    proximity->group_counts[client->groups]--;
    client->groups = 0;
    struct herd_proximity_chunk **chunk = &proximity->chunks[slot / HERD_PROXIMITY_CHUNK];
    if (--(*chunk)->used == 0) {
        free(*chunk);
        *chunk = NULL;
    }
}
