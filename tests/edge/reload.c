/* SPDX-License-Identifier: MIT */
/* A server takes another configuration: what the log says has changed and what needs a restart, setting by setting, and that
 * places are made anew where a setting of theirs is another one, and nowhere else. */
#include "../unit/cm.h"
#include "../unit/free_port.h"
#include "../unit/temp.h"
#include "server_impl.h"

#include <herd/herd.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct world {
    struct event_base *base;
    struct herd_config *config;
    struct herd_server *server;
    struct herd_log *log;
    struct herd_buf text;
};

static int keep_text(void *ctx, const char *bytes, size_t len)
{
    return herd_buf_add(ctx, bytes, len);
}

static struct herd_config *parse(const char *text)
{
    struct herd_config *config = NULL;
    struct herd_diagnostic diagnostic = {0};
    if (herd_config_parse(&config, herd_span_of(text), &diagnostic) < 0)
        fail_msg("%s: %s", text, diagnostic.message);
    return config;
}

static void world_open(struct world *w, const char *text, bool listens)
{
    struct herd_diagnostic diagnostic = {0};
    *w = (struct world){.base = event_base_new(), .config = parse(text)};
    const struct herd_log_options log = {.sink = keep_text, .sink_ctx = &w->text, .level = HERD_LOG_INFO};
    assert_int_equal(herd_log_new(&w->log, &log), 0);
    const struct herd_server_options options = {
        .name = "a", .config = w->config, .log = w->log, .dont_listen = !listens, .dont_dial = true};
    if (herd_server_new(&w->server, w->base, &options, &diagnostic) < 0)
        fail_msg("%s: %s", text, diagnostic.message);
}

/* What the log says of a reload, with a NUL behind it; the configuration before it is freed. */
static const char *reload(struct world *w, const char *text)
{
    struct herd_diagnostic diagnostic = {0};
    struct herd_config *config = parse(text);
    herd_log_flush(w->log);
    w->text.len = 0;
    if (herd_server_reload(w->server, config, &diagnostic) < 0)
        fail_msg("%s: %s", text, diagnostic.message);
    herd_config_free(w->config);
    w->config = config;
    for (int i = 0; i < 3; i++)
        event_base_loop(w->base, EVLOOP_NONBLOCK);
    herd_log_flush(w->log);
    assert_int_equal(herd_buf_add(&w->text, "", 1), 0);
    return w->text.at;
}

static void world_close(struct world *w)
{
    herd_server_free(w->server);
    herd_config_free(w->config);
    herd_log_free(w->log);
    herd_buf_fini(&w->text);
    event_base_free(w->base);
}

#define A(more)      "{\"servers\":{\"a\":{\"port\":1}}" more "}"
#define PLACES(more) A(",\"places\":{" more "}")
#define GOOGLE(more) PLACES("\"provider\":\"google-new\",\"key_env\":\"HERD_A\"" more)

static void test_settings(void **state)
{
    (void)state;
    setenv("HERD_A", "0123456789012345678901234567890123456789", 1);
    setenv("HERD_B", "0123456789012345678901234567890123456789", 1);
    static const struct {
        const char *before, *after, *says; /* of what changed; NULL: nothing did */
        bool places;                       /* they are made anew */
    } rows[] = {
        {A(""), A(""), NULL, false},
        {GOOGLE(""), GOOGLE(""), NULL, false},
        {GOOGLE(""), PLACES("\"provider\":\"embedded\""), "setting=places", true},
        {GOOGLE(""), PLACES("\"provider\":\"google-legacy\",\"key_env\":\"HERD_A\""), "setting=places", true},
        {GOOGLE(""), PLACES("\"provider\":\"google-new\",\"key_env\":\"HERD_B\""), "setting=places", true},
        {GOOGLE(""), GOOGLE(",\"url\":\"http://127.0.0.1:9/\""), "setting=places", true},
        {GOOGLE(",\"url\":\"http://127.0.0.1:9/\""), GOOGLE(",\"url\":\"http://127.0.0.1:9/\""), NULL, false},
        {GOOGLE(",\"url\":\"http://127.0.0.1:9/\""), GOOGLE(",\"url\":\"http://127.0.0.1:8/\""), "setting=places",
         true},
        {GOOGLE(""), GOOGLE(",\"timeout_ms\":77"), "setting=places", true},
        {GOOGLE(""), GOOGLE(",\"cache_ms\":77"), "setting=places", true},
        {GOOGLE(""), GOOGLE(",\"in_flight_max\":3"), "setting=places", true},
        {GOOGLE(""),
         A(",\"places\":[{\"provider\":\"google-new\",\"key_env\":\"HERD_A\"},{\"provider\":\"embedded\"}]"),
         "setting=places", true},
        {A(",\"http\":{\"hosts\":[\"x\",\"y\"]}"), A(",\"http\":{\"hosts\":[\"x\",\"y\"]}"), NULL, false},
        {A(",\"http\":{\"hosts\":[\"x\",\"y\"]}"), A(",\"http\":{\"hosts\":[\"x\",\"z\"]}"), "setting=http.hosts",
         false},
        {A(",\"http\":{\"hosts\":[\"x\",\"y\"]}"), A(",\"http\":{\"hosts\":[\"x\"]}"),
         "setting=http.hosts was=\"2 of them\" is=\"1 of them\"", false},
        {A(",\"http\":{\"hosts\":[\"x\"]}"), A(",\"http\":{\"hosts\":[\"x\",\"y\"]}"), "setting=http.hosts", false},
        {A(",\"http\":{\"origins\":[\"https://x\"]}"), A(",\"http\":{\"origins\":[\"https://y\"]}"),
         "setting=http.origins", false},
        {A(",\"http\":{\"proxies\":[\"10.0.0.1\"]}"), A(",\"http\":{\"proxies\":[\"10.0.0.2\"]}"),
         "setting=http.proxies", false},
        {A(""), A(",\"limits\":{\"near_line\":1}"), "setting=limits.near_line", false},
        {A(""), A(",\"limits\":{\"watch_line\":1}"), "setting=limits.watch_line", false},
        {A(""), A(",\"log\":{\"level\":\"error\"}"), "setting=log.level", false},
        {A(""), A(",\"log\":{\"level\":\"debug\",\"traffic\":false}"), "setting=log.traffic", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world w;
        world_open(&w, rows[i].before, false);
        const struct herd_places *places = w.server->places;
        const char *text = reload(&w, rows[i].after);
        if ((places != w.server->places) != rows[i].places ||
            (strstr(text, "setting_changed") != NULL) != (rows[i].says != NULL) ||
            (rows[i].says && !strstr(text, rows[i].says)))
            fail_msg("%s\n%s\n%s", rows[i].before, rows[i].after, text);
        world_close(&w);
    }
}

/* Files of places, and what is asked of them. */
static void test_places_of_a_file(void **state)
{
    (void)state;
    static const char point[] =
        "{\"type\":\"FeatureCollection\",\"features\":[{\"type\":\"Feature\",\"geometry\":{\"type\":\"Point\","
        "\"coordinates\":[1,2]},\"properties\":{\"name\":\"x\"}}]}";
    char paths[2][TEMP_LEN], forms[4][300];
    for (int i = 0; i < 2; i++) {
        int fd = temp_file(paths[i]);
        assert_int_equal(write(fd, point, sizeof point - 1), sizeof point - 1);
        close(fd);
    }
    snprintf(forms[0], sizeof forms[0], PLACES("\"provider\":\"file\",\"file\":\"%s\""), paths[0]);
    snprintf(forms[1], sizeof forms[1], PLACES("\"provider\":\"file\",\"file\":\"%s\""), paths[1]);
    snprintf(forms[2], sizeof forms[2], PLACES("\"provider\":\"google-new\",\"key_file\":\"%s\""), paths[0]);
    snprintf(forms[3], sizeof forms[3], PLACES("\"provider\":\"google-new\",\"key_file\":\"%s\""), paths[1]);
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++) {
            struct world w;
            world_open(&w, forms[i], false);
            const struct herd_places *places = w.server->places;
            const char *text = reload(&w, forms[j]);
            assert_true((places != w.server->places) == (i != j));
            assert_true((strstr(text, "setting=places") != NULL) == (i != j));
            world_close(&w);
        }
    for (int i = 0; i < 2; i++)
        unlink(paths[i]);
}

/* Fences of a file are read again by a reload without a configuration; a file that is none leaves those there were. */
static void test_fences_again(void **state)
{
    (void)state;
    static const char *const files[] = {
        "{\"type\":\"FeatureCollection\",\"features\":[{\"type\":\"Feature\",\"geometry\":{\"type\":\"Point\","
        "\"coordinates\":[1,2]},"
        "\"properties\":{\"name\":\"x\",\"radius\":9}}]}",
        "{\"type\":\"FeatureCollection\",\"features\":[]}",
        "nonsense",
    };
    char path[TEMP_LEN], config[300];
    struct world w;
    struct herd_diagnostic diagnostic = {0};
    FILE *file = fdopen(temp_file(path), "w");
    assert_true(file && fputs(files[0], file) >= 0 && fclose(file) == 0);
    snprintf(config, sizeof config, A(",\"area\":true,\"fences\":\"%s\""), path);
    world_open(&w, config, false);
    static const size_t counts[] = {1, 0, 0, 1};
    static const int order[] = {0, 1, 2, 0};
    for (int i = 0; i < 4; i++) {
        file = fopen(path, "w");
        assert_true(file && fputs(files[order[i]], file) >= 0 && fclose(file) == 0);
        herd_log_flush(w.log);
        w.text.len = 0;
        assert_int_equal(herd_server_reload(w.server, NULL, &diagnostic), 0);
        herd_log_flush(w.log);
        assert_int_equal(herd_buf_add(&w.text, "", 1), 0);
        assert_true((strstr(w.text.at, "fences_kept") != NULL) == (order[i] == 2));
        assert_int_equal(herd_area_fence_count(w.server->area), counts[i]);
    }
    world_close(&w);
    unlink(path);
    world_open(&w, A(",\"area\":true"), false);
    assert_int_equal(herd_server_reload(w.server, NULL, &diagnostic), 0);
    world_close(&w);
}

/* What is listened on stays, and the log says that it needs a restart. */
static void test_kept(void **state)
{
    (void)state;
    char before[300], after[300];
    const unsigned port = free_port(), http = free_port();
    struct world w;
    snprintf(before, sizeof before, "{\"servers\":{\"a\":{\"port\":%u,\"http_port\":%u}}}", port, http);
    snprintf(after, sizeof after,
             "{\"servers\":{\"a\":{\"port\":%u,\"http_port\":%u,\"http_listen\":\"127.0.0.2\",\"listen\":\"127.0.0."
             "3\"}},"
             "\"area\":true,\"journal\":\"x\"}",
             port + 1, http);
    world_open(&w, before, true);
    const char *text = reload(&w, after);
    static const char *const kept[] = {"setting=listen", "setting=port", "setting=http_listen", "setting=journal",
                                       "setting=area"};
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        if (!strstr(text, kept[i]))
            fail_msg("%s: %s", kept[i], text);
    assert_non_null(strstr(text, "restart_needed=5"));
    text = reload(&w, before);
    assert_null(strstr(text, "restart_needed=5"));
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_settings), cmocka_unit_test(test_places_of_a_file),
                                       cmocka_unit_test(test_fences_again), cmocka_unit_test(test_kept)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
