/* SPDX-License-Identifier: MIT */
/* Many viewers of events: what they are sent at a tick is sent to a few in each turn of the loop, so that nobody else waits for
 * all of them; each gets it once, also when others go or come meanwhile. */
#include "http_world.h"

#define VIEWERS 100
#define CLIENTS 500

static struct http_client viewers[VIEWERS + 1];

static void view(struct http_world *w, int viewer)
{
    client_open(&viewers[viewer], w);
    client_say(&viewers[viewer], "GET /v1/events HTTP/1.1\r\n" HOST "\r\n");
    client_expect(&viewers[viewer], "\"last\":true}");
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

static size_t count(const char *text, const char *word)
{
    size_t n = 0;
    for (const char *at = text; (at = strstr(at, word)); at += strlen(word))
        n++;
    return n;
}

/* What has come, without a turn of the loop. */
static void take(struct http_client *c)
{
    char bytes[65536];
    ssize_t n;
    while ((n = recv(c->fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
        assert_int_equal(herd_buf_add(&c->got, bytes, (size_t)n), 0);
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
        uint64_t before = w.server->http->stream_writes;
        event_base_loop(w.base,
                        EVLOOP_NONBLOCK | EVLOOP_ONCE); /* else it goes round for as long as there is work */
        uint64_t sent = w.server->http->stream_writes - before;
        most = sent > most ? sent : most;
        if (gone < 0 && w.server->http->stream_writes > begun + 3) {
            gone = VIEWERS - 1; /* it has not been sent anything, and goes */
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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_few_in_each_turn)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
