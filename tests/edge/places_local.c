/* SPDX-License-Identifier: MIT */
/* Places in memory: the gazetteer, files, and files that change while in use. */
#include "places_file.h"

#include <fcntl.h>
#include <sys/stat.h>

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

static void test_reload(void **state)
{
    (void)state;
    struct world *w = world_open_file(ROW("Old", "34.07", "-118.44"));
    assert_non_null(strstr(ask_now(w), "\"Old\""));
    /* Broken: says so, and the old one goes on. */
    write_file("\n2\tshort\n");
    herd_places_reload(w->places);
    assert_non_null(strstr(ask_now(w), "\"Old\""));
    run_until_logged(w, "places_file_kept");
    assert_true(world_logged(w, "line=2"));
    assert_non_null(strstr(ask_now(w), "\"Old\""));
    /* Something else altogether, and one that is being written: likewise. */
    write_file("<!DOCTYPE html><html><body>404");
    herd_places_reload(w->places);
    run_until_logged(w, "an HTML page");
    write_file(
        "{\"type\":\"FeatureCollection\",\"features\":[\n{\"type\":\"Feature\",\"geometry\":{\"type\":\"Point\","
        "\"coordinates\":[-118.44,34.07]},\"properties\":{\"name\":\"Half\"}},\n");
    herd_places_reload(w->places);
    run_until_logged(w, "the file is cut short");
    assert_non_null(strstr(ask_now(w), "\"Old\""));
    /* A row that cannot be taken takes nothing from the others: counted, the first named. */
    write_file(ROW("Most", "34.07", "-118.44") "2\tshort\n3\tshort\n");
    herd_places_reload(w->places);
    run_until_logged(w, "points=1 skipped=2 faulty=2 first_line=2 why=\"2 columns");
    assert_non_null(strstr(ask_now(w), "\"Most\""));
    /* Of GeoJSON, which may be one line, the number of the feature too. */
    write_file(
        "{\"type\":\"FeatureCollection\",\"features\":[{\"type\":\"Feature\",\"geometry\":{\"type\":\"Point\","
        "\"coordinates\":[-118.44,34.07]},\"properties\":{\"name\":\"Feature\"}},null]}");
    herd_places_reload(w->places);
    run_until_logged(w, "points=1 skipped=1 faulty=1 first_line=1 first_feature=2 why=\"expected a feature");
    assert_non_null(strstr(ask_now(w), "\"Feature\""));
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

/* An empty file, at the start or after a reload, is a warning, and the next provider answers. */
static void test_without_a_point(void **state)
{
    (void)state;
    struct world *w =
        world_open_file("{\"type\":\"FeatureCollection\",\"features\":[{\"type\":\"Feature\",\"geometry\":null}]}");
    assert_true(world_logged(w, "warn places_file file="));
    assert_non_null(strstr(ask_now(w), "holds no place"));
    assert_string_equal(w->origins[0], "none");
    world_free(w);

    w = world_of_file();
    world_provider(w, "embedded", NULL);
    world_open(w);
    assert_non_null(strstr(ask_now(w), "\"Santa Monica\""));
    assert_string_equal(w->origins[0], "embedded");
    write_file(ROW("New", "34.07", "-118.44"));
    herd_places_reload(w->places);
    run_until_logged(w, "points=1");
    assert_non_null(strstr(ask_now(w), "\"New\""));
    write_file("{\"type\":\"FeatureCollection\",\"features\":[]}");
    herd_places_reload(w->places);
    run_until_logged(w, "points=0 skipped=0");
    assert_non_null(strstr(ask_now(w), "\"Santa Monica\""));
    /* What is cut short is better than nothing. */
    write_file(
        "{\"type\":\"FeatureCollection\",\"features\":[{\"type\":\"Feature\",\"geometry\":{\"type\":\"Point\","
        "\"coordinates\":[-118.44,34.07]},\"properties\":{\"name\":\"Half\"}},");
    herd_places_reload(w->places);
    run_until_logged(w, "points=1 skipped=0 faulty=1");
    assert_non_null(strstr(ask_now(w), "\"Half\""));
    world_free(w);
    unlink(path);
}

/* A chain starts with what works, says what does not, and a reload mends it. */
static void test_broken_in_a_chain(void **state)
{
    (void)state;
    char key[TEMP_LEN];
    close(temp_file(path));
    close(temp_file(key));
    assert_int_equal(unlink(key), 0);
    struct world *w = world_new();
    w->plans[0] = reply_with(TWO);
    struct herd_config_provider *google = world_provider(w, "google-legacy", stub_url(w->stub, "/"));
    google->key_env = NULL;
    google->key_file = key;
    world_provider(w, "file", NULL)->file = path;
    world_provider(w, "embedded", NULL);
    world_open(w);
    assert_true(world_logged(w, "error places_provider_unusable provider=google-legacy why=\"key file"));
    assert_true(world_logged(w, "error places_provider_unusable provider=file why="));
    assert_non_null(strstr(ask_now(w), "\"Santa Monica\""));
    herd_places_reload(w->places);
    run_until_logged(w, "places_file_kept");
    assert_non_null(strstr(ask_now(w), "\"Santa Monica\""));

    write_file(ROW("New", "34.07", "-118.44"));
    herd_places_reload(w->places);
    run_until_logged(w, "points=1");
    assert_non_null(strstr(ask_now(w), "\"New\""));

    int fd = open(key, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_int_equal(write(fd, CANARY, sizeof CANARY - 1), sizeof CANARY - 1);
    close(fd);
    herd_places_reload(w->places);
    assert_true(world_logged(w, "places_provider_mended provider=google-legacy"));
    w->answered = 0;
    herd_buf_fini(&w->answers[0]);
    world_ask(w, "+34.07-118.44", 5);
    run_until(w->base, &w->answered, 1);
    assert_string_equal(w->origins[0], "google-legacy");
    world_free(w);

    /* Nothing works: the first says why. */
    unlink(key);
    unlink(path);
    w = world_new();
    google = world_provider(w, "google-legacy", stub_url(w->stub, "/"));
    google->key_env = NULL;
    google->key_file = key;
    world_provider(w, "file", NULL)->file = path;
    assert_int_equal(world_begin(w), HERD_E_IO);
    assert_non_null(strstr(w->fault.message, "key file"));
    world_free(w);
}

/* What is no regular file is refused at once, whoever may write to it some day. */
static void test_no_regular_file(void **state)
{
    (void)state;
    struct world *w = world_open_file(ROW("Old", "34.07", "-118.44"));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    herd_places_reload(w->places);
    run_until_logged(w, "a FIFO, not a regular file");
    assert_non_null(strstr(ask_now(w), "\"Old\""));
    world_free(w);
    w = world_of_file();
    assert_int_equal(world_begin(w), HERD_E_IO);
    assert_non_null(strstr(w->fault.message, "a FIFO"));
    world_free(w);
    unlink(path);
    w = world_new();
    world_provider(w, "file", NULL)->file = (char *)(uintptr_t) "/tmp";
    assert_int_equal(world_begin(w), HERD_E_IO);
    assert_non_null(strstr(w->fault.message, "a directory"));
    world_free(w);
}

static void test_broken_at_the_start(void **state)
{
    (void)state;
    close(temp_file(path));
    struct world *w = world_of_file();
    write_file("{\"type\":\"FeatureCollection\",\n\"features\":[\n{\"type\":\"Feature\",\"geometry\":{\"type\":"
               "\"Point\",\"coordinates\":[34,-118]}}]}");
    assert_int_equal(world_begin(w), HERD_E_RANGE);
    assert_non_null(strstr(w->fault.message, ", line 3: latitude beyond 90"));
    w->providers[0].file = NULL;
    assert_int_equal(world_begin(w), HERD_E_SYNTAX);
    w->providers[0].file = (char *)(uintptr_t) "/nonexistent/file";
    assert_int_equal(world_begin(w), HERD_E_IO);
    w->providers[0].kind = (char *)(uintptr_t) "psychic";
    assert_int_equal(world_begin(w), HERD_E_UNSUPPORTED);
    world_free(w);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_embedded),
        cmocka_unit_test(test_reload),
        cmocka_unit_test(test_broken_at_the_start),
        cmocka_unit_test(test_without_a_point),
        cmocka_unit_test(test_broken_in_a_chain),
        cmocka_unit_test(test_no_regular_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
