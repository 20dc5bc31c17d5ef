/* SPDX-License-Identifier: MIT */
/* Shapes, questions and fences that are refused, and leave everything as it was. */
#include "area_world.h"

static void test_refused(void **state)
{
    (void)state;
    struct world world;
    struct herd_shape *shape;
    struct herd_area_query *query;
    const char *message;
    open_world(&world, 0);
    assert_int_equal(herd_shape_circle(&shape, (double)NAN, 0, 1), HERD_E_RANGE);
    assert_int_equal(herd_shape_circle(&shape, 90.1, 0, 1), HERD_E_RANGE);
    assert_int_equal(herd_shape_circle(&shape, 0, -180.1, 1), HERD_E_RANGE);
    assert_int_equal(herd_shape_circle(&shape, 0, 0, -1), HERD_E_RANGE);
    assert_int_equal(herd_shape_circle(&shape, 0, 0, (double)INFINITY), HERD_E_RANGE);
    assert_int_equal(herd_shape_box(&shape, 0, 1, 1, 0), HERD_E_RANGE);
    assert_int_equal(herd_shape_box(&shape, (double)NAN, 0, 1, 1), HERD_E_RANGE);
    assert_int_equal(herd_shape_box(&shape, 0, 0, 180.1, 1), HERD_E_RANGE);
    assert_int_equal(herd_shape_box(&shape, 0, 0, 1, (double)NAN), HERD_E_RANGE);
    struct row {
        double at[10];
        size_t count;
        int err;
    } rows[] = {
        {{0, 0, 1, 0, 1, 1, 0, 0}, 4, 0},
        {{0, 0, 1, 0, 1, 1, 0, 0.5}, 4, HERD_E_SYNTAX},
        {{0, 0, 1, 0, 1, 1, 0.5, 0}, 4, HERD_E_SYNTAX},
        {{0, 0, 1, 0, 0, 0}, 3, HERD_E_SYNTAX},
        {{0, 0, 0, 0, 0, 0, 0, 0}, 4, HERD_E_SYNTAX},
        {{0, 0, 1, 91, 1, 1, 0, 0}, 4, HERD_E_RANGE},
        {{0, 0, 361, 0, 1, 1, 0, 0}, 4, HERD_E_RANGE},
        {{-200, 0, 200, 0, 1, 1, -200, 0}, 4, HERD_E_RANGE},
        {{0, 0, (double)NAN, 0, 1, 1, 0, 0}, 4, HERD_E_RANGE},
        {{0, 0, 1, 1, 1, 0, 0, 1, 0, 0}, 5, 0}, /* crosses itself */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct herd_ring ring = {rows[i].at, rows[i].count, false};
        assert_int_equal(herd_shape_polygon(&shape, &ring, 1, &message), rows[i].err);
        if (rows[i].err == 0)
            herd_shape_free(shape);
    }
    const struct herd_ring hole = {rows[0].at, 4, true}, large = {rows[0].at, HERD_SHAPE_POSITIONS_MAX + 1, false};
    assert_int_equal(herd_shape_polygon(&shape, &hole, 1, &message), HERD_E_SYNTAX);
    assert_int_equal(herd_shape_polygon(&shape, NULL, 0, &message), HERD_E_SYNTAX);
    assert_int_equal(herd_shape_polygon(&shape, &large, 1, &message), HERD_E_LIMIT);
    struct herd_area_question question = {.limit = 0};
    assert_int_equal(herd_area_ask(world.area, &question, &query), HERD_E_ARG);
    question.limit = HERD_AREA_HITS_MAX + 1;
    assert_int_equal(herd_area_ask(world.area, &question, &query), HERD_E_ARG);
    question = (struct herd_area_question){.limit = 1, .by_distance = true, .lat_deg = (double)NAN};
    assert_int_equal(herd_area_ask(world.area, &question, &query), HERD_E_RANGE);
    question.lat_deg = 0;
    question.lon_deg = 180.1;
    assert_int_equal(herd_area_ask(world.area, &question, &query), HERD_E_RANGE);
    question.lon_deg = (double)NAN;
    assert_int_equal(herd_area_ask(world.area, &question, &query), HERD_E_RANGE);
    assert_int_equal(herd_shape_proximity(&shape, herd_span_of("a"), herd_span_of("*"), 100), 0);
    assert_false(herd_shape_contains(shape, 0, 0)); /* it is about clients, and nowhere */
    question = (struct herd_area_question){.limit = 1, .shape = shape};
    assert_int_equal(herd_area_ask(world.area, &question, &query), HERD_E_ARG);
    herd_shape_free(shape);
    assert_int_equal(herd_shape_box(&shape, 0, 0, 1, 1), 0);
    struct herd_fence_options options = {0};
    assert_int_equal(herd_area_fence_set(world.area, herd_span_of("box"), shape, &options), HERD_E_ARG);
    herd_shape_free(shape);
    assert_int_equal(herd_shape_circle(&shape, 0, 0, 3e7), 0); /* the earth */
    assert_int_equal(herd_area_fence_set(world.area, herd_span_of("a b"), shape, &options), HERD_E_ARG);
    options.kinds = 16;
    assert_int_equal(herd_area_fence_set(world.area, herd_span_of("a"), shape, &options), HERD_E_ARG);
    options = (struct herd_fence_options){0, (double)NAN, 0};
    assert_int_equal(herd_area_fence_set(world.area, herd_span_of("a"), shape, &options), HERD_E_RANGE);
    options.margin_m = HERD_FENCE_MARGIN_MAX_M + 0.001;
    assert_int_equal(herd_area_fence_set(world.area, herd_span_of("a"), shape, &options), HERD_E_RANGE);
    options = (struct herd_fence_options){0, 0, -1};
    assert_int_equal(herd_area_fence_set(world.area, herd_span_of("a"), shape, &options), HERD_E_RANGE);
    options.dwell_ms = HERD_FENCE_DWELL_MAX_MS + 1;
    assert_int_equal(herd_area_fence_set(world.area, herd_span_of("a"), shape, &options), HERD_E_RANGE);
    assert_int_equal(herd_area_fence_options(world.area, herd_span_of("a"), &options), HERD_E_NOTFOUND);
    assert_int_equal(herd_area_fence_count(world.area), 0);
    options = (struct herd_fence_options){0, HERD_FENCE_MARGIN_MAX_M, HERD_FENCE_DWELL_MAX_MS};
    assert_int_equal(herd_area_fence_set(world.area, herd_span_of("a"), shape, &options), 0);
    options = (struct herd_fence_options){0};
    assert_int_equal(herd_area_fence_options(world.area, herd_span_of("a"), &options), 0);
    assert_true(options.margin_m == HERD_FENCE_MARGIN_MAX_M && options.dwell_ms == HERD_FENCE_DWELL_MAX_MS);
    assert_int_equal(options.kinds, HERD_FENCE_ENTER | HERD_FENCE_LEAVE);
    assert_int_equal(herd_shape_circle(&shape, 0, 0, 3e7), 0);
    options = (struct herd_fence_options){0};
    assert_int_equal(herd_area_fence_set(world.area, herd_span_of("a"), shape, &options), 0);
    /* Too many fences of one place are refused, and leave everything as it was. */
    int err = 0;
    unsigned count = 0;
    for (; err == 0 && count < 20000; count++) {
        char name[16];
        snprintf(name, sizeof name, "n%u", count);
        assert_int_equal(herd_shape_circle(&shape, 0, 0, 3e7), 0);
        err = herd_area_fence_set(world.area, herd_span_of(name), shape, &options);
    }
    assert_int_equal(err, HERD_E_LIMIT);
    herd_shape_free(shape);
    assert_int_equal(herd_area_fence_count(world.area), count);
    /* In place of one that is there: no more than before. */
    assert_int_equal(herd_shape_circle(&shape, 10, 10, 10), 0);
    assert_int_equal(herd_area_fence_set(world.area, herd_span_of("a"), shape, &options), 0);
    assert_int_equal(herd_area_fence_count(world.area), count);
    close_world(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
