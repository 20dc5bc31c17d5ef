/* SPDX-License-Identifier: MIT */
/* Records as OwnTracks Recorder says them: JSON whatever an id holds, numbers whatever digits a line had. */
#include "cm.h"

#include "../core/guard.h"
#include "raw.h"
#include "recorder.h"

#include <stdio.h>

static void locations(void **state)
{
    static const struct {
        const char *id, *position, *time, *json;
    } rows[] = {
        {"jane/phone", "+48.8568+2.2927", "1795694395.5",
         "{\"_type\":\"location\",\"username\":\"jane\",\"device\":\"phone\",\"topic\":\"owntracks/jane/phone\","
         "\"tid\":\"ne\",\"tst\":1795694395,\"lat\":48.8568,\"lon\":2.2927}"},
        {"kiwi", "-00.5+007", "0007",
         "{\"_type\":\"location\",\"username\":\"kiwi\",\"device\":\"\",\"topic\":\"owntracks/kiwi\","
         "\"tid\":\"wi\",\"tst\":7,\"lat\":-0.5,\"lon\":7}"},
        {"a%2Fb/old%20tab%2", "+0-0.0", "00.1",
         "{\"_type\":\"location\",\"username\":\"a/b\",\"device\":\"old "
         "tab%2\",\"topic\":\"owntracks/a%2Fb/old%20tab%2\","
         "\"tid\":\"%2\",\"tst\":0,\"lat\":0,\"lon\":-0.0}"},
        {"q\"\\/\x01\xff%0a%", "+1+2", "3",
         "{\"_type\":\"location\",\"username\":\"q\\\"\\\\\",\"device\":\"\\u0001\xef\xbf\xbd\\u000a%\","
         "\"topic\":\"owntracks/q\\\"\\\\/\\u0001\xef\xbf\xbd%0a%\",\"tid\":\"a%\",\"tst\":3,\"lat\":1,\"lon\":2}"},
        {"%4g/%g4%41", "+1+2", "3",
         "{\"_type\":\"location\",\"username\":\"%4g\",\"device\":\"%g4A\",\"topic\":\"owntracks/%4g/%g4%41\","
         "\"tid\":\"41\",\"tst\":3,\"lat\":1,\"lon\":2}"},
        {"/", "+1+2", "3",
         "{\"_type\":\"location\",\"username\":\"\",\"device\":\"\",\"topic\":\"owntracks//"
         "\",\"tid\":\"\",\"tst\":3,"
         "\"lat\":1,\"lon\":2}"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct herd_record record = {.id = guarded(herd_span_of(rows[i].id)),
                                     .position = herd_span_of(rows[i].position),
                                     .time = herd_span_of(rows[i].time)};
        struct herd_buf out = {0};
        struct herd_raw_fault fault;
        assert_int_equal(herd_recorder_put_location(&out, &record), 0);
        if (!herd_span_equal(span_of_buf(&out), herd_span_of(rows[i].json)))
            fail_msg("%.*s", (int)out.len, out.at);
        assert_int_equal(herd_raw_check(span_of_buf(&out), &fault), 0);
        herd_buf_fini(&out);
    }
}

/* What no store holds: an id of no byte, a position that is none. */
static void no_record(void **state)
{
    struct herd_span user = {"x", 1}, device = {"x", 1};
    struct herd_record record = {
        .id = herd_span_of("a"), .position = herd_span_of("1,2"), .time = herd_span_of("3")};
    struct herd_buf out = {0};
    (void)state;
    herd_recorder_split((struct herd_span){NULL, 0}, &user, &device);
    assert_true(user.len == 0 && device.len == 0);
    assert_int_equal(herd_recorder_put_location(&out, &record), HERD_E_SYNTAX);
    assert_int_equal(out.len, 0);
    herd_buf_fini(&out);
}

/* Every byte alone, and escaped, in a name is JSON. */
static void any_byte(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        char id[8];
        struct herd_buf out = {0};
        struct herd_raw_fault fault;
        snprintf(id, sizeof id, "u/_%%%02x", (unsigned)byte);
        id[2] = (char)byte;
        struct herd_record record = {.id = {id, 6}, .position = herd_span_of("+1+2"), .time = herd_span_of("3")};
        assert_int_equal(herd_recorder_put_location(&out, &record), 0);
        assert_int_equal(herd_raw_check(span_of_buf(&out), &fault), 0);
        herd_buf_fini(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(locations), cmocka_unit_test(no_record),
                                       cmocka_unit_test(any_byte)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
