/* SPDX-License-Identifier: MIT */
/*
 * Every allocation failing once, and it with the twenty behind it, while viewers of all, of a box and of some clients look on, one
 * of which takes nothing for a while. A viewer is told all that concerns it or begins anew, or is disconnected; in the end who
 * is connected knows what there is.
 */
#include "http_story.h"

#include "viewers_world.h"

enum { ALL, BOX, SOME, LATE, FENCES, VIEWERS };
static const char *const paths[VIEWERS] = {
    "/v1/events",
    "/v1/events?bbox=-5,-5,5,5",
    "/v1/events?id=ann&id=eve",
    "/v1/events?bbox=-180,-90,180,90",
    "/v1/events?fence=*",
};
static struct http_client viewers[VIEWERS];
static uint64_t pauses; /* of the story told last */

static void turns(struct http_world *w, int count)
{
    for (int i = 0; i < count; i++) {
        arm(true);
        event_base_loop(w->base, EVLOOP_NONBLOCK);
        arm(false);
    }
}

/* A tick, without the time until it comes; LATE takes nothing. */
static void tick(struct http_world *w)
{
    struct herd_events *events = events_of(w);
    if (events->watch)
        event_active(events->tick, EV_TIMEOUT, 0);
    turns(w, 2);
    for (int i = 0; i < VIEWERS; i++)
        if (i != LATE && !viewers[i].ended)
            client_turn(&viewers[i]);
}

static void report(struct http_world *w, const char *id, const char *place)
{
    static unsigned long time = 1700000000;
    char text[32];
    enum herd_verdict verdict;
    snprintf(text, sizeof text, "%lu", ++time);
    arm(true);
    (void)herd_server_report(w->server, herd_span_of(id), herd_span_of(place), herd_span_of(text), NULL, &verdict);
    arm(false);
}

static void forget(struct http_world *w, const char *id)
{
    enum herd_verdict verdict;
    arm(true);
    (void)herd_server_delete(w->server, herd_span_of(id), NULL, &verdict);
    arm(false);
}

static void happens(struct http_world *w)
{
    char id[300];
    report(w, "ann", "+1+1");
    report(w, "eve", "+2+2");
    tick(w);
    report(w, "ann", "+50+50"); /* leaves the box */
    tick(w);
    forget(w, "eve");
    tick(w);
    for (int round = 0; round < 4; round++) { /* more than LATE is sent at once */
        for (int i = 0; i < 12; i++) {
            snprintf(id, sizeof id, "client-%0250d", i);
            report(w, id, "+3+3");
        }
        tick(w);
    }
    report(w, "ann", "+1.5+1.5");
    tick(w);
}

/* Waits until a viewer that is connected has been told of a client, or that it is gone. */
static void until_told(struct http_world *w, int viewer, const char *what)
{
    time_t end = seconds() + DEADLINE_S;
    while (!viewers[viewer].ended && !strstr(client_text(&viewers[viewer]), what)) {
        tick(w);
        client_turn(&viewers[viewer]);
        if (seconds() >= end)
            fail_msg("viewer %d is not told %s: %s", viewer, what, client_text(&viewers[viewer]));
    }
}

static void once(void)
{
    struct http_world w;
    if (http_world_try(&w, NULL,
                       ",\"area\":true,\"limits\":{\"tombstones_max\":100,\"output_pause_bytes\":4096}") >= 0) {
        for (int i = 0; i < VIEWERS; i++) {
            look_on(&w, &viewers[i], paths[i]);
            if (i == LATE)
                narrow(&w, viewers[i].fd);
        }
        pauses = w.server->http->stream_pauses;
        happens(&w);
        /* From here on there is memory. */
        http_world_arm = NULL;
        report(&w, "ann", "+1.25+1.25");
        report(&w, "zoe", "+1.125+1.125");
        for (int i = 0; i < VIEWERS; i++)
            if (i != FENCES)
                until_told(&w, i, i == SOME ? "[1.25,1.25]" : "[1.125,1.125]");
        for (int i = 0; i < VIEWERS; i++)
            client_close(&viewers[i]);
        pauses = w.server->http->stream_pauses - pauses;
        for (int turn = 0; turn < 20; turn++)
            event_base_loop(w.base, EVLOOP_NONBLOCK);
        assert_int_equal(herd_http_stream_count(w.server->http), 0);
    }
    http_world_arm = NULL;
    http_world_close(&w);
}

/* With memory LATE is left out, and told what it missed. */
static void test_paused(void **state)
{
    (void)state;
    once();
    assert_true(pauses > 0);
}

/* ---- one tick ---- */

/* Eve comes into the box and the fence, or leaves both, and a tick tells of it while an addition fails. Who is connected is
 * told in the end where she is; that an event at the fence was lost is told too. True: one failed. */
static bool tick_fails(struct http_world *w, long next, bool comes)
{
    static unsigned step;
    char place[32], told[32];
    bool failed;
    step++;
    snprintf(place, sizeof place, comes ? "+1.%04u+1" : "+50.%04u+1", step % 8000 + 1001);
    snprintf(told, sizeof told, comes ? "[1,1.%.4s" : "[1,50.%.4s", place + (comes ? 3 : 4));
    while (told[strlen(told) - 1] == '0')
        told[strlen(told) - 1] = '\0';
    for (int i = 0; i < VIEWERS; i++) {
        if (viewers[i].ended) {
            client_close(&viewers[i]);
            look_on(w, &viewers[i], paths[i]);
            turns(w, 5);
        }
        viewers[i].got.len = 0;
    }
    report(w, "eve", place);
    plan.next = next;
    plan.count = 1;
    plan.asked = plan.failed = 0;
    plan.additions = true;
    http_world_arm = set_armed;
    tick(w);
    turns(w, 10);
    http_world_arm = NULL;
    failed = plan.failed > 0;
    for (int i = 0; i < VIEWERS; i++)
        if (i == FENCES)
            until_told(w, i, "event: ");
        else if (i != BOX || comes)
            until_told(w, i, told);
        else
            until_told(w, i, "data: ");
    return failed;
}

static void test_ticks(void **state)
{
    (void)state;
    struct http_world w;
    http_world_arm = NULL;
    http_world_open(&w, NULL, ",\"area\":true");
    struct http_client c;
    client_open(&c, &w);
    client_say(&c, "PUT /v1/fences/ring HTTP/1.1\r\n" HOST
                   "Content-Type: application/json\r\nContent-Length: 96\r\n\r\n"
                   "{\"type\":\"Feature\",\"geometry\":{\"type\":\"Point\",\"coordinates\":[1,1]},"
                   "\"properties\":{\"radius\":99999}}");
    client_expect(&c, "HTTP/1.1 201 ");
    client_close(&c);
    report(&w, "eve", "+50+1");
    for (int i = 0; i < VIEWERS; i++)
        look_on(&w, &viewers[i], paths[i]);
    turns(&w, 20);
    long next = 0;
    for (bool more = true; more; next++) {
        more = tick_fails(&w, next, true);
        more = tick_fails(&w, next, false) || more;
    }
    assert_true(next > 20);
    for (int i = 0; i < VIEWERS; i++)
        client_close(&viewers[i]);
    turns(&w, 20);
    assert_int_equal(herd_http_stream_count(w.server->http), 0);
    http_world_close(&w);
}

/* A viewer lost events of fences, and there is no memory to tell it so: it is told at the next tick. */
static void test_note_of_lost_events(void **state)
{
    (void)state;
    struct http_world w;
    http_world_arm = NULL;
    http_world_open(&w, NULL, ",\"area\":true");
    for (int i = 0; i < VIEWERS; i++)
        viewers[i].ended = i != FENCES;
    look_on(&w, &viewers[FENCES], paths[FENCES]);
    client_expect(&viewers[FENCES], "event: hello");
    struct herd_events *events = events_of(&w);
    struct herd_viewer *viewer = HERD_CONTAINER_OF(events->viewers.next, struct herd_viewer, all);
    viewer->fences_lost = 3;
    herd_viewer_owe(viewer);
    plan.next = 0;
    plan.count = 1;
    plan.asked = plan.failed = 0;
    plan.additions = false;
    http_world_arm = set_armed;
    event_active(events->pump, 0, 0);
    turns(&w, 1);
    http_world_arm = NULL;
    assert_int_equal(plan.failed, 1);
    until_told(&w, FENCES, "event: lost\ndata: {\"fences\":3}");
    client_close(&viewers[FENCES]);
    turns(&w, 20);
    http_world_close(&w);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one),    cmocka_unit_test(test_twenty),
        cmocka_unit_test(test_ticks),  cmocka_unit_test(test_note_of_lost_events),
        cmocka_unit_test(test_paused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
