/* SPDX-License-Identifier: MIT */
/* Every allocation fails once: the request says so, and read again it is what it would have been. */
#include "cm.h"

#include "../edge/alloc.h"
#include "../failing_additions.h"
#include "request.h"

static bool addition_fails_now(void)
{
    return alloc_fails();
}

static void requests(void **state)
{
    static const struct request list[] = {
        {HERD_TRACKER_OWNTRACKS, .user = "jane", .device = "phone",
         .body = "{\"_type\":\"location\",\"lat\":1,\"lon\":2,\"tst\":3}"},
        {HERD_TRACKER_OSMAND, .query = "id=a%20b&lat=1&lon=2&timestamp=3"},
        {HERD_TRACKER_OSMAND,
         .body = "{\"device_id\":\"a\",\"location\":{\"coords\":{\"latitude\":1,\"longitude\":2}}}"},
        {HERD_TRACKER_OVERLAND, .body = "{\"locations\":[{\"geometry\":{\"type\":\"Point\",\"coordinates\":[1,2]},"
                                        "\"properties\":{\"device_id\":\"a\"}}]}"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        struct herd_tracker tracker = {0};
        struct herd_tracker_request request = request_of(&list[i]);
        struct herd_tracker_report report;
        bool met = true;
        long n = 0;
        while (met) {
            herd_tracker_fini(&tracker);
            herd_tracker_begin(&tracker, list[i].format, &request);
            alloc_fail_at = ++n;
            int err = herd_tracker_next(&tracker, &report);
            met = alloc_fail_at <= 0;
            alloc_fail_at = 0;
            assert_int_equal(err, met ? HERD_E_NOMEM : 1);
            herd_tracker_begin(&tracker, list[i].format, &request);
            assert_int_equal(herd_tracker_next(&tracker, &report), 1);
            assert_int_equal(report.outcome, HERD_TRACKER_REPORT);
            assert_int_equal(herd_tracker_next(&tracker, &report), 0);
        }
        assert_int_equal(n, 2); /* one buffer, and nothing in the next request */
        herd_tracker_begin(&tracker, list[i].format, &request);
        alloc_fail_at = 1;
        assert_int_equal(herd_tracker_next(&tracker, &report), 1);
        alloc_fail_at = 0;
        herd_tracker_fini(&tracker);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(requests)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
