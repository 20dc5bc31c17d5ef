/* SPDX-License-Identifier: MIT */
/*
 * Flooding over whole herds in one process: every update everywhere, at most 2E - V + 1 lines each, never
 * back to where it came from, and everyone the same again after links and servers were gone.
 */
#include "cm.h"

#include "guard.h"
#include "wire.h"

#include <herd/protocol.h>

#include <stdio.h>

#define SEED_NAMES "Riley Jaquez Juzang Campbell Bernard"
#define SEED_EDGES "Riley-Jaquez Riley-Juzang Bernard-Jaquez Bernard-Juzang Bernard-Campbell Juzang-Campbell"

static const struct {
    const char *what, *names, *edges;
} graphs[] = {
    {"seed", SEED_NAMES, SEED_EDGES},
    {"pair", "a b", "a-b"},
    {"ring", "a b c d e f g", "a-b b-c c-d d-e e-f f-g g-a"},
    {"line", "a b c d e f g", "a-b b-c c-d d-e e-f f-g"},
    {"star", "a b c d e f", "a-b a-c a-d a-e a-f"},
    {"mesh", "a b c d e f", "a-b a-c a-d a-e a-f b-c b-d b-e b-f c-d c-e c-f d-e d-f e-f"},
    {"alone", "a", ""},
};
#define GRAPHS (sizeof graphs / sizeof *graphs)

/* How one update travelled. */
struct trace {
    size_t lines;
    size_t on[WIRE_NODES][WIRE_NODES];
    int from[WIRE_NODES]; /* who told a node first; -1: nobody yet */
    int hops[WIRE_NODES];
    bool told_back; /* somebody told the one it was told by */
};

static void tap(void *ctx, int from, int to, struct herd_span line)
{
    struct trace *trace = ctx;
    if (line.len < 3 || memcmp(line.at, "AT ", 3) != 0)
        return;
    trace->lines++;
    trace->on[from][to]++;
    if (trace->from[to] < 0) {
        trace->from[to] = from;
        trace->hops[to] = trace->hops[from] + 1;
    }
    trace->told_back |= trace->from[from] == to;
}

static struct wire *open_herd(size_t graph)
{
    struct wire *w = wire_new(graphs[graph].names, graphs[graph].edges);
    for (int i = 0; i < w->count; i++)
        assert_int_equal(wire_start(w, i), 0);
    wire_settle(w);
    return w;
}

static void report(struct wire *w, struct wire_end *client, int id, int second)
{
    char line[128];
    snprintf(line, sizeof line, "IAMAT client%d +%d.5-%d.25 %d.%09d\n", id, id % 90, id % 180, 1621464000 + second,
             second);
    client->in.len = 0;
    wire_say(w, client, line);
    assert_true(client->in.len > 3 && memcmp(client->in.at, "AT ", 3) == 0);
}

static void expect_count(const struct wire *w, size_t count)
{
    for (int i = 0; i < w->count; i++)
        if (w->nodes[i].node)
            assert_int_equal(herd_store_count(herd_node_store(w->nodes[i].node)), count);
    assert_true(wire_agree(w));
}

static void test_every_update_everywhere(void **state)
{
    (void)state;
    for (size_t g = 0; g < GRAPHS; g++) {
        struct wire *w = open_herd(g);
        size_t bound = (size_t)(2 * w->edges - w->count + 1);
        struct wire_end *clients[WIRE_NODES];
        struct trace trace;
        w->tap = tap;
        w->tap_ctx = &trace;
        for (int i = 0; i < w->count; i++)
            clients[i] = wire_client(w, i);
        for (int n = 0; n < 200; n++) {
            int at = n % w->count;
            trace = (struct trace){0};
            memset(trace.from, -1, sizeof trace.from);
            trace.from[at] = at;
            report(w, clients[at], n / 3, n); /* new ids and known ones */
            if (trace.lines > bound)
                fail_msg("%s: %zu lines, not %zu", graphs[g].what, trace.lines, bound);
            assert_false(trace.told_back);
            for (int a = 0; a < w->count; a++) {
                assert_true(trace.from[a] >= 0);
                for (int b = 0; b < w->count; b++)
                    assert_true(trace.on[a][b] <= 1);
                if (g == 0)
                    assert_true(trace.hops[a] <= 2);
            }
            expect_count(w, (size_t)n / 3 + 1);
        }
        /* said twice, or older: answered, not flooded */
        trace = (struct trace){0};
        report(w, clients[0], 199 / 3, 199);
        report(w, clients[0], 199 / 3, 100);
        assert_int_equal(trace.lines, 0);
        wire_free(w);
    }
}

/* The same line everywhere: the node that took the report, and its difference. */
static void test_the_same_answer_everywhere(void **state)
{
    (void)state;
    struct wire *w = open_herd(0);
    struct wire_end *first = wire_client(w, 3);
    wire_say(w, first, "IAMAT kiwi +34.068930-118.445127 1621464827.959498503\n");
    for (int i = 0; i < w->count; i++) {
        struct wire_end *client = wire_client(w, i);
        wire_say(w, client, "WHATSAT kiwi 10 5\n");
        assert_int_equal(client->in.len, first->in.len + 4);
        assert_memory_equal(client->in.at, first->in.at, first->in.len);
        assert_memory_equal(client->in.at + first->in.len, "{}\n\n", 4);
    }
    wire_free(w);
}

/* The same id at all servers at once, bytes in pieces of any size: all end with the same record. */
static void test_conflicts(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct wire *w = open_herd(seed % GRAPHS);
        w->random = seed;
        w->chunk = seed % 3 ? 1 + (size_t)seed : 1;
        w->room = seed % 2 ? 65536 : 1;
        struct wire_end *clients[WIRE_NODES];
        for (int i = 0; i < w->count; i++)
            clients[i] = wire_client(w, i);
        uint64_t random = seed;
        for (int n = 0; n < 300; n++) {
            char line[128];
            snprintf(line, sizeof line, "IAMAT id%zu +%zu-0 %zu.%s\n", rnd_below(&random, 5), rnd_below(&random, 3),
                     rnd_below(&random, 3), rnd(&random) & 1 ? "5" : "50");
            wire_write(clients[rnd_below(&random, (size_t)w->count)], herd_span_of(line));
            if (rnd_below(&random, 10) == 0)
                wire_run(w);
        }
        wire_run(w);
        assert_true(wire_agree(w));
        wire_free(w);
    }
}

/* Cuts, crashes and returns at random while reports go on: when all is well again, all agree, and what
 * any server that stayed up held is there. */
static void test_faults(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct wire *w = open_herd(seed % (GRAPHS - 1));
        uint64_t random = seed;
        w->random = seed;
        w->chunk = rnd(&random) & 1 ? 0 : 40;
        int reports[8] = {0}; /* the newest report of each id, by second; taken by server 0, which stays up */
        struct wire_end *steady = wire_client(w, 0);
        for (int n = 1; n < 150; n++) {
            int a = (int)rnd_below(&random, (size_t)w->count), b = (int)rnd_below(&random, (size_t)w->count);
            switch (rnd_below(&random, 8)) {
            case 0: wire_cut(w, a, b); break;
            case 1: wire_mend(w, a, b); break;
            case 2:
                if (a != 0)
                    wire_crash(w, a);
                break;
            case 3:
                if (!w->nodes[a].node)
                    assert_int_equal(wire_start(w, a), 0);
                break;
            case 4:
                if (w->nodes[a].node) {
                    struct wire_end *client = wire_client(w, a);
                    char line[64];
                    snprintf(line, sizeof line, "IAMAT other%zu +1-1 %d\n", rnd_below(&random, 8), n);
                    wire_say(w, client, line);
                    wire_close(client);
                }
                break;
            case 5: wire_advance(w, INT64_C(1000000) * (int64_t)rnd_below(&random, 3000)); break;
            default: {
                report(w, steady, n % 8, n);
                reports[n % 8] = n;
            }
            }
        }
        for (int a = 0; a < w->count; a++) {
            for (int b = 0; b < w->count; b++)
                wire_mend(w, a, b);
            if (!w->nodes[a].node)
                assert_int_equal(wire_start(w, a), 0);
        }
        wire_settle(w);
        assert_true(wire_agree(w));
        for (int id = 0; id < 8; id++) {
            char name[16], time[32];
            struct herd_record record;
            snprintf(name, sizeof name, "client%d", id);
            snprintf(time, sizeof time, "%d.%09d", 1621464000 + reports[id], reports[id]);
            if (reports[id]) {
                assert_true(
                    herd_store_get(herd_node_store(w->nodes[w->count - 1].node), herd_span_of(name), &record));
                assert_true(herd_span_equal(record.time, herd_span_of(time)));
            }
        }
        wire_free(w);
    }
}

/* A neighbour that takes nothing costs bits, not a queue: it gets the newest value of each once. */
static void test_slow_neighbour(void **state)
{
    (void)state;
    struct wire *w = open_herd(1);
    struct trace trace = {0};
    struct wire_end *client = wire_client(w, 0);
    w->tap = tap;
    w->tap_ctx = &trace;
    w->room = 1;
    for (struct wire_conn *conn = w->conns; conn; conn = conn->next)
        conn->stalled = conn->end[0].node >= 0;
    for (int n = 0; n < 20000; n++)
        report(w, client, n % 50, n);
    assert_int_equal(trace.lines, 0);
    for (struct wire_conn *conn = w->conns; conn; conn = conn->next)
        conn->stalled = false;
    wire_run(w);
    assert_int_equal(trace.lines, 50);
    expect_count(w, 50);
    wire_free(w);
}

/* A server that comes late is told everything, and tells what it alone knows. */
static void test_a_server_returns(void **state)
{
    (void)state;
    struct wire *w = open_herd(0);
    int riley = wire_find(w, "Riley"), jaquez = wire_find(w, "Jaquez"), juzang = wire_find(w, "Juzang");
    struct wire_end *client = wire_client(w, riley), *far = wire_client(w, juzang);
    wire_cut(w, riley, jaquez);
    wire_cut(w, riley, juzang);
    for (int n = 0; n < 3000; n++) {
        report(w, client, n, n);
        report(w, far, 10000 + n, n);
    }
    assert_false(wire_agree(w));
    wire_mend(w, riley, jaquez);
    wire_mend(w, riley, juzang);
    wire_settle(w);
    expect_count(w, 6000);
    wire_crash(w, riley);
    assert_int_equal(wire_start(w, riley), 0);
    wire_settle(w);
    expect_count(w, 6000);
    wire_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_update_everywhere),
        cmocka_unit_test(test_the_same_answer_everywhere),
        cmocka_unit_test(test_conflicts),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_slow_neighbour),
        cmocka_unit_test(test_a_server_returns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
