/* SPDX-License-Identifier: MIT */
/* Bodies of the native API. */
#include "cm.h"

#include "../core/guard.h"
#include "native.h"

#include <string.h>

static void bodies(void **state)
{
    static const struct {
        int err;
        const char *body, *place, *time;
    } rows[] = {
        {0, "{\"lat\":48.8568,\"lon\":2.2927,\"time\":1795694395.123}", "+48.8568+2.2927", "1795694395.123"},
        {0, " { \"time\" : \"1795694395123\", \"lon\":-2e0, \"lat\":1 } \n", "+1-2", "1795694395.123"},
        {0, "{\"lat\":1,\"lon\":2,\"time\":\"2026-11-26T10:19:55\\u002b01:00\"}", "+1+2", "1795684795"},
        {0, "{\"lat\":1,\"lon\":2}", "+1+2", "7.000000000"},
        {0, "{\"lat\":1,\"lon\":2,\"time\":null}", "+1+2", "7.000000000"},
        {0, "{\"l\\u0061t\":1,\"lon\":2}", "+1+2", "7.000000000"},
        {HERD_E_RANGE, "{\"lat\":1,\"lon\":2,\"tme\":5}", NULL, NULL},
        {HERD_E_RANGE, "{\"lat\":1,\"lon\":2,\"time\":null,\"more\":[{}],\"more\":1}", NULL, NULL},
        {HERD_E_RANGE, "{\"\":null,\"lat\":1,\"lon\":2}", NULL, NULL},
        {HERD_E_SYNTAX, "{\"lat\":1,\"lat\":1,\"lon\":2,\"tme\":5}", NULL, NULL},
        {HERD_E_RANGE, "{\"lat\":91,\"lon\":2}", NULL, NULL},
        {HERD_E_RANGE, "{\"lat\":1,\"lon\":-180.01}", NULL, NULL},
        {HERD_E_RANGE, "{\"lat\":1e400,\"lon\":0}", NULL, NULL},
        {HERD_E_RANGE, "{\"lat\":1,\"lon\":0,\"time\":-1}", NULL, NULL},
        {HERD_E_SYNTAX, "{\"lat\":1,\"lon\":0,\"time\":\"2026-11-26T10:19:55\"}", NULL, NULL},
        {HERD_E_SYNTAX, "{\"lat\":1,\"lon\":0,\"time\":\"\"}", NULL, NULL},
        {HERD_E_SYNTAX, "{\"lat\":1,\"lon\":0,\"time\":true}", NULL, NULL},
        {HERD_E_SYNTAX, "{\"lat\":\"1\",\"lon\":0}", NULL, NULL},
        {HERD_E_SYNTAX, "{\"lat\":1}", NULL, NULL},
        {HERD_E_SYNTAX, "{\"lat\":1,\"lon\":null}", NULL, NULL},
        {HERD_E_SYNTAX, "{\"lat\":NaN,\"lon\":0}", NULL, NULL},
        {HERD_E_SYNTAX, "{\"lat\":01,\"lon\":0}", NULL, NULL},
        {HERD_E_SYNTAX, "{\"lat\":1,\"lon\":0,\"lat\":1}", NULL, NULL},
        {HERD_E_SYNTAX, "{\"lat\":1,\"lon\":0,\"l\\u0061t\":1}", NULL, NULL},
        {HERD_E_SYNTAX, "{\"lat\":1,\"lon\":0,\"time\":null,\"time\":1}", NULL, NULL},
        {HERD_E_SYNTAX, "{\"lat\":1,\"lon\":0}x", NULL, NULL},
        {HERD_E_SYNTAX, "{\"lat\":1,\"lon\":0", NULL, NULL},
        {HERD_E_SYNTAX, "[{\"lat\":1,\"lon\":0}]", NULL, NULL},
        {HERD_E_SYNTAX, "{'lat':1,\"lon\":0}", NULL, NULL},
        {HERD_E_SYNTAX, "", NULL, NULL},
        {HERD_E_SYNTAX, "null", NULL, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct herd_place_time pt;
        const char *message = NULL;
        struct herd_span body = guarded(herd_span_of(rows[i].body));
        int err = herd_native_report_read(body, INT64_C(7000000000), &pt, &message);
        if (err != rows[i].err)
            fail_msg("%s: %d %s", rows[i].body, err, message ? message : "");
        if (err < 0) {
            assert_true(message && message[0]);
            continue;
        }
        if (!herd_span_equal(herd_place_of(&pt), herd_span_of(rows[i].place)) ||
            !herd_span_equal(herd_time_of(&pt), herd_span_of(rows[i].time)))
            fail_msg("%s: %.*s %.*s", rows[i].body, (int)pt.place_len, pt.place, (int)pt.time_len, pt.time);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(bodies)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
