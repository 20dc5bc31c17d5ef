/* SPDX-License-Identifier: MIT */
/* Many viewers of events: what they are sent at a tick is sent to a few in each turn of the loop, so that nobody else waits for
 * all of them; each gets it once, also when others go or come meanwhile. Fences and heartbeats likewise. */
#include "viewers_world.h"

#define VIEWERS 100
#define CLIENTS 500

static struct http_client viewers[VIEWERS + 1];

static void view(struct http_world *w, int viewer)
{
    look_on(w, &viewers[viewer], "/v1/events");
    client_expect(&viewers[viewer], "\"last\":true}");
}

static void view_fences(struct http_world *w, int viewer)
{
    look_on(w, &viewers[viewer], "/v1/events?fence=*");
    client_expect(&viewers[viewer], "event: hello");
}

static void report(struct http_world *w, const char *time)
{
    for (int i = 0; i < CLIENTS; i++) {
        char id[200];
        enum herd_verdict verdict;
        snprintf(id, sizeof id, "client-%0150d", i);
        assert_int_equal(herd_server_report(w->server, herd_span_of(id), herd_span_of("+1-1"), herd_span_of(time),
                                            NULL, &verdict),
                         0);
    }
}

static bool has_all(int viewer)
{
    return count(client_text(&viewers[viewer]), "\"Feature\"") >= CLIENTS;
}

static void test_a_few_in_each_turn(void **state)
{
    (void)state;
    struct http_world w;
    time_t end = seconds() + DEADLINE_S;
    http_world_open(&w, NULL, ",\"limits\":{\"clients_max\":300}");
    for (int i = 0; i < VIEWERS; i++)
        view(&w, i);
    for (int i = 0; i < VIEWERS; i++)
        viewers[i].got.len = 0;
    report(&w, "1");
    uint64_t most = 0, begun = w.server->http->stream_writes;
    int gone = -1;
    bool comes = false;
    for (int whole = 0; whole < VIEWERS;) {
        uint64_t sent = iterate(&w);
        most = sent > most ? sent : most;
        if (gone < 0 && w.server->http->stream_writes > begun + 3) {
            gone = 0; /* it has not been sent anything, and goes */
            client_close(&viewers[gone]);
            comes = true;
        }
        whole = gone >= 0;
        for (int i = 0; i < VIEWERS; i++) {
            if (i == gone)
                continue;
            take(&viewers[i]);
            whole += has_all(i);
        }
        if (comes) {
            view(&w, VIEWERS);
            viewers[VIEWERS].got.len = 0;
            comes = false;
        }
        assert_true(seconds() < end);
    }
    assert_in_range(most, 1, 2);
    for (int i = 0; i < VIEWERS; i++)
        if (i != gone)
            assert_int_equal(count(client_text(&viewers[i]), "\"Feature\""), CLIENTS);
    /* Who came meanwhile has seen all of it in its snapshot, and is not sent it again. */
    for (int i = 0; i < 20; i++)
        client_turn(&viewers[VIEWERS]);
    assert_int_equal(count(client_text(&viewers[VIEWERS]), "\"Feature\""), 0);
    for (int i = 0; i <= VIEWERS; i++)
        if (i != gone)
            client_close(&viewers[i]);
    http_world_close(&w);
}

static void be_at(struct http_world *w, const char *place, const char *time)
{
    enum herd_verdict verdict;
    assert_int_equal(herd_server_report(w->server, herd_span_of("kiwi"), herd_span_of(place), herd_span_of(time),
                                        NULL, &verdict),
                     0);
}

/* A message of fences is under way when the next event happens, one of its viewers goes, and another one comes, which is
 * told of the next only. */
static void test_fences_a_few_in_each_turn(void **state)
{
    (void)state;
    struct http_world w;
    const time_t end = seconds() + DEADLINE_S;
    http_world_open(&w, NULL, ",\"area\":true,\"limits\":{\"clients_max\":300}");
    put_ring(&w);
    be_at(&w, "+1+1", "1");
    for (int i = 0; i < VIEWERS; i++)
        view_fences(&w, i);
    const uint64_t begun = w.server->http->stream_writes;
    uint64_t most = 0;
    bool left = false;
    be_at(&w, "+0+0", "2");
    for (int whole = 0; whole < VIEWERS;) {
        const uint64_t sent = iterate(&w);
        most = sent > most ? sent : most;
        if (!left && w.server->http->stream_writes > begun + VIEWERS / 4) {
            be_at(&w, "+1+1", "3");
            client_close(&viewers[VIEWERS / 2]); /* it has not been sent anything */
            view_fences(&w, VIEWERS);
            left = true;
        }
        whole = left;
        for (int i = 0; left && i < VIEWERS; i++) {
            if (i == VIEWERS / 2)
                continue;
            take(&viewers[i]);
            whole += count(client_text(&viewers[i]), "event: fence") >= 2;
        }
        assert_true(seconds() < end);
    }
    assert_in_range(most, 1, 2);
    for (int i = 0; i <= VIEWERS; i++) {
        if (i == VIEWERS / 2)
            continue;
        client_turn(&viewers[i]);
        const char *text = client_text(&viewers[i]), *leave = strstr(text, "\"leave\"");
        assert_int_equal(count(text, "event: fence"), i < VIEWERS ? 2 : 1);
        assert_true(leave && !strstr(leave, "\"enter\"")); /* in the order of what happened */
        assert_int_equal(count(text, "event: lost"), 0);
        client_close(&viewers[i]);
    }
    http_world_close(&w);
}

/* Ticks without their time: each viewer has its heartbeat once in 75 of them, and no iteration has many. */
static void test_heartbeats_in_turn(void **state)
{
    (void)state;
    struct http_world w;
    http_world_open(&w, NULL, ",\"area\":true,\"limits\":{\"clients_max\":300}");
    for (int i = 0; i < VIEWERS; i++)
        view_fences(&w, i);
    struct herd_events *events = events_of(&w);
    for (int round = 1; round <= 2; round++) {
        for (int tick = 0; tick < 75; tick++) {
            uint64_t sent = 0;
            event_active(events->tick, EV_TIMEOUT, 0);
            for (int i = 0; i < 5; i++) {
                const uint64_t now = iterate(&w);
                assert_in_range(now, 0, 2);
                sent += now;
            }
            assert_in_range(sent, 1, 4); /* a hundred in 75 ticks; one tick more may come by itself */
        }
        for (int i = 0; i < VIEWERS; i++) {
            take(&viewers[i]);
            assert_in_range(count(client_text(&viewers[i]), ":\n\n"), round, round + 1);
        }
    }
    for (int i = 0; i < VIEWERS; i++)
        client_close(&viewers[i]);
    http_world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_few_in_each_turn),
        cmocka_unit_test(test_fences_a_few_in_each_turn),
        cmocka_unit_test(test_heartbeats_in_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
