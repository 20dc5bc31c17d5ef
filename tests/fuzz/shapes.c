/* SPDX-License-Identifier: MIT */
/* Any bytes as GeoJSON of a shape or of fences: read alike twice, and what is written is read again as the same. */
#include <herd/geojson.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MUST(condition)   \
    do {                  \
        if (!(condition)) \
            abort();      \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void write_and_read(const struct herd_geojson_fence *fence)
{
    struct herd_buf out = {0};
    struct herd_geojson_fence again;
    struct herd_diagnostic diagnostic;
    const char *name = fence->name[0] ? fence->name : "x";
    MUST(herd_fence_put_geojson(&out, herd_span_of(name), fence->shape, &fence->options) == 0);
    MUST(herd_fence_geojson(&again, (struct herd_span){out.at, out.len}, &diagnostic) == 0);
    MUST(strcmp(again.name, name) == 0);
    for (double lat = -90; lat <= 90; lat += 22.5)
        for (double lon = -180; lon <= 180; lon += 22.5)
            if (memmem(out.at, out.len, "Multi", 5)) /* a circle is rounded */
                MUST(herd_shape_contains(fence->shape, lat, lon) == herd_shape_contains(again.shape, lat, lon));
    herd_shape_free(again.shape);
    herd_buf_fini(&out);
}

static int on_fence(void *ctx, const struct herd_geojson_fence *fence, unsigned line)
{
    MUST(line > 0 && fence->name[0]);
    write_and_read(fence);
    herd_shape_free(fence->shape);
    ++*(size_t *)ctx;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    char *text = malloc(len ? len : 1); /* nothing behind it */
    MUST(text);
    memcpy(text, bytes, len);
    struct herd_span span = {text, len};
    struct herd_shape *shape;
    struct herd_geojson_fence fence;
    struct herd_diagnostic diagnostic = {0};
    size_t count = 0;
    int err = herd_shape_geojson(&shape, span, &diagnostic);
    if (err == 0)
        herd_shape_free(shape);
    else
        MUST(diagnostic.message[0] && err != HERD_E_NOMEM);
    if (herd_fence_geojson(&fence, span, &diagnostic) == 0) {
        MUST(err == 0 || memmem(text, len, "null", 4)); /* a proximity is a fence, and no shape */
        write_and_read(&fence);
        herd_shape_free(fence.shape);
    }
    (void)herd_fences_geojson(span, on_fence, &count, &diagnostic);
    free(text);
    return 0;
}
