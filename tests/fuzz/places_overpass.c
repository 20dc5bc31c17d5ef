/* SPDX-License-Identifier: MIT */
/* Any bytes as a reply of Overpass. */
#include "places.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct herd_places_question q = question(3);
    struct herd_reply_class reply_class;
    struct herd_buf out = {0};
    check(herd_overpass_classify(&(struct herd_reply){200, {(const char *)bytes, len}}, &q.query, &out,
                                 &reply_class) == 0);
    if (reply_class.verdict == HERD_REPLY_ANSWER)
        check_answer((struct herd_span){out.at, out.len}, 3);
    else
        check(reply_class.why[0] && !out.len);
    herd_buf_fini(&out);
    herd_places_query_fini(&q);
    return 0;
}
