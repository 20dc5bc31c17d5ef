/* SPDX-License-Identifier: MIT */
/* Places in memory: the gazetteer, files, and files that change while in use. */
#include "../unit/temp.h"
#include "world.h"

#include <unistd.h>

#define ROW(name, lat, lon) \
    "1\t" name "\tascii\t\t" lat "\t" lon "\tP\tPPL\tUS\t\t1\t\t\t\t5\t\t7\tzone\t2020-01-01\n"

static char path[TEMP_LEN];

static void write_file(const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static const char *ask_now(struct world *w)
{
    w->answered = 0;
    w->answers[0].len = 0;
    assert_null(world_ask(w, UCLA, 5)); /* at once, so nobody waits for a loop */
    assert_int_equal(w->answered, 1);
    return w->answers[0].at;
}

static void test_embedded(void **state)
{
    (void)state;
    struct world *w = world_new();
    world_provider(w, "embedded", NULL);
    world_open(w);
    assert_non_null(strstr(ask_now(w), "\"Santa Monica\""));
    assert_non_null(strstr(ask_now(w), "GeoNames"));
    assert_string_equal(w->origins[0], "embedded");
    herd_places_reload(w->places);
    assert_true(world_logged(w, "lookup provider=embedded status=OK"));
    world_free(w);
}

static void run_until_logged(struct world *w, const char *text)
{
    size_t seen = 0;
    for (size_t turns = 0; !seen && turns < 3000; turns++) {
        struct timeval moment = {0, 10000};
        event_base_loopexit(w->base, &moment);
        event_base_dispatch(w->base);
        seen = world_logged(w, text);
    }
    if (!seen)
        fail_msg("never logged: %s", text);
}

static void test_reload(void **state)
{
    (void)state;
    close(temp_file(path));
    struct world *w = world_new();
    write_file(ROW("Old", "34.07", "-118.44"));
    world_provider(w, "file", NULL)->file = path;
    world_open(w);
    assert_non_null(strstr(ask_now(w), "\"Old\""));
    /* Broken: says so, and the old one goes on. */
    write_file(ROW("Half", "34.07", "-118.44") "2\tshort\n");
    herd_places_reload(w->places);
    assert_non_null(strstr(ask_now(w), "\"Old\""));
    run_until_logged(w, "places_file_kept");
    assert_true(world_logged(w, "line=2"));
    assert_non_null(strstr(ask_now(w), "\"Old\""));
    /* Mended, and asked for twice at once. */
    write_file(ROW("New", "34.07", "-118.44") ROW("Newer", "34.08", "-118.44"));
    herd_places_reload(w->places);
    herd_places_reload(w->places);
    run_until_logged(w, "points=2");
    assert_non_null(strstr(ask_now(w), "\"Newer\""));
    /* Freed while it is being read. */
    herd_places_reload(w->places);
    world_free(w);
    unlink(path);
}

static void test_broken_at_the_start(void **state)
{
    (void)state;
    close(temp_file(path));
    struct world *w = world_new();
    world_provider(w, "file", NULL)->file = path;
    write_file("{\"type\":\"FeatureCollection\",\n\"features\":[\n{\"type\":\"Feature\",\"geometry\":{\"type\":"
               "\"Point\",\"coordinates\":[34,-118]}}]}");
    assert_int_equal(herd_places_new(&w->places, w->base, &w->config, w->log, &w->fault), HERD_E_RANGE);
    assert_non_null(strstr(w->fault.what, ", line 3: latitude beyond 90"));
    w->providers[0].file = NULL;
    assert_int_equal(herd_places_new(&w->places, w->base, &w->config, w->log, &w->fault), HERD_E_SYNTAX);
    w->providers[0].file = (char *)(uintptr_t) "/nonexistent/file";
    assert_int_equal(herd_places_new(&w->places, w->base, &w->config, w->log, &w->fault), HERD_E_IO);
    w->providers[0].kind = (char *)(uintptr_t) "psychic";
    assert_int_equal(herd_places_new(&w->places, w->base, &w->config, w->log, &w->fault), HERD_E_UNSUPPORTED);
    world_free(w);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_embedded),
        cmocka_unit_test(test_reload),
        cmocka_unit_test(test_broken_at_the_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
