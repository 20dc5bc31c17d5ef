/* SPDX-License-Identifier: MIT */
/*
 * What an area costs, without a socket: taking in clients that moved, and finding those within 5 km. Clients are spread over
 * ten degrees by ten, and each move goes on by a few hundred metres. Prints the median of several passes, as JSON.
 *
 *     bench-area [CLIENTS [PASSES]]
 */
#include "edge.h"
#include "requests.h"

#include <herd/area.h>
#include <herd/node.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define PASSES_MAX 1000
#define MOVES      200 /* between two looks: reports of a turn of the loop of a busy server */
#define QUESTIONS  20
#define WALL_NS    1700000000000000000

struct world {
    struct herd_node *node;
    struct herd_area *area;
    struct herd_now now;
    double *lat, *lon;
    uint64_t random, hits;
};

static int64_t cpu_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static double between(struct world *world, double low, double high)
{
    return low + (high - low) * (double)(random_next(&world->random) >> 11) / 9007199254740992.0;
}

static void report(struct world *world, size_t client)
{
    char id[32], position[64], when[32];
    enum herd_verdict verdict;

    world->now.wall_ns += 1009;
    world->now.steady_ns += 1009;
    snprintf(id, sizeof(id), "vehicle-%07zu.herd.example", client);
    snprintf(position, sizeof(position), "%+.6f%+.6f", world->lat[client], world->lon[client]);
    snprintf(when, sizeof(when), "%" PRId64 ".%09" PRId64, world->now.wall_ns / 1000000000,
             world->now.wall_ns % 1000000000);
    if (herd_node_report(world->node, herd_span_of(id), herd_span_of(position), herd_span_of(when), world->now,
                         NULL, &verdict) < 0)
        die("a report is not taken");
}

static void take_in(struct world *world)
{
    struct herd_fence_event event;
    size_t steps;

    do {
        steps = 16384;
        while (herd_area_next(world->area, world->now, &steps, &event))
            continue;
    } while (herd_area_behind(world->area));
}

static void move(struct world *world, size_t clients)
{
    size_t i;

    for (i = 0; i < MOVES; i++) {
        size_t client = (size_t)(random_next(&world->random) % clients);

        world->lat[client] += between(world, -0.003, 0.003);
        world->lon[client] += between(world, -0.003, 0.003);
        report(world, client);
    }
}

static void ask(struct world *world, size_t client)
{
    struct herd_shape *shape;
    struct herd_area_query *query;
    struct herd_area_hit hit;
    struct herd_area_question question = {.by_distance = true, .limit = 1000};

    question.lat_deg = world->lat[client];
    question.lon_deg = world->lon[client];
    if (herd_shape_circle(&shape, question.lat_deg, question.lon_deg, 5000) < 0)
        die("no circle");
    question.shape = shape;
    if (herd_area_ask(world->area, &question, &query) < 0)
        die("no question");
    while (herd_area_step(query, world->now, 512))
        continue;
    while (herd_area_hit(query, &hit))
        world->hits++;
    herd_area_query_free(query);
    herd_shape_free(shape);
}

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

int main(int argc, char **argv)
{
    size_t clients = argc > 1 ? (size_t)number_of(argv[1], "CLIENTS", 1000, 10000000) : 1000000;
    int passes = argc > 2 ? (int)number_of(argv[2], "PASSES", 1, PASSES_MAX) : 500, pass;
    static double update_ns[PASSES_MAX], question_ns[PASSES_MAX];
    struct world world = {.now = {WALL_NS, 1000000000}, .random = 1};
    struct herd_node_options options = {.name = herd_span_of("Riley"), .seed = {3, 5}, .records_max = clients};
    const uint64_t key[2] = {7, 9};
    struct herd_area_stats stats;
    size_t i;

    world.lat = malloc(clients * sizeof(*world.lat));
    world.lon = malloc(clients * sizeof(*world.lon));
    if (world.lat == NULL || world.lon == NULL || herd_node_new(&world.node, &options) < 0)
        die("out of memory");
    for (i = 0; i < clients; i++) {
        world.lat[i] = between(&world, 30, 40);
        world.lon[i] = between(&world, -120, -110);
        report(&world, i);
    }
    if (herd_area_open(world.node, key, &world.area) < 0)
        die("out of memory");
    take_in(&world);
    for (pass = 0; pass < passes; pass++) {
        int64_t before;

        move(&world, clients);
        before = cpu_now();
        take_in(&world);
        update_ns[pass] = (double)(cpu_now() - before) / MOVES;
        before = cpu_now();
        for (i = 0; i < QUESTIONS; i++)
            ask(&world, (size_t)(random_next(&world.random) % clients));
        question_ns[pass] = (double)(cpu_now() - before) / QUESTIONS;
    }
    qsort(update_ns, (size_t)passes, sizeof(*update_ns), by_value);
    qsort(question_ns, (size_t)passes, sizeof(*question_ns), by_value);
    stats = herd_area_stats(world.area);
    printf("{\"clients\": %zu, \"update_ns\": %.1f, \"question_ns\": %.0f, \"hits\": %.1f, \"bytes_per_client\": "
           "%.2f}\n",
           stats.clients, update_ns[passes / 2], question_ns[passes / 2],
           (double)world.hits / (double)(passes * QUESTIONS), (double)stats.bytes / (double)stats.clients);
    herd_area_close(world.area);
    herd_node_free(world.node);
    free(world.lat);
    free(world.lon);
    return 0;
}
