/* SPDX-License-Identifier: MIT */
/* HTTP calls where the C library, libcurl or the resolver fails, says something rare, or runs out of something: each
 * call ends once with its error, and the next one works. Names are resolved by the test. */
#include "../unit/failing_additions.h"
#include "world.h"

#include "fetch_multi.h"
#include "fetch_types.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>

/* Which call of which function fails; NULL: none. */
static struct {
    const char *call;
    int at; /* counted down */
} plan;

static bool fails(const char *call)
{
    return plan.call && strcmp(plan.call, call) == 0 && --plan.at == 0;
}

static bool addition_fails_now(void)
{
    return fails("addition");
}

static void fail_call(const char *call, int at)
{
    plan.call = call;
    plan.at = at;
    reserved.buf = NULL;
}

int __real_socket(int domain, int type, int protocol);
int __wrap_socket(int domain, int type, int protocol);
int __wrap_socket(int domain, int type, int protocol)
{
    errno = EMFILE;
    return fails("socket") ? -1 : __real_socket(domain, type, protocol);
}

/* The header says which symbol `fcntl` is: defined here, it takes the place of the C library's. */
int fcntl(int fd, int command, ...)
{
    int (*real)(int, int, ...) = NULL;
    void *symbol = dlsym(RTLD_NEXT, sizeof(off_t) > sizeof(long) ? "fcntl64" : "fcntl");
    memcpy(&real, &symbol, sizeof real);
    va_list list;
    va_start(list, command);
    void *arg = va_arg(list, void *); /* whatever it is, it has its size at most */
    va_end(list);
    errno = EMFILE;
    return command == F_DUPFD_CLOEXEC && fails("dup") ? -1 : real(fd, command, arg);
}

CURLcode __real_curl_global_init(long flags);
CURLcode __wrap_curl_global_init(long flags);
CURLcode __wrap_curl_global_init(long flags)
{
    return fails("curl_global_init") ? CURLE_FAILED_INIT : __real_curl_global_init(flags);
}

CURLU *__real_curl_url(void);
CURLU *__wrap_curl_url(void);
CURLU *__wrap_curl_url(void)
{
    return fails("curl_url") ? NULL : __real_curl_url();
}

CURLUcode __real_curl_url_set(CURLU *url, CURLUPart what, const char *part, unsigned flags);
CURLUcode __wrap_curl_url_set(CURLU *url, CURLUPart what, const char *part, unsigned flags);
CURLUcode __wrap_curl_url_set(CURLU *url, CURLUPart what, const char *part, unsigned flags)
{
    return fails("curl_url_set") ? CURLUE_OUT_OF_MEMORY : __real_curl_url_set(url, what, part, flags);
}

/* Of the parts that have no error of their own. */
CURLUcode __real_curl_url_get(const CURLU *url, CURLUPart what, char **part, unsigned flags);
CURLUcode __wrap_curl_url_get(const CURLU *url, CURLUPart what, char **part, unsigned flags);
CURLUcode __wrap_curl_url_get(const CURLU *url, CURLUPart what, char **part, unsigned flags)
{
    if (what != CURLUPART_USER && what != CURLUPART_FRAGMENT && fails("curl_url_get"))
        return CURLUE_OUT_OF_MEMORY;
    return __real_curl_url_get(url, what, part, flags);
}

char *__real_strndup(const char *text, size_t len);
char *__wrap_strndup(const char *text, size_t len);
char *__wrap_strndup(const char *text, size_t len)
{
    return fails("strndup") ? NULL : __real_strndup(text, len);
}

CURLM *__real_curl_multi_init(void);
CURLM *__wrap_curl_multi_init(void);
CURLM *__wrap_curl_multi_init(void)
{
    return fails("curl_multi_init") ? NULL : __real_curl_multi_init();
}

CURLMcode __real_curl_multi_socket_action(CURLM *multi, curl_socket_t fd, int what, int *running);
CURLMcode __wrap_curl_multi_socket_action(CURLM *multi, curl_socket_t fd, int what, int *running);
CURLMcode __wrap_curl_multi_socket_action(CURLM *multi, curl_socket_t fd, int what, int *running)
{
    return fails("curl_multi_socket_action") ? CURLM_OUT_OF_MEMORY
                                             : __real_curl_multi_socket_action(multi, fd, what, running);
}

/* What libcurl says of the next transfer that ends, behind a message that is about none; CURLE_OK: as it is. */
static CURLcode said;

CURLMsg *__real_curl_multi_info_read(CURLM *multi, int *left);
CURLMsg *__wrap_curl_multi_info_read(CURLM *multi, int *left);
CURLMsg *__wrap_curl_multi_info_read(CURLM *multi, int *left)
{
    static CURLMsg none = {.msg = CURLMSG_NONE};
    static bool told;
    if (said != CURLE_OK && !told) {
        told = true;
        return &none;
    }
    told = false;
    CURLMsg *message = __real_curl_multi_info_read(multi, left);
    if (message && said != CURLE_OK)
        message->data.result = said;
    return message;
}

/* The addresses handed to libcurl. */
static char resolve_text[1000];

struct curl_slist *__real_curl_slist_append(struct curl_slist *list, const char *text);
struct curl_slist *__wrap_curl_slist_append(struct curl_slist *list, const char *text);
struct curl_slist *__wrap_curl_slist_append(struct curl_slist *list, const char *text)
{
    snprintf(resolve_text, sizeof resolve_text, "%s", text);
    return fails("curl_slist_append") ? NULL : __real_curl_slist_append(list, text);
}

int __real_herd_resolver_new(struct herd_resolver **ret_resolver, struct event_base *base);
int __wrap_herd_resolver_new(struct herd_resolver **ret_resolver, struct event_base *base);
int __wrap_herd_resolver_new(struct herd_resolver **ret_resolver, struct event_base *base)
{
    return fails("herd_resolver_new") ? HERD_E_NOMEM : __real_herd_resolver_new(ret_resolver, base);
}

/* The look-up under way, of which there is one in these tests. */
static struct {
    herd_resolver_done *done;
    void *ctx;
    char host[64];
    size_t count;
} asked;

int __wrap_herd_resolver_lookup(struct herd_resolver *resolver, const char *host, uint16_t port,
                                herd_resolver_done *done, void *ctx, struct herd_resolver_call **ret_call);
int __wrap_herd_resolver_lookup(struct herd_resolver *resolver, const char *host, uint16_t port,
                                herd_resolver_done *done, void *ctx, struct herd_resolver_call **ret_call)
{
    (void)resolver;
    (void)port;
    if (fails("herd_resolver_lookup"))
        return HERD_E_NOMEM;
    asked.done = done;
    asked.ctx = ctx;
    asked.count++;
    snprintf(asked.host, sizeof asked.host, "%s", host);
    *ret_call = (struct herd_resolver_call *)(void *)&asked;
    return 0;
}

void __wrap_herd_resolver_cancel(struct herd_resolver_call *call);
void __wrap_herd_resolver_cancel(struct herd_resolver_call *call)
{
    if (call)
        asked.done = NULL;
}

/* Ends the look-up with these addresses, of which "x" is of a family that nobody knows; none: there are none. */
static void found(const char *const *addresses, size_t count, const char *why)
{
    struct herd_sockaddr_list list = {.count = count};
    for (size_t i = 0; i < count; i++) {
        if (strchr(addresses[i], ':')) {
            list.at[i].u.in6.sin6_family = AF_INET6;
            assert_int_equal(inet_pton(AF_INET6, addresses[i], &list.at[i].u.in6.sin6_addr), 1);
        } else if (addresses[i][0] == 'x') {
            list.at[i].u.any.sa_family = AF_UNIX;
        } else {
            list.at[i].u.in.sin_family = AF_INET;
            assert_int_equal(inet_pton(AF_INET, addresses[i], &list.at[i].u.in.sin_addr), 1);
        }
    }
    assert_non_null(asked.done);
    herd_resolver_done *done = asked.done;
    asked.done = NULL;
    done(asked.ctx, &list, why, false);
}

#define CALLS 70

struct call {
    struct herd_fetch_call *handle;
    struct call *cancels[2]; /* when this one is done; NULL: none */
    size_t done;
    struct herd_fetch_result result; /* without its body */
    size_t body_len;
};

static size_t done_count;

static void on_done(void *ctx, const struct herd_fetch_result *result)
{
    struct call *call = ctx;
    assert_int_equal(call->done++, 0);
    done_count++;
    call->result = *result;
    call->body_len = result->body.len;
    for (size_t i = 0; i < 2; i++)
        if (call->cancels[i])
            herd_fetch_cancel(call->cancels[i]->handle);
}

static int start(struct herd_fetch_origin *origin, struct call *call, const char *url)
{
    const struct herd_fetch_request request = {.url = url, .timeout_ms = 5000, .body_max_bytes = 1000000};
    *call = (struct call){.cancels = {call->cancels[0], call->cancels[1]}};
    return herd_fetch_start(origin, &request, on_done, call, &call->handle);
}

static struct herd_fetch *fetch;
static struct call calls[CALLS];

static struct herd_fetch_origin *origin_of(const char *url)
{
    struct herd_fetch_origin *origin = NULL;
    const char *why = NULL;
    if (herd_fetch_origin_new(fetch, &origin, url, NULL, &why) < 0)
        fail_msg("%s: %s", url, why);
    return origin;
}

static struct world *open_world(void)
{
    struct world *w = world_new();
    w->plans[0] = reply_with("{}");
    assert_int_equal(herd_fetch_new(&fetch, w->base), 0);
    memset(calls, 0, sizeof calls);
    memset(&asked, 0, sizeof asked);
    done_count = 0;
    return w;
}

static void close_world(struct world *w)
{
    herd_fetch_free(fetch);
    world_free(w);
}

static void expect(const struct call *call, int err, const char *why)
{
    assert_int_equal(call->done, 1);
    if (call->result.err != err || (err < 0 && strcmp(call->result.why, why) != 0))
        fail_msg("%d %s, not %d %s", call->result.err, call->result.why ? call->result.why : "", err, why);
}

static void works(struct world *w, struct herd_fetch_origin *origin, const char *url)
{
    assert_int_equal(start(origin, &calls[0], url), 0);
    run_until(w->base, &calls[0].done, 1);
    expect(&calls[0], 0, NULL);
    assert_int_equal(calls[0].result.http_status, 200);
    assert_int_equal(calls[0].body_len, 2);
}

static void test_beginnings(void **state)
{
    (void)state;
    static const struct {
        const char *call;
        int at;
        const char *why; /* of the origin */
    } rows[] = {
        {"curl_url", 1, "out of memory"}, {"curl_url_set", 1, "not a URL"}, {"curl_url_get", 1, "not a URL"},
        {"curl_url_get", 2, "not a URL"}, {"curl_url_get", 3, "not a URL"},
    };
    static const struct {
        const char *call;
        int at;
    } starts[] = {{"curl_url", 1}, {"curl_url_set", 1}, {"curl_url_get", 1}, {"strndup", 1}};
    struct world *w = world_new();
    w->plans[0] = reply_with("{}");
    fail_call("curl_global_init", 1);
    assert_int_equal(herd_fetch_new(&fetch, w->base), HERD_E_NOMEM);
    fail_call("curl_multi_init", 1);
    assert_int_equal(herd_fetch_new(&fetch, w->base), HERD_E_NOMEM);
    plan.call = NULL;
    assert_int_equal(herd_fetch_new(&fetch, w->base), 0);
    const char *url = stub_url(w->stub, "/x");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct herd_fetch_origin *origin = NULL;
        const char *why = NULL;
        fail_call(rows[i].call, rows[i].at);
        int err = herd_fetch_origin_new(fetch, &origin, url, NULL, &why);
        plan.call = NULL;
        assert_int_equal(err, i == 0 ? HERD_E_NOMEM : HERD_E_SYNTAX);
        assert_string_equal(why, rows[i].why);
        assert_null(origin);
    }
    fail_call("strndup", 1); /* of an address in brackets */
    struct herd_fetch_origin *six = NULL;
    const char *why = NULL;
    assert_int_equal(herd_fetch_origin_new(fetch, &six, "http://[::1]:1/", NULL, &why), HERD_E_NOMEM);
    plan.call = NULL;
    /* With a handle of its own, and with one that is kept. */
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        struct herd_fetch_origin *fresh = origin_of(url);
        for (size_t turn = 0; turn < 2; turn++) {
            char other[100];
            snprintf(other, sizeof other, "%s/%zu/%zu", url, turn, i);
            if (turn == 1 && i == 0) /* it makes no second one */
                continue;
            fail_call(starts[i].call, starts[i].at);
            assert_int_equal(start(fresh, &calls[0], other), HERD_E_NOMEM);
            plan.call = NULL;
            works(w, fresh, other);
        }
    }
    close_world(w);
}

/* One handle for one URL after another, each a part of the one before or not. */
static void test_urls_of_a_handle(void **state)
{
    (void)state;
    static const char *const paths[] = {"/x", "/x", "/x?a=1", "/xyz?b=2", "/x?c", "/y", "/x", "/xy?", "/x"};
    struct world *w = open_world();
    char front[64];
    snprintf(front, sizeof front, "%s", stub_url(w->stub, ""));
    struct herd_fetch_origin *origin = origin_of(stub_url(w->stub, "/x"));
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        char url[100], want[100];
        snprintf(url, sizeof url, "%s%s", front, paths[i]);
        works(w, origin, url);
        int len = snprintf(want, sizeof want, "GET %s HTTP/1.1\r\n", paths[i]);
        struct herd_span request = stub_request(w->stub, i);
        if (request.len < (size_t)len || memcmp(request.at, want, (size_t)len) != 0)
            fail_msg("%s: %.*s", paths[i], (int)request.len, request.at);
        assert_int_equal(origin->idle_count, 1);
    }
    assert_int_equal(stub_connections(w->stub), 1);
    close_world(w);
}

/* More at once than handles are kept. */
static void test_many_at_once(void **state)
{
    (void)state;
    struct world *w = open_world();
    struct stub_plan plan_of_all = reply_with("{}");
    w->plans[0] = (struct stub_plan){.act = STUB_HOLD};
    const char *url = stub_url(w->stub, "/x");
    struct herd_fetch_origin *origin = origin_of(url);
    for (size_t round = 1; round <= 2; round++) {
        for (size_t i = 0; i < CALLS; i++)
            assert_int_equal(start(origin, &calls[i], url), 0);
        for (int turns = 0; done_count < round * CALLS; turns++) {
            assert_true(turns < 100000);
            event_base_loop(w->base, EVLOOP_ONCE);
            if (stub_requests(w->stub) == round * CALLS)
                stub_release(w->stub, &plan_of_all);
        }
        for (size_t i = 0; i < CALLS; i++)
            expect(&calls[i], 0, NULL);
        assert_int_equal(origin->idle_count, 64);
    }
    close_world(w);
}

/* What libcurl says of a transfer that in fact went well. */
static void test_what_libcurl_says(void **state)
{
    (void)state;
    static const struct {
        CURLcode said;
        const char *body;
        int err;
        const char *why;
    } rows[] = {
        {CURLE_OPERATION_TIMEDOUT, "{}", HERD_E_TIMEOUT, "no reply in time"},
        {CURLE_OUT_OF_MEMORY, "{}", HERD_E_NOMEM, "out of memory"},
        {CURLE_OUT_OF_MEMORY, "", HERD_E_LIMIT, "the header of the reply is larger than allowed"},
        {CURLE_RECV_ERROR, "{}", HERD_E_IO, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world *w = open_world();
        w->plans[0] = reply_with(rows[i].body);
        w->plans[1] = reply_with("{}");
        w->plan_count = 2;
        const char *url = stub_url(w->stub, "/x");
        struct herd_fetch_origin *origin = origin_of(url);
        said = rows[i].said;
        assert_int_equal(start(origin, &calls[0], url), 0);
        run_until(w->base, &calls[0].done, 1);
        said = CURLE_OK;
        expect(&calls[0], rows[i].err, rows[i].why ? rows[i].why : curl_easy_strerror(rows[i].said));
        works(w, origin, url);
        close_world(w);
    }
}

/* Refused before anything was received, it is memory. */
static void test_no_memory_before_the_reply(void **state)
{
    (void)state;
    struct world *w = open_world();
    w->plans[0] = (struct stub_plan){.act = STUB_RESET};
    w->plans[1] = reply_with("{}");
    w->plan_count = 2;
    const char *url = stub_url(w->stub, "/x");
    struct herd_fetch_origin *origin = origin_of(url);
    said = CURLE_OUT_OF_MEMORY;
    assert_int_equal(start(origin, &calls[0], url), 0);
    run_until(w->base, &calls[0].done, 1);
    said = CURLE_OK;
    expect(&calls[0], HERD_E_NOMEM, "out of memory");
    works(w, origin, url);
    close_world(w);
}

/* Fields of a header that are together more than a header may have. */
static void test_many_fields(void **state)
{
    (void)state;
    struct world *w = open_world();
    struct herd_buf headers = {0};
    for (int i = 0; i < 100; i++) {
        char field[1100];
        snprintf(field, sizeof field, "X-%d: %01000d\r\n", i, 0);
        assert_int_equal(herd_buf_add_text(&headers, field), 0);
    }
    assert_int_equal(herd_buf_add(&headers, "", 1), 0);
    w->plans[0] = (struct stub_plan){.headers = headers.at, .body = herd_span_of("{}")};
    w->plans[1] = reply_with("{}");
    w->plan_count = 2;
    const char *url = stub_url(w->stub, "/x");
    struct herd_fetch_origin *origin = origin_of(url);
    assert_int_equal(start(origin, &calls[0], url), 0);
    run_until(w->base, &calls[0].done, 1);
    expect(&calls[0], HERD_E_LIMIT, "the header of the reply is larger than allowed");
    works(w, origin, url);
    herd_buf_fini(&headers);
    close_world(w);
}

/* After a failure of the multi handle those under way end, those that wait for addresses do not, and it is opened
 * anew, at the latest by the call behind the next. */
static void test_multi_fails(void **state)
{
    (void)state;
    struct world *w = open_world();
    w->plans[0] = (struct stub_plan){.act = STUB_HOLD};
    w->plans[1] = reply_with("{}");
    w->plan_count = 2;
    const char *url = stub_url(w->stub, "/x");
    struct herd_fetch_origin *origin = origin_of(url), *named = origin_of("https://name.test/");
    assert_int_equal(start(named, &calls[1], "https://name.test/"), 0);
    assert_int_equal(start(origin, &calls[2], url), 0);
    while (stub_requests(w->stub) < 1)
        event_base_loop(w->base, EVLOOP_ONCE);
    fail_call("curl_multi_socket_action", 1);
    assert_int_equal(start(origin, &calls[3], url), 0);
    while (plan.at > 0) /* by the timer of the new one */
        event_base_loop(w->base, EVLOOP_ONCE);
    plan.call = NULL;
    run_until(w->base, &done_count, 2);
    expect(&calls[2], HERD_E_IO, "the HTTP client failed");
    expect(&calls[3], HERD_E_IO, "the HTTP client failed");
    assert_int_equal(calls[1].done, 0);
    works(w, origin, url);

    herd_fetch_multi_close(&fetch->multi); /* as it is where opening it anew failed */
    fail_call("curl_multi_init", 1);
    assert_int_equal(start(origin, &calls[2], url), 0);
    plan.call = NULL;
    run_until(w->base, &calls[2].done, 1);
    expect(&calls[2], HERD_E_NOMEM, "out of memory");
    works(w, origin, url);
    assert_int_equal(calls[1].done, 0);
    found(NULL, 0, "no such name");
    run_until(w->base, &calls[1].done, 1);
    expect(&calls[1], HERD_E_ADDRESS, "the provider's host name cannot be resolved");
    close_world(w);
}

/* Without a descriptor there is no connection; without a second one its own is waited for. */
static void test_no_descriptors(void **state)
{
    (void)state;
    static const char *const failing[] = {"socket", "dup"};
    for (size_t i = 0; i < 2; i++) {
        struct world *w = open_world();
        const char *url = stub_url(w->stub, "/x");
        struct herd_fetch_origin *origin = origin_of(url);
        fail_call(failing[i], 1);
        assert_int_equal(start(origin, &calls[0], url), 0);
        run_until(w->base, &calls[0].done, 1);
        assert_int_equal(plan.at, 0);
        plan.call = NULL;
        assert_int_equal(calls[0].result.err, i ? 0 : HERD_E_IO);
        for (int k = 0; k < 3; k++)
            works(w, origin, url);
        assert_int_equal(stub_connections(w->stub), 1);
        close_world(w);
    }
}

static void test_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *addresses[12], *text; /* behind the port; NULL: there are none */
    } rows[] = {
        {{"127.0.0.1"}, ":127.0.0.1"},
        {{"::1", "127.0.0.1"}, ":[::1],127.0.0.1"},
        {{"127.0.0.1", "x", "::2"}, ":127.0.0.1,[::2]"},
        {{"127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5", "127.0.0.6", "127.0.0.7", "127.0.0.8",
          "127.0.0.9"},
         ":127.0.0.1,127.0.0.2,127.0.0.3,127.0.0.4,127.0.0.5,127.0.0.6,127.0.0.7,127.0.0.8"},
        {{"x"}, NULL},
        {{NULL}, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world *w = open_world();
        char url[64], want[200];
        size_t count = 0;
        snprintf(url, sizeof url, "https://name.test:%u/", stub_port(w->stub));
        struct herd_fetch_origin *origin = origin_of(url);
        while (rows[i].addresses[count])
            count++;
        assert_int_equal(start(origin, &calls[0], url), 0);
        assert_int_equal(start(origin, &calls[1], url), 0);
        assert_int_equal(asked.count, 1); /* once for both */
        assert_string_equal(asked.host, "name.test");
        /* Nothing of it is kept where memory is short: the next one asks again. */
        for (int at = 1; rows[i].text; at++) {
            fail_call("addition", at);
            found(rows[i].addresses, count, NULL);
            bool met = plan.at <= 0;
            plan.call = NULL;
            if (!met)
                break;
            run_until(w->base, &done_count, 2);
            expect(&calls[0], HERD_E_ADDRESS, "the provider's host name cannot be resolved");
            expect(&calls[1], HERD_E_ADDRESS, "the provider's host name cannot be resolved");
            assert_int_equal(start(origin, &calls[0], url), 0);
            assert_int_equal(start(origin, &calls[1], url), 0);
            assert_int_equal(asked.count, (size_t)at + 1);
            done_count = 0;
        }
        if (!rows[i].text) {
            found(rows[i].addresses, count, NULL);
            run_until(w->base, &done_count, 2);
            expect(&calls[0], HERD_E_ADDRESS, "the provider's host name cannot be resolved");
        } else {
            snprintf(want, sizeof want, "name.test:%u%s", stub_port(w->stub), rows[i].text);
            assert_string_equal(resolve_text, want);
            for (int turns = 0; stub_connections(w->stub) < 1; turns++) {
                assert_true(turns < 100000);
                event_base_loop(w->base, EVLOOP_ONCE);
            }
            assert_int_equal(start(origin, &calls[2], url), 0); /* they are known */
            assert_null(asked.done);
            herd_fetch_cancel(calls[2].handle);
            herd_fetch_cancel(calls[0].handle);
            herd_fetch_cancel(calls[1].handle);
        }
        close_world(w);
    }
}

/* Addresses that are no longer fresh: looked up again, while those under way go on; if that fails they do. */
static void test_stale_addresses(void **state)
{
    (void)state;
    static const char *const one[] = {"127.0.0.1"}, *const two[] = {"127.0.0.2"};
    struct world *w = open_world();
    char url[64];
    snprintf(url, sizeof url, "https://name.test:%u/", stub_port(w->stub));
    struct herd_fetch_origin *origin = origin_of(url), *other = origin_of("https://other.test/");
    assert_int_equal(start(origin, &calls[0], url), 0);
    found(one, 1, NULL);
    origin->fresh_until_ms = 0;
    resolve_text[0] = '\0';
    assert_int_equal(start(other, &calls[1], "https://other.test/"), 0);
    assert_int_equal(start(origin, &calls[2], url), 0);
    assert_int_equal(asked.count, 3);
    assert_string_equal(resolve_text, "");
    found(NULL, 0, "no name server answers");
    assert_non_null(strstr(resolve_text, ":127.0.0.1"));
    assert_int_equal(start(origin, &calls[3], url), 0);
    found(two, 1, NULL);
    assert_non_null(strstr(resolve_text, ":127.0.0.2"));
    assert_int_equal(done_count, 0);
    /* No list for libcurl: that call alone ends. */
    fail_call("curl_slist_append", 1);
    assert_int_equal(start(origin, &calls[4], url), 0);
    plan.call = NULL;
    run_until(w->base, &done_count, 1);
    expect(&calls[4], HERD_E_NOMEM, "out of memory");
    for (size_t i = 0; i < 4; i++)
        herd_fetch_cancel(calls[i].handle);
    close_world(w);
}

/* Without a resolver, or a look-up, every call that waits for it is told so. */
static void test_no_resolver(void **state)
{
    (void)state;
    static const char *const failing[] = {"herd_resolver_new", "herd_resolver_lookup"};
    struct world *w = open_world();
    struct herd_fetch_origin *origin = origin_of("https://name.test/");
    fail_call("herd_resolver_new", 1);
    assert_int_equal(herd_fetch_resolver(fetch, "127.0.0.1:5353"), HERD_E_NOMEM);
    for (size_t i = 0; i < 2; i++) {
        fail_call(failing[i], 1);
        assert_int_equal(start(origin, &calls[i], "https://name.test/"), 0);
        plan.call = NULL;
        assert_int_equal(calls[i].done, 0); /* not from inside */
        run_until(w->base, &calls[i].done, 1);
        expect(&calls[i], HERD_E_NOMEM, "out of memory");
    }
    assert_int_equal(asked.count, 0);
    assert_int_equal(herd_fetch_resolver(fetch, "nonsense"), HERD_E_ADDRESS);
    close_world(w);
}

/* Calls that ended together are delivered one by one, in order, those that are cancelled meanwhile left out. */
static void test_cancelled_among_the_ended(void **state)
{
    (void)state;
    struct world *w = open_world();
    struct herd_fetch_origin *origin = origin_of("https://name.test/");
    calls[5].cancels[0] = &calls[1];
    calls[5].cancels[1] = &calls[0];
    calls[4].cancels[0] = &calls[3];
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(start(origin, &calls[i], "https://name.test/"), 0);
    found(NULL, 0, "no such name"); /* the latest ends first */
    run_until(w->base, &done_count, 3);
    event_base_loop(w->base, EVLOOP_NONBLOCK);
    static const size_t want[6] = {[2] = 1, [4] = 1, [5] = 1};
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(calls[i].done, want[i]);
    /* One that ends behind a list whose end was cancelled is delivered too. */
    assert_int_equal(start(origin, &calls[0], "https://name.test/"), 0);
    found(NULL, 0, "no such name");
    run_until(w->base, &calls[0].done, 1);
    close_world(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_beginnings),
        cmocka_unit_test(test_urls_of_a_handle),
        cmocka_unit_test(test_many_at_once),
        cmocka_unit_test(test_what_libcurl_says),
        cmocka_unit_test(test_no_memory_before_the_reply),
        cmocka_unit_test(test_many_fields),
        cmocka_unit_test(test_multi_fails),
        cmocka_unit_test(test_no_descriptors),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_stale_addresses),
        cmocka_unit_test(test_no_resolver),
        cmocka_unit_test(test_cancelled_among_the_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
