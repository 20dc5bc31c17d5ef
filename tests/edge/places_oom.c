/* SPDX-License-Identifier: MIT */
/* Every allocation of a look-up's way fails once: whoever asks is told so at once, or gets an answer. Events, and
 * what libcurl makes for us, count as allocations: they fail for want of memory alone. */
#include "world.h"

#define RESERVATIONS_FAIL
#include "../unit/edge/alloc.h"
#include "../unit/failing_additions.h"
#include "../unit/temp.h"

#include <curl/curl.h>
#include <event2/event.h>
#include <stdarg.h>
#include <unistd.h>

#undef curl_easy_setopt

char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);
struct event *__real_event_new(struct event_base *base, evutil_socket_t fd, short what, event_callback_fn fn,
                               void *arg);
struct event *__wrap_event_new(struct event_base *base, evutil_socket_t fd, short what, event_callback_fn fn,
                               void *arg);
int __real_event_add(struct event *event, const struct timeval *wait);
int __wrap_event_add(struct event *event, const struct timeval *wait);
CURL *__real_curl_easy_init(void);
CURL *__wrap_curl_easy_init(void);
CURLM *__real_curl_multi_init(void);
CURLM *__wrap_curl_multi_init(void);
CURLMcode __real_curl_multi_add_handle(CURLM *multi, CURL *easy);
CURLMcode __wrap_curl_multi_add_handle(CURLM *multi, CURL *easy);
CURLMcode __real_curl_multi_socket_action(CURLM *multi, curl_socket_t fd, int what, int *running);
CURLMcode __wrap_curl_multi_socket_action(CURLM *multi, curl_socket_t fd, int what, int *running);
struct curl_slist *__real_curl_slist_append(struct curl_slist *list, const char *text);
struct curl_slist *__wrap_curl_slist_append(struct curl_slist *list, const char *text);
CURLcode __real_curl_easy_setopt(CURL *easy, CURLoption option, ...);
CURLcode __wrap_curl_easy_setopt(CURL *easy, CURLoption option, ...);

static bool additions_count = true; /* the gazetteer alone makes thousands */

static bool addition_fails_now(void)
{
    return additions_count && alloc_fails();
}

/* What fails of a second attempt. */
static enum { RETRY_WORKS, RETRY_EVENT, RETRY_WAIT } retry;

char *__wrap_strdup(const char *text)
{
    return alloc_fails() ? NULL : __real_strdup(text);
}

struct event *__wrap_event_new(struct event_base *base, evutil_socket_t fd, short what, event_callback_fn fn,
                               void *arg)
{
    return alloc_fails() || retry == RETRY_EVENT ? NULL : __real_event_new(base, fd, what, fn, arg);
}

int __wrap_event_add(struct event *event, const struct timeval *wait)
{
    /* Half a second, give or take a quarter of it. */
    bool is_retry = wait && wait->tv_sec == 0 && wait->tv_usec >= 375000;
    return alloc_fails() || (retry == RETRY_WAIT && is_retry) ? -1 : __real_event_add(event, wait);
}

CURL *__wrap_curl_easy_init(void)
{
    return alloc_fails() ? NULL : __real_curl_easy_init();
}

CURLM *__wrap_curl_multi_init(void)
{
    return alloc_fails() ? NULL : __real_curl_multi_init();
}

CURLMcode __wrap_curl_multi_add_handle(CURLM *multi, CURL *easy)
{
    return alloc_fails() ? CURLM_OUT_OF_MEMORY : __real_curl_multi_add_handle(multi, easy);
}

CURLMcode __wrap_curl_multi_socket_action(CURLM *multi, curl_socket_t fd, int what, int *running)
{
    return alloc_fails() ? CURLM_OUT_OF_MEMORY : __real_curl_multi_socket_action(multi, fd, what, running);
}

struct curl_slist *__wrap_curl_slist_append(struct curl_slist *list, const char *text)
{
    return alloc_fails() ? NULL : __real_curl_slist_append(list, text);
}

/* The number of an option tells the type of its value. */
CURLcode __wrap_curl_easy_setopt(CURL *easy, CURLoption option, ...)
{
    if (alloc_fails())
        return CURLE_OUT_OF_MEMORY;
    va_list list;
    va_start(list, option);
    CURLcode code;
    if (option < CURLOPTTYPE_OBJECTPOINT)
        code = __real_curl_easy_setopt(easy, option, va_arg(list, long));
    else if (option >= CURLOPTTYPE_OFF_T && option < CURLOPTTYPE_BLOB)
        code = __real_curl_easy_setopt(easy, option, va_arg(list, curl_off_t));
    else if (option >= CURLOPTTYPE_FUNCTIONPOINT && option < CURLOPTTYPE_OFF_T)
        code = __real_curl_easy_setopt(easy, option, va_arg(list, void (*)(void)));
    else
        code = __real_curl_easy_setopt(easy, option, va_arg(list, void *));
    va_end(list);
    return code;
}

static char key_path[TEMP_LEN];
static long paused_at;

/* The stub's own allocations do not count. */
static void pause_in_stub(bool in_stub)
{
    if (in_stub) {
        paused_at = alloc_fail_at;
        alloc_fail_at = 0;
    } else {
        alloc_fail_at = paused_at;
    }
}

static void count_answer(void *ctx, struct herd_span json, const char *origin)
{
    size_t *answers = ctx;
    if (json.len && origin)
        (*answers)++;
}

/* Asks, and waits for the answer. */
static int ask(struct world *w, const struct herd_places_query *query)
{
    struct herd_places_request *request;
    size_t answers = 0;
    int err = herd_places_lookup(w->places, query, count_answer, &answers, &request);
    assert_true(err == 0 || err == HERD_E_NOMEM);
    for (int i = 0; i < 100000 && !answers && err == 0; i++)
        event_base_loop(w->base, EVLOOP_ONCE);
    assert_int_equal(answers, err == 0);
    return err;
}

/* Asks, reads the keys again, and asks again: of who keeps answers, the same one. True if the failure was met. */
static bool look_up(const char *kind, const char *url_path, const char *reply, long n)
{
    struct world *w = world_new();
    struct herd_places_question q = {0};
    w->plans[0] = reply_with(reply);
    struct herd_config_provider *provider = world_provider(w, kind, url_path ? stub_url(w->stub, url_path) : NULL);
    provider->cache_ms = 1000;
    provider->ca_file = key_path; /* which nobody opens: there is no TLS */
    provider->filter = (char *)(uintptr_t) "[\"name\"]";
    if (provider->key_env)
        provider->key_file = key_path;
    assert_int_equal(herd_places_query_make_iso(&q, herd_span_of(UCLA), herd_span_of("10"), 5), 0);
    alloc_fail_at = n;
    int err = herd_places_new(&w->places, w->base, &w->config, NULL, &w->fault);
    assert_true(err == 0 || err == HERD_E_NOMEM);
    if (err == 0) {
        (void)ask(w, &q.query);
        herd_places_reload(w->places);
        (void)ask(w, &q.query);
    }
    bool met = alloc_fail_at <= 0;
    alloc_fail_at = 0;
    herd_places_query_fini(&q);
    world_free(w);
    return met;
}

static void fail_each(const char *kind, const char *url_path, const char *reply, long least)
{
    long n = 1;
    while (look_up(kind, url_path, reply, n))
        n++;
    assert_true(n > least);
}

static void test_look_ups(void **state)
{
    (void)state;
    stub_pause = pause_in_stub;
    int fd = temp_file(key_path);
    assert_int_equal(write(fd, "key", 3), 3);
    close(fd);
    fail_each("google-legacy", "/", TWO, 12);
    fail_each("google-new", "/", "{\"places\":[{\"types\":[\"a\"],\"location\":{\"latitude\":1,\"longitude\":2}}]}",
              12);
    fail_each("overpass", "/",
              "{\"elements\":[{\"type\":\"node\",\"id\":1,\"lat\":1,\"lon\":2,\"tags\":{\"name\":\"n\"}}]}", 12);
    additions_count = false;
    fail_each("embedded", NULL, "", 8);
    unlink(key_path);
}

static void own_start(void *ctx, struct herd_provider_call *call, const struct herd_places_query *query)
{
    (void)ctx;
    (void)query;
    herd_provider_call_fail(call, "UNKNOWN_ERROR", "not today");
}

/* A chain with a provider that cannot be used, one that can, and one of the program's own in front. True if the failure
 * was met. */
static bool make_chain(long n)
{
    static const struct herd_provider own = {.name = "own", .start = own_start};
    struct world *w = world_new();
    struct herd_places_question q = {0};
    size_t answers = 0;
    struct herd_config_provider *provider = world_provider(w, "google-new", stub_url(w->stub, "/"));
    provider->key_env = (char *)(uintptr_t) "HERD_NO_SUCH_VARIABLE";
    provider->fields = (char *)(uintptr_t) "pro";
    provider->filter = (char *)(uintptr_t) "[\"name\"]";
    provider->ca_file = (char *)(uintptr_t) "/nowhere";
    world_provider(w, "embedded", NULL);
    assert_int_equal(herd_places_query_make_iso(&q, herd_span_of(UCLA), herd_span_of("10"), 5), 0);
    alloc_fail_at = n;
    int err = herd_places_new(&w->places, w->base, &w->config, NULL, &w->fault);
    if (err == 0)
        err = herd_places_prepend(w->places, &own);
    bool met = alloc_fail_at <= 0;
    alloc_fail_at = 0;
    assert_true(err == 0 ||
                (met && err == HERD_E_NOMEM)); /* memory of points is given back as far as there is some */
    if (w->places) {                           /* whole, with or without the one in front */
        struct herd_places_request *request;
        assert_int_equal(herd_places_lookup(w->places, &q.query, count_answer, &answers, &request), 0);
        assert_int_equal(answers, 1);
        herd_places_reload(w->places);
    } else {
        assert_string_equal(w->fault.message, "out of memory");
    }
    herd_places_query_fini(&q);
    world_free(w);
    return met;
}

static void test_chains(void **state)
{
    (void)state;
    long n = 1;
    additions_count = false;
    while (make_chain(n))
        n++;
    assert_true(n > 15);
}

/* An attempt that cannot be made later ends the look-up now, with what the first one said. */
static void test_no_second_attempt(void **state)
{
    (void)state;
    for (int what = RETRY_EVENT; what <= RETRY_WAIT; what++) {
        struct world *w = world_new();
        w->plans[0] = (struct stub_plan){.status = 503};
        world_provider(w, "google-legacy", stub_url(w->stub, "/"));
        world_open(w);
        world_ask(w, UCLA, 5);
        while (stub_requests(w->stub) < 1)
            event_base_loop(w->base, EVLOOP_ONCE);
        retry = what == RETRY_EVENT ? RETRY_EVENT : RETRY_WAIT;
        for (int turns = 0; turns < 1000 && w->answered < 1; turns++)
            event_base_loop(w->base, EVLOOP_ONCE);
        retry = RETRY_WORKS;
        assert_int_equal(w->answered, 1);
        assert_non_null(strstr(w->answers[0].at, "answered HTTP 503"));
        assert_int_equal(stub_requests(w->stub), 1);
        w->plans[0] = reply_with(TWO);
        world_ask(w, UCLA, 5);
        run_until(w->base, &w->answered, 2);
        assert_string_equal(w->origins[1], "google-legacy");
        world_free(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_look_ups), cmocka_unit_test(test_chains),
                                       cmocka_unit_test(test_no_second_attempt)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
