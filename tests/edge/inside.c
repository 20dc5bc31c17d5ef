/* SPDX-License-Identifier: MIT */
/* The program reports, finds and asks from inside: the same as by line, and harmless from a hook and at the end. */
#include "../unit/cm.h"

#include <herd/herd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct world {
    struct event_base *base;
    struct herd_config *config;
    struct herd_server *server;
    struct bufferevent *client;
    struct herd_places *places;
    struct herd_buf json;
    size_t answers, updates, deletions, started, cancelled;
    bool report_in_hook;
};

static void on_update(void *ctx, const struct herd_record *record)
{
    struct world *w = ctx;
    enum herd_verdict verdict;
    w->updates++;
    if (!w->report_in_hook || herd_span_equal(record->id, herd_span_of("from_hook")))
        return;
    assert_int_equal(herd_server_report(w->server, herd_span_of("from_hook"), herd_span_of("+1+1"),
                                        herd_span_of("5"), NULL, &verdict),
                     0);
    assert_int_equal(verdict, HERD_VERDICT_NEW);
}

static void on_deleted(void *ctx, const struct herd_record *tombstone)
{
    struct world *w = ctx;
    assert_true(herd_record_is_tombstone(tombstone));
    w->deletions++;
}

/* A provider that never answers, so that questions stay under way. */
static void silent_start(void *ctx, struct herd_provider_call *call, const struct herd_places_query *query)
{
    (void)query;
    (void)call;
    ((struct world *)ctx)->started++;
}

static void silent_cancel(void *ctx, struct herd_provider_call *call)
{
    (void)call;
    ((struct world *)ctx)->cancelled++;
}

static int begin_with(void **state, bool silent)
{
    static const char json[] =
        "{\"servers\":{\"a\":{\"port\":1}},\"links\":[],\"places\":{\"provider\":\"embedded\"},"
        "\"limits\":{\"tombstones_max\":2}}";
    struct herd_diagnostic diagnostic;
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->base = event_base_new();
    assert_int_equal(herd_config_parse(&w->config, herd_span_of(json), &diagnostic), 0);
    struct herd_server_options options = {.name = "a",
                                          .config = w->config,
                                          .dont_listen = true,
                                          .hooks = {.ctx = w, .update = on_update, .deleted = on_deleted}};
    if (silent) {
        const struct herd_provider provider = {
            .name = "silent", .ctx = w, .start = silent_start, .cancel = silent_cancel};
        assert_int_equal(herd_places_new(&w->places, w->base, w->config, NULL, &diagnostic), 0);
        assert_int_equal(herd_places_prepend(w->places, &provider), 0);
        options.places = w->places;
    }
    assert_int_equal(herd_server_new(&w->server, w->base, &options, &diagnostic), 0);
    struct bufferevent *pair[2];
    assert_int_equal(bufferevent_pair_new(w->base, 0, pair), 0);
    assert_int_equal(herd_server_adopt_client(w->server, pair[0]), 0);
    w->client = pair[1];
    bufferevent_enable(w->client, EV_READ | EV_WRITE);
    *state = w;
    return 0;
}

static int begin(void **state)
{
    return begin_with(state, false);
}

static int begin_silent(void **state)
{
    return begin_with(state, true);
}

static int end(void **state)
{
    struct world *w = *state;
    bufferevent_free(w->client);
    herd_server_free(w->server);
    herd_places_free(w->places);
    event_base_loop(w->base, EVLOOP_NONBLOCK); /* libevent frees pairs there */
    herd_config_free(w->config);
    event_base_free(w->base);
    herd_buf_fini(&w->json);
    free(w);
    return 0;
}

/* What the line is answered with: everything that comes until `end` does. */
static void line(struct world *w, const char *text, const char *end, struct herd_buf *out)
{
    struct evbuffer *input = bufferevent_get_input(w->client);
    assert_int_equal(bufferevent_write(w->client, text, strlen(text)), 0);
    for (int i = 0; i < 1000; i++) {
        size_t len = evbuffer_get_length(input), end_len = strlen(end);
        const char *at = (const char *)evbuffer_pullup(input, -1);
        if (len >= end_len && memcmp(at + len - end_len, end, end_len) == 0)
            break;
        event_base_loop(w->base, EVLOOP_NONBLOCK);
    }
    size_t len = evbuffer_get_length(input);
    assert_true(len > 0);
    assert_int_equal(herd_buf_add(out, evbuffer_pullup(input, -1), len), 0);
    evbuffer_drain(input, len);
}

/* Takes the diff, the third word, out of an AT line. */
static struct herd_span without_diff(struct herd_buf *text)
{
    char *second = memchr(text->at, ' ', text->len);
    char *third = second ? strchr(second + 1, ' ') : NULL;
    char *rest = third ? strchr(third + 1, ' ') : NULL;
    assert_non_null(rest);
    memmove(third, rest, (size_t)(text->at + text->len - rest));
    return (struct herd_span){text->at, text->len - (size_t)(rest - third)};
}

static void zero_end(struct herd_buf *text)
{
    assert_int_equal(herd_buf_add(text, "", 1), 0);
    text->len--;
}

static void test_same_line(void **state)
{
    struct world *w = *state;
    struct herd_buf by_line = {0}, by_call = {0};
    enum herd_verdict verdict;
    line(w, "IAMAT \xff%kiwi +34.0689300-118.4451270 1621464827.959498503\n", "\n", &by_line);
    assert_int_equal(herd_server_report(w->server, herd_span_of("\xff%kiwi"),
                                        herd_span_of("+34.0689300-118.4451270"),
                                        herd_span_of("1621464827.959498503"), &by_call, &verdict),
                     0);
    assert_int_equal(verdict, HERD_VERDICT_SAME);
    zero_end(&by_line);
    zero_end(&by_call);
    struct herd_span one = without_diff(&by_line), other = without_diff(&by_call);
    assert_true(herd_span_equal(one, other));
    by_line.len = by_call.len = 0;
    assert_int_equal(herd_server_report(w->server, herd_span_of("kea"), herd_span_of("+1.50-2"),
                                        herd_span_of("77.0"), &by_call, &verdict),
                     0);
    assert_int_equal(verdict, HERD_VERDICT_NEW);
    struct herd_record record;
    assert_int_equal(herd_server_find(w->server, herd_span_of("kea"), &record), 0);
    assert_true(herd_span_equal(record.position, herd_span_of("+1.50-2")));
    assert_true(herd_span_equal(record.time, herd_span_of("77.0")));
    /* And what a client hears of it is the very line, diff included. */
    line(w, "WHATSAT kea 1 0\n", "\n\n", &by_line);
    assert_true(by_line.len > by_call.len && memcmp(by_line.at, by_call.at, by_call.len) == 0);
    assert_int_equal(herd_server_find(w->server, herd_span_of("nobody"), &record), HERD_E_NOTFOUND);
    herd_buf_fini(&by_line);
    herd_buf_fini(&by_call);
}

static void test_refused(void **state)
{
    struct world *w = *state;
    enum herd_verdict verdict;
    static const struct {
        const char *id, *position, *time;
    } wrong[] = {{"", "+1+1", "1"}, {"a b", "+1+1", "1"}, {"a\nIAMAT b", "+1+1", "1"},
                 {"a", "1 1", "1"}, {"a", "+1+1", "x"},   {"a", "+91+1", "1"}};
    struct herd_buf out = {0};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(herd_server_report(w->server, herd_span_of(wrong[i].id), herd_span_of(wrong[i].position),
                                            herd_span_of(wrong[i].time), &out, &verdict),
                         HERD_E_SYNTAX);
    assert_int_equal(out.len, 0);
    assert_int_equal(herd_store_count(herd_node_store(herd_server_node(w->server))), 0);
    herd_buf_fini(&out);
}

static void on_places(void *ctx, struct herd_span json)
{
    struct world *w = ctx;
    w->answers++;
    w->json.len = 0;
    assert_int_equal(herd_buf_add(&w->json, json.at, json.len), 0);
}

static void test_ask(void **state)
{
    struct world *w = *state;
    struct herd_buf by_line = {0};
    enum herd_verdict verdict;
    assert_int_equal(herd_server_ask(w->server, herd_span_of("kiwi"), herd_span_of("10"), 5, on_places, w),
                     HERD_E_NOTFOUND);
    assert_int_equal(herd_server_report(w->server, herd_span_of("kiwi"), herd_span_of("+34.068930-118.445127"),
                                        herd_span_of("1621464827"), NULL, &verdict),
                     0);
    assert_int_equal(herd_server_ask(w->server, herd_span_of("kiwi"), herd_span_of("50.1"), 5, on_places, w),
                     HERD_E_SYNTAX);
    assert_int_equal(herd_server_ask(w->server, herd_span_of("kiwi"), herd_span_of("10"), 21, on_places, w),
                     HERD_E_SYNTAX);
    assert_int_equal(herd_server_ask(w->server, herd_span_of("kiwi 1"), herd_span_of("1"), 2, on_places, w),
                     HERD_E_SYNTAX);
    assert_int_equal(w->answers, 0);
    assert_int_equal(herd_server_ask(w->server, herd_span_of("kiwi"), herd_span_of("50"), 3, on_places, w), 0);
    for (int i = 0; i < 1000 && w->answers == 0; i++)
        event_base_loop(w->base, EVLOOP_NONBLOCK);
    assert_int_equal(w->answers, 1);
    line(w, "WHATSAT kiwi 50 3\n", "\n\n", &by_line);
    const char *json = memchr(by_line.at, '\n', by_line.len);
    assert_non_null(json);
    json++;
    size_t len = by_line.len - (size_t)(json - by_line.at);
    assert_true(len > w->json.len && w->json.len > 100);
    assert_memory_equal(json, w->json.at, w->json.len);
    herd_buf_fini(&by_line);
}

/* A question that is under way when the server ends gets no answer, and nothing of it is left. */
static void test_freed_meanwhile(void **state)
{
    struct world *w = *state;
    enum herd_verdict verdict;
    assert_int_equal(herd_server_report(w->server, herd_span_of("kiwi"), herd_span_of("+1+1"), herd_span_of("5"),
                                        NULL, &verdict),
                     0);
    assert_int_equal(herd_server_ask(w->server, herd_span_of("kiwi"), herd_span_of("1"), 2, on_places, w), 0);
    assert_int_equal(w->started, 1);
    herd_server_free(w->server);
    w->server = NULL;
    assert_int_equal(w->cancelled, 1);
    assert_int_equal(w->answers, 0);
}

static void test_hook(void **state)
{
    struct world *w = *state;
    struct herd_buf out = {0};
    w->report_in_hook = true;
    line(w, "IAMAT kiwi +1+1 5\n", "\n", &out);
    for (int i = 0; i < 1000 && w->updates < 2; i++)
        event_base_loop(w->base, EVLOOP_NONBLOCK);
    assert_int_equal(w->updates, 2);
    herd_buf_fini(&out);
}

static void test_delete(void **state)
{
    struct world *w = *state;
    struct herd_buf out = {0};
    struct herd_record record;
    enum herd_verdict verdict;
    assert_int_equal(herd_server_delete(w->server, herd_span_of("kiwi"), &out, &verdict), HERD_E_NOTFOUND);
    for (int i = 0; i < 3; i++) {
        const char *ids[] = {"a", "b", "c"};
        assert_int_equal(herd_server_report(w->server, herd_span_of(ids[i]), herd_span_of("+1+1"),
                                            herd_span_of("5"), NULL, &verdict),
                         0);
    }
    assert_int_equal(herd_server_delete(w->server, herd_span_of("a"), &out, &verdict), 0);
    assert_int_equal(verdict, HERD_VERDICT_NEWER);
    assert_true(out.len > 7 && memcmp(out.at, "GONE a ", 7) == 0 && out.at[out.len - 1] == '\n');
    assert_int_equal(herd_server_find(w->server, herd_span_of("a"), &record), HERD_E_NOTFOUND);
    assert_int_equal(herd_server_ask(w->server, herd_span_of("a"), herd_span_of("1"), 1, on_places, w),
                     HERD_E_NOTFOUND);
    assert_int_equal(herd_server_delete(w->server, herd_span_of("a"), NULL, &verdict), HERD_E_NOTFOUND);
    assert_int_equal(herd_server_delete(w->server, herd_span_of("b"), NULL, &verdict), 0);
    assert_int_equal(herd_server_delete(w->server, herd_span_of("c"), NULL, &verdict), 0);
    assert_int_equal(verdict, HERD_VERDICT_FULL);
    for (int i = 0; i < 1000 && w->deletions + w->updates < 3; i++)
        event_base_loop(w->base, EVLOOP_NONBLOCK);
    assert_int_equal(w->deletions, 2);
    assert_int_equal(w->updates, 1); /* of c: the others had gone before the turn ended */
    herd_buf_fini(&out);
}

static void test_stopping(void **state)
{
    struct world *w = *state;
    enum herd_verdict verdict;
    herd_server_stop(w->server, 1000);
    assert_int_equal(herd_server_report(w->server, herd_span_of("kiwi"), herd_span_of("+1+1"), herd_span_of("5"),
                                        NULL, &verdict),
                     HERD_E_STATE);
    assert_int_equal(herd_server_ask(w->server, herd_span_of("kiwi"), herd_span_of("1"), 2, on_places, w),
                     HERD_E_STATE);
    assert_int_equal(herd_server_delete(w->server, herd_span_of("kiwi"), NULL, &verdict), HERD_E_STATE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_same_line, begin, end),
        cmocka_unit_test_setup_teardown(test_refused, begin, end),
        cmocka_unit_test_setup_teardown(test_ask, begin, end),
        cmocka_unit_test_setup_teardown(test_freed_meanwhile, begin_silent, end),
        cmocka_unit_test_setup_teardown(test_hook, begin, end),
        cmocka_unit_test_setup_teardown(test_delete, begin, end),
        cmocka_unit_test_setup_teardown(test_stopping, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
