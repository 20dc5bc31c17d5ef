/* SPDX-License-Identifier: MIT */
/* The area of a server: who asks for one gets one, changes reach it a bounded number of steps a turn of the loop, and each
 * event of a fence reaches everybody who wants to know. */
#include "../unit/cm.h"

#include "area.h"
#include "server_impl.h"

#include <herd/herd.h>

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HERE       "+48.8584+2.2945"
#define THERE      "+48.8600+2.3400"
#define EVENTS_MAX 64

struct world {
    struct event_base *base;
    struct herd_config *config;
    struct herd_server *server;
    struct herd_fence_sink sinks[3];
    struct sink_ctx {
        struct world *world;
        char name;
        bool once;
    } sink_ctx[3];
    char told[EVENTS_MAX][80]; /* who was told what */
    size_t told_count;
};

static void note(struct world *w, char who, const struct herd_fence_event *event)
{
    assert_true(w->told_count < EVENTS_MAX);
    snprintf(w->told[w->told_count++], sizeof w->told[0], "%c %d %.*s %.*s%s", who, (int)event->kind,
             (int)event->fence.len, event->fence.at, (int)event->record.id.len, event->record.id.at,
             event->gone ? " gone" : "");
}

static void on_fence(void *ctx, const struct herd_fence_event *event)
{
    note(ctx, 'h', event);
}

static void on_sink(void *ctx, const struct herd_fence_event *event)
{
    struct sink_ctx *sink = ctx;
    note(sink->world, sink->name, event);
    if (sink->once)
        herd_server_fence_sink_remove(&sink->world->sinks[sink->name - '0']);
}

static void start(struct world *w, bool hook, bool option)
{
    struct herd_diagnostic diagnostic;
    struct herd_server_options options = {
        .name = "a", .config = w->config, .dont_listen = true, .area = option, .hooks = {.ctx = w}};
    if (hook)
        options.hooks.fence = on_fence;
    if (herd_server_new(&w->server, w->base, &options, &diagnostic) < 0)
        fail_msg("%s", diagnostic.message);
}

static struct world *begin(const char *more)
{
    char json[512];
    struct herd_diagnostic diagnostic;
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->base = event_base_new();
    snprintf(json, sizeof json, "{\"servers\": {\"a\": {\"port\": 1}}, \"limits\": {\"tombstones_max\": 9}%s}",
             more);
    assert_int_equal(herd_config_parse(&w->config, herd_span_of(json), &diagnostic), 0);
    return w;
}

static void end(struct world *w)
{
    herd_server_free(w->server);
    herd_config_free(w->config);
    event_base_free(w->base);
    free(w);
}

static void report(struct world *w, const char *id, const char *position, const char *time)
{
    enum herd_verdict verdict;
    assert_int_equal(
        herd_server_report(w->server, herd_span_of(id), herd_span_of(position), herd_span_of(time), NULL, &verdict),
        0);
    assert_true(verdict == HERD_VERDICT_NEW || verdict == HERD_VERDICT_NEWER);
}

static void turn(struct world *w)
{
    event_base_loop(w->base, EVLOOP_NONBLOCK);
}

static void set_fence(struct world *w, const char *name)
{
    struct herd_shape *shape;
    const struct herd_fence_options options = {0};
    assert_int_equal(herd_shape_circle(&shape, 48.8584, 2.2945, 200), 0);
    assert_int_equal(herd_area_fence_set(herd_server_area(w->server), herd_span_of(name), shape, &options), 0);
}

static void expect(struct world *w, const char *const *told, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_string_equal(i < w->told_count ? w->told[i] : "nothing", told[i]);
    assert_int_equal(w->told_count, count);
    w->told_count = 0;
}
#define EXPECT(w, ...)                                   \
    do {                                                 \
        static const char *const told[] = {__VA_ARGS__}; \
        expect(w, told, sizeof told / sizeof *told);     \
    } while (0)

static void test_who_asks_gets_one(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct world *w = begin(i == 1 ? ", \"area\": true" : "");
        start(w, i == 2, i == 3);
        assert_int_equal(herd_server_area(w->server) != NULL, i != 0);
        report(w, "kiwi", HERE, "5");
        turn(w);
        if (i > 0)
            assert_int_equal(herd_area_stats(herd_server_area(w->server)).clients, 1);
        end(w);
    }
}

static void test_hook(void **state)
{
    (void)state;
    struct world *w = begin("");
    start(w, true, false);
    set_fence(w, "home");
    report(w, "kiwi", THERE, "5");
    turn(w);
    assert_int_equal(w->told_count, 0);
    report(w, "kiwi", HERE, "6");
    turn(w);
    EXPECT(w, "h 1 home kiwi");
    report(w, "kiwi", THERE, "7");
    report(w, "kiwi", HERE, "8"); /* in one turn: where it was meanwhile does not count */
    report(w, "plum", HERE, "8");
    turn(w);
    EXPECT(w, "h 1 home plum");
    enum herd_verdict verdict;
    assert_int_equal(herd_server_delete(w->server, herd_span_of("plum"), NULL, &verdict), 0);
    report(w, "kiwi", THERE, "9");
    turn(w);
    EXPECT(w, "h 2 home plum gone", "h 2 home kiwi");
    end(w);
}

static void test_sinks(void **state)
{
    (void)state;
    struct world *w = begin("");
    start(w, true, false);
    set_fence(w, "home");
    for (size_t i = 0; i < 3; i++) {
        w->sink_ctx[i] = (struct sink_ctx){w, (char)('0' + i), i == 1};
        w->sinks[i] = (struct herd_fence_sink){.on_event = on_sink, .ctx = &w->sink_ctx[i]};
        herd_server_fence_sink_add(w->server, &w->sinks[i]);
    }
    report(w, "kiwi", HERE, "6");
    turn(w);
    EXPECT(w, "0 1 home kiwi", "1 1 home kiwi", "2 1 home kiwi", "h 1 home kiwi");
    herd_server_fence_sink_remove(&w->sinks[0]);
    herd_server_fence_sink_remove(&w->sinks[1]); /* took itself out */
    report(w, "kiwi", THERE, "7");
    turn(w);
    EXPECT(w, "2 2 home kiwi", "h 2 home kiwi");
    herd_server_fence_sink_remove(&w->sinks[2]);
    end(w);
}

static void test_a_turn_is_bounded(void **state)
{
    (void)state;
    enum { CLIENTS = 20000 };
    char id[32];
    struct world *w = begin(", \"area\": true, \"log\": {\"traffic\": false}");
    start(w, false, false);
    for (int i = 0; i < CLIENTS; i++) {
        snprintf(id, sizeof id, "c%d", i);
        report(w, id, i % 2 ? HERE : THERE, "5");
    }
    size_t before = 0, turns = 0;
    for (; before < CLIENTS; turns++) {
        assert_true(turns < 100);
        event_base_loop(w->base, EVLOOP_ONCE);
        size_t after = herd_area_stats(herd_server_area(w->server)).clients;
        assert_true(after - before <= 2 * 4096); /* a timer may cause the end of a turn too */
        before = after;
    }
    assert_true(turns >= 3);
    end(w);
}

static void test_clients_of_the_journal_enter_nowhere(void **state)
{
    (void)state;
    char dir[] = "/tmp/herd-area-XXXXXX", more[128], path[64];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/journal", dir);
    snprintf(more, sizeof more, ", \"area\": true, \"journal\": \"%s\"", path);
    struct world *w = begin(more);
    start(w, false, false);
    report(w, "kiwi", HERE, "5");
    turn(w);
    herd_server_free(w->server);
    start(w, true, false);
    set_fence(w, "home");
    for (int i = 0; i < 5; i++)
        turn(w);
    assert_int_equal(herd_area_stats(herd_server_area(w->server)).clients, 1);
    assert_int_equal(w->told_count, 0);
    report(w, "kiwi", THERE, "6");
    turn(w);
    EXPECT(w, "h 2 home kiwi");
    end(w);
    unlink(path);
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_asks_gets_one),
        cmocka_unit_test(test_hook),
        cmocka_unit_test(test_sinks),
        cmocka_unit_test(test_a_turn_is_bounded),
        cmocka_unit_test(test_clients_of_the_journal_enter_nowhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
