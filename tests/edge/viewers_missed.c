/* SPDX-License-Identifier: MIT */
/* Viewers who did not take what they were sent, and take it again: each is told what it missed, others are not told less for it,
 * and an iteration of the loop tells few of them. Ticks come when the test says. */
#include "viewers_world.h"

#define BOX     "/v1/events?bbox=-5,-5,5,5"
#define VIEWERS 50

static void report(struct http_world *w, const char *id, const char *place)
{
    static unsigned long time = 1700000000;
    char text[32];
    enum herd_verdict verdict;
    snprintf(text, sizeof text, "%lu", ++time);
    assert_int_equal(
        herd_server_report(w->server, herd_span_of(id), herd_span_of(place), herd_span_of(text), NULL, &verdict),
        0);
}

static void turns(struct http_world *w)
{
    for (int i = 0; i < 20; i++)
        event_base_loop(w->base, EVLOOP_NONBLOCK);
}

static void tick(struct http_world *w)
{
    struct event *event = events_of(w)->tick;
    event_active(event, EV_TIMEOUT, 0);
    event_base_loop(w->base, EVLOOP_NONBLOCK);
    event_del(event); /* libevent set its timer again */
    turns(w);
}

static void open_world(struct http_world *w)
{
    http_world_open(w, NULL, ",\"area\":true,\"limits\":{\"output_pause_bytes\":4096}");
}

static void watch_narrow(struct http_world *w, struct http_client *viewer, const char *path, const char *until)
{
    look_on(w, viewer, path);
    narrow(w, viewer->fd);
    client_expect(viewer, until);
    event_del(events_of(w)->tick);
}

/* Ticks, until so many viewers who take nothing are paused. */
static void pause_all(struct http_world *w, size_t viewers)
{
    const uint64_t before = w->server->http->stream_pauses;
    const time_t end = seconds() + DEADLINE_S;
    while (w->server->http->stream_pauses < before + viewers) {
        char id[300];
        for (int i = 0; i < 12; i++) {
            snprintf(id, sizeof id, "client-%0250d", i);
            report(w, id, "+3+3");
        }
        tick(w);
        assert_true(seconds() < end);
    }
}

/* ---- a box ---- */

struct box {
    struct http_world w;
    struct http_client steady, late; /* two who see the same */
};

static void open_box(struct box *box, const char *kiwi_at)
{
    open_world(&box->w);
    report(&box->w, "kiwi", kiwi_at);
    look_on(&box->w, &box->steady, BOX);
    client_expect(&box->steady, "\"last\":true}");
    watch_narrow(&box->w, &box->late, BOX, "\"last\":true}");
    pause_all(&box->w, 1);
    report(&box->w, "kiwi", kiwi_at); /* what the late one missed */
    tick(&box->w);
}

/* Where the last word on kiwi is, of all that a viewer was told; NULL: there is none. */
static const char *last_of_kiwi(struct http_client *viewer)
{
    const char *last = NULL, *at = client_text(viewer);
    for (; (at = strstr(at, "\"/v1/clients/kiwi\"")); at++)
        last = at;
    return last;
}

/* Whether that is where it is: a feature has its href behind a name, a list of who left has none. */
static bool shows_kiwi(struct http_client *viewer)
{
    const char *last = last_of_kiwi(viewer);
    return last && last[-1] == ':';
}

static bool has_lost_kiwi(struct http_client *viewer)
{
    const char *last = last_of_kiwi(viewer);
    return last && last[-1] != ':';
}

/* The late one is told what it missed: where kiwi is now, which no tick has told of. */
static void catch_up(struct box *box)
{
    const time_t end = seconds() + DEADLINE_S;
    do {
        take(&box->late);
        iterate(&box->w);
        assert_true(seconds() < end);
    } while (events_of(&box->w)->owed_count > 0 || !last_of_kiwi(&box->late));
}

static void close_box(struct box *box)
{
    client_close(&box->steady);
    client_close(&box->late);
    http_world_close(&box->w);
}

static void test_others_are_told_who_left(void **state)
{
    (void)state;
    struct box box;
    open_box(&box, "+1+1");
    report(&box.w, "kiwi", "+50+50");
    catch_up(&box);
    assert_true(has_lost_kiwi(&box.late));
    assert_false(has_lost_kiwi(&box.steady));
    tick(&box.w);
    take(&box.steady);
    assert_true(has_lost_kiwi(&box.steady));
    close_box(&box);
}

static void test_one_is_told_who_left(void **state)
{
    (void)state;
    struct box box;
    open_box(&box, "+50+50");
    report(&box.w, "kiwi", "+1+1");
    catch_up(&box);
    assert_true(shows_kiwi(&box.late));
    report(&box.w, "kiwi", "+50+50"); /* before any tick */
    tick(&box.w);
    take(&box.late);
    assert_true(has_lost_kiwi(&box.late));
    close_box(&box);
}

/* ---- many ---- */

static struct http_client viewers[VIEWERS];

/* All take what there is at a time, until each has been told; how many messages an iteration sent at most. */
static uint64_t most_until_told(struct http_world *w, const char *what)
{
    const time_t end = seconds() + DEADLINE_S;
    uint64_t most = 0;
    for (int told = 0; told < VIEWERS;) {
        const uint64_t sent = iterate(w);
        most = sent > most ? sent : most;
        told = 0;
        for (int i = 0; i < VIEWERS; i++) {
            take(&viewers[i]);
            told += strstr(client_text(&viewers[i]), what) != NULL;
        }
        assert_true(seconds() < end);
    }
    return most;
}

static void test_missed_few_an_iteration(void **state)
{
    (void)state;
    struct http_world w;
    open_world(&w);
    for (int i = 0; i < VIEWERS; i++)
        watch_narrow(&w, &viewers[i], "/v1/events", "\"last\":true}");
    pause_all(&w, VIEWERS);
    report(&w, "kiwi", "+1+1");
    tick(&w);
    assert_in_range(most_until_told(&w, "\"id\":\"kiwi\""), 1, 2);
    for (int i = 0; i < VIEWERS; i++) {
        assert_int_equal(count(client_text(&viewers[i]), "\"id\":\"kiwi\",\"geometry\""), 1);
        client_close(&viewers[i]);
    }
    http_world_close(&w);
}

static void test_lost_few_an_iteration(void **state)
{
    (void)state;
    struct http_world w;
    open_world(&w);
    put_ring(&w);
    report(&w, "kiwi", "+1+1");
    for (int i = 0; i < VIEWERS; i++)
        watch_narrow(&w, &viewers[i], "/v1/events?fence=*", "event: hello");
    const struct herd_events *events = events_of(&w);
    const time_t end = seconds() + DEADLINE_S;
    for (bool inside = true; events->owed_count < VIEWERS; inside = !inside) {
        report(&w, "kiwi", inside ? "+0+0" : "+1+1");
        turns(&w);
        assert_true(seconds() < end);
    }
    assert_in_range(most_until_told(&w, "event: lost"), 1, 2);
    for (int i = 0; i < VIEWERS; i++)
        client_close(&viewers[i]);
    http_world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_others_are_told_who_left),
        cmocka_unit_test(test_one_is_told_who_left),
        cmocka_unit_test(test_missed_few_an_iteration),
        cmocka_unit_test(test_lost_few_an_iteration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
