/* SPDX-License-Identifier: MIT */
/* Every allocation of a client fails once, and every addition to a buffer whether or not it has room: the call says so, or the
 * request ends, and nothing leaks. */
#include "client_world.h"

#define RESERVATIONS_FAIL
#include "../unit/edge/alloc.h"
#include "../unit/failing_additions.h"

static bool addition_fails_now(void)
{
    return alloc_fails();
}

char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);
char *__wrap_strdup(const char *text)
{
    return alloc_fails() ? NULL : __real_strdup(text);
}

struct event *__real_event_new(struct event_base *base, evutil_socket_t fd, short what, event_callback_fn fn,
                               void *arg);
struct event *__wrap_event_new(struct event_base *base, evutil_socket_t fd, short what, event_callback_fn fn,
                               void *arg);
struct event *__wrap_event_new(struct event_base *base, evutil_socket_t fd, short what, event_callback_fn fn,
                               void *arg)
{
    return alloc_fails() ? NULL : __real_event_new(base, fd, what, fn, arg);
}

int __real_event_add(struct event *event, const struct timeval *after);
int __wrap_event_add(struct event *event, const struct timeval *after);
int __wrap_event_add(struct event *event, const struct timeval *after)
{
    return alloc_fails() ? -1 : __real_event_add(event, after);
}

/* True if the failure was met. `follow`: another server answers than the one that is asked. */
static bool ask_all(const char *host, bool follow, long n)
{
    void *state = NULL;
    char see[96];
    setup(&state);
    struct world *w = state;
    struct fake *answers = &w->fakes[follow];
    answers->text = "AT X +0.1 kiwi +1+1 1\nAT X +0.1 kiwi +1+1 1\n{}\n\n";
    w->addresses[follow] = fake_open(w, answers);
    if (follow) {
        snprintf(see, sizeof see, "SEE 127.0.0.1 %u 5\nSEE 127.0.0.1 %u 5\n", w->addresses[1].port,
                 w->addresses[1].port);
        w->fakes[0].text = see;
        w->addresses[0] = fake_open(w, &w->fakes[0]);
    }
    w->addresses[0].host = host;
    struct herd_client_options options = {.servers = w->addresses,
                                          .server_count = 1,
                                          .retry_min_ms = 1,
                                          .retry_max_ms = 2,
                                          .reply_ms = 200,
                                          .timeout_ms = 5000,
                                          .follow = follow};
    size_t asked = 0;
    alloc_fail_at = n;
    int err = herd_client_new(&w->client, w->base, &options);
    if (err == 0) {
        err = herd_client_report(w->client, herd_span_of("kiwi"), herd_span_of("+1+1"), herd_span_of("1"), on_done,
                                 w);
        asked += err == 0;
    }
    if (err == 0) {
        err = herd_client_whatsat(w->client, herd_span_of("kiwi"), herd_span_of("1"), 1, on_done, w);
        asked += err == 0;
    }
    assert_true(err == 0 || err == HERD_E_NOMEM);
    run(w, asked);
    for (size_t i = 0; i < asked; i++)
        assert_true(w->errs[i] == 0 || w->errs[i] == HERD_E_NOMEM);
    bool met = alloc_fail_at <= 0;
    alloc_fail_at = 0;
    teardown(&state);
    return met;
}

static void test_each(void **state)
{
    (void)state;
    const char *hosts[] = {"127.0.0.1", "localhost"};
    for (size_t i = 0; i < 2; i++) {
        long n = 1;
        while (ask_all(hosts[i], false, n))
            n++;
        assert_true(n > 5);
    }
}

static void test_each_while_following(void **state)
{
    (void)state;
    long n = 1;
    while (ask_all("127.0.0.1", true, n))
        n++;
    assert_true(n > 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each), cmocka_unit_test(test_each_while_following)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
