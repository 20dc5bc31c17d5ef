/* SPDX-License-Identifier: MIT */
/* Files of places and answers of Overpass in every form they have in the wild, through the real readers. */
#include "want.h"

#include "google.h"
#include "points.h"
#include "query.h"

/* Some point whose texts say so? `word` is name, id, vicinity or types. */
static bool has_point(const struct herd_points *points, const char *word, const char *text)
{
    for (size_t i = 0; i < herd_points_count(points); i++) {
        struct herd_point p;
        herd_points_get(points, i, &p);
        struct herd_span got = strcmp(word, "name") == 0       ? p.name
                               : strcmp(word, "id") == 0       ? p.id
                               : strcmp(word, "vicinity") == 0 ? p.vicinity
                                                               : p.types;
        if (herd_span_equal(got, herd_span_of(text)))
            return true;
    }
    return false;
}

static void check_places(const char *path, FILE *want)
{
    struct herd_points *points = NULL;
    struct herd_points_summary summary;
    struct herd_diagnostic diagnostic = {0};
    char line[512], text[512];
    unsigned at, item;
    size_t taken, skipped, faulty, lines = 0;
    int err = herd_points_load(&points, path, NULL, &summary, &diagnostic), part = 0;
    for (; next_line(want, line); lines++) {
        if (sscanf(line, "error line %u: %n", &at, &part) == 1) {
            if (err == 0 || diagnostic.line != at || !strstr(diagnostic.message, line + part))
                fail_msg("%s: %d, line %u: %s; not %s", path, err, diagnostic.line, diagnostic.message, line);
            continue;
        }
        if (err < 0)
            fail_msg("%s: line %u: %s", path, diagnostic.line, diagnostic.message);
        if (sscanf(line, "points %zu skipped %zu faulty %zu", &taken, &skipped, &faulty) == 3) {
            if (herd_points_count(points) != taken || summary.taken != taken || summary.skipped != skipped ||
                summary.faulty != faulty)
                fail_msg("%s: points %zu skipped %zu faulty %zu (line %u: %s); not %s", path, summary.taken,
                         summary.skipped, summary.faulty, summary.first.line, summary.first.message, line);
        } else if (sscanf(line, "first line %u feature %u: %n", &at, &item, &part) == 2 ||
                   (item = 0, sscanf(line, "first line %u: %n", &at, &part) == 1)) {
            if (summary.first.line != at || summary.first_item != item ||
                !strstr(summary.first.message, line + part))
                fail_msg("%s: line %u, feature %zu: %s; not %s", path, summary.first.line, summary.first_item,
                         summary.first.message, line);
        } else {
            char word[16];
            if (sscanf(line, "%15s %511[^\n]", word, text) != 2 || !has_point(points, word, text))
                fail_msg("%s: no point has %s", path, line);
        }
    }
    assert_true(lines > 0);
    herd_points_free(points);
}

static void test_places(void **state)
{
    (void)state;
    for_each_file("places", 40, check_places);
}

static void check_overpass(const char *path, FILE *want)
{
    static char body[65536];
    struct herd_places_question q = {0};
    struct herd_reply_class reply_class;
    struct herd_buf out = {0};
    char line[512], name[600];
    const char *at;
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t len = fread(body, 1, sizeof body, file), lines = 0;
    fclose(file);
    assert_int_equal(herd_places_query_make_iso(&q, herd_span_of("+48.85+002.35"), herd_span_of("1"), 20), 0);
    assert_int_equal(herd_overpass_classify(&(struct herd_reply){200, {body, len}}, &q.query, &out, &reply_class),
                     0);
    assert_int_equal(herd_buf_add(&out, "", 1), 0);
    at = out.at;
    for (; next_line(want, line); lines++) {
        if (strncmp(line, "failed ", 7) == 0) {
            if (reply_class.verdict != HERD_REPLY_FAILED || !strstr(reply_class.why, line + 7))
                fail_msg("%s: %s", path, reply_class.why);
        } else if (reply_class.verdict == HERD_REPLY_FAILED) {
            fail_msg("%s: %s", path, reply_class.why);
        } else if (strncmp(line, "not ", 4) == 0) {
            if (strstr(out.at, line + 4))
                fail_msg("%s: %s is in %s", path, line + 4, out.at);
        } else { /* in this order */
            snprintf(name, sizeof name, "\"name\" : \"%s\"", line + 5);
            at = strstr(at, name);
            if (!at)
                fail_msg("%s: no %s, or not here, in %s", path, name, out.at);
        }
    }
    assert_true(lines > 0);
    herd_buf_fini(&out);
    herd_places_query_fini(&q);
}

static void test_overpass(void **state)
{
    (void)state;
    for_each_file("overpass", 7, check_overpass);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_places), cmocka_unit_test(test_overpass)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
