/* SPDX-License-Identifier: MIT */
/* Any bytes as a place and a radius, parted by a blank: refused, or texts in canonical form. */
#include "places.h"

#include "decimal.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    const char *at = (const char *)bytes, *blank = len ? memchr(at, ' ', len) : NULL;
    int64_t e7;
    struct herd_buf out = {0};
    if (herd_decimal_e7((struct herd_span){at, len}, &e7) == 0) {
        int64_t again;
        check(herd_decimal_e7_write(&out, e7) == 0);
        check(herd_decimal_e7((struct herd_span){out.at, out.len}, &again) == 0 && again == e7);
    }
    herd_buf_fini(&out);
    if (!blank)
        return 0;
    struct herd_places_question q = {0};
    struct herd_span radius = {blank + 1, len - (size_t)(blank - at) - 1};
    if (herd_places_query_make_iso(&q, (struct herd_span){at, (size_t)(blank - at)}, radius, 5) == 0) {
        const struct herd_span texts[] = {q.query.lat, q.query.lon, q.query.radius};
        for (size_t i = 0; i < 3; i++) {
            struct herd_raw_fault fault;
            if (i == 2 && *texts[i].at == '-')
                break; /* the core lets no such radius through */
            check(herd_raw_check(texts[i], &fault) == 0 && herd_raw_kind(texts[i]) == '0'); /* a JSON number */
        }
        struct herd_buf body = {0};
        check(herd_google_new_body(&body, &q.query) == 0);
        check_json((struct herd_span){body.at, body.len});
        herd_buf_fini(&body);
    }
    herd_places_query_fini(&q);
    return 0;
}
