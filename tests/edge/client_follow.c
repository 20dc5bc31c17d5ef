/* SPDX-License-Identifier: MIT */
/* The client of the library where SEE sends it: to servers that are right, dead, foreign, or send it in circles. */
#include "client_world.h"

#include <herd/protocol.h>

#define CONNS_MAX 700

/* A server of the test's own: answers each line, in its way. */
struct desk {
    enum { SAY_AT, SAY_SEE, SAY_TEXT, SAY_NOTHING, HANG_UP } way;
    struct evconnlistener *listener;
    struct bufferevent *bevs[CONNS_MAX];
    size_t conns, lines;
    struct herd_client_address to[2]; /* SEE names them in turn */
    size_t to_count;
    unsigned wrong_by; /* added to each bucket */
    bool spread;       /* SEE names another address of loopback for each line */
    const char *text;
    size_t text_len;
};

static struct desk desks[3];

static void answer(struct desk *desk, struct bufferevent *bev, const char *line)
{
    struct herd_command asked;
    struct herd_buf out = {0};
    assert_true(herd_command_parse(herd_span_of(line), &asked) != HERD_INVALID);
    desk->lines++;
    switch (desk->way) {
    case SAY_AT:
        herd_format_at(&out, herd_span_of("Desk"), herd_span_of("+0.1"), asked.id, herd_span_of(KIWI),
                       asked.verb == HERD_IAMAT ? asked.time : herd_span_of("5"));
        if (asked.verb == HERD_WHATSAT)
            herd_buf_add_text(&out, "{}\n\n");
        break;
    case SAY_SEE: {
        const struct herd_client_address *to = &desk->to[desk->lines % desk->to_count];
        char host[32];
        snprintf(host, sizeof host, "127.0.%zu.%zu", desk->lines / 200 + 1, desk->lines % 200 + 1);
        unsigned bucket = (herd_bucket(asked.id, 0) + desk->wrong_by) % HERD_BUCKETS;
        herd_format_see(&out, herd_span_of(desk->spread ? host : to->host), to->port, bucket);
        break;
    }
    case SAY_TEXT: herd_buf_add(&out, desk->text, desk->text_len); break;
    default: break;
    }
    if (out.len)
        bufferevent_write(bev, out.at, out.len);
    herd_buf_fini(&out);
}

static void on_read(struct bufferevent *bev, void *arg)
{
    struct desk *desk = arg;
    char *line;
    if (desk->way == HANG_UP) {
        for (size_t i = 0; i < desk->conns; i++)
            if (desk->bevs[i] == bev)
                desk->bevs[i] = NULL;
        desk->lines++;
        bufferevent_free(bev);
        return;
    }
    while ((line = evbuffer_readln(bufferevent_get_input(bev), NULL, EVBUFFER_EOL_LF))) {
        answer(desk, bev, line);
        free(line);
    }
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from, int len,
                      void *arg)
{
    (void)from;
    (void)len;
    struct desk *desk = arg;
    struct bufferevent *bev = bufferevent_socket_new(evconnlistener_get_base(listener), fd, BEV_OPT_CLOSE_ON_FREE);
    assert_true(bev && desk->conns < CONNS_MAX);
    desk->bevs[desk->conns++] = bev;
    bufferevent_setcb(bev, on_read, NULL, NULL, desk);
    bufferevent_enable(bev, EV_READ | EV_WRITE);
}

static struct herd_client_address open_desk(struct world *w, size_t i, int way)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
    desks[i].way = way;
    desks[i].listener = evconnlistener_new_bind(w->base, on_accept, &desks[i], LEV_OPT_CLOSE_ON_FREE, 512,
                                                (struct sockaddr *)&in, sizeof in);
    assert_non_null(desks[i].listener);
    return (struct herd_client_address){"127.0.0.1", port_of(evconnlistener_get_fd(desks[i].listener))};
}

static void see(size_t i, struct herd_client_address to)
{
    desks[i].to[desks[i].to_count++] = to;
}

static int begin(void **state)
{
    memset(desks, 0, sizeof desks);
    return setup(state);
}

static int finish(void **state)
{
    struct world *w = *state;
    herd_client_free(w->client);
    w->client = NULL;
    for (size_t i = 0; i < 3; i++) {
        if (desks[i].listener)
            evconnlistener_free(desks[i].listener);
        for (size_t j = 0; j < desks[i].conns; j++)
            if (desks[i].bevs[j])
                bufferevent_free(desks[i].bevs[j]);
    }
    return teardown(state);
}

static void report_many(struct world *w, int count)
{
    for (int i = 0; i < count; i++) {
        char id[16];
        snprintf(id, sizeof id, "id%d", i);
        assert_int_equal(i % 4 ? report(w, id) : report(w, id) + whatsat(w, id), 0);
    }
}

static void all_ended(const struct world *w, int err)
{
    for (size_t i = 0; i < w->ended; i++)
        assert_int_equal(w->errs[i], err);
}

static const uint64_t no_key = 0;

/* What was learned once is known from then on, with the key of the buckets and without. */
static void test_follow(void **state)
{
    struct world *w = *state;
    for (int keyed = 0; keyed < 2; keyed++) {
        if (keyed) {
            finish(state);
            begin(state);
            w = *state;
        }
        w->addresses[0] = open_desk(w, 0, SAY_SEE);
        see(0, serve(w));
        connect_client(w, 1, (struct herd_client_options){.follow = true, .bucket_key = keyed ? &no_key : NULL});
        report_many(w, 100);
        assert_int_equal(herd_client_pending(w->client), 125);
        run(w, 125);
        all_ended(w, 0);
        assert_int_equal(w->last_server, 1); /* server_count: followed to */
        assert_int_equal(w->ups, 2);
        size_t asked = desks[0].lines;
        assert_int_equal(asked, 125);
        report_many(w, 100);
        run(w, 250);
        all_ended(w, 0);
        assert_true(desks[0].lines - asked < 10); /* ids that share a place are asked again */
        assert_true(!keyed || desks[0].lines == asked);
        assert_int_equal(herd_client_pending(w->client), 0);
    }
}

static void test_not_asked_to_follow(void **state)
{
    struct world *w = *state;
    w->addresses[0] = open_desk(w, 0, SAY_SEE);
    see(0, serve(w));
    connect_client(w, 1, (struct herd_client_options){0});
    assert_int_equal(report(w, "kiwi") + whatsat(w, "kiwi"), 0);
    run(w, 2);
    all_ended(w, HERD_E_ADDRESS);
    assert_int_equal(w->downs, 0);
}

/* A, B, A, B: each request ends after three SEE, and nothing goes on behind its back. */
static void test_circle(void **state)
{
    struct world *w = *state;
    w->addresses[0] = open_desk(w, 0, SAY_SEE);
    see(0, open_desk(w, 1, SAY_SEE));
    see(1, w->addresses[0]);
    connect_client(w, 1, (struct herd_client_options){.follow = true});
    assert_int_equal(report(w, "kiwi") + whatsat(w, "kiwi"), 0);
    run(w, 2);
    all_ended(w, HERD_E_ADDRESS);
    assert_true(desks[0].lines + desks[1].lines <= 8);
    /* to itself */
    desks[0].to_count = 0;
    see(0, w->addresses[0]);
    size_t before = desks[0].lines + desks[1].lines;
    assert_int_equal(report(w, "another"), 0);
    run(w, 3);
    all_ended(w, HERD_E_ADDRESS);
    assert_true(desks[0].lines + desks[1].lines - before <= 4);
}

/* Three hops are followed. */
static void test_three_hops(void **state)
{
    struct world *w = *state;
    w->addresses[0] = open_desk(w, 0, SAY_SEE);
    see(0, open_desk(w, 1, SAY_SEE));
    see(1, open_desk(w, 2, SAY_SEE));
    see(2, serve(w));
    connect_client(w, 1, (struct herd_client_options){.follow = true});
    report_many(w, 20);
    run(w, 25);
    all_ended(w, 0);
}

/* Junk is a server's nonsense: it is left for the next. */
static void test_junk(void **state)
{
    (void)state;
    static char long_name[70000], long_line[70001];
    memset(long_name, 'a', sizeof long_name);
    memcpy(long_name, "SEE ", 4);
    memcpy(long_line, long_name, sizeof long_name);
    memcpy(long_line + sizeof long_name - 9, " 12000 1\n", 9);
    long_line[sizeof long_name] = '\n';
    const struct {
        const char *text;
        size_t len;
    } rows[] = {
#define TEXT(text) {text, sizeof(text) - 1}
        TEXT("SEE \n"),
        TEXT("SEE a\n"),
        TEXT("SEE a 1\n"),
        TEXT("SEE a 0 1\n"),
        TEXT("SEE a 65536 1\n"),
        TEXT("SEE a 99999999999999999999 1\n"),
        TEXT("SEE a 1 4096\n"),
        TEXT("SEE a 1 -1\n"),
        TEXT("SEE a 1 1 1\n"),
        TEXT("SEE a\0b 1 1\n"),
        TEXT("SEE http://a 1 1\n"),
        TEXT("SEE [::1] 1 1\n"),
        TEXT("SEE \xff 1 1\n"),
        TEXT("SEE\ta 1 1\n"),
        TEXT("SEEa 1 1\n"),
        TEXT("SE\n"),
        {long_name, sizeof long_name}, /* whose end does not come */
        {long_line, sizeof long_name},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        void *one = NULL;
        begin(&one);
        struct world *w = one;
        w->addresses[0] = open_desk(w, 0, SAY_TEXT);
        desks[0].text = rows[i].text;
        desks[0].text_len = rows[i].len;
        w->addresses[1] = serve(w);
        connect_client(w, 2, (struct herd_client_options){.follow = true});
        assert_int_equal(report(w, "kiwi") + whatsat(w, "kiwi"), 0);
        run(w, 2);
        if (w->errs[0] || w->errs[1] || w->downs != 1 || w->last_server != 1)
            fail_msg("row %zu: %d %d, %u ends", i, w->errs[0], w->errs[1], w->downs);
        finish(&one);
    }
}

/* A server that knows another key is none of this set. */
static void test_other_key(void **state)
{
    struct world *w = *state;
    w->addresses[0] = open_desk(w, 0, SAY_SEE);
    desks[0].wrong_by = 1;
    w->addresses[1] = serve(w);
    see(0, w->addresses[1]);
    connect_client(w, 2, (struct herd_client_options){.follow = true, .bucket_key = &no_key});
    assert_int_equal(report(w, "kiwi"), 0);
    run(w, 1);
    all_ended(w, 0);
    assert_int_equal(w->downs, 1);
}

/* Dead, hanging up, silent, or something else altogether: what was sent there is asked again at home, which names another. */
static void test_servers_of_no_use(void **state)
{
    (void)state;
    static const char smtp[] = "220 mail.example ESMTP\r\n500 what?\r\n";
    for (int kind = 0; kind < 4; kind++) {
        void *one = NULL;
        begin(&one);
        struct world *w = one;
        w->addresses[0] = open_desk(w, 0, SAY_SEE);
        see(0, serve(w));
        see(0, kind == 0 ? unused_address(w)
                         : open_desk(w, 1,
                                     kind == 1   ? HANG_UP
                                     : kind == 2 ? SAY_NOTHING
                                                 : SAY_TEXT));
        desks[1].text = smtp;
        desks[1].text_len = sizeof smtp - 1;
        connect_client(
            w, 1,
            (struct herd_client_options){.follow = true, .reply_ms = 200, .retry_min_ms = 1, .retry_max_ms = 4});
        for (int i = 0; i < 40; i++) { /* a question could overtake the report that it is about */
            char id[16];
            snprintf(id, sizeof id, "id%d", i);
            assert_int_equal(report(w, id), 0);
        }
        run(w, 40);
        all_ended(w, 0);
        assert_true(w->downs > 0);
        finish(&one);
    }
}

/* If no server is of use all the same, a request ends when its time is over, and not before. */
static void test_time_out(void **state)
{
    struct world *w = *state;
    w->addresses[0] = open_desk(w, 0, SAY_SEE);
    see(0, unused_address(w));
    connect_client(w, 1, (struct herd_client_options){.follow = true, .timeout_ms = 300, .retry_min_ms = 20});
    report_many(w, 4);
    run(w, 5);
    all_ended(w, HERD_E_TIMEOUT);
    assert_true(desks[0].lines < 200); /* it waits between attempts */
}

/* A silent server that was followed to: what answers a later request is not taken for an answer to the one whose time was
 * over, nor for one to the later one, which is asked again. */
static void test_late(void **state)
{
    struct world *w = *state;
    w->addresses[0] = open_desk(w, 0, SAY_SEE);
    see(0, open_desk(w, 1, SAY_NOTHING));
    connect_client(
        w, 1,
        (struct herd_client_options){.follow = true, .timeout_ms = 500, .retry_min_ms = 1, .bucket_key = &no_key});
    assert_int_equal(report(w, "kiwi"), 0);
    run(w, 1);
    assert_int_equal(w->errs[0], HERD_E_TIMEOUT);
    assert_int_equal(herd_client_pending(w->client), 0);
    desks[1].way = SAY_AT;
    assert_int_equal(report(w, "kiwi"), 0);
    run(w, 2);
    assert_true(w->errs[1] == 0 || w->errs[1] == HERD_E_TIMEOUT); /* if this machine is very slow */
    assert_int_equal(herd_client_pending(w->client), 0);
}

static bool asked_to_see(void *ctx, const char *host, uint16_t port, unsigned bucket)
{
    struct world *w = ctx;
    assert_string_equal(host, "127.0.0.1");
    assert_int_equal(port, desks[0].to[0].port);
    assert_true(bucket < HERD_BUCKETS);
    if (w->free_in_done) {
        herd_client_free(w->client);
        w->client = NULL;
        event_base_loopbreak(w->base);
    }
    return false;
}

static void test_program_decides(void **state)
{
    struct world *w = *state;
    w->addresses[0] = open_desk(w, 0, SAY_SEE);
    see(0, serve(w));
    connect_client(w, 1, (struct herd_client_options){.follow = true, .on_see = asked_to_see});
    report_many(w, 4);
    run(w, 5);
    all_ended(w, HERD_E_ADDRESS);
    w->free_in_done = true;
    report_many(w, 4);
    event_base_dispatch(w->base);
    assert_null(w->client);
    assert_int_equal(w->ended, 5);
}

static struct world *in_callback; /* the client of which is freed */

static bool allowed_to_see(void *ctx, const char *host, uint16_t port, unsigned bucket)
{
    (void)ctx;
    (void)host;
    (void)port;
    (void)bucket;
    if (in_callback) {
        herd_client_free(in_callback->client);
        in_callback->client = NULL;
    }
    return true;
}

static void free_when_up(void *ctx, size_t server)
{
    on_up(ctx, server);
    herd_client_free(in_callback->client);
    in_callback->client = NULL;
}

static void free_when_down(void *ctx, size_t server, const char *why)
{
    on_down(ctx, server, why);
    herd_client_free(in_callback->client);
    in_callback->client = NULL;
}

/* In each other function of the program's too; nothing is told after that. What it allows is followed. */
static void test_free_in_callbacks(void **state)
{
    (void)state;
    for (int what = 0; what < 4; what++) {
        void *one = NULL;
        begin(&one);
        struct world *w = one;
        w->addresses[0] = open_desk(w, 0, what == 3 ? HANG_UP : SAY_SEE);
        see(0, serve(w));
        const struct herd_client_options options = {
            .servers = w->addresses,
            .server_count = 1,
            .follow = true,
            .ctx = w,
            .on_see = allowed_to_see,
            .on_connect = what == 2 ? free_when_up : on_up,
            .on_disconnect = what == 3 ? free_when_down : on_down,
        };
        in_callback = NULL;
        assert_int_equal(herd_client_new(&w->client, w->base, &options), 0);
        report_many(w, 4);
        if (what == 0) {
            run(w, 5);
            all_ended(w, 0);
        } else {
            in_callback = w;
            event_base_loopexit(w->base, &(struct timeval){20, 0});
            while (w->client)
                assert_int_equal(event_base_loop(w->base, EVLOOP_ONCE), 0);
            in_callback = NULL;
            const unsigned ups = w->ups, downs = w->downs;
            for (int i = 0; i < 5; i++)
                event_base_loop(w->base, EVLOOP_NONBLOCK);
            assert_int_equal(w->ended, 0);
            assert_int_equal(w->ups, ups);
            assert_int_equal(w->downs, downs);
        }
        finish(&one);
    }
}

static bool no_random;

ssize_t __real_getrandom(void *bytes, size_t len, unsigned flags);
ssize_t __wrap_getrandom(void *bytes, size_t len, unsigned flags);
ssize_t __wrap_getrandom(void *bytes, size_t len, unsigned flags)
{
    return no_random ? -1 : __real_getrandom(bytes, len, flags);
}

/* Without random bytes ids cannot be hashed as a stranger cannot guess; without jitter it is tried again all the same. */
static void test_no_random(void **state)
{
    struct world *w = *state;
    w->addresses[0] = open_desk(w, 0, HANG_UP);
    const struct herd_client_options guessed = {.servers = w->addresses, .server_count = 1, .follow = true};
    no_random = true;
    int err = herd_client_new(&w->client, w->base, &guessed);
    assert_int_equal(err, HERD_E_IO);
    assert_null(w->client);
    connect_client(w, 1, (struct herd_client_options){.retry_min_ms = 1, .retry_max_ms = 2});
    assert_int_equal(report(w, "kiwi"), 0);
    event_base_loopexit(w->base, &(struct timeval){20, 0});
    while (desks[0].lines < 4)
        assert_int_equal(event_base_loop(w->base, EVLOOP_ONCE), 0);
    no_random = false;
    desks[0].way = SAY_AT;
    run(w, 1);
    all_ended(w, 0);
}

/* The program frees the client in the function of a request that was followed, answered and given back. */
static void test_free_in_done(void **state)
{
    (void)state;
    for (int err = 0; err < 3; err++) {
        void *one = NULL;
        begin(&one);
        struct world *w = one;
        w->addresses[0] = open_desk(w, 0, SAY_SEE);
        if (err == 1)
            see(0, open_desk(w, 1, SAY_SEE)), see(1, w->addresses[0]);
        else
            see(0, err ? unused_address(w) : serve(w));
        connect_client(w, 1, (struct herd_client_options){.follow = true, .timeout_ms = err ? 200 : 0});
        report_many(w, 8);
        w->free_in_done = true;
        run(w, 1);
        assert_null(w->client);
        finish(&one);
    }
}

/* Freed while requests are everywhere. */
static void test_free_on_the_way(void **state)
{
    struct world *w = *state;
    w->addresses[0] = open_desk(w, 0, SAY_SEE);
    see(0, open_desk(w, 1, SAY_NOTHING));
    see(0, unused_address(w));
    connect_client(w, 1, (struct herd_client_options){.follow = true});
    report_many(w, 40);
    while (desks[1].lines == 0)
        event_base_loop(w->base, EVLOOP_ONCE);
    herd_client_free(w->client);
    w->client = NULL;
    assert_int_equal(w->ended, 0);
}

/* More servers than a client is connected to at a time: one that is idle gives way; if all are busy the request ends. */
static void test_many_servers(void **state)
{
    struct world *w = *state;
    w->addresses[0] = open_desk(w, 0, SAY_SEE);
    see(0, open_desk(w, 1, SAY_AT));
    desks[0].spread = true;
    connect_client(w, 1, (struct herd_client_options){.follow = true});
    for (size_t i = 0; i < 300; i++) {
        char id[16];
        snprintf(id, sizeof id, "id%zu", i);
        assert_int_equal(report(w, id), 0);
        run(w, i + 1);
    }
    all_ended(w, 0);
    assert_int_equal(desks[1].conns, 300);
    herd_client_free(w->client);
    w->ended = 0;
    desks[0].lines = 0;
    desks[1].way = SAY_NOTHING;
    connect_client(w, 1, (struct herd_client_options){.follow = true});
    for (size_t i = 0; i < 260; i++) {
        char id[16];
        snprintf(id, sizeof id, "id%zu", i);
        assert_int_equal(report(w, id), 0);
    }
    run(w, 4);
    all_ended(w, HERD_E_LIMIT);
    assert_int_equal(herd_client_pending(w->client), 256);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_follow, begin, finish),
        cmocka_unit_test_setup_teardown(test_not_asked_to_follow, begin, finish),
        cmocka_unit_test_setup_teardown(test_circle, begin, finish),
        cmocka_unit_test_setup_teardown(test_three_hops, begin, finish),
        cmocka_unit_test(test_junk),
        cmocka_unit_test_setup_teardown(test_other_key, begin, finish),
        cmocka_unit_test(test_servers_of_no_use),
        cmocka_unit_test_setup_teardown(test_time_out, begin, finish),
        cmocka_unit_test_setup_teardown(test_late, begin, finish),
        cmocka_unit_test_setup_teardown(test_program_decides, begin, finish),
        cmocka_unit_test(test_free_in_done),
        cmocka_unit_test(test_free_in_callbacks),
        cmocka_unit_test_setup_teardown(test_no_random, begin, finish),
        cmocka_unit_test_setup_teardown(test_free_on_the_way, begin, finish),
        cmocka_unit_test_setup_teardown(test_many_servers, begin, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
