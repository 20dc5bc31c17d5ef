/* SPDX-License-Identifier: MIT */
/*
 * Names and addresses: a resolver that outlives its last call, answers that come after their caller gave up, and
 * connecting to all addresses of a host.
 */
#include "../unit/cm.h"

#include "client_types.h"
#include "connector.h"
#include "name_server.h"

#include <herd/herd.h>

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define DEADLINE_S 20

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void turn(struct event_base *base)
{
    struct timeval soon = {0, 5000};
    event_base_loopexit(base, &soon);
    event_base_loop(base, EVLOOP_ONCE);
}

#define WAIT(base, condition)                                           \
    for (double until = now_s() + DEADLINE_S; !(condition); turn(base)) \
        if (now_s() > until)                                            \
    fail_msg("not in time: %s", #condition)

struct answer {
    size_t count;
    int err; /* of a request */
    struct herd_sockaddr_list found;
    char why[100];
    struct herd_resolver *release; /* from inside */
};

static void on_resolved(void *ctx, const struct herd_sockaddr_list *found, const char *why, bool local)
{
    struct answer *answer = ctx;
    assert_false(local);
    answer->count++;
    answer->found = *found;
    snprintf(answer->why, sizeof answer->why, "%s", why ? why : "");
    herd_resolver_release(answer->release);
    answer->release = NULL;
}

static struct herd_resolver *resolver_of(struct event_base *base, const struct name_server *names)
{
    struct herd_resolver *resolver;
    assert_int_equal(herd_resolver_new(&resolver, base), 0);
    assert_int_equal(herd_resolver_nameserver(resolver, names->address), 0);
    return resolver;
}

static void test_names_and_numbers(void **state)
{
    (void)state;
    struct event_base *base = event_base_new();
    struct name_server names = {.a = true, .aaaa = true};
    struct herd_resolver_call *call, *other;
    struct answer answer = {0}, second = {0};
    name_server_open(&names, base);
    struct herd_resolver *resolver = resolver_of(base, &names);
    assert_int_equal(herd_resolver_lookup(resolver, "both.example", 80, on_resolved, &answer, &call), 0);
    assert_int_equal(herd_resolver_lookup(resolver, "BOTH.example", 80, on_resolved, &second, &other), 0);
    assert_int_equal(answer.count, 0); /* never from inside */
    WAIT(base, answer.count == 1 && second.count == 1);
    assert_string_equal(answer.why, "");
    assert_int_equal(answer.found.count, 2);
    assert_int_equal(names.asked, 2); /* A and AAAA, once for both callers */
    assert_int_equal(ntohs(answer.found.at[0].u.in.sin_port), 80);

    names.a = names.aaaa = false;
    names.none = true;
    assert_int_equal(herd_resolver_lookup(resolver, "no.example", 80, on_resolved, &answer, &call), 0);
    WAIT(base, answer.count == 2);
    assert_string_equal(answer.why, "the name is not known");
    assert_int_equal(answer.found.count, 0);

    names.asked = 0;
    assert_int_equal(herd_resolver_lookup(resolver, "::1", 80, on_resolved, &answer, &call), 0);
    WAIT(base, answer.count == 3);
    assert_int_equal(answer.found.count, 1);
    assert_int_equal(names.asked, 0);
    herd_resolver_release(resolver);
    name_server_close(&names);
    event_base_free(base);
}

/* A2: all is freed while the threads wait for a name server that says nothing, or the callback frees all. */
static void test_freed_while_resolving(void **state)
{
    (void)state;
    struct event_base *base = event_base_new();
    struct name_server names = {.silent = true};
    struct herd_resolver_call *calls[40];
    struct answer answer = {0};
    char host[32];
    name_server_open(&names, base);
    struct herd_resolver *resolver = resolver_of(base, &names);
    for (size_t i = 0; i < 40; i++) { /* more than threads: some wait */
        snprintf(host, sizeof host, "slow%zu.example", i);
        assert_int_equal(herd_resolver_lookup(resolver, host, 80, on_resolved, &answer, &calls[i]), 0);
    }
    WAIT(base, names.asked > 0);
    for (size_t i = 0; i < 40; i++)
        herd_resolver_cancel(calls[i]);
    herd_resolver_release(resolver);
    assert_int_equal(answer.count, 0);

    names.silent = false;
    names.a = true;
    answer.release = resolver = resolver_of(base, &names);
    assert_int_equal(herd_resolver_lookup(resolver, "last.example", 80, on_resolved, &answer, &calls[0]), 0);
    WAIT(base, answer.count == 1);
    /* The threads of the first one end meanwhile: nothing of it is touched. */
    for (double until = now_s() + 2.5; now_s() < until;)
        turn(base);
    assert_int_equal(answer.count, 1);
    name_server_close(&names);
    event_base_free(base);
}

/* C2: whoever gives up sooner than the name servers finds their answer with its next attempt. */
static void test_answer_after_the_caller_gave_up(void **state)
{
    (void)state;
    struct event_base *base = event_base_new();
    struct name_server names = {.a = true,
                                .deaf = 2}; /* the first questions are lost; asked again after a second */
    struct herd_resolver_call *call;
    struct answer answer = {0};
    name_server_open(&names, base);
    struct herd_resolver *resolver = resolver_of(base, &names);
    for (size_t attempts = 0; answer.count == 0; attempts++) {
        assert_true(attempts < 40);
        assert_int_equal(herd_resolver_lookup(resolver, "late.example", 80, on_resolved, &answer, &call), 0);
        for (double until = now_s() + 0.1; now_s() < until && answer.count == 0;)
            turn(base);
        if (answer.count == 0)
            herd_resolver_cancel(call);
    }
    assert_int_equal(answer.found.count, 1);

    /* The same where nobody waits when the answer comes: it is kept, until it is flushed. */
    names.deaf = 2;
    size_t asked = names.asked;
    assert_int_equal(herd_resolver_lookup(resolver, "kept.example", 80, on_resolved, &answer, &call), 0);
    WAIT(base, names.asked > asked);
    herd_resolver_cancel(call);
    WAIT(base, names.asked >= asked + 4);
    for (double until = now_s() + 0.3; now_s() < until;)
        turn(base);
    asked = names.asked;
    answer.count = 0;
    assert_int_equal(herd_resolver_lookup(resolver, "kept.example", 80, on_resolved, &answer, &call), 0);
    WAIT(base, answer.count == 1);
    assert_int_equal(names.asked, asked);
    herd_resolver_release(resolver);
    name_server_close(&names);
    event_base_free(base);
}

/* ---- connecting ---- */

struct ends {
    size_t count, found;
    int fd;
    bool unresolved, local;
    char why[100];
    struct herd_sockaddr address;
};

static void on_connected(void *ctx, const struct herd_connect_result *result)
{
    struct ends *ends = ctx;
    ends->count++;
    ends->fd = result->fd;
    ends->unresolved = result->unresolved;
    ends->local = result->local;
    ends->address = result->address;
    snprintf(ends->why, sizeof ends->why, "%s", result->why ? result->why : "");
}

static void on_found(void *ctx, const struct herd_sockaddr_list *found)
{
    ((struct ends *)ctx)->found = found->count;
}

static int listen_at(const char *address, uint16_t *io_port, int backlog)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(*io_port)};
    socklen_t len = sizeof at;
    int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    inet_pton(AF_INET, address, &at.sin_addr);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    if (backlog >= 0)
        assert_int_equal(listen(fd, backlog), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    *io_port = ntohs(at.sin_port);
    return fd;
}

static struct ends connect_to(struct event_base *base, struct herd_resolver *resolver, const char *host,
                              uint16_t port, const struct herd_sockaddr *prefer)
{
    struct ends ends = {.fd = -1};
    struct herd_connector *connector;
    const struct herd_connect_options options = {.host = host,
                                                 .port = port,
                                                 .resolve_ms = 10000,
                                                 .connect_ms = 5000,
                                                 .prefer = prefer,
                                                 .found = on_found,
                                                 .done = on_connected,
                                                 .ctx = &ends};
    assert_int_equal(herd_connect_start(&connector, base, &resolver, &options), 0);
    assert_int_equal(ends.count, 0);
    WAIT(base, ends.count == 1);
    if (ends.fd >= 0)
        close(ends.fd);
    return ends;
}

static void test_all_addresses_are_tried(void **state)
{
    (void)state;
    struct event_base *base = event_base_new();
    /* 127.0.0.2 refuses, 127.0.0.1 answers; the name has both, and an IPv6 address nobody listens on. */
    struct name_server names = {.a = true, .a_too = 2, .aaaa = true};
    uint16_t port = 0;
    name_server_open(&names, base);
    struct herd_resolver *resolver = resolver_of(base, &names);
    int listener = listen_at("127.0.0.1", &port, 5);
    struct ends ends = connect_to(base, resolver, "many.example", port, NULL);
    assert_true(ends.fd >= 0);
    assert_int_equal(ends.found, 3);
    assert_int_equal(ends.address.u.in.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    close(listener);

    listener = listen_at("127.0.0.2", &port, 5); /* it moved */
    struct herd_sockaddr before = ends.address;
    ends = connect_to(base, resolver, "many.example", port, &before);
    assert_true(ends.fd >= 0);
    assert_int_equal(ends.address.u.in.sin_addr.s_addr, htonl(0x7f000002));
    close(listener);

    ends = connect_to(base, resolver, "many.example", port, NULL);
    assert_int_equal(ends.fd, -1);
    assert_false(ends.unresolved);
    assert_string_equal(ends.why, "Connection refused");
    assert_true(ends.address.len > 0);
    herd_resolver_release(resolver);
    name_server_close(&names);
    event_base_free(base);
}

/* An address that swallows packets costs a quarter of a second, not the whole patience. */
static void test_a_dead_address_costs_little(void **state)
{
    (void)state;
    struct event_base *base = event_base_new();
    struct name_server names = {.a = true, .a_too = 2};
    uint16_t port = 0;
    int fillers[8], listener, full;
    name_server_open(&names, base);
    struct herd_resolver *resolver = resolver_of(base, &names);
    listener = listen_at("127.0.0.1", &port, 5);
    full = listen_at("127.0.0.2", &port, 0); /* a full backlog drops what comes */
    struct herd_sockaddr_list dead;
    assert_true(herd_sockaddr_list_numeric(&dead, "127.0.0.2", port));
    for (int i = 0; i < 8; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(fillers[i], &dead.at[0].u.any, dead.at[0].len);
    }
    double begin = now_s();
    struct ends ends = connect_to(base, resolver, "half.example", port, &dead.at[0]);
    assert_true(ends.fd >= 0);
    assert_int_equal(ends.address.u.in.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    assert_true(now_s() - begin > 0.2 && now_s() - begin < 2.5);
    for (int i = 0; i < 8; i++)
        close(fillers[i]);
    close(full);
    close(listener);
    herd_resolver_release(resolver);
    name_server_close(&names);
    event_base_free(base);
}

static void test_order(void **state)
{
    (void)state;
    static const char *const hosts[] = {"::1", "::2", "::3", "127.0.0.1", "127.0.0.2"};
    static const char *const plain[] = {"[::1]:9", "127.0.0.1:9", "[::2]:9", "127.0.0.2:9", "[::3]:9"};
    static const char *const preferred[] = {"127.0.0.2:9", "[::1]:9", "127.0.0.1:9", "[::2]:9", "[::3]:9"};
    struct herd_sockaddr_list list = {.count = 0}, one;
    char text[HERD_SOCKADDR_TEXT_MAX];
    for (size_t i = 0; i < 5; i++) {
        assert_true(herd_sockaddr_list_numeric(&one, hosts[i], 9));
        list.at[list.count++] = one.at[0];
    }
    struct herd_sockaddr_list again = list;
    herd_sockaddr_list_order(&list, NULL);
    for (size_t i = 0; i < 5; i++)
        assert_string_equal(herd_sockaddr_text(&list.at[i].u.any, list.at[i].len, text), plain[i]);
    herd_sockaddr_list_order(&again, &one.at[0]);
    for (size_t i = 0; i < 5; i++)
        assert_string_equal(herd_sockaddr_text(&again.at[i].u.any, again.at[i].len, text), preferred[i]);
    assert_false(herd_sockaddr_list_numeric(&one, "localhost", 9));
    assert_false(herd_sockaddr_list_numeric(&one, "a.example", 9));
}

/* ---- clients ---- */

static void on_report(void *ctx, int err, const struct herd_client_reply *reply)
{
    struct answer *answer = ctx;
    (void)reply;
    if (!answer)
        return;
    answer->count++;
    answer->err = err;
}

/* A client whose patience is shorter than the name servers' still gets through; and by the second of two addresses. */
static void test_a_client_with_slow_name_servers(void **state)
{
    (void)state;
    struct event_base *base = event_base_new();
    struct name_server names = {.a = true, .a_too = 2, .aaaa = true, .deaf = 2};
    struct herd_config *config;
    struct herd_diagnostic diagnostic;
    struct herd_server *server;
    struct herd_client *client;
    struct answer answer = {0};
    name_server_open(&names, base);
    assert_int_equal(herd_config_default(&config), 0);
    config->servers[0].port = 0; /* any, on 127.0.0.1 */
    const struct herd_server_options options = {.name = "Riley", .config = config, .dont_dial = true};
    assert_int_equal(herd_server_new(&server, base, &options, &diagnostic), 0);
    const struct herd_client_address address = {"riley.example", herd_server_port(server)};
    const struct herd_client_options client_options = {
        .servers = &address, .server_count = 1, .connect_ms = 200, .retry_min_ms = 50};
    assert_int_equal(herd_client_new(&client, base, &client_options), 0);
    client->resolver = resolver_of(base, &names);
    assert_int_equal(herd_client_report(client, herd_span_of("kiwi"), herd_span_of("+1+1"), herd_span_of(""),
                                        on_report, &answer),
                     0);
    WAIT(base, answer.count == 1);
    assert_int_equal(answer.err, 0);
    assert_int_equal(client->preferred[0].u.in.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    herd_client_free(client);
    herd_server_free(server);
    herd_config_free(config);
    for (int i = 0; i < 3; i++)
        turn(base);
    name_server_close(&names);
    event_base_free(base);
}

static void test_cancelled_connector(void **state)
{
    (void)state;
    struct event_base *base = event_base_new();
    struct name_server names = {.silent = true};
    struct herd_connector *connector;
    struct ends ends = {.fd = -1};
    name_server_open(&names, base);
    struct herd_resolver *resolver = resolver_of(base, &names);
    const struct herd_connect_options options = {.host = "slow.example",
                                                 .port = 1,
                                                 .resolve_ms = 100,
                                                 .connect_ms = 100,
                                                 .done = on_connected,
                                                 .ctx = &ends};
    assert_int_equal(herd_connect_start(&connector, base, &resolver, &options), 0);
    WAIT(base, ends.count == 1); /* its own patience ends first */
    assert_true(ends.unresolved);
    assert_string_equal(ends.why, "no name server answers");
    assert_int_equal(herd_connect_start(&connector, base, &resolver, &options), 0);
    turn(base);
    herd_connect_cancel(connector);
    herd_resolver_release(resolver);
    for (double until = now_s() + 0.3; now_s() < until;)
        turn(base);
    assert_int_equal(ends.count, 1);

    struct herd_client *client;
    const struct herd_client_address server = {"slow.example", 1};
    const struct herd_client_options client_options = {.servers = &server, .server_count = 1};
    assert_int_equal(herd_client_new(&client, base, &client_options), 0);
    client->resolver = resolver_of(base, &names);
    size_t asked = names.asked;
    assert_int_equal(
        herd_client_report(client, herd_span_of("kiwi"), herd_span_of("+1+1"), herd_span_of(""), on_report, NULL),
        0);
    WAIT(base, names.asked > asked);
    herd_client_free(client);
    for (double until = now_s() + 2.5; now_s() < until;) /* until its thread has given up */
        turn(base);
    name_server_close(&names);
    event_base_free(base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_names_and_numbers),
        cmocka_unit_test(test_freed_while_resolving),
        cmocka_unit_test(test_answer_after_the_caller_gave_up),
        cmocka_unit_test(test_all_addresses_are_tried),
        cmocka_unit_test(test_a_dead_address_costs_little),
        cmocka_unit_test(test_cancelled_connector),
        cmocka_unit_test(test_a_client_with_slow_name_servers),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
