/* SPDX-License-Identifier: MIT */
/*
 * Lines that a server answers from above the protocol (NEAR, WATCH), what it tells by itself at fences, and what a program does
 * from inside, with each allocation and each addition to a buffer failing in turn: the right answer, one that says so, or the
 * connection ends; what was lost at a fence is counted, and told if the area knew of it. One server answers all of them.
 */
#include "http_fails.h"

#include <herd/server.h>

static struct http_world world, lines;

static void begin_failing(long next)
{
    plan.next = next;
    plan.count = 1;
    plan.asked = plan.failed = 0;
    plan.additions = true;
    http_world_arm = set_armed;
}

static bool end_failing(void)
{
    http_world_arm = NULL;
    return plan.failed > 0;
}

static uint64_t events_lost(void)
{
    return herd_area_stats(world.server->area).events_lost;
}

/* Waits for one of two texts, or the end; or until the area says that it lost something. */
static void wait_for(struct http_client *c, const char *text, const char *other, uint64_t lost)
{
    time_t end = seconds() + DEADLINE_S;
    while (!c->ended && !strstr(client_text(c), text) && !(other && strstr(client_text(c), other)) &&
           events_lost() == lost) {
        client_turn(c);
        if (seconds() >= end)
            fail_msg("next %ld, failed %ld: neither %s nor %s: %s", plan.next, plan.failed, text,
                     other ? other : "", client_text(c));
    }
}

static void report(const char *id, const char *place)
{
    static unsigned long time = 1700000000;
    char text[32];
    enum herd_verdict verdict;
    snprintf(text, sizeof text, "%lu", ++time);
    assert_int_equal(
        herd_server_report(world.server, herd_span_of(id), herd_span_of(place), herd_span_of(text), NULL, &verdict),
        0);
}

static void put_fence(const char *name, const char *body)
{
    char request[400];
    struct http_client c;
    snprintf(request, sizeof request,
             "PUT /v1/fences/%s HTTP/1.1\r\n" HOST
             "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
             name, strlen(body), body);
    client_open(&c, &world);
    client_say(&c, request);
    client_expect(&c, "HTTP/1.1 201 ");
    client_close(&c);
}

static void test_answers(void **state)
{
    (void)state;
    static const struct {
        const char *line, *right, *busy;
    } rows[] = {
        {"NEAR +1+1 500 9\n", "NEAR END 2\n", "NEAR BUSY\n"},
        {"NEAR +1+1 500 1\n", "NEAR MORE 1\n", "NEAR BUSY\n"},
        {"NEAR ann 500.5 9\n", "NEAR END 1\n", "NEAR BUSY\n"},
        {"NEAR nobody 5 9\n", "? NEAR nobody 5 9\n", NULL},
        {"NEAR +91+1 5 9\n", "? NEAR +91+1 5 9\n", NULL},
        {"NEAR +1+1 5 0\n", "? NEAR +1+1 5 0\n", NULL},
        {"NEAR +1+1 5 1001\n", "? NEAR", NULL},
        {"NEAR +1+1 5 00000000001\n", "? NEAR", NULL},
        {"NEAR +1+1 5 1x\n", "? NEAR", NULL},
        {"NEAR +1+1 x 1\n", "? NEAR", NULL},
        {"NEAR +1+1 5\n", "? NEAR", NULL},
        {"NEARER +1+1 5 1\n", "? NEARER", NULL},
        {"WATCH ring\n", "WATCH ring\n", "WATCH BUSY\n"},
        {"WATCH *\n", "WATCH *\n", "WATCH BUSY\n"},
        {"WATCH\n", "WATCH\n", NULL},
        {"WATCH a b\n", "? WATCH a b\n", NULL},
        {"WATCH a/b\n", "? WATCH a/b\n", NULL},
        {"WATCHER\n", "? WATCHER\n", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        long n = 0;
        for (bool more = true; more; n++) {
            struct http_client c;
            client_open(&c, &lines);
            begin_failing(n);
            client_say(&c, rows[i].line);
            wait_for(&c, rows[i].right, rows[i].busy, events_lost());
            more = end_failing();
            if (!more && !strstr(client_text(&c), rows[i].right))
                fail_msg("%s: %s", rows[i].line, client_text(&c));
            client_close(&c);
        }
        assert_true(n > 1);
    }
    assert_int_equal(world.server->search_count, 0);
}

static size_t watchers(void)
{
    return world.server->line_watch_count;
}

/* What is not answered with what was asked does not hold. */
static void test_holds(void **state)
{
    (void)state;
    long n = 0, refused = 0;
    for (bool more = true; more; n++) {
        struct http_client c;
        client_open(&c, &lines);
        begin_failing(n);
        client_say(&c, "WATCH ring\n");
        wait_for(&c, "WATCH ring\n", "WATCH BUSY\n", events_lost());
        more = end_failing();
        for (int turn = 0; turn < 10; turn++)
            client_turn(&c);
        const bool said = strncmp(client_text(&c), "WATCH ring\n", 11) == 0;
        assert_int_equal(watchers(), said);
        refused += !said && !c.ended;
        client_close(&c);
    }
    assert_true(refused > 1);
}

/* So many fences a client may name, and one of them twice. */
static void test_names(void **state)
{
    (void)state;
    struct http_client c;
    char line[32], right[32];
    client_open(&c, &lines);
    for (int i = 0; i < 66; i++) {
        snprintf(line, sizeof line, "WATCH f%d\n", i < 65 ? i : 3);
        snprintf(right, sizeof right, i == 64 ? "WATCH BUSY\n" : "WATCH f%d\n", i < 65 ? i : 3);
        client_say(&c, line);
        client_expect(&c, right);
    }
    client_say(&c, "WATCH\n");
    client_expect(&c, "WATCH\n");
    client_close(&c);
}

/* Ann and eve meet inside the ring, or part: a watcher is told, or told how much it was not. */
static void test_fences(void **state)
{
    (void)state;
    static const char *const watches[] = {"WATCH ring\nWATCH close\n", "WATCH *\n"};
    for (size_t i = 0; i < 2; i++) {
        struct http_client c;
        long n = 0;
        client_open(&c, &lines);
        client_say(&c, watches[i]);
        for (bool more = true; more; n++) {
            if (c.ended) {
                client_close(&c);
                client_open(&c, &lines);
                client_say(&c, watches[i]);
            }
            for (int turn = 0; turn < 10; turn++)
                client_turn(&c);
            c.got.len = 0;
            more = false;
            for (int comes = 1; comes >= 0; comes--) {
                const uint64_t lost = events_lost();
                report("eve", comes ? "+20+20" : "+50+50");
                begin_failing(n);
                for (int turn = 0; turn < 10; turn++)
                    client_turn(&c);
                more = end_failing() || more;
                wait_for(&c, comes ? "FENCE enter ring AT a " : "FENCE leave ring AT a ", "FENCE LOST ", lost);
                if (comes || strstr(client_text(&c), "FENCE enter close NEAR "))
                    wait_for(&c, comes ? "FENCE enter close NEAR " : "FENCE leave close NEAR ", "FENCE LOST ",
                             lost);
            }
            if (!more) /* but for what is told late of the one before */
                wait_for(&c, "FENCE leave close NEAR ", NULL, events_lost());
        }
        assert_true(n > 8);
        client_close(&c);
    }
}

static void on_places(void *ctx, struct herd_span json)
{
    *(int *)ctx = memmem(json.at, json.len, "ZERO_RESULTS", 12) ? 1 : 2;
}

/* The program's own report, deletion and question, which the log has as the lines of a client. */
static void test_inside(void **state)
{
    (void)state;
    long n = 0;
    for (bool more = true; more; n++) {
        struct herd_buf out = {0};
        struct herd_record record;
        enum herd_verdict verdict;
        int told = 0;
        char time[32];
        snprintf(time, sizeof time, "%ld", 1800000000 + n);
        begin_failing(n);
        arm(true);
        int err = herd_server_report(world.server, herd_span_of("own"), herd_span_of("+3+3"), herd_span_of(time),
                                     &out, &verdict);
        int asked = herd_server_ask(world.server, herd_span_of("ann"), herd_span_of("10"), 2, on_places, &told);
        arm(false);
        more = end_failing();
        assert_true(err == 0 || (more && err == HERD_E_NOMEM));
        if (err == 0) /* what is said to be taken is there */
            assert_int_equal(herd_server_find(world.server, herd_span_of("own"), &record), 0);
        assert_true(asked == 0 || (more && asked == HERD_E_NOMEM));
        for (int turn = 0; turn < 20 && asked == 0 && !told; turn++)
            event_base_loop(world.base, EVLOOP_NONBLOCK);
        assert_true((told != 0) == (asked == 0));
        if (!more)
            assert_int_equal(told, 1);
        begin_failing(n);
        arm(true);
        err = herd_server_delete(world.server, herd_span_of("own"), NULL, &verdict);
        arm(false);
        more = end_failing() || more;
        assert_true(err == 0 || more);
        herd_buf_fini(&out);
    }
    assert_true(n > 8);
    int told = 0;
    static const char *const bad[][2] = {{"10.x", "ann"}, {"51", "ann"}, {"1 2", "ann"}, {"10", "a b"}};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(
            herd_server_ask(world.server, herd_span_of(bad[i][1]), herd_span_of(bad[i][0]), 2, on_places, &told),
            HERD_E_SYNTAX);
    assert_int_equal(herd_server_ask(world.server, herd_span_of("nobody"), herd_span_of("10"), 2, on_places, &told),
                     HERD_E_NOTFOUND);
    assert_int_equal(told, 0);
}

static int set_up(void **state)
{
    (void)state;
    http_world_open(&world, NULL,
                    ",\"area\":true,\"limits\":{\"near_line\":1,\"watch_line\":1,\"tombstones_max\":1000}");
    lines = world;
    lines.port = herd_server_port(world.server);
    report("ann", "+1+1");
    report("bob", "+2+2");
    put_fence("ring", "{\"type\":\"Feature\",\"geometry\":{\"type\":\"Point\",\"coordinates\":[20,20]},"
                      "\"properties\":{\"radius\":99999}}");
    put_fence("close", "{\"type\":\"Feature\",\"geometry\":null,\"properties\":{\"proximity\":5000}}");
    report("zoe", "+20.001+20");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    http_world_close(&world);
    return 0;
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_answers), cmocka_unit_test(test_holds),
                                       cmocka_unit_test(test_names), cmocka_unit_test(test_fences),
                                       cmocka_unit_test(test_inside)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
