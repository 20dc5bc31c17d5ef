/* SPDX-License-Identifier: MIT */
/* Messages that can never be reports: each has an outcome, none is an error, and the ones behind them in a batch are
 * reports no less. */
#include "cm.h"

#include "../core/guard.h"
#include "request.h"

#include <stdio.h>

#define WHERE "\"lat\":1,\"lon\":2,\"tst\":3"

static const struct {
    struct request request;
    const char *expected;
} rows[] = {
    {{HERD_TRACKER_OWNTRACKS, .user = "u", .body = ""}, "empty\n"},
    {{HERD_TRACKER_OWNTRACKS, .user = "u"}, "empty\n"},
    {{HERD_TRACKER_OWNTRACKS, .user = "u", .body = " \r\n"}, "empty\n"},
    {{HERD_TRACKER_OWNTRACKS, .user = "u", .body = "{"}, "invalid\n"},
    {{HERD_TRACKER_OWNTRACKS, .user = "u", .body = "hello"}, "invalid\n"},
    {{HERD_TRACKER_OWNTRACKS, .user = "u", .body = "[]"}, "invalid\n"},
    {{HERD_TRACKER_OWNTRACKS, .user = "u", .body = "{}"}, "not_a_location\n"},
    {{HERD_TRACKER_OWNTRACKS, .user = "u", .body = "{" WHERE "}"}, "not_a_location\n"},
    {{HERD_TRACKER_OWNTRACKS, .user = "u", .body = "{\"_type\":7," WHERE "}"}, "not_a_location\n"},
    {{HERD_TRACKER_OWNTRACKS, .user = "u", .body = "{\"_type\":\"waypoint\"," WHERE "}"}, "not_a_location\n"},
    {{HERD_TRACKER_OWNTRACKS, .user = "u", .body = "{\"_type\":\"transition\"," WHERE "}"}, "not_a_location\n"},
    {{HERD_TRACKER_OWNTRACKS, .user = "u", .body = "{\"_type\":\"lwt\",\"tst\":3}"}, "not_a_location\n"},
    {{HERD_TRACKER_OWNTRACKS, .user = "u", .body = "{\"_type\":\"card\",\"name\":\"J\"}"}, "not_a_location\n"},
    {{HERD_TRACKER_OWNTRACKS, .user = "u", .body = "{\"_type\":\"new in 2030\"}"}, "not_a_location\n"},
    {{HERD_TRACKER_OWNTRACKS, .user = "u", .body = "{\"_type\":\"encrypted\",\"data\":\"AAAA\"}"}, "encrypted\n"},
    {{HERD_TRACKER_OWNTRACKS, .user = "u", .body = "{\"_type\":\"location\",\"tst\":3}"}, "no_position u\n"},
    {{HERD_TRACKER_OWNTRACKS, .user = "u", .body = "{\"_type\":\"location\",\"lat\":1,\"lon\":null}"},
     "no_position u\n"},
    {{HERD_TRACKER_OWNTRACKS, .user = "u", .body = "{\"_type\":\"location\",\"lat\":NaN,\"lon\":2,\"tst\":3}"},
     "invalid\n"},
    {{HERD_TRACKER_OWNTRACKS, .user = "u", .body = "{\"_type\":\"location\",\"lat\":\"NaN\",\"lon\":2,\"tst\":3}"},
     "invalid u\n"},
    {{HERD_TRACKER_OWNTRACKS, .user = "u", .body = "{\"_type\":\"location\",\"lat\":[1],\"lon\":2,\"tst\":3}"},
     "invalid u\n"},
    {{HERD_TRACKER_OWNTRACKS, .user = "u", .body = "{\"_type\":\"location\",\"lat\":91,\"lon\":2,\"tst\":3}"},
     "out_of_range u\n"},
    {{HERD_TRACKER_OWNTRACKS, .user = "u", .body = "{\"_type\":\"location\",\"lat\":1e400,\"lon\":2,\"tst\":3}"},
     "out_of_range u\n"},
    {{HERD_TRACKER_OWNTRACKS, .user = "u",
      .body = "{\"_type\":\"location\",\"lat\":1,\"lon\":2,\"tst\":99999999999999999999}"},
     "out_of_range u\n"},
    {{HERD_TRACKER_OWNTRACKS, .user = "u", .body = "{\"_type\":\"location\",\"lat\":1,\"lon\":2,\"tst\":-3}"},
     "out_of_range u\n"},
    {{HERD_TRACKER_OWNTRACKS, .user = "u", .body = "{\"_type\":\"location\",\"lat\":1,\"lon\":2,\"tst\":\"soon\"}"},
     "invalid u\n"},
    {{HERD_TRACKER_OWNTRACKS, .user = "u",
      .body = "{\"_type\":\"location\",\"lat\":1,\"lat\":2,\"lon\":2,\"tst\":3}"},
     "invalid\n"},
    {{HERD_TRACKER_OWNTRACKS, .user = "u", .body = "{\"_type\":\"location\",\"_type\":\"cmd\"," WHERE "}"},
     "invalid\n"},
    {{HERD_TRACKER_OWNTRACKS, .user = "u", .body = "{\"_type\":\"location\"," WHERE "} {}"}, "invalid\n"},
    {{HERD_TRACKER_OWNTRACKS, .user = "u", .body = "{\"_type\":\"location\",\"x\":\"\xff\"," WHERE "}"},
     "invalid\n"},
    {{HERD_TRACKER_OWNTRACKS, .body = "{\"_type\":\"location\"," WHERE "}"}, "no_id\n"},
    {{HERD_TRACKER_OWNTRACKS, .user = "user", .device = "device",
      .body = "{\"_type\":\"location\"," WHERE ",\"tid\":\"ce\"}"},
     "no_id\n"},
    {{HERD_TRACKER_OWNTRACKS, .user = "user", .device = "phone", .body = "{\"_type\":\"location\"," WHERE "}"},
     "no_id\n"},
    {{HERD_TRACKER_OWNTRACKS, .device = "device", .body = "{\"_type\":\"location\"," WHERE "}"}, "no_id\n"},
    {{HERD_TRACKER_OWNTRACKS, .query = "u=%zz", .body = "{\"_type\":\"location\"," WHERE "}"}, "invalid\n"},
    {{HERD_TRACKER_OWNTRACKS, .query = "u=a%00b", .body = "{\"_type\":\"location\"," WHERE "}"}, "invalid\n"},
    {{HERD_TRACKER_OWNTRACKS, .body = "{\"_type\":\"location\"," WHERE ",\"tid\":\"a\\u0000b\"}"}, "invalid\n"},
    {{HERD_TRACKER_OWNTRACKS, .body = "{\"_type\":\"location\"," WHERE ",\"topic\":\"owntracks/a/b/event\"}"},
     "no_id\n"},
    {{HERD_TRACKER_OWNTRACKS, .body = "{\"_type\":\"location\"," WHERE ",\"topic\":[]}"}, "invalid\n"},
    {{HERD_TRACKER_OWNTRACKS, .user = "u", .basic = "v", .own_user = true,
      .body = "{\"_type\":\"location\"," WHERE "}"},
     "other_user u\n"},
    {{HERD_TRACKER_OWNTRACKS, .user = "u", .basic = "u", .own_user = true,
      .body = "{\"_type\":\"location\"," WHERE "}"},
     "u +1+2 3\n"},
    {{HERD_TRACKER_OWNTRACKS, .user = "user", .basic = "v", .own_user = true,
      .body = "{\"_type\":\"location\"," WHERE "}"},
     "v +1+2 3\n"},
    {{HERD_TRACKER_OWNTRACKS, .user = "u", .own_user = true, .body = "{\"_type\":\"location\"," WHERE "}"},
     "u +1+2 3\n"},

    {{HERD_TRACKER_OSMAND, .query = ""}, "empty\n"},
    {{HERD_TRACKER_OSMAND, .query = "lat=1&lon=2"}, "no_id\n"},
    {{HERD_TRACKER_OSMAND, .query = "id=a"}, "no_position a\n"},
    {{HERD_TRACKER_OSMAND, .query = "id=a&lat=1&lon="}, "no_position a\n"},
    {{HERD_TRACKER_OSMAND, .query = "id=a&lat=1&lat=1&lon=2"}, "invalid\n"},
    {{HERD_TRACKER_OSMAND, .query = "id=a&lat=NaN&lon=2"}, "invalid a\n"},
    {{HERD_TRACKER_OSMAND, .query = "id=a&lat=48,85&lon=2"}, "invalid a\n"},
    {{HERD_TRACKER_OSMAND, .query = "id=a&lat=91&lon=2"}, "out_of_range a\n"},
    {{HERD_TRACKER_OSMAND, .query = "id=a&lat=1&lon=2&timestamp=x"}, "invalid a\n"},
    {{HERD_TRACKER_OSMAND, .query = "id=a&lat=%LAT&lon=%LON"}, "invalid a\n"},
    {{HERD_TRACKER_OSMAND, .query = "id=a&location=1;2"}, "invalid a\n"},
    {{HERD_TRACKER_OSMAND, .query = "id=a&location=,"}, "no_position a\n"},
    {{HERD_TRACKER_OSMAND, .query = "id=%&lat=1&lon=2"}, "invalid\n"},
    {{HERD_TRACKER_OSMAND, .body = "id=a&lat=1&lon=2&id=b"}, "invalid\n"},
    {{HERD_TRACKER_OSMAND, .body = "{\"device_id\":\"a\",\"location\":7}"}, "invalid a\n"},
    {{HERD_TRACKER_OSMAND, .body = "{\"device_id\":\"a\",\"location\":{\"coords\":7}}"}, "invalid a\n"},
    {{HERD_TRACKER_OSMAND, .body = "{\"device_id\":\"a\",\"location\":{\"coords\":{}}}"}, "no_position a\n"},
    {{HERD_TRACKER_OSMAND,
      .body =
          "{\"device_id\":\"a\",\"location\":[{\"coords\":{\"latitude\":1,\"longitude\":2},\"timestamp\":3}, 7, "
          "{\"coords\":{\"latitude\":1,\"latitude\":1}}, "
          "{\"coords\":{\"latitude\":4,\"longitude\":5},\"timestamp\":6}]}"},
     "a +1+2 3\ninvalid a\ninvalid a\na +4+5 6\n"},
    {{HERD_TRACKER_OSMAND, .body = "{\"device_id\":{},\"location\":{}}"}, "invalid\n"},
    {{HERD_TRACKER_OSMAND, .body = "{\"location\":{}}"}, "no_id\n"},
    {{HERD_TRACKER_OSMAND, .body = "{\"device_id\":\"a\""}, "invalid\n"},

    {{HERD_TRACKER_OVERLAND, .body = ""}, "empty\n"},
    {{HERD_TRACKER_OVERLAND, .body = "{}"}, "not_a_location\n"},
    {{HERD_TRACKER_OVERLAND, .body = "[]"}, "invalid\n"},
    {{HERD_TRACKER_OVERLAND, .body = "{\"locations\":{}}"}, "invalid\n"},
    {{HERD_TRACKER_OVERLAND, .body = "{\"locations\":[],\"locations\":[]}"}, "invalid\n"},
    {{HERD_TRACKER_OVERLAND,
      .body = "{\"locations\":[7, {}, {\"properties\":{\"device_id\":\"a\"}}, "
              "{\"properties\":{\"device_id\":\"a\"},\"geometry\":7},"
              "{\"properties\":{\"device_id\":\"a\"},\"geometry\":{\"type\":\"Polygon\",\"coordinates\":[[]]}},"
              "{\"properties\":{\"device_id\":\"a\"},\"geometry\":{\"type\":\"Point\",\"coordinates\":[1]}},"
              "{\"properties\":{\"device_id\":\"a\"},\"geometry\":{\"type\":\"Point\",\"coordinates\":[1,91]}},"
              "{\"properties\":{\"device_id\":\"a\",\"timestamp\":\"x\"},\"geometry\":{\"type\":\"Point\","
              "\"coordinates\":[1,2]}},"
              "{\"properties\":{\"device_id\":\"a\",\"timestamp\":\"2026-11-26T09:19:55Z\"},\"geometry\":{\"type\":"
              "\"Point\",\"coordinates\":[1,2]}}]}"},
     "invalid\nno_id\nno_position a\ninvalid a\nnot_a_location a\ninvalid a\nout_of_range a\ninvalid a\n"
     "a +2+1 1795684795\n"},
    {{HERD_TRACKER_OVERLAND,
      .body = "{\"locations\":[{\"properties\":{\"device_id\":{}}},"
              "{\"properties\":{\"device_id\":\"c\"},\"geometry\":{\"type\":\"Point\",\"coordinates\":[]}},"
              "{\"properties\":{\"device_id\":\"a\",\"device_id\":\"b\"}},"
              "{\"properties\":[1]},"
              "{\"properties\":{\"device_id\":\"a\"},\"geometry\":{\"type\":\"Point\",\"coordinates\":[1]}},"
              "{\"properties\":{\"device_id\":\"a\"},\"geometry\":{\"type\":\"Point\",\"coordinates\":{}}},"
              "{\"properties\":{\"device_id\":\"b\",\"timestamp\":3},\"geometry\":{\"type\":\"Point\","
              "\"coordinates\":[1,2]}}]}"},
     "invalid\ninvalid c\ninvalid\ninvalid\ninvalid a\ninvalid a\nb +2+1 3\n"},
    {{HERD_TRACKER_OWNTRACKS, .query = "d=%zz", .body = "{\"_type\":\"location\",\"lat\":1,\"lon\":2}"},
     "invalid\n"},
    {{HERD_TRACKER_OWNTRACKS, .query = "u=%zz", .body = "{\"_type\":\"location\",\"lat\":1,\"lon\":2}"},
     "invalid\n"},
    {{HERD_TRACKER_OWNTRACKS, .body = "{\"_type\":\"location\",\"lat\":1,\"lon\":2,\"tid\":{}}"}, "invalid\n"},
    {{HERD_TRACKER_OWNTRACKS, .body = "{\"_type\":\"location\",\"lat\":1,\"lon\":2,\"topic\":[]}"}, "invalid\n"},
    {{HERD_TRACKER_OSMAND, .body = "{\"id\":[],\"lat\":1,\"lon\":2}"}, "invalid\n"},
};

static void poison(void **state)
{
    struct herd_tracker tracker = {0};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct herd_tracker_request request = request_of(&rows[i].request);
        struct herd_buf out = {0};
        request.body = guarded(request.body);
        assert_int_equal(read_all(&tracker, rows[i].request.format, &request, &out), 0);
        add(&out, (struct herd_span){"", 1});
        if (strcmp(out.at, rows[i].expected) != 0)
            fail_msg("%s %s:\n%s", rows[i].request.query ? rows[i].request.query : "",
                     rows[i].request.body ? rows[i].request.body : "", out.at);
        herd_buf_fini(&out);
    }
    herd_tracker_fini(&tracker);
}

/* Ids end at id_max_bytes, as they are and as they become. */
static void long_ids(void **state)
{
    struct herd_tracker tracker = {0};
    static char name[1001], query[1600];
    (void)state;
    memset(name, 'n', 1000);
    struct request parts = {HERD_TRACKER_OSMAND, .query = "lat=1&lon=2&timestamp=3", .name = name};
    struct herd_tracker_request request = request_of(&parts);
    struct herd_tracker_report report;
    herd_tracker_begin(&tracker, HERD_TRACKER_OSMAND, &request);
    assert_int_equal(herd_tracker_next(&tracker, &report), 1);
    assert_int_equal(report.outcome, HERD_TRACKER_REPORT);
    assert_int_equal(report.id.len, 1000);
    name[3] = ' ';
    herd_tracker_begin(&tracker, HERD_TRACKER_OSMAND, &request);
    assert_int_equal(herd_tracker_next(&tracker, &report), 1);
    assert_int_equal(report.outcome, HERD_TRACKER_ID_TOO_LONG);
    assert_int_equal(herd_tracker_next(&tracker, &report), 0);
    /* escaped, and longer than that may be */
    strcpy(query, "lat=1&lon=2&timestamp=3&id=");
    for (int i = 0; i < 300; i++)
        strcat(query, "%41");
    parts = (struct request){HERD_TRACKER_OSMAND, .query = query};
    request = request_of(&parts);
    herd_tracker_begin(&tracker, HERD_TRACKER_OSMAND, &request);
    assert_int_equal(herd_tracker_next(&tracker, &report), 1);
    assert_int_equal(report.outcome, HERD_TRACKER_ID_TOO_LONG);
    /* one byte more than that, without any escape */
    static char longer[1002];
    memset(longer, 'n', 1001);
    parts = (struct request){HERD_TRACKER_OSMAND, .query = "lat=1&lon=2&timestamp=3", .name = longer};
    request = request_of(&parts);
    herd_tracker_begin(&tracker, HERD_TRACKER_OSMAND, &request);
    assert_int_equal(herd_tracker_next(&tracker, &report), 1);
    assert_int_equal(report.outcome, HERD_TRACKER_ID_TOO_LONG);
    assert_int_equal(report.id.len, 0);
    herd_tracker_fini(&tracker);
}

/* A text of JSON with an escape, as long as there is room for, and longer. */
static void long_texts(void **state)
{
    struct herd_tracker tracker = {0};
    (void)state;
    for (size_t len = HERD_TRACKER_ESCAPED_MAX; len <= HERD_TRACKER_ESCAPED_MAX + 1; len++) {
        char name[HERD_TRACKER_ESCAPED_MAX + 2], body[HERD_TRACKER_ESCAPED_MAX + 100];
        struct herd_tracker_report report;
        memset(name, 'n', sizeof name);
        memcpy(name, "\\u0061", 6);
        snprintf(body, sizeof body, "{\"id\":\"%.*s\",\"lat\":1,\"lon\":2,\"timestamp\":3}", (int)len, name);
        struct request parts = {HERD_TRACKER_OSMAND, .body = body};
        struct herd_tracker_request request = request_of(&parts);
        herd_tracker_begin(&tracker, HERD_TRACKER_OSMAND, &request);
        assert_int_equal(herd_tracker_next(&tracker, &report), 1);
        if (len <= HERD_TRACKER_ESCAPED_MAX) {
            assert_int_equal(report.outcome, HERD_TRACKER_REPORT);
            assert_int_equal(report.id.len, len - 5);
            assert_memory_equal(report.id.at, "ann", 3);
        } else {
            assert_int_equal(report.outcome, HERD_TRACKER_ID_TOO_LONG);
        }
        assert_int_equal(herd_tracker_next(&tracker, &report), 0);
    }
    herd_tracker_fini(&tracker);
}

/* A batch of any size ends. */
static void too_many(void **state)
{
    static const struct {
        enum herd_tracker_format format;
        const char *begin;
    } batches[] = {{HERD_TRACKER_OVERLAND, "{\"locations\":[0"},
                   {HERD_TRACKER_OSMAND, "{\"id\":\"a\",\"location\":[0"}};
    (void)state;
    for (size_t i = 0; i < sizeof batches / sizeof *batches; i++) {
        struct herd_tracker tracker = {0};
        struct herd_tracker_report report;
        struct herd_buf body = {0};
        struct request parts = {.format = batches[i].format};
        size_t invalid = 0, other = 0;
        add(&body, herd_span_of(batches[i].begin));
        while (body.len < 1000000)
            add(&body, herd_span_of(",0"));
        add(&body, herd_span_of("]}"));
        struct herd_tracker_request request = request_of(&parts);
        request.body = (struct herd_span){body.at, body.len};
        herd_tracker_begin(&tracker, batches[i].format, &request);
        while (herd_tracker_next(&tracker, &report) > 0) {
            invalid += report.outcome == HERD_TRACKER_INVALID;
            other += report.outcome == HERD_TRACKER_TOO_MANY;
        }
        assert_int_equal(invalid, HERD_TRACKER_POINTS_MAX);
        assert_int_equal(other, 1);
        herd_buf_fini(&body);
        herd_tracker_fini(&tracker);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(poison), cmocka_unit_test(long_ids),
                                       cmocka_unit_test(long_texts), cmocka_unit_test(too_many)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
