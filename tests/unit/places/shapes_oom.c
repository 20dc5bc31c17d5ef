/* SPDX-License-Identifier: MIT */
/* Every allocation of reading and writing shapes fails once: the call says so, and nothing is lost. */
#include "cm.h"

#include "../edge/alloc.h"

#include <herd/geojson.h>

static const char *const texts[] = {
    "{\"type\":\"Feature\",\"properties\":{\"name\":\"a\"},\"geometry\":{\"type\":\"MultiPolygon\",\"coordinates\":"
    "["
    "[[[0,0],[10,0],[10,10],[0,10],[0,0]],[[4,4],[6,4],[6,6],[4,4]]],[[[20,0],[30,0],[30,10],[20,0]]]]}}",
    "{\"type\":\"Point\",\"coordinates\":[1,2],\"radius\":3,\"name\":\"b\"}",
    "{\"type\":\"Feature\",\"geometry\":null,\"properties\":{\"name\":\"c\",\"proximity\":3,\"who\":\"a*\"}}",
};

static int keep_none(void *ctx, const struct herd_geojson_fence *fence, unsigned line)
{
    (void)ctx;
    (void)line;
    herd_shape_free(fence->shape);
    return 0;
}

static int read_and_write(const char *text)
{
    struct herd_geojson_fence fence;
    struct herd_diagnostic diagnostic = {0};
    struct herd_buf out = {0};
    int err = herd_fences_geojson(herd_span_of(text), keep_none, NULL, &diagnostic);
    if (err >= 0)
        err = herd_fence_geojson(&fence, herd_span_of(text), &diagnostic);
    if (err < 0) {
        assert_string_equal(diagnostic.message, "out of memory");
        return err;
    }
    err = herd_fence_put_geojson(&out, herd_span_of(fence.name), fence.shape, &fence.options);
    herd_shape_free(fence.shape);
    herd_buf_fini(&out);
    return err;
}

static void test_every_allocation(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        for (long n = 1;; n++) {
            alloc_fail_at = n;
            int err = read_and_write(texts[i]);
            bool met = alloc_fail_at <= 0;
            alloc_fail_at = 0;
            assert_int_equal(err, met ? HERD_E_NOMEM : 0);
            if (!met) {
                assert_true(n > (i ? 3 : 12));
                break;
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_allocation)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
