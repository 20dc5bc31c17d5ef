/* SPDX-License-Identifier: MIT */
/* A node with clients that move, are deleted and come back, at places that are hard for a grid, and the area that follows it. */
#ifndef TEST_AREA_WORLD_H
#define TEST_AREA_WORLD_H

#include "cm.h"

#include "area_impl.h"

#include <herd/area.h>
#include <herd/geo.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLIENTS 1500
#define S       INT64_C(1000000000)

static uint64_t seed = 1;

static inline uint64_t rng(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed * UINT64_C(2685821657736338717) >> 11;
}

static inline double between(double low, double high)
{
    return low + (high - low) * (double)rng() / 9007199254740992.0;
}

struct world {
    struct herd_node *node;
    struct herd_area *area;
    struct herd_now now;
    struct herd_e7 at[CLIENTS]; /* as the replay has it */
    bool known[CLIENTS];
    uint64_t reports;
};

static inline void open_world(struct world *world, int64_t expire_ns)
{
    static const uint64_t key[2] = {7, 9};
    memset(world, 0, sizeof *world);
    world->now = (struct herd_now){INT64_C(1700000000) * S, 1000 * S};
    struct herd_node_options options = {
        .name = herd_span_of("Riley"), .seed = {3, 5}, .tombstones_max = 100000, .expire_ns = expire_ns};
    assert_int_equal(herd_node_new(&world->node, &options), 0);
    assert_int_equal(herd_area_open(world->node, key, &world->area), 0);
}

static inline void close_world(struct world *world)
{
    herd_area_close(world->area);
    herd_node_free(world->node);
}

static inline unsigned number_behind(struct herd_span text, size_t prefix)
{
    char digits[16];
    snprintf(digits, sizeof digits, "%.*s", (int)(text.len - prefix), text.at + prefix);
    return (unsigned)atoi(digits);
}

/* Where clients like to be: places that are hard for a grid. */
static inline void place(double *ret_lat, double *ret_lon)
{
    switch (rng() % 8) {
    case 0: /* anywhere */
        *ret_lat = between(-90, 90);
        *ret_lon = between(-180, 180);
        break;
    case 1: /* about the date line */
        *ret_lat = between(-0.3, 0.3);
        *ret_lon = between(179.7, 180.3);
        break;
    case 2: /* about a pole */
        *ret_lat = between(89.8, 90);
        *ret_lon = between(-180, 180);
        break;
    case 3:
        *ret_lat = between(-90, -89.9);
        *ret_lon = between(-180, 180);
        break;
    case 4: /* corners of cells */
        *ret_lat = (double)(rng() % 9) * 0.05;
        *ret_lon = (double)(rng() % 9) * 0.05;
        break;
    case 5: /* one place for many */
        *ret_lat = 48.8566;
        *ret_lon = 2.3522;
        break;
    default: /* a town */
        *ret_lat = between(48.7, 49);
        *ret_lon = between(2.1, 2.6);
        break;
    }
    if (*ret_lon > 180)
        *ret_lon -= 360;
}

static inline void report_at(struct world *world, unsigned client, double lat, double lon, int decimals)
{
    char id[32], position[80], time[32];
    enum herd_verdict verdict;
    snprintf(id, sizeof id, "client-%u", client);
    snprintf(position, sizeof position, "%+.*f%+.*f", decimals, lat, decimals, lon);
    world->now.wall_ns += S / 1000;
    world->now.steady_ns += S / 1000;
    snprintf(time, sizeof time, "%lld.%03lld", (long long)(world->now.wall_ns / S),
             (long long)(world->now.wall_ns % S / 1000000));
    assert_int_equal(herd_node_report(world->node, herd_span_of(id), herd_span_of(position), herd_span_of(time),
                                      world->now, NULL, &verdict),
                     0);
    assert_true(verdict == HERD_VERDICT_NEW || verdict == HERD_VERDICT_NEWER);
}

static inline void move(struct world *world, unsigned client)
{
    double lat, lon;
    place(&lat, &lon);
    if (world->known[client] && rng() % 2) { /* a step from where it is */
        lat = world->at[client].lat / 1e7 + between(-0.01, 0.01);
        lon = world->at[client].lon / 1e7 + between(-0.01, 0.01);
        lat = lat > 90 ? 90 : lat < -90 ? -90 : lat;
        lon = lon > 180 ? lon - 360 : lon < -180 ? lon + 360 : lon;
    }
    report_at(world, client, lat, lon, 1 + (int)(rng() % 10));
}

static inline bool delete (struct world *world, unsigned client)
{
    char id[32];
    enum herd_verdict verdict;
    snprintf(id, sizeof id, "client-%u", client);
    return herd_node_delete(world->node, herd_span_of(id), world->now, NULL, &verdict) == 0;
}

static inline void take_in(struct world *world)
{
    struct herd_fence_event event;
    size_t steps;
    do {
        steps = 1 + rng() % 100;
        while (herd_area_next(world->area, world->now, &steps, &event))
            ;
    } while (steps == 0);
}

static inline struct herd_shape *some_polygon(void)
{
    double lat, lon, outer[2 * 40], inner[2 * 5];
    struct herd_shape *shape;
    const char *message;
    place(&lat, &lon);
    lat = lat > 80 ? 80 : lat < -80 ? -80 : lat;
    size_t corners = 3 + rng() % 30;
    double size = pow(10, between(-3, 0.9));
    for (size_t i = 0; i < corners; i++) { /* a star, which may cross itself */
        double r = size * between(0.3, 1), a = 6.283185307179586 * (double)(i + rng() % 2) / (double)corners;
        outer[2 * i] = lon + r * cos(a);
        outer[2 * i + 1] = lat + r * sin(a);
    }
    outer[2 * corners] = outer[0];
    outer[2 * corners + 1] = outer[1];
    for (size_t i = 0; i < 5; i++) {
        inner[2 * i] = lon + size * ((i == 1 || i == 2) ? 0.2 : -0.2);
        inner[2 * i + 1] = lat + size * ((i == 2 || i == 3) ? 0.2 : -0.2);
    }
    const struct herd_ring rings[] = {{outer, corners + 1, false}, {inner, 5, true}};
    assert_int_equal(herd_shape_polygon(&shape, rings, 1 + rng() % 2, &message), 0);
    return shape;
}

static inline void replayed(struct world *world, unsigned client)
{
    char id[32];
    struct herd_record record;
    snprintf(id, sizeof id, "client-%u", client);
    world->known[client] = herd_node_find(world->node, herd_span_of(id), world->now, &record) == 0;
    if (world->known[client])
        herd_e7_position(record.position, &world->at[client]);
}

#endif
