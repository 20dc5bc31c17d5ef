/* SPDX-License-Identifier: MIT */
/*
 * A herd of many nodes in one process, the core alone: each node has four neighbours, in a graph drawn by
 * chance, and time goes in rounds, in each of which every link carries what is due once. First one update at a
 * time, then many at once. Counts the lines told, the rounds until all know, and the processor time.
 *
 *     bench-scale NODES [IDS [UPDATES]]
 */
#include "edge.h"
#include "requests.h"

#include <herd/node.h>

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NODES_MAX  2000
#define NEIGHBOURS 4
#define ROUNDS_MAX 1000
#define WALL_NS    1700000000000000000
#define FILL_BYTES (1 << 20)

struct one {
    struct herd_node *node;
    char name[8];
    struct herd_span names[NEIGHBOURS];
    uint32_t others[NEIGHBOURS];
    uint32_t count;
    struct herd_session *links[NEIGHBOURS]; /* by neighbour */
    struct herd_session *client;
};

/* What one link carries in a round. */
struct packet {
    uint32_t to, link;
    size_t len;
};

struct herd {
    struct one *nodes;
    struct packet *packets;
    uint32_t count, edges;
    struct herd_now now;
    struct herd_buf out, replies;
};

static void no_wishes(struct herd_node *node)
{
    struct herd_effect effect;

    while (herd_node_next_effect(node, &effect))
        if (effect.kind == HERD_EFFECT_CLOSE)
            die("a link is closed: %s", effect.text);
}

static void give(struct herd *herd, struct herd_node *node, struct herd_session *session, struct herd_span bytes)
{
    struct herd_input_result result;

    herd->replies.len = 0;
    if (herd_session_input(session, bytes, herd->now, &herd->replies, &result) < 0 || result.consumed != bytes.len)
        die("a line is not taken");
    no_wishes(node);
}

static bool are_neighbours(const struct one *node, uint32_t other)
{
    uint32_t i;

    for (i = 0; i < node->count; i++)
        if (node->others[i] == other)
            return true;
    return false;
}

/* A ring through all nodes, in an order drawn by chance; an edge that is there already is not added twice. */
static void ring(struct herd *herd, uint64_t *io_random)
{
    uint32_t *order = malloc(herd->count * sizeof(*order)), i;

    if (order == NULL)
        die("out of memory");
    for (i = 0; i < herd->count; i++) {
        uint32_t at = (uint32_t)(random_next(io_random) % (i + 1));

        order[i] = order[at];
        order[at] = i;
    }
    for (i = 0; i < herd->count; i++) {
        uint32_t a = order[i], b = order[(i + 1) % herd->count];
        struct one *from = &herd->nodes[a], *to = &herd->nodes[b];

        if (a == b || are_neighbours(from, b))
            continue;
        from->others[from->count++] = b;
        to->others[to->count++] = a;
        herd->edges++;
    }
    free(order);
}

static uint32_t place_of(const struct one *node, uint32_t other)
{
    uint32_t i = 0;

    while (node->others[i] != other)
        i++;
    return i;
}

static void link_up(struct herd *herd, uint32_t a, uint32_t b)
{
    struct one *from = &herd->nodes[a], *to = &herd->nodes[b];
    uint32_t ab = place_of(from, b), ba = place_of(to, a);
    struct herd_buf hello = {0}, *out = &herd->replies;

    if (herd_session_connected(from->node, &from->links[ab], NULL, ab, herd->now, &hello) < 0 ||
        herd_session_open(to->node, &to->links[ba], NULL, herd->now) < 0)
        die("out of memory");
    give(herd, to->node, to->links[ba], (struct herd_span){hello.at, hello.len});
    hello.len = 0;
    if (herd_buf_add(&hello, out->at, out->len) < 0)
        die("out of memory");
    give(herd, from->node, from->links[ab], (struct herd_span){hello.at, hello.len});
    herd_buf_fini(&hello);
}

static void make(struct herd *herd, uint32_t count)
{
    uint64_t random = 1;
    uint32_t i, k;

    herd->count = count;
    herd->nodes = calloc(count, sizeof(*herd->nodes));
    herd->packets = calloc((size_t)count * NEIGHBOURS, sizeof(*herd->packets));
    if (herd->nodes == NULL || herd->packets == NULL)
        die("out of memory");
    ring(herd, &random);
    ring(herd, &random);
    for (i = 0; i < count; i++)
        (void)snprintf(herd->nodes[i].name, sizeof(herd->nodes[i].name), "N%04u", i % 10000);
    for (i = 0; i < count; i++) {
        struct one *one = &herd->nodes[i];
        struct herd_node_options options = {
            .name = herd_span_of(one->name), .peers = one->names, .peer_count = one->count, .seed = {i + 1, 2}};

        for (k = 0; k < one->count; k++)
            one->names[k] = herd_span_of(herd->nodes[one->others[k]].name);
        if (herd_node_new(&one->node, &options) < 0 ||
            herd_session_open(one->node, &one->client, NULL, herd->now) < 0)
            die("out of memory");
    }
    for (i = 0; i < count; i++)
        for (k = 0; k < herd->nodes[i].count; k++)
            if (i < herd->nodes[i].others[k])
                link_up(herd, i, herd->nodes[i].others[k]);
}

/* Every link carries once what is due, all at the same time, so that copies cross; false: nothing was due. */
static bool round_once(struct herd *herd)
{
    size_t packet_count = 0, at = 0, p;
    uint32_t i, k;

    herd->now.steady_ns += 1000000;
    herd->out.len = 0;
    for (i = 0; i < herd->count; i++) {
        struct one *one = &herd->nodes[i];

        for (k = 0; k < one->count; k++) {
            struct packet *packet = &herd->packets[packet_count];
            size_t before = herd->out.len;

            if (!herd_session_want_write(one->links[k]))
                continue;
            if (herd_session_write(one->links[k], FILL_BYTES, herd->now, &herd->out) < 0)
                die("out of memory");
            *packet =
                (struct packet){one->others[k], place_of(&herd->nodes[one->others[k]], i), herd->out.len - before};
            packet_count++;
        }
    }
    for (p = 0; p < packet_count; at += herd->packets[p++].len) {
        struct one *to = &herd->nodes[herd->packets[p].to];

        give(herd, to->node, to->links[herd->packets[p].link],
             (struct herd_span){herd->out.at + at, herd->packets[p].len});
    }
    return packet_count > 0;
}

static uint32_t rounds(struct herd *herd)
{
    uint32_t count = 0;

    while (round_once(herd))
        if (++count == ROUNDS_MAX)
            die("the herd does not come to rest");
    return count;
}

static uint64_t lines_told(const struct herd *herd)
{
    uint64_t lines = 0;
    uint32_t i;

    for (i = 0; i < herd->count; i++)
        lines += herd_node_stats(herd->nodes[i].node).at_sent;
    return lines;
}

static int64_t cpu_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* `at_once` updates to nodes and of clients drawn by chance, then rest; so often that `updates` come together. */
static void run(struct herd *herd, const char *what, uint32_t ids, uint64_t updates, uint64_t at_once,
                uint64_t *io_made)
{
    struct request_plan plan = {.mode = MODE_IAMAT, .id_bytes = 28, .time_ns = 1621464827959498503};
    uint64_t random = at_once + 3, lines = lines_told(herd), done, k, digest;
    uint32_t longest = 0, i;
    int64_t cpu = cpu_now();
    char line[512];

    request_plan_init(&plan);
    for (done = 0; done < updates; done += at_once) {
        for (k = 0; k < at_once; k++) {
            struct one *one = &herd->nodes[random_next(&random) % herd->count];

            request_write(&plan, line, random_next(&random) % ids, (*io_made)++, random);
            give(herd, one->node, one->client, (struct herd_span){line, plan.stride});
        }
        i = rounds(herd);
        longest = i > longest ? i : longest;
    }
    cpu = cpu_now() - cpu;
    lines = lines_told(herd) - lines;
    digest = herd_store_digest(herd_node_store(herd->nodes[0].node));
    for (i = 1; i < herd->count; i++)
        if (herd_store_digest(herd_node_store(herd->nodes[i].node)) != digest)
            die("%s does not know what %s knows", herd->nodes[i].name, herd->nodes[0].name);
    printf("%s\"%s\":{\"at_once\":%" PRIu64 ",\"updates\":%" PRIu64 ",\"lines_per_update\":%.2f,\"rounds\":%" PRIu32
           ",\"cpu_ns_per_update_and_node\":%.1f}",
           at_once == 1 ? "" : ",", what, at_once, done, (double)lines / (double)done, longest,
           (double)cpu / (double)done / herd->count);
}

int main(int argc, char **argv)
{
    uint32_t count = argc > 1 ? (uint32_t)number_of(argv[1], "NODES", 2, NODES_MAX) : 50, i;
    uint32_t ids = argc > 2 ? (uint32_t)number_of(argv[2], "IDS", 1, 1000000) : 1000;
    uint64_t updates = argc > 3 ? (uint64_t)number_of(argv[3], "UPDATES", 1, 100000000) : 20000, made = 0;
    struct herd herd = {.now = {.wall_ns = WALL_NS, .steady_ns = 1}};

    make(&herd, count);
    rounds(&herd); /* comparisons of what is empty */
    printf("{\"nodes\":%" PRIu32 ",\"links\":%" PRIu32 ",\"ids\":%" PRIu32 ",\"bound\":%" PRIu32 ",", count,
           herd.edges, ids, 2 * herd.edges - count + 1);
    run(&herd, "single", ids, updates, 1, &made);
    run(&herd, "burst", ids, updates, updates < 1000 ? updates : 1000, &made);
    printf("}\n");
    for (i = 0; i < count; i++)
        herd_node_free(herd.nodes[i].node);
    herd_buf_fini(&herd.out);
    herd_buf_fini(&herd.replies);
    free(herd.packets);
    free(herd.nodes);
    return fflush(stdout) == 0 ? 0 : 1;
}
