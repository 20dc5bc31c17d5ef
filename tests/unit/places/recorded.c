/* SPDX-License-Identifier: MIT */
/*
 * Answers recorded from Google's servers, cut at every bound: nothing but the removed results changes.
 * The recordings are not part of this project; HERD_FIXTURES names their folder (default: ../shared/fixtures
 * beside the source). Without them the program says so and exits 77.
 */
#include "cm.h"

#include "answer.h"
#include "google.h"
#include "raw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *folder;

static struct herd_buf load(const char *name)
{
    char path[1024];
    struct herd_buf text = {0};
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char chunk[65536];
    size_t got;
    while ((got = fread(chunk, 1, sizeof chunk, file)) > 0)
        assert_int_equal(herd_buf_add(&text, chunk, got), 0);
    fclose(file);
    return text;
}

/* What the cut should be, found in another way: elements are copied one by one. */
static void expect(struct herd_buf *out, struct herd_span json, unsigned bound)
{
    struct herd_span results, element, last = {NULL, 0};
    assert_true(herd_raw_get(json, "results", &results));
    struct herd_raw_walk walk = herd_raw_walk(results);
    unsigned count = 0;
    const char *kept = results.at + 1;
    while (herd_raw_element(&walk, &element)) {
        if (count++ < bound)
            kept = element.at + element.len;
        last = element;
    }
    const char *rest = bound == 0 ? results.at + results.len - 1 : count > bound ? last.at + last.len : kept;
    struct herd_buf whole = {0};
    assert_int_equal(herd_buf_add(&whole, json.at, (size_t)(kept - json.at)), 0);
    assert_int_equal(herd_buf_add(&whole, rest, (size_t)(json.at + json.len - rest)), 0);
    while (whole.len && whole.at[whole.len - 1] == '\n')
        whole.len--;
    for (size_t i = 0; i < whole.len; i++)
        if (whole.at[i] != '\n' || i == 0 || whole.at[i - 1] != '\n')
            assert_int_equal(herd_buf_add(out, &whole.at[i], 1), 0);
    herd_buf_fini(&whole);
}

static void test_every_bound(void **state)
{
    (void)state;
    static const char *const names[] = {"PlacesApiNearbySearchRequestByKeywordResponse.json",
                                        "PlacesApiNearbySearchRequestByNameResponse.json",
                                        "PlacesApiNearbySearchRequestByTypeResponse.json"};
    for (size_t n = 0; n < 3; n++) {
        struct herd_buf text = load(names[n]);
        struct herd_span json = {text.at, text.len};
        struct herd_answer_shape shape;
        char why[100];
        assert_int_equal(herd_answer_read(json, &shape, why, sizeof why), 0);
        assert_int_equal(shape.result_count, 20);
        for (unsigned bound = 0; bound <= 21; bound++) {
            struct herd_buf cut = {0}, want = {0};
            struct herd_answer_shape again;
            assert_int_equal(herd_answer_truncate(&cut, json, &shape, bound), 0);
            expect(&want, json, bound);
            assert_int_equal(cut.len, want.len);
            assert_memory_equal(cut.at, want.at, want.len);
            assert_int_equal(herd_answer_read((struct herd_span){cut.at, cut.len}, &again, why, sizeof why), 0);
            assert_int_equal(again.result_count, bound < 20 ? bound : 20);
            assert_null(memmem(cut.at, cut.len, "\n\n", 2));
            herd_buf_fini(&cut);
            herd_buf_fini(&want);
        }
        struct herd_reply_class reply_class;
        herd_google_legacy_classify(&(struct herd_reply){200, json}, &reply_class, &shape);
        assert_int_equal(reply_class.verdict, HERD_REPLY_ANSWER);
        herd_buf_fini(&text);
    }
}

static void test_big_number_survives(void **state)
{
    (void)state;
    struct herd_buf text = load("PlacesApiNearbySearchRequestByNameResponse.json"), cut = {0};
    struct herd_answer_shape shape;
    char why[100];
    struct herd_span json = {text.at, text.len};
    assert_int_equal(herd_answer_read(json, &shape, why, sizeof why), 0);
    assert_int_equal(herd_answer_truncate(&cut, json, &shape, 20), 0);
    assert_non_null(memmem(cut.at, cut.len, "12782971787189354742", 20));
    herd_buf_fini(&text);
    herd_buf_fini(&cut);
}

static void test_over_the_limit(void **state)
{
    (void)state;
    struct herd_buf text = load("OverQueryLimitResponse.json");
    struct herd_reply_class reply_class;
    struct herd_answer_shape shape;
    herd_google_legacy_classify(&(struct herd_reply){200, {text.at, text.len}}, &reply_class, &shape);
    assert_int_equal(reply_class.verdict, HERD_REPLY_FAILED);
    assert_string_equal(reply_class.status, "OVER_QUERY_LIMIT");
    assert_true(reply_class.counts_as_failure);
    herd_buf_fini(&text);
}

int main(void)
{
    static char path[1024];
    const char *root = getenv("HERD_SOURCE_ROOT");
    snprintf(path, sizeof path, "%s/../shared/fixtures", root ? root : ".");
    folder = getenv("HERD_FIXTURES") ? getenv("HERD_FIXTURES") : path;
    if (access(folder, R_OK) != 0) {
        printf("skipped: no recorded answers in %s (HERD_FIXTURES)\n", folder);
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_bound),
        cmocka_unit_test(test_big_number_survives),
        cmocka_unit_test(test_over_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
