/* SPDX-License-Identifier: MIT */
/* HTTP calls without a provider: what is sent, whose memory the replies are in, and a fetch that ends inside a call. */
#include "world.h"

#include "fetch.h"

#define CALLS 8

struct call {
    struct herd_fetch_call *handle;
    struct herd_fetch **ends; /* freed when this one is done; NULL: none */
    struct herd_buf body;
    int err;
    size_t *done;
};

static void on_done(void *ctx, const struct herd_fetch_result *result)
{
    struct call *call = ctx;
    call->err = result->err;
    assert_int_equal(herd_buf_add(&call->body, result->body.at, result->body.len), 0);
    ++*call->done;
    if (call->ends) {
        herd_fetch_free(*call->ends);
        *call->ends = NULL;
    }
}

static char url[64]; /* of the stub */

static struct herd_fetch_origin *open_site(struct world *w, struct herd_fetch **ret_fetch)
{
    struct herd_fetch_origin *origin;
    const char *why;
    snprintf(url, sizeof url, "%s", stub_url(w->stub, "/x"));
    assert_int_equal(herd_fetch_new(ret_fetch, w->base), 0);
    assert_int_equal(herd_fetch_origin_new(*ret_fetch, &origin, url, NULL, &why), 0);
    return origin;
}

static int start(struct herd_fetch_origin *origin, struct call *call, const char *const *headers,
                 size_t header_count)
{
    struct herd_fetch_request request = {.url = url,
                                         .headers = headers,
                                         .header_count = header_count,
                                         .timeout_ms = 5000,
                                         .body_max_bytes = 1000000};
    return herd_fetch_start(origin, &request, on_done, call, &call->handle);
}

static size_t count(struct herd_span in, const char *text)
{
    size_t found = 0, len = strlen(text);
    for (size_t i = 0; i + len <= in.len; i++)
        found += memcmp(in.at + i, text, len) == 0;
    return found;
}

static void test_headers(void **state)
{
    (void)state;
    static const char *const headers[] = {"A: 1", "B: 2", "C: 3", "D: 4", "E: 5", "F: 6", "G: 7"};
    struct world *w = world_new();
    w->plans[0] = reply_with("{}");
    struct herd_fetch *fetch;
    size_t done = 0;
    struct call call = {.done = &done};
    struct herd_fetch_origin *origin = open_site(w, &fetch);
    assert_int_equal(start(origin, &call, headers, 7), HERD_E_ARG);
    for (size_t n = 0; n <= 6; n += 6) { /* a handle that had some, and one that has none */
        assert_int_equal(start(origin, &call, headers, 6 - n), 0);
        run_until(w->base, &done, done + 1);
        struct herd_span request = stub_request(w->stub, n / 6);
        assert_int_equal(count(request, "\r\nUser-Agent: libherd/" HERD_VERSION "\r\n"), 1);
        assert_int_equal(count(request, "\r\nAccept-Encoding: gzip\r\n"), 1);
        assert_int_equal(count(request, "\r\nUser-Agent"), 1);
        assert_int_equal(count(request, "\r\nAccept-Encoding"), 1);
        for (size_t i = 0; i < 6; i++)
            assert_int_equal(count(request, headers[i]), n == 0);
    }
    herd_buf_fini(&call.body);
    herd_fetch_free(fetch);
    world_free(w);
}

/* Memory of one reply is taken for another, of any size and while more are under way: each is whole. */
static void test_bodies(void **state)
{
    (void)state;
    static const size_t sizes[CALLS] = {100000, 10, 60000, 1, 300, 70000, 5, 20000};
    static char texts[CALLS][100000];
    struct world *w = world_new();
    for (size_t i = 0; i < CALLS; i++) {
        memset(texts[i], 'a' + (int)i, sizes[i]);
        w->plans[i] = (struct stub_plan){.body = {texts[i], sizes[i]}};
    }
    w->plan_count = CALLS;
    struct herd_fetch *fetch;
    struct call calls[CALLS] = {{0}};
    size_t done = 0;
    struct herd_fetch_origin *origin = open_site(w, &fetch);
    for (size_t i = 0; i < CALLS; i++) {
        calls[i].done = &done;
        assert_int_equal(start(origin, &calls[i], NULL, 0), 0);
        if (i >= CALLS / 2) /* these one after the other */
            run_until(w->base, &done, i + 1);
    }
    bool seen[CALLS] = {false};
    for (size_t i = 0; i < CALLS; i++) {
        size_t which = (size_t)(calls[i].body.at[0] - 'a');
        assert_int_equal(calls[i].err, 0);
        assert_false(seen[which]);
        seen[which] = true;
        assert_int_equal(calls[i].body.len, sizes[which]);
        assert_memory_equal(calls[i].body.at, texts[which], sizes[which]);
        herd_buf_fini(&calls[i].body);
    }
    herd_fetch_free(fetch);
    world_free(w);
}

/* A reply that ends the whole fetch, with its own memory still being read and others under way. */
static void test_freed_by_a_reply(void **state)
{
    (void)state;
    struct world *w = world_new();
    w->plans[0] = reply_with(TWO);
    struct herd_fetch *fetch;
    struct call calls[CALLS] = {{0}};
    size_t done = 0;
    struct herd_fetch_origin *origin = open_site(w, &fetch);
    for (size_t i = 0; i < CALLS; i++) {
        calls[i].done = &done;
        calls[i].ends = &fetch;
        assert_int_equal(start(origin, &calls[i], NULL, 0), 0);
    }
    run_until(w->base, &done, 1);
    assert_null(fetch);
    event_base_loop(w->base, EVLOOP_NONBLOCK);
    assert_int_equal(done, 1);
    for (size_t i = 0; i < CALLS; i++)
        herd_buf_fini(&calls[i].body);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_freed_by_a_reply),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
