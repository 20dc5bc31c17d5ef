/* SPDX-License-Identifier: MIT */
/*
 * Questions to the area of a server: short ones are answered at once, long ones in turns of the loop, of which each does a
 * bounded number of steps; they end with their connection, there are no more than the limit, and rights that were taken away
 * meanwhile count.
 */
#include "search.h"
#include "conn.h"
#include "http_world.h"

#define CLIENTS 20000
#define AREA    ",\"area\":true,\"log\":{\"traffic\":false}"
#define ALL     "GET /v1/clients?near=0,0&radius=1000000&limit=1000 HTTP/1.1\r\n" HOST "\r\n"

static void fill(struct http_world *w, int count)
{
    char id[32], position[64];
    enum herd_verdict verdict;
    for (int i = 0; i < count; i++) {
        snprintf(id, sizeof id, "c%d", i);
        snprintf(position, sizeof position, "+0.%07d+0.%07d", i % 1000, i / 1000);
        assert_int_equal(herd_server_report(w->server, herd_span_of(id), herd_span_of(position), herd_span_of("5"),
                                            NULL, &verdict),
                         0);
    }
    while (herd_area_behind(w->server->area))
        event_base_loop(w->base, EVLOOP_ONCE);
}

/* ---- an asker of the test's own ---- */

struct answer {
    size_t hits, ends;
    int err, fail_at;
    bool truncated;
    uint32_t last;
};

static int on_hit(void *ctx, const struct herd_area_hit *hit)
{
    struct answer *answer = ctx;
    answer->last = hit->slot;
    return ++answer->hits == (size_t)answer->fail_at ? HERD_E_NOMEM : 0;
}

static void on_done(void *ctx, int err, bool truncated)
{
    struct answer *answer = ctx;
    answer->ends++;
    answer->err = err;
    answer->truncated = truncated;
}

static const struct herd_search_asker asker = {.hit = on_hit, .done = on_done};

static struct herd_search *begin(struct http_world *w, struct answer *answer, double radius_m, size_t limit,
                                 int want)
{
    struct herd_shape *shape;
    struct herd_search *search;
    const struct herd_area_question question = {.by_distance = true, .limit = limit, .except = herd_span_of("c0")};
    assert_int_equal(herd_shape_circle(&shape, 0, 0, radius_m), 0);
    int err = herd_search_begin(w->server, NULL, &question, shape, &asker, answer, &search);
    assert_int_equal(err, want);
    if (err < 0)
        herd_shape_free(shape);
    return search;
}

static void test_at_once(void **state)
{
    (void)state;
    struct http_world w;
    struct answer answer = {0};
    http_world_open(&w, NULL, AREA);
    fill(&w, 500);
    assert_null(begin(&w, &answer, 1e6, 10, 0));
    assert_int_equal(answer.hits, 10);
    assert_int_equal(answer.ends, 1);
    assert_true(answer.truncated);
    answer = (struct answer){.fail_at = 3};
    assert_null(begin(&w, &answer, 1e6, 10, 0));
    assert_int_equal(answer.hits, 3);
    assert_int_equal(answer.err, HERD_E_NOMEM);
    answer = (struct answer){0};
    begin(&w, &answer, 1e6, 0, HERD_E_ARG);
    assert_int_equal(answer.ends, 0);
    assert_int_equal(w.server->search_count, 0);
    http_world_close(&w);
}

static void test_in_turns(void **state)
{
    (void)state;
    enum { MANY = 4 };
    struct http_world w;
    struct answer answers[MANY] = {{0}};
    http_world_open(&w, NULL, AREA ",\"limits\":{\"searches_max\":4}");
    fill(&w, CLIENTS);
    for (int i = 0; i < MANY; i++)
        assert_non_null(begin(&w, &answers[i], 1e6, 1000, 0));
    assert_null(begin(&w, &answers[0], 1e6, 1000, HERD_E_LIMIT));
    size_t turns = 0, seen = 0;
    for (; w.server->search_count > 0; turns++) {
        size_t hits = 0;
        event_base_loop(w.base, EVLOOP_ONCE);
        for (int i = 0; i < MANY; i++)
            hits += answers[i].hits;
        assert_true(hits - seen <= 100); /* of all together */
        seen = hits;
    }
    assert_true(turns > 4 * CLIENTS / 1000);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(answers[i].ends, 1);
        assert_int_equal(answers[i].hits, 1000);
        assert_int_equal(answers[i].err, 0);
        assert_true(answers[i].truncated);
    }
    /* One that fails in the middle, one that is not wanted any more, and one that is under way at the end. */
    struct answer failing = {.fail_at = 500}, cancelled = {0}, left = {0};
    begin(&w, &failing, 1e6, 1000, 0);
    struct herd_search *search = begin(&w, &cancelled, 1e6, 1000, 0);
    herd_search_cancel(search);
    herd_search_cancel(NULL);
    while (w.server->search_count > 0)
        event_base_loop(w.base, EVLOOP_ONCE);
    assert_int_equal(failing.err, HERD_E_NOMEM);
    assert_int_equal(failing.hits, 500);
    assert_int_equal(cancelled.ends, 0);
    begin(&w, &left, 1e6, 1000, 0);
    http_world_close(&w);
    assert_int_equal(left.ends, 0);
}

/* What came after the question is not waited for, but what came before it is. */
static void test_behind_reports(void **state)
{
    (void)state;
    struct http_world w;
    struct answer answer = {0};
    enum herd_verdict verdict;
    http_world_open(&w, NULL, AREA);
    fill(&w, 10);
    assert_int_equal(
        herd_server_report(w.server, herd_span_of("new"), herd_span_of("+0+0"), herd_span_of("5"), NULL, &verdict),
        0);
    assert_true(herd_area_behind(w.server->area));
    assert_non_null(begin(&w, &answer, 1e6, 100, 0));
    while (w.server->search_count > 0)
        event_base_loop(w.base, EVLOOP_ONCE);
    assert_int_equal(answer.hits, 10); /* all but c0 */
    http_world_close(&w);
}

/* Until the question is under way, and no longer. */
static void say_and_wait(struct http_client *c, const char *text)
{
    time_t end = seconds() + DEADLINE_S;
    assert_int_equal(send(c->fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
    while (c->world->server->search_count == 0) {
        event_base_loop(c->world->base, EVLOOP_ONCE);
        assert_true(seconds() < end);
    }
}

static void test_ends_with_its_connection(void **state)
{
    (void)state;
    struct http_world w;
    struct http_client c;
    http_world_open(&w, NULL, AREA);
    fill(&w, CLIENTS);
    client_open(&c, &w);
    say_and_wait(&c, ALL ALL);
    assert_int_equal(w.server->search_count, 1); /* the second request waits for the first */
    struct herd_conn *conn = HERD_CONTAINER_OF(w.server->conns.next, struct herd_conn, all);
    herd_conn_close(conn, NULL);
    assert_int_equal(w.server->search_count, 0);
    client_close(&c);
    client_open(&c, &w);
    say_and_wait(&c, ALL);
    herd_server_stop(w.server, 60000); /* what was asked is answered */
    time_t end = seconds() + DEADLINE_S;
    while (!c.ended) {
        client_turn(&c);
        assert_true(seconds() < end);
    }
    assert_non_null(strstr(client_text(&c), "\"truncated\":true}"));
    client_close(&c);
    http_world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_at_once),
        cmocka_unit_test(test_in_turns),
        cmocka_unit_test(test_behind_reports),
        cmocka_unit_test(test_ends_with_its_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
