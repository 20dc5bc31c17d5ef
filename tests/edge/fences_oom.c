/* SPDX-License-Identifier: MIT */
/*
 * Every allocation failing once, and it with the twenty behind it, while clients cross fences of a file and of HTTP and come near
 * each other, a webhook is told, and another configuration is taken. A request is answered, or its connection ends; a
 * configuration is in force as a whole, or the one before is. Afterwards each crossing is posted, and nothing waits.
 */
#include "http_story.h"

#include "../unit/temp.h"
#include "webhook.h"

#define FEATURE(geometry, properties) \
    "{\"type\":\"Feature\",\"geometry\":" geometry ",\"properties\":{" properties "}}"
#define CIRCLE(at, properties) FEATURE("{\"type\":\"Point\",\"coordinates\":" at "}", "\"radius\":1000" properties)
#define SQUARE                                                                                    \
    FEATURE("{\"type\":\"Polygon\",\"coordinates\":[[[10,10],[11,10],[11,11],[10,11],[10,10]]]}", \
            "\"name\":\"square\",\"kinds\":[\"enter\",\"leave\",\"cross\"]")
#define CLOSE FEATURE("null", "\"name\":\"close\",\"proximity\":500")

static const char *const files[] = {
    "{\"type\":\"FeatureCollection\",\"features\":[" CIRCLE("[0,0]", ",\"name\":\"ring\"") "," SQUARE "," CLOSE
                                                                                           "]}",
    "{\"type\":\"FeatureCollection\",\"features\":[" CIRCLE("[0,0]", ",\"name\":\"ring\"") "," CLOSE "]}",
};
static char paths[2][TEMP_LEN], secret[TEMP_LEN];

/* ---- who is posted to ---- */

static struct {
    int listener;
    uint16_t port;
    int conns[16];
    struct herd_buf got[16], events; /* bodies, one behind the other */
} hook;

static void hook_open(void)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof in;
    hook.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(hook.listener, (struct sockaddr *)&in, len), 0);
    assert_int_equal(listen(hook.listener, 16), 0);
    assert_int_equal(getsockname(hook.listener, (struct sockaddr *)&in, &len), 0);
    hook.port = ntohs(in.sin_port);
    for (int i = 0; i < 16; i++)
        hook.conns[i] = -1;
}

static void hook_hang_up(int i)
{
    if (hook.conns[i] >= 0)
        close(hook.conns[i]);
    hook.conns[i] = -1;
    herd_buf_fini(&hook.got[i]);
}

static void hook_read(int i)
{
    static const char taken[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    struct herd_buf *got = &hook.got[i];
    char bytes[65536];
    ssize_t n = recv(hook.conns[i], bytes, sizeof bytes, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN)) {
        hook_hang_up(i);
        return;
    }
    if (n > 0)
        assert_int_equal(herd_buf_add(got, bytes, (size_t)n), 0);
    assert_int_equal(herd_buf_reserve(got, 1), 0);
    got->at[got->len] = '\0';
    const char *end = strstr(got->at, "\r\n\r\n"), *length = strstr(got->at, "Content-Length: ");
    if (!end || strlen(end + 4) < strtoul(length + 16, NULL, 10))
        return;
    assert_int_equal(herd_buf_add_text(&hook.events, end + 4), 0);
    got->len = 0;
    assert_int_equal(send(hook.conns[i], taken, sizeof taken - 1, MSG_NOSIGNAL), sizeof taken - 1);
}

static void hook_turn(void)
{
    for (int fd; (fd = accept(hook.listener, NULL, NULL)) >= 0;) {
        int i = 0;
        while (i < 16 && hook.conns[i] >= 0)
            i++;
        assert_true(i < 16);
        hook.conns[i] = fd;
    }
    for (int i = 0; i < 16; i++)
        if (hook.conns[i] >= 0)
            hook_read(i);
}

static const char *hook_text(void)
{
    assert_int_equal(herd_buf_reserve(&hook.events, 1), 0);
    hook.events.at[hook.events.len] = '\0';
    return hook.events.at;
}

/* ---- the story ---- */

static void turns(struct http_world *w, int count)
{
    for (int i = 0; i < count; i++) {
        arm(true);
        event_base_loop(w->base, EVLOOP_NONBLOCK);
        arm(false);
        hook_turn();
    }
}

/* The status of the answer; 0: the connection ended. */
static int ask(struct http_world *w, const char *method, const char *path, const char *body)
{
    char request[2000];
    struct http_client c;
    time_t end = seconds() + DEADLINE_S;
    snprintf(request, sizeof request,
             "%s %s HTTP/1.1\r\n" HOST "Content-Type: application/json\r\nContent-Length: %zu\r\n"
             "Connection: close\r\n\r\n%s",
             method, path, strlen(body), body);
    client_open(&c, w);
    client_say(&c, request);
    while (!c.ended) {
        client_turn(&c);
        hook_turn();
        assert_true(seconds() < end);
    }
    const char *text = client_text(&c);
    int status = strstr(text, "\r\n\r\n") ? atoi(text + strlen("HTTP/1.1 ")) : 0;
    client_close(&c);
    return status;
}

static int move(struct http_world *w, const char *id, const char *lat, const char *lon)
{
    static unsigned long time = 1700000000;
    char path[64], body[128];
    snprintf(path, sizeof path, "/v1/clients/%s", id);
    snprintf(body, sizeof body, "{\"lat\":%s,\"lon\":%s,\"time\":%lu}", lat, lon, ++time);
    return ask(w, "PUT", path, body);
}

static void moves(struct http_world *w)
{
    (void)move(w, "ann", "0", "0");
    (void)move(w, "eve", "0.001", "0");
    (void)move(w, "ann", "10.5", "10.5");
    (void)move(w, "ann", "10.5", "12");
    (void)move(w, "eve", "20", "20");
    turns(w, 3);
}

static void by_http(struct http_world *w)
{
    static const struct {
        const char *method, *path, *body;
    } list[] = {
        {"PUT", "/v1/fences/door", CIRCLE("[5,5]", "")},
        {"PUT", "/v1/fences/both", FEATURE("null", "\"proximity\":100,\"who\":\"ann\"")},
        {"GET", "/v1/fences", ""},
        {"GET", "/v1/fences/door", ""},
        {"PUT", "/v1/fences/door", CIRCLE("[5,6]", ",\"kinds\":[\"cross\"]")},
        {"DELETE", "/v1/fences/door", ""},
        {"DELETE", "/v1/fences/both", ""},
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        int status = ask(w, list[i].method, list[i].path, list[i].body);
        if (status != 0 && status != 200 && status != 201 && status != 204 && status != 404 && status != 503)
            fail_msg("%d to %s %s", status, list[i].method, list[i].path);
        if (i == 0)
            moves(w);
    }
}

static void parse(struct http_world *w, int which, struct herd_config **ret_config)
{
    char json[1500], text[64] = "";
    struct herd_diagnostic diagnostic = {0};
    if (which == 0)
        snprintf(text, sizeof text, ",\"secret_file\":\"%s\"", secret);
    snprintf(
        json, sizeof json,
        "{\"servers\":{\"a\":{\"port\":%u,\"http_port\":%u}},\"links\":[],\"places\":{\"provider\":\"embedded\"},"
        "\"area\":true,\"fences\":\"%s\",\"webhook\":{\"server\":\"a\",\"url\":\"http://127.0.0.1:%u/%d\"%s}}",
        herd_server_port(w->server), w->port, paths[which], hook.port, which, text);
    if (herd_config_parse(ret_config, herd_span_of(json), &diagnostic) < 0)
        fail_msg("%s", diagnostic.message);
}

static bool has_fence(struct http_world *w, const char *name)
{
    return herd_area_fence_shape(w->server->area, herd_span_of(name)) != NULL;
}

/* Takes the other configuration, which has no fence `square`. */
static void reload(struct http_world *w)
{
    struct herd_config *former = w->config, *other;
    struct herd_diagnostic diagnostic = {0};
    parse(w, 1, &other);
    arm(true);
    int err = herd_server_reload(w->server, other, &diagnostic);
    arm(false);
    if (err < 0) {
        assert_true(err == HERD_E_NOMEM && diagnostic.message[0]);
        assert_ptr_equal(w->server->config, former);
        assert_int_equal(herd_server_reload(w->server, other, &diagnostic), 0);
    }
    assert_ptr_equal(w->server->config, other);
    assert_false(has_fence(w, "square"));
    herd_config_free(former);
    w->config = other;
}

static void expect_posted(struct http_world *w, const char *fence, const char *kind)
{
    char wanted[100];
    time_t end = seconds() + DEADLINE_S;
    snprintf(wanted, sizeof wanted, "\"fence\":\"%s\",\"kind\":\"%s\"", fence, kind);
    while (!strstr(hook_text(), wanted)) {
        turns(w, 1);
        if (seconds() >= end)
            fail_msg("%ld: %s is not in %s; %zu queued %lu posted", plan.next, wanted, hook_text(),
                     herd_webhook_stats(w->server->webhook).queued,
                     (unsigned long)herd_webhook_stats(w->server->webhook).posted);
    }
    hook.events.len = 0;
}

static bool queue_empty(struct http_world *w)
{
    return herd_webhook_stats(w->server->webhook).queued == 0;
}

/* There is memory: fences that were refused are set up by reading the file anew, and all that happens is told. */
static void recover(struct http_world *w)
{
    struct herd_config *former = w->config, *other;
    struct herd_diagnostic diagnostic = {0};
    time_t end = seconds() + DEADLINE_S;
    parse(w, 0, &other);
    assert_int_equal(herd_server_reload(w->server, other, &diagnostic), 0);
    herd_config_free(former);
    w->config = other;
    assert_true(has_fence(w, "ring") && has_fence(w, "square") && has_fence(w, "close"));
    while (!queue_empty(w)) {
        turns(w, 1);
        assert_true(seconds() < end);
    }
    assert_int_equal(move(w, "ann", "50", "50"), 200);
    assert_int_equal(move(w, "eve", "20", "20"), 200);
    turns(w, 20);
    hook.events.len = 0;
    assert_int_equal(move(w, "ann", "0", "0"), 200);
    expect_posted(w, "ring", "enter");
    assert_int_equal(move(w, "eve", "0", "0.008"), 200);
    expect_posted(w, "ring", "enter");
    assert_int_equal(move(w, "eve", "0", "0.001"), 200);
    expect_posted(w, "close", "enter");
    assert_int_equal(move(w, "ann", "10.5", "10.5"), 200);
    expect_posted(w, "square", "enter");
    assert_int_equal(move(w, "ann", "50", "50"), 200);
    expect_posted(w, "square", "leave");
    end = seconds() + DEADLINE_S;
    while (!queue_empty(w)) {
        turns(w, 1);
        assert_true(seconds() < end);
    }
}

static void once(void)
{
    struct http_world w;
    char more[600];
    hook.events.len = 0;
    snprintf(more, sizeof more,
             ",\"area\":true,\"fences\":\"%s\",\"webhook\":{\"server\":\"a\",\"url\":\"http://127.0.0.1:%u/0\","
             "\"secret_file\":\"%s\"}",
             paths[0], hook.port, secret);
    if (http_world_try(&w, NULL, more) >= 0) {
        plan.additions = true;
        moves(&w);
        by_http(&w);
        reload(&w);
        moves(&w);
        http_world_arm = NULL;
        recover(&w);
    }
    http_world_arm = NULL;
    http_world_close(&w);
    for (int i = 0; i < 16; i++)
        hook_hang_up(i);
}

static void write_file(char *ret_path, const char *text)
{
    int fd = temp_file(ret_path);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_one), cmocka_unit_test(test_twenty)};
    write_file(paths[0], files[0]);
    write_file(paths[1], files[1]);
    write_file(secret, "not for others\n");
    hook_open();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(paths[0]);
    unlink(paths[1]);
    unlink(secret);
    herd_buf_fini(&hook.events);
    return failed;
}
