/* SPDX-License-Identifier: MIT */
/* The resolver calls back whatever has become of who asked: clients and servers that are gone by then. */
#include "client_world.h"

/* Freed while a name is being looked up: whatever the resolver says later reaches nobody. */
static void test_free_while_resolving(void **state)
{
    struct world *w = *state;
    for (int turns = 0; turns < 3; turns++) {
        w->addresses[0] = (struct herd_client_address){"no-such-host.invalid", 1};
        connect_client(w, 1, (struct herd_client_options){0});
        assert_int_equal(report(w, "kiwi"), 0);
        for (int i = 0; i < turns; i++)
            event_base_loop(w->base, EVLOOP_ONCE);
        herd_client_free(w->client);
        w->client = NULL;
        event_base_loop(w->base, EVLOOP_NONBLOCK);
    }
    assert_int_equal(w->ended, 0);
}

/* The same of a server that looks its neighbour up. */
static void test_free_server_while_resolving(void **state)
{
    struct world *w = *state;
    struct herd_diagnostic diagnostic;
    herd_config_free(w->config);
    assert_int_equal(
        herd_config_parse(&w->config,
                          herd_span_of("{\"servers\": {\"A\": {\"port\": 1}, \"B\": {\"host\": "
                                       "\"no-such-host.invalid\", \"port\": 2}}, \"links\": [[\"A\", \"B\"]]}"),
                          &diagnostic),
        0);
    const struct herd_server_options options = {.name = "A", .config = w->config, .dont_listen = true};
    for (int turns = 0; turns < 3; turns++) {
        assert_int_equal(herd_server_new(&w->server, w->base, &options, &diagnostic), 0);
        for (int i = 0; i < turns; i++)
            event_base_loop(w->base, EVLOOP_NONBLOCK);
        herd_server_free(w->server);
        w->server = NULL;
        event_base_loop(w->base, EVLOOP_NONBLOCK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_free_while_resolving, setup, teardown),
        cmocka_unit_test_setup_teardown(test_free_server_while_resolving, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
