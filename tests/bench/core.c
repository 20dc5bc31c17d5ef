/* SPDX-License-Identifier: MIT */
/*
 * What a line costs the core alone, without a socket: reports of clients that are known, AT lines of a
 * neighbour that are news, the same lines from another neighbour a read later, and once more when all ids
 * have changed since. Two neighbours are linked; what they are due is taken as it comes, as a server does at
 * the end of a turn. Prints the median of several passes, in nanoseconds a line.
 *
 *     bench-core [IDS [PASSES]]
 */
#include "edge.h"
#include "requests.h"

#include <herd/node.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define READ_BYTES 65536
#define PASSES_MAX 100
#define WALL_NS    1700000000000000000
#define ID_BYTES   28

struct world {
    struct herd_node *node;
    struct herd_session *client, *links[2];
    struct herd_buf out;
    struct herd_now now;
    uint64_t sent;
};

static int64_t cpu_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void drain(struct world *world)
{
    struct herd_effect effect;
    int i;

    while (herd_node_next_effect(world->node, &effect))
        continue;
    for (i = 0; i < 2; i++) {
        while (world->links[i] != NULL && herd_session_want_write(world->links[i])) {
            world->out.len = 0;
            if (herd_session_write(world->links[i], READ_BYTES, world->now, &world->out) < 0)
                die("out of memory");
            world->sent += world->out.len;
        }
    }
}

static void say(struct world *world, struct herd_session *session, const char *bytes, size_t len)
{
    struct herd_input_result result;

    while (len > 0) {
        size_t now = len < READ_BYTES ? len : READ_BYTES;

        world->out.len = 0;
        world->now.steady_ns++;
        if (herd_session_input(session, (struct herd_span){bytes, now}, world->now, &world->out, &result) < 0 ||
            result.consumed == 0)
            die("a line is not taken");
        world->sent += world->out.len;
        drain(world);
        bytes += result.consumed;
        len -= result.consumed;
    }
}

static struct herd_session *linked(struct world *world, const char *name, const char *incarnation)
{
    struct herd_session *session;
    char hello[128];
    size_t len = (size_t)snprintf(hello, sizeof(hello), "HELLO 2 %s Riley %s\n", name, incarnation);

    if (herd_session_open(world->node, &session, NULL, world->now) < 0)
        die("out of memory");
    say(world, session, hello, len);
    if (herd_session_peer(session) < 0)
        die("the introduction of %s is not taken", name);
    return session;
}

/* Every id once, in an order without a pattern; `from` counts the reports made before. */
static void lines_make(const struct request_plan *plan, char *bytes, const uint32_t *order, uint64_t ids,
                       uint64_t from)
{
    uint64_t k, random = from;

    for (k = 0; k < ids; k++)
        request_write(plan, bytes + k * plan->stride, order[k], from + k, random_next(&random));
}

static int ascending(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

/* Lines for one session, a read at a time; the same lines for another after each read. ns a line of each. */
static void timed(struct world *world, struct herd_session *const sessions[2], const char *bytes, uint64_t ids,
                  size_t stride, double ret_ns[2])
{
    const size_t len = (size_t)ids * stride, at_once = READ_BYTES / stride * stride;
    int64_t took[2] = {0, 0}, before;
    size_t at, now;
    int i;

    for (at = 0; at < len; at += now) {
        now = len - at < at_once ? len - at : at_once;
        for (i = 0; i < 2 && sessions[i] != NULL; i++) {
            before = cpu_now();
            say(world, sessions[i], bytes + at, now);
            took[i] += cpu_now() - before;
        }
    }
    for (i = 0; i < 2; i++)
        ret_ns[i] = (double)took[i] / (double)ids;
}

static void report(const char *what, double *passes, int count)
{
    qsort(passes, (size_t)count, sizeof(*passes), ascending);
    printf("\"%s\":%.1f,", what, passes[count / 2]);
}

int main(int argc, char **argv)
{
    uint64_t ids = argc > 1 ? (uint64_t)number_of(argv[1], "IDS", 100, 10000000) : 100000, k, random = 7, from = 0;
    int passes = argc > 2 ? (int)number_of(argv[2], "PASSES", 1, PASSES_MAX) : 15, i;
    const struct herd_span peers[] = {herd_span_of("Aaa"), herd_span_of("Zzz")};
    const struct herd_node_options options = {
        .name = herd_span_of("Riley"), .peers = peers, .peer_count = 2, .seed = {1, 2}, .records_max = 20000000};
    struct world world = {.now = {.wall_ns = WALL_NS, .steady_ns = 1}};
    struct request_plan report_plan = {.mode = MODE_IAMAT, .id_bytes = ID_BYTES, .time_ns = 1621464827959498503};
    struct request_plan at_plan = report_plan;
    double iamat[PASSES_MAX], fresh[PASSES_MAX], duplicate[PASSES_MAX], late[PASSES_MAX];
    uint32_t *order = malloc((size_t)ids * sizeof(*order));
    char *bytes;

    at_plan.mode = MODE_AT;
    at_plan.server = "Aaa";
    request_plan_init(&report_plan);
    request_plan_init(&at_plan);
    bytes = malloc((size_t)ids * at_plan.stride);
    if (order == NULL || bytes == NULL || herd_node_new(&world.node, &options) < 0)
        die("out of memory");
    for (k = 0; k < ids; k++) {
        uint64_t at = random_next(&random) % (k + 1);

        order[k] = order[at];
        order[at] = (uint32_t)k;
    }
    if (herd_session_open(world.node, &world.client, NULL, world.now) < 0)
        die("out of memory");
    world.links[0] = linked(&world, "Aaa", "0000000000000001");
    world.links[1] = linked(&world, "Zzz", "0000000000000002");
    for (i = -1; i < passes; i++) { /* the first makes the ids known */
        double reports[2], news[2], again[2];

        lines_make(&report_plan, bytes, order, ids, from);
        timed(&world, (struct herd_session *const[]){world.client, NULL}, bytes, ids, report_plan.stride, reports);
        from += ids;
        lines_make(&at_plan, bytes, order, ids, from);
        timed(&world, world.links, bytes, ids, at_plan.stride, news);
        timed(&world, (struct herd_session *const[]){world.links[1], NULL}, bytes, ids, at_plan.stride, again);
        from += ids;
        if (i >= 0)
            iamat[i] = reports[0], fresh[i] = news[0], duplicate[i] = news[1], late[i] = again[0];
    }
    if (herd_node_stats(world.node).at_new != (uint64_t)(passes + 1) * ids)
        die("not all was news, or some twice");
    putchar('{');
    report("IAMAT", iamat, passes);
    report("AT, fresh", fresh, passes);
    report("AT, duplicate", duplicate, passes);
    report("AT, late copy", late, passes);
    printf("\"line_bytes\":%zu,\"ids\":%llu}\n", at_plan.stride, (unsigned long long)ids);
    herd_buf_fini(&world.out);
    herd_node_free(world.node);
    free(bytes);
    free(order);
    return fflush(stdout) == 0 ? 0 : 1;
}
