/* SPDX-License-Identifier: MIT */
/* Providers at their worst: whatever comes, the client gets an answer in shape, and soon. */
#include "world.h"

#include "answer.h"

#ifdef STUB_ZLIB
#include <zlib.h>
#endif

static void answers_with_failure(const char *kind, struct stub_plan plan, const char *part)
{
    struct world *w = world_new();
    struct herd_answer_shape shape;
    char why[100];
    w->plans[0] = plan;
    world_provider(w, kind, stub_url(w->stub, "/"))->timeout_ms = 400;
    world_open(w);
    world_ask(w, UCLA, 5);
    run_until(w->base, &w->answered, 1);
    struct herd_span json = {w->answers[0].at, w->answers[0].len - 1};
    assert_int_equal(herd_answer_read(json, &shape, why, sizeof why), 0);
    assert_int_equal(shape.result_count, 0);
    assert_true(shape.results.at && shape.status.len && shape.message.len);
    if (!memmem(json.at, json.len, part, strlen(part)))
        fail_msg("%s: no \"%s\" in %s", kind, part, json.at);
    assert_true(world_logged(w, "warn lookup provider="));
    world_free(w);
}

static char deep[2048];

static void test_bad_replies(void **state)
{
    (void)state;
    memset(deep, '[', sizeof deep - 1);
    struct {
        struct stub_plan plan;
        const char *part;
    } rows[] = {
        {{.act = STUB_HOLD}, "did not answer within 400 ms"},
        {{.act = STUB_RESET}, ":"},
        {{.act = STUB_SHORT, .body = herd_span_of("{\"results\":[]")}, "Transferred a partial file"},
        {{.act = STUB_ENDLESS}, "larger than allowed"},
        {{.act = STUB_HEADERS}, ":"},
        {{.body = herd_span_of("")}, "empty at byte 0"},
        {{.body = herd_span_of("<html><body>Sorry</body></html>")}, "expected a value at byte 0"},
        {{.body = herd_span_of("{\"results\":[{\"name\":\"a\"}")}, "cut short"},
        {{.body = herd_span_of("{\"places\":[NaN],\"results\":[NaN],\"elements\":[NaN]}")}, "expected a value"},
        {{.body = herd_span_of("{\"places\":{},\"results\":{},\"elements\":{}}")}, "sent no"},
        {{.body = herd_span_of(
              "{\"places\":[],\"places\":[],\"results\":[],\"results\":[],\"elements\":[],\"elements\":[]}")},
         "a second time"},
        {{.body = herd_span_of("{\"places\":\"x\",\"results\":\"x\",\"elements\":\"x\"}")}, "UNKNOWN_ERROR"},
        {{.body = herd_span_of("{\"results\":[\"\\udc00\"]}")}, "lone surrogate"},
        {{.body = {deep, sizeof deep - 1}}, "nested too deep"},
        {{.status = 302, .headers = "Location: http://127.0.0.1:1/\r\n"}, "HTTP 302"},
        {{.status = 204}, "HTTP 204"},
        {{.status = 500}, "UNKNOWN_ERROR"},
        {{.status = 403, .body = herd_span_of("<html>")}, "REQUEST_DENIED"},
    };
    static const char *const kinds[] = {"google-legacy", "google-new", "overpass"};
    for (size_t k = 0; k < 3; k++)
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
            answers_with_failure(kinds[k], rows[i].plan, rows[i].part);
}

static void test_huge_body(void **state)
{
    (void)state;
    static char huge[2000000];
    memset(huge, ' ', sizeof huge);
    answers_with_failure("google-legacy", (struct stub_plan){.body = {huge, sizeof huge}}, "larger than allowed");
}

/* A header of one line longer than libcurl takes, and one of many lines. */
static void test_huge_header(void **state)
{
    (void)state;
    static char line[200003];
    memset(line, 'x', sizeof line - 1);
    memcpy(line, "X-Long: ", 8);
    memcpy(line + sizeof line - 3, "\r\n", 3);
    static const char *const kinds[] = {"google-legacy", "google-new", "overpass"};
    for (size_t k = 0; k < 3; k++) {
        answers_with_failure(kinds[k], (struct stub_plan){.headers = line},
                             "header of the reply is larger than allowed");
        answers_with_failure(kinds[k], (struct stub_plan){.act = STUB_HEADERS},
                             "header of the reply is larger than allowed");
    }
}

/* A few kilobytes that become a hundred million: what counts is what comes out. */
static void test_gzip_bomb(void **state)
{
    (void)state;
#ifdef STUB_ZLIB
    static unsigned char packed[200000], zeros[65536];
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 31, 9, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_out = packed;
    z.avail_out = sizeof packed;
    for (int i = 0; i < 1600; i++) {
        z.next_in = zeros;
        z.avail_in = sizeof zeros;
        assert_int_equal(deflate(&z, i == 1599 ? Z_FINISH : Z_NO_FLUSH), i == 1599 ? Z_STREAM_END : Z_OK);
    }
    size_t len = sizeof packed - z.avail_out;
    deflateEnd(&z);
    answers_with_failure("google-legacy",
                         (struct stub_plan){.headers = "Content-Encoding: gzip\r\n", .body = {(char *)packed, len}},
                         "larger than allowed");
#endif
}

/* Nobody is listening. */
static void test_refused(void **state)
{
    (void)state;
    struct world *w = world_new();
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", stub_port(w->stub));
    world_provider(w, "google-legacy", url);
    world_open(w);
    stub_free(w->stub);
    w->stub = stub_new(w->base, world_decide, w, NULL);
    world_ask(w, UCLA, 5);
    run_until(w->base, &w->answered, 1);
    assert_non_null(strstr(w->answers[0].at, "Couldn't connect"));
    world_free(w);
}

static void test_sixty_four_hang(void **state)
{
    (void)state;
    struct world *w = world_new();
    w->plans[0] = (struct stub_plan){.act = STUB_HOLD};
    struct herd_config_provider *p = world_provider(w, "google-legacy", stub_url(w->stub, "/"));
    p->in_flight_max = 64;
    p->timeout_ms = 300;
    world_open(w);
    for (unsigned i = 0; i < 100; i++) {
        char place[40];
        snprintf(place, sizeof place, "+%u.5+100.25", i % 90);
        world_ask(w, place, i / 90);
    }
    run_until(w->base, &w->answered, 100);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_replies), cmocka_unit_test(test_huge_body),
        cmocka_unit_test(test_huge_header), cmocka_unit_test(test_gzip_bomb),
        cmocka_unit_test(test_refused),     cmocka_unit_test(test_sixty_four_hang),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
