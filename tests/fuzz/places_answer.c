/* SPDX-License-Identifier: MIT */
/* Any bytes as an answer of the legacy API: refused with a reason, or cut to an answer every parser takes. */
#include "places.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct herd_span json = {(const char *)bytes, len};
    struct herd_answer_shape shape;
    struct herd_reply_class reply_class;
    char why[100];
    herd_google_legacy_classify(&(struct herd_reply){200, json}, &reply_class, &shape);
    if (herd_answer_read(json, &shape, why, sizeof why) < 0) {
        check(why[0] && reply_class.verdict == HERD_REPLY_FAILED);
        return 0;
    }
    for (unsigned bound = 0; bound < 4; bound++) {
        struct herd_buf out = {0}, again = {0};
        struct herd_answer_shape cut;
        check(herd_answer_truncate(&out, json, &shape, bound) == 0);
        struct herd_span answer = {out.at, out.len};
        check_answer(answer, shape.results.at ? bound : 0);
        check(herd_answer_read(answer, &cut, why, sizeof why) == 0);
        check(cut.result_count == (shape.result_count < bound ? shape.result_count : bound));
        check(herd_answer_truncate(&again, answer, &cut, bound) == 0); /* nothing more to do */
        check(herd_span_equal(answer, (struct herd_span){again.at, again.len}));
        herd_buf_fini(&out);
        herd_buf_fini(&again);
    }
    return 0;
}
