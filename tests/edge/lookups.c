/* SPDX-License-Identifier: MIT */
/* Names that are looked up: each look-up ends once, says why, and leaves nothing open. */
#include "../unit/cm.h"
#include "../unit/open_files.h"
#include "network_fakes.h"

#include "resolver.h"

#include <herd/types.h>

#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

struct answer {
    struct herd_resolver_call **cancels; /* NULL, or another call that it ends */
    unsigned count;
    struct herd_sockaddr_list found;
    char why[64];
    bool local;
};

static void on_resolved(void *ctx, const struct herd_sockaddr_list *found, const char *why, bool local)
{
    struct answer *answer = ctx;
    answer->count++;
    answer->found = *found;
    answer->local = local;
    snprintf(answer->why, sizeof answer->why, "%s", why ? why : "");
    if (answer->cancels)
        herd_resolver_cancel(*answer->cancels);
}

static struct answer look_up(struct herd_resolver *resolver, const char *host)
{
    struct answer answer = {0};
    struct herd_resolver_call *call = NULL;
    assert_int_equal(herd_resolver_lookup(resolver, host, 9, on_resolved, &answer, &call), 0);
    assert_int_equal(answer.count, 0);
    until(answer.count > 0);
    assert_int_equal(answer.count, 1);
    return answer;
}

static void test_answers(void **state)
{
    (void)state;
    static const struct {
        int code;
        const char *why;
        bool local;
    } rows[] = {
        {EAI_NONAME, "the name is not known", false},
        {EAI_AGAIN, "no name server answers", false},
        {EAI_MEMORY, "out of memory", true},
        {EAI_FAIL, "the name servers refuse", false},
        {-5 /* EAI_NODATA */, "the name has no address", false},
        {EAI_SYSTEM, "the name cannot be resolved", true},
        {EAI_SERVICE, "the name cannot be resolved", false},
    };
    struct herd_resolver *resolver = NULL;
    assert_int_equal(herd_resolver_new(&resolver, base), 0);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char host[16];
        snprintf(host, sizeof host, "code %d", rows[i].code);
        struct answer answer = look_up(resolver, host);
        assert_string_equal(answer.why, rows[i].why);
        assert_int_equal(answer.local, rows[i].local);
        assert_int_equal(answer.found.count, 0);
    }
    static const struct {
        const char *host;
        size_t count;
        const char *why;
    } lists[] = {
        {"unix", 0, "the name has no address"},
        {"long", 0, "the name has no address"},
        {"127.0.0.1 unix ::1 long 127.0.0.2", 3, ""},
        {"::1 ::1 ::2 127.0.0.1 127.0.0.1 ::1", 3, ""},
        {"127.0.0.1 127.0.0.2 127.0.0.3 127.0.0.4 127.0.0.5 127.0.0.6 127.0.0.7 127.0.0.8 127.0.0.9 ::1 ::2 ::3 "
         "::4 ::5 "
         "::6 ::7 ::8 ::9",
         HERD_SOCKADDRS_MAX, ""},
    };
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        struct answer answer = look_up(resolver, lists[i].host);
        assert_string_equal(answer.why, lists[i].why);
        assert_false(answer.local);
        assert_int_equal(answer.found.count, lists[i].count);
    }
    static const char *const servers[] = {"", "x", "127.0.0.1:x", "[::1]:53"};
    for (size_t i = 0; i < sizeof servers / sizeof servers[0]; i++)
        assert_int_equal(herd_resolver_nameserver(resolver, servers[i]), HERD_E_ADDRESS);
    herd_resolver_release(resolver);
}

static void test_lookups_that_cannot_begin(void **state)
{
    (void)state;
    static const struct {
        const char *call;
        unsigned first;
    } made[] = {{"calloc", 1}, {"calloc", 2}, {"eventfd", 1}, {"pthread_mutex_init", 1}, {"event_new", 1}},
      begun[] = {{"calloc", 1}, {"calloc", 2}, {"calloc", 3}, {"event_add", 1}},
      threads[] = {{"pthread_attr_init", 1}, {"pthread_create", 1}};
    const unsigned files = open_files();
    struct herd_resolver *resolver = NULL;
    for (size_t i = 0; i < sizeof made / sizeof made[0]; i++) {
        arm(made[i].call, made[i].first, ENFILE);
        assert_int_equal(herd_resolver_new(&resolver, base), HERD_E_NOMEM);
        disarm();
        assert_int_equal(open_files(), files);
    }
    assert_int_equal(herd_resolver_new(&resolver, base), 0);
    for (size_t i = 0; i < sizeof begun / sizeof begun[0]; i++) {
        struct answer answer = {0};
        struct herd_resolver_call *call = NULL;
        arm(begun[i].call, begun[i].first, ENOMEM);
        assert_int_equal(herd_resolver_lookup(resolver, "127.0.0.1 ", 9, on_resolved, &answer, &call),
                         HERD_E_NOMEM);
        disarm();
        assert_int_equal(event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED), 0); /* the loop may end */
        answer = look_up(resolver, "127.0.0.1 ");
        assert_string_equal(answer.why, "");
    }
    for (size_t i = 0; i < sizeof threads / sizeof threads[0]; i++) {
        arm(threads[i].call, threads[i].first, ENOMEM);
        struct answer answer = look_up(resolver, "127.0.0.1 ");
        disarm();
        assert_string_equal(answer.why, "no thread for the look-up");
        assert_true(answer.local);
        assert_string_equal(look_up(resolver, "127.0.0.1 ").why, "");
    }
    herd_resolver_release(resolver);
    until(open_files() == files || event_base_loop(base, EVLOOP_NONBLOCK) < 0);
}

/* Of several that ask for the same, one is told and takes the next one's question back; and one that cannot be begun beside them
 * changes nothing for them. */
static void test_lookups_together(void **state)
{
    (void)state;
    struct herd_resolver *resolver = NULL;
    struct herd_resolver_call *calls[3] = {NULL}, *none = NULL;
    struct answer told[3] = {{.cancels = &calls[1]}, {.count = 0}, {.count = 0}}, never = {.count = 0};
    for (int count = 2; count <= 3; count++) {
        told[0].count = told[1].count = told[2].count = 0;
        set_gate(false);
        assert_int_equal(herd_resolver_new(&resolver, base), 0);
        for (int i = 0; i < count; i++)
            assert_int_equal(herd_resolver_lookup(resolver, "gate", 9, on_resolved, &told[i], &calls[i]), 0);
        arm("calloc", 2, ENOMEM);
        assert_int_equal(herd_resolver_lookup(resolver, "127.0.0.1 ", 9, on_resolved, &never, &none), HERD_E_NOMEM);
        disarm();
        set_gate(true);
        until(told[0].count > 0 && (count == 2 || told[2].count > 0));
        assert_int_equal(told[0].count, 1);
        assert_int_equal(told[1].count, 0);
        assert_int_equal(told[2].count, count - 2);
        assert_int_equal(event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED), 0);
        herd_resolver_release(resolver);
    }
    assert_int_equal(never.count, 0);
}

enum { MANY = 40, AT_ONCE = 32 };

/* So many run at once; the others wait, are joined by who asks for the same, and go if nobody wants them any more. */
static void test_many_lookups(void **state)
{
    (void)state;
    static struct answer answers_of[MANY], again, last;
    struct herd_resolver_call *calls[MANY] = {0}, *second = NULL, *third = NULL;
    struct herd_resolver *resolver = NULL;
    char host[16];
    memset(answers_of, 0, sizeof answers_of);
    memset(&again, 0, sizeof again);
    memset(&last, 0, sizeof last);
    set_gate(false);
    assert_int_equal(herd_resolver_new(&resolver, base), 0);
    for (int i = 0; i < MANY; i++) {
        snprintf(host, sizeof host, "gate %d", i);
        assert_int_equal(herd_resolver_lookup(resolver, host, 9, on_resolved, &answers_of[i], &calls[i]), 0);
    }
    while (gate_now().waiting < AT_ONCE)
        usleep(1000);
    assert_int_equal(gate_now().asked, AT_ONCE);
    /* The one before the last twice; the last twice, and then not at all. */
    assert_int_equal(herd_resolver_lookup(resolver, "gate 38", 9, on_resolved, &again, &second), 0);
    assert_int_equal(herd_resolver_lookup(resolver, "gate 39", 9, on_resolved, &last, &third), 0);
    herd_resolver_cancel(calls[39]);
    herd_resolver_cancel(third);
    herd_resolver_cancel(calls[0]); /* its thread goes on */
    set_gate(true);
    until(answers_of[MANY - 2].count > 0 && again.count > 0);
    for (int i = 1; i < MANY - 1; i++)
        until(answers_of[i].count > 0);
    for (int i = 1; i < MANY - 1; i++) {
        assert_int_equal(answers_of[i].count, 1);
        assert_string_equal(answers_of[i].why, "");
        assert_int_equal(answers_of[i].found.count, 1);
    }
    assert_int_equal(answers_of[0].count + answers_of[39].count + last.count, 0);
    assert_int_equal(gate_now().asked, MANY - 1);
    assert_int_equal(gate_now().most, AT_ONCE);
    herd_resolver_release(resolver);
}

/* Begins look-ups, the names of which have these numbers, and cancels them; their threads are done afterwards, and what they found
 * is the resolver's. */
static void cancel_many(struct herd_resolver *resolver, const char *kind, int from, int count)
{
    struct herd_resolver_call *calls[AT_ONCE];
    struct answer never = {0};
    char host[16];
    const unsigned before = gate_now().finished;
    set_gate(false);
    for (int i = 0; i < count; i++) {
        snprintf(host, sizeof host, "%s %d", kind, from + i);
        assert_int_equal(herd_resolver_lookup(resolver, host, 9, on_resolved, &never, &calls[i]), 0);
    }
    for (int i = 0; i < count; i++)
        herd_resolver_cancel(calls[i]);
    set_gate(true);
    while (gate_now().finished != before + (unsigned)count)
        usleep(1000);
    (void)look_up(resolver, "127.0.0.8 ");
    assert_int_equal(never.count, 0);
}

/* What nobody waited for any more is kept for who asks again: half a minute, and so many. */
static void test_kept(void **state)
{
    (void)state;
    struct herd_resolver *resolver = NULL;
    assert_int_equal(herd_resolver_new(&resolver, base), 0);
    for (int batch = 0; batch < 3; batch++)
        cancel_many(resolver, "gate", batch * 30, 30);
    unsigned asked = gate_now().asked;
    assert_string_equal(look_up(resolver, "gate 3").why, "");
    assert_int_equal(gate_now().asked, asked); /* it was there */
    struct answer answer = {0};
    struct herd_resolver_call *call = NULL;
    assert_int_equal(herd_resolver_lookup(resolver, "gate 4", 10, on_resolved, &answer, &call), 0);
    until(answer.count == 1);
    assert_int_equal(gate_now().asked, asked + 1); /* another port is another look-up */
    asked = gate_now().asked;
    for (int i = 60; i < 90; i++) {
        char host[16];
        snprintf(host, sizeof host, "gate %d", i);
        assert_string_equal(look_up(resolver, host).why, "");
    }
    assert_int_equal(gate_now().asked, asked + 90 - 64); /* those beyond 64 were not kept */
    clock_ahead_s = 40;
    asked = gate_now().asked;
    assert_string_equal(look_up(resolver, "gate 5").why, "");
    assert_int_equal(gate_now().asked, asked + 1); /* too old */
    /* What was found to be no name is not kept; nor is anything that was forgotten. */
    cancel_many(resolver, "code -2", 0, 1);
    cancel_many(resolver, "gate", 100, 1);
    herd_resolver_flush(resolver);
    asked = gate_now().asked;
    assert_string_equal(look_up(resolver, "gate 100").why, "");
    assert_string_equal(look_up(resolver, "code -2 0").why, "the name is not known");
    assert_int_equal(gate_now().asked, asked + 2);
    /* One that was old when it was taken is not kept. */
    struct answer never = {0};
    const unsigned finished = gate_now().finished;
    assert_int_equal(herd_resolver_lookup(resolver, "gate 200", 9, on_resolved, &never, &call), 0);
    herd_resolver_cancel(call);
    while (gate_now().finished != finished + 1)
        usleep(1000);
    clock_ahead_s = 80;
    asked = gate_now().asked;
    assert_string_equal(look_up(resolver, "gate 200").why, "");
    assert_int_equal(gate_now().asked, asked + 1);
    assert_int_equal(never.count, 0);
    herd_resolver_release(resolver);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_answers), TEST(test_lookups_that_cannot_begin), TEST(test_many_lookups),
        TEST(test_kept),    TEST(test_lookups_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
