/* SPDX-License-Identifier: MIT */
/* Every allocation of a reload failing once: the former configuration is in force then, or the new one is, never
 * something between. */
#include "failing_memory.h"
#include "two_servers.h"

#include "server_impl.h"

#include <stdlib.h>

static struct {
    long next;
    bool armed, met;
} plan;

static bool fails_now(void)
{
    if (!plan.armed || plan.next-- != 0)
        return false;
    plan.met = true;
    return true;
}

static const char before[] =
    "{\"servers\":{\"a\":{\"port\":1},\"b\":{\"port\":2},\"c\":{\"port\":3},\"d\":{\"port\":4,"
    "\"plain\":true}},\"links\":[[\"a\",\"b\"],[\"a\",\"c\"],[\"a\",\"d\"]]}";
static const char after[] =
    "{\"servers\":{\"a\":{\"port\":1},\"e\":{\"port\":5},\"f\":{\"port\":6,\"plain\":true},"
    "\"b\":{\"port\":7,\"plain\":true},\"d\":{\"port\":4}},\"links\":[[\"a\",\"e\"],[\"a\",\"f\"],"
    "[\"a\",\"b\"],[\"a\",\"d\"]],\"limits\":{\"records_max\":7},\"places\":{\"provider\":"
    "\"embedded\",\"timeout_ms\":9}}";

/* "b c d*": the neighbours by name, a star behind those that are plain. */
static void neighbours(struct herd_node *node, char ret[64])
{
    size_t len = 0;
    for (size_t i = 0; i < herd_node_peer_count(node); i++) {
        struct herd_span name = herd_node_peer_name(node, i);
        if (!name.len)
            continue;
        memcpy(ret + len, name.at, name.len);
        len += name.len;
        if (herd_node_peer_plain(node, i))
            ret[len++] = '*';
        ret[len++] = ' ';
    }
    ret[len] = '\0';
}

static bool story(long next)
{
    struct event_base *base = event_base_new();
    struct herd_config *old, *new;
    struct herd_server *server;
    struct herd_diagnostic diagnostic = {0};
    char names[64];
    assert_int_equal(herd_config_parse(&old, herd_span_of(before), &diagnostic), 0);
    assert_int_equal(herd_config_parse(&new, herd_span_of(after), &diagnostic), 0);
    struct herd_server_options options = {.name = "a", .config = old, .dont_listen = true, .dont_dial = true};
    assert_int_equal(herd_server_new(&server, base, &options, &diagnostic), 0);
    struct herd_places *places = server->places;
    plan = (__typeof__(plan)){.next = next, .armed = true};
    int err = herd_server_reload(server, new, &diagnostic);
    plan.armed = false;
    neighbours(server->node, names);
    if (err < 0) {
        assert_int_equal(err, HERD_E_NOMEM);
        assert_true(plan.met && diagnostic.message[0]);
        assert_string_equal(names, "b c d* ");
        assert_ptr_equal(server->config, old);
        assert_ptr_equal(server->places, places);
        assert_int_equal(server->limits->records_max, 1000000);
        assert_int_equal(herd_server_reload(server, new, &diagnostic), 0);
        neighbours(server->node, names);
    }
    assert_string_equal(names, "b* d e f* ");
    assert_ptr_equal(server->config, new);
    assert_true(server->places != places);
    assert_int_equal(server->limits->records_max, 7);
    herd_config_free(old); /* of no more use to it */
    for (int i = 0; i < 3; i++)
        event_base_loop(base, EVLOOP_NONBLOCK);
    herd_server_free(server);
    herd_config_free(new);
    event_base_free(base);
    return plan.met;
}

static void test_each_fails_once(void **state)
{
    (void)state;
    long next = 0;
    while (story(next))
        next++;
    print_message("%ld allocations, each failed once\n", next);
    assert_true(next > 10);
}

static void test_not_while_it_stops(void **state)
{
    (void)state;
    struct event_base *base = event_base_new();
    struct herd_config *config;
    struct herd_server *server;
    struct herd_diagnostic diagnostic = {0};
    assert_int_equal(herd_config_parse(&config, herd_span_of(before), &diagnostic), 0);
    struct herd_server_options options = {.name = "a", .config = config, .dont_listen = true, .dont_dial = true};
    assert_int_equal(herd_server_new(&server, base, &options, &diagnostic), 0);
    assert_int_equal(herd_server_reload(server, NULL, &diagnostic), 0);
    herd_server_stop(server, 10);
    assert_int_equal(herd_server_reload(server, config, &diagnostic), HERD_E_STATE);
    assert_string_equal(diagnostic.message, "the server is stopping");
    herd_server_free(server);
    herd_config_free(config);
    event_base_free(base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_fails_once),
        cmocka_unit_test(test_not_while_it_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
