/* SPDX-License-Identifier: MIT */
/* A server whose journal's disk hangs: replies wait for a moment, then go on; the end keeps to its patience. */
#include "../unit/cm.h"
#include "../unit/temp.h"

#include <herd/herd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MS     300
#define DEADLINE_MS 20000

static atomic_int hangs, hung;
static pthread_t loop_thread;

ssize_t __real_write(int fd, const void *bytes, size_t len);
ssize_t __wrap_write(int fd, const void *bytes, size_t len);

/* A write of the loop's thread never waits here: it would be a fault if it did, and the test would not end. */
ssize_t __wrap_write(int fd, const void *bytes, size_t len)
{
    if (hangs && !pthread_equal(pthread_self(), loop_thread)) {
        hung++;
        while (hangs)
            usleep(500);
        hung--;
    }
    return __real_write(fd, bytes, len);
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

struct one {
    char dir[TEMP_LEN], path[TEMP_LEN + 8], json[512];
    struct event_base *base;
    struct herd_config *config;
    struct herd_server *server;
    struct herd_buf log_text;
    struct herd_log *log;
    int far;
    size_t updates;
    bool stopped;
};

static int sink(void *ctx, const char *bytes, size_t len)
{
    return herd_buf_add(ctx, bytes, len);
}

static void on_update(void *ctx, const struct herd_record *record)
{
    (void)record;
    ((struct one *)ctx)->updates++;
}

static void on_stopped(void *ctx)
{
    ((struct one *)ctx)->stopped = true;
}

static void start(struct one *o)
{
    struct herd_diagnostic fault;
    int pair[2];
    o->stopped = false;
    const struct herd_server_options options = {.name = "a",
                                                .config = o->config,
                                                .log = o->log,
                                                .dont_listen = true,
                                                .hooks = {.ctx = o, .update = on_update, .stopped = on_stopped}};
    if (herd_server_new(&o->server, o->base, &options, &fault) < 0)
        fail_msg("no server");
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    struct bufferevent *bev = bufferevent_socket_new(o->base, pair[0], BEV_OPT_CLOSE_ON_FREE);
    assert_int_equal(herd_server_adopt_client(o->server, bev), 0);
    o->far = pair[1];
}

static void free_server(struct one *o)
{
    herd_server_free(o->server);
    close(o->far);
}

static int begin(void **state)
{
    struct herd_diagnostic fault;
    struct one *o = calloc(1, sizeof *o);
    assert_non_null(o);
    loop_thread = pthread_self();
    temp_dir(o->dir);
    snprintf(o->path, sizeof o->path, "%s/j", o->dir);
    snprintf(o->json, sizeof o->json,
             "{\"servers\":{\"a\":{\"port\":1}},\"links\":[],\"places\":{\"provider\":\"embedded\"},"
             "\"journal\":\"%s\",\"limits\":{\"journal_wait_ms\":%d}}",
             o->path, WAIT_MS);
    assert_int_equal(herd_config_parse(&o->config, herd_span_of(o->json), &fault), 0);
    const struct herd_log_options log_options = {.sink = sink, .sink_ctx = &o->log_text};
    assert_int_equal(herd_log_new(&o->log, &log_options), 0);
    o->base = event_base_new();
    start(o);
    *state = o;
    return 0;
}

static int end(void **state)
{
    struct one *o = *state;
    hangs = 0;
    while (hung > 0)
        usleep(1000);
    usleep(20000); /* what a thread that was given up frees */
    herd_log_free(o->log);
    herd_buf_fini(&o->log_text);
    herd_config_free(o->config);
    event_base_free(o->base);
    unlink(o->path);
    rmdir(o->dir);
    free(o);
    return 0;
}

static bool logged(struct one *o, const char *text)
{
    herd_log_flush(o->log);
    assert_int_equal(herd_buf_add(&o->log_text, "", 1), 0);
    o->log_text.len--;
    return strstr(o->log_text.at, text) != NULL;
}

/* Turns of the loop until there is an answer; returns how many milliseconds it took. */
static int64_t ask(struct one *o, const char *line)
{
    char answer[512];
    int64_t before = now_ms();
    assert_int_equal(send(o->far, line, strlen(line), 0), strlen(line));
    while (recv(o->far, answer, sizeof answer, 0) < 3) {
        assert_true(now_ms() - before < DEADLINE_MS);
        event_base_loop(o->base, EVLOOP_NONBLOCK);
        usleep(200);
    }
    assert_memory_equal(answer, "AT ", 3);
    return now_ms() - before;
}

static void until_logged(struct one *o, const char *text)
{
    int64_t before = now_ms();
    while (!logged(o, text)) {
        assert_true(now_ms() - before < DEADLINE_MS);
        event_base_loop(o->base, EVLOOP_NONBLOCK);
        usleep(200);
    }
}

static void test_replies(void **state)
{
    struct one *o = *state;
    ask(o, "IAMAT c1 +1+1 1\n");
    hangs = 1;
    assert_true(ask(o, "IAMAT c2 +1+1 1\n") >= WAIT_MS - 1);
    assert_int_equal(hung, 1);
    assert_true(logged(o, "journal_behind"));
    int64_t before = now_ms();
    for (int i = 0; i < 20; i++)
        ask(o, "IAMAT c3 +1+1 1\n");
    assert_true(now_ms() - before < 20 * WAIT_MS); /* none of them waits */
    assert_true(herd_server_unsaved(o->server) > 0);
    hangs = 0;
    until_logged(o, "journal_caught_up");
    ask(o, "IAMAT c4 +1+1 1\n");

    assert_int_equal(herd_server_unsaved(o->server), 0);
    free_server(o);
    o->updates = 0;
    start(o); /* the hook hears of what is read, once */
    for (int i = 0; i < 100; i++)
        event_base_loop(o->base, EVLOOP_NONBLOCK);
    assert_int_equal(o->updates, 4);
    free_server(o);
}

static void test_stop(void **state)
{
    struct one *o = *state;
    hangs = 1;
    ask(o, "IAMAT c1 +1+1 1\n");
    int64_t before = now_ms();
    herd_server_stop(o->server, 1000);
    while (!o->stopped && now_ms() - before < DEADLINE_MS) {
        event_base_loop(o->base, EVLOOP_NONBLOCK);
        usleep(200);
    }
    assert_true(o->stopped);
    assert_int_equal(herd_server_unsaved(o->server), 1);
    free_server(o);
    assert_true(now_ms() - before < 4000);
    assert_true(logged(o, "journal_incomplete records=1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_replies, begin, end),
        cmocka_unit_test_setup_teardown(test_stop, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
