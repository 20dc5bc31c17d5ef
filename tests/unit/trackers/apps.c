/* SPDX-License-Identifier: MIT */
/* What each app in each of its versions sends, in its own form, and the reports it becomes. */
#include "cm.h"

#include "request.h"

static const struct {
    const char *app;
    struct request request;
    const char *expected;
} rows[] = {
    {"OwnTracks Android 2.5, user and device",
     {HERD_TRACKER_OWNTRACKS, .user = "jane", .device = "phone",
      .body =
          "{\"_type\":\"location\",\"BSSID\":\"02:00:00:00:00:00\",\"SSID\":\"home "
          "\\\"2\\\"\",\"_id\":\"a1b2c3d4\","
          "\"acc\":14,\"alt\":57,\"batt\":83,\"bs\":1,\"conn\":\"w\",\"created_at\":1795694399,\"inregions\":["
          "\"Home\"],"
          "\"lat\":48.8568,\"lon\":2.2927,\"m\":1,\"t\":\"u\",\"tid\":\"ja\",\"topic\":\"owntracks/jane/phone\","
          "\"tst\":1795694395,\"vac\":2,\"vel\":0}"},
     "jane/phone +48.8568+2.2927 1795694395\n"},
    {"OwnTracks Android without a user name: no X-Limit-U",
     {HERD_TRACKER_OWNTRACKS, .device = "pixel 7",
      .body = "{\"_type\":\"location\",\"lat\":-33.45,\"lon\":-70.6667,\"tst\":1795694395,\"tid\":\"l7\"}"},
     "pixel%207 -33.45-70.6667 1795694395\n"},
    {"OwnTracks iOS 18",
     {HERD_TRACKER_OWNTRACKS, .user = "jane", .device = "iphone", .basic = "jane",
      .body =
          "{\"_type\":\"location\",\"acc\":4,\"alt\":56,\"batt\":61,\"bs\":1,\"conn\":\"m\",\"lat\":48."
          "856826000000002,"
          "\"lon\":2.292713,\"m\":2,\"motionactivities\":[\"stationary\"],\"p\":101.325,\"t\":\"t\",\"tid\":\"JA\","
          "\"tst\":1795694395,\"vac\":3,\"vel\":0}"},
     "jane/iphone +48.856826000000002+2.292713 1795694395\n"},
    {"OwnTracks by curl, u and d in the query",
     {HERD_TRACKER_OWNTRACKS, .query = "u=jane&d=old%20phone",
      .body = "{\"_type\":\"location\",\"lat\":1,\"lon\":2,\"tst\":3}"},
     "jane/old%20phone +1+2 3\n"},
    {"OwnTracks, u and d twice, each with escapes: the first stays, and among other names",
     {HERD_TRACKER_OWNTRACKS, .query = "u=jane%20doe&x=%31&u=e%76e&d=old%20phone&d=%6e%65%77&=&y",
      .body = "{\"\\u005ftype\":\"location\",\"l\\u0061t\":1,\"\\u006con\":2,\"tst\":3}"},
     "jane%20doe/old%20phone +1+2 3\n"},
    {"OwnTracks, the word for no user, then a user",
     {HERD_TRACKER_OWNTRACKS, .query = "u=u%73er&u=j%61ne&d=d%65vice&d=phone",
      .body = "{\"_type\":\"location\",\"lat\":1,\"lon\":2,\"tst\":3}"},
     "jane/device +1+2 3\n"},
    {"OwnTracks, headers before the query",
     {HERD_TRACKER_OWNTRACKS, .query = "u=eve&d=x", .user = "jane", .device = "phone",
      .body = "{\"_type\":\"location\",\"lat\":1,\"lon\":2,\"tst\":3,\"topic\":\"owntracks/bob/tab\"}"},
     "jane/phone +1+2 3\n"},
    {"OwnTracks, the topic alone",
     {HERD_TRACKER_OWNTRACKS,
      .body = "{\"_type\":\"location\",\"lat\":1,\"lon\":2,\"tst\":3,\"topic\":\"owntracks\\/bob\\/tab\"}"},
     "bob/tab +1+2 3\n"},
    {"OwnTracks, Basic and tid",
     {HERD_TRACKER_OWNTRACKS, .basic = "jane",
      .body = "{\"_type\":\"location\",\"lat\":1,\"lon\":2,\"tst\":3,\"tid\":\"ja\"}"},
     "jane/ja +1+2 3\n"},
    {"OwnTracks, tid alone",
     {HERD_TRACKER_OWNTRACKS, .body = "{\"_type\":\"location\",\"lat\":1,\"lon\":2,\"tst\":3,\"tid\":\"ja\"}"},
     "ja +1+2 3\n"},
    {"OwnTracks, no tst: now",
     {HERD_TRACKER_OWNTRACKS, .user = "u", .body = "{\"_type\":\"location\",\"lat\":1,\"lon\":2}"},
     "u +1+2 1795694400.000000000\n"},
    {"OwnTracks iOS with a user, without a device of its own",
     {HERD_TRACKER_OWNTRACKS, .user = "jane", .device = "device",
      .body = "{\"_type\":\"location\",\"lat\":1,\"lon\":2,\"tst\":3,\"tid\":\"ja\"}"},
     "jane/device +1+2 3\n"},
    {"OwnTracks iOS, the word for no user, but Basic says it",
     {HERD_TRACKER_OWNTRACKS, .user = "user", .device = "phone", .basic = "jane",
      .body = "{\"_type\":\"location\",\"lat\":1,\"lon\":2,\"tst\":3}"},
     "jane/phone +1+2 3\n"},
    {"OwnTracks, slashes and percents in names",
     {HERD_TRACKER_OWNTRACKS, .user = "a/b", .device = "100% c",
      .body = "{\"_type\":\"location\",\"lat\":1,\"lon\":2,\"tst\":3}"},
     "a%2Fb/100%25%20c +1+2 3\n"},
    {"Colota in OwnTracks form, a name in UTF-8 by escapes",
     {HERD_TRACKER_OWNTRACKS, .basic = "jane",
      .body = "{\"_type\":\"location\",\"lat\":1.5e-7,\"lon\":-2.5E1,\"acc\":12,\"alt\":89,\"vel\":0,\"batt\":100,"
              "\"bs\":3,\"tst\":1795694395,\"tid\":\"\\u00fc\"}"},
     "jane/\xc3\xbc +0.00000015-25 1795694395\n"},

    {"OwnTracks, sent to where OsmAnd sends",
     {HERD_TRACKER_OSMAND, .user = "jane", .device = "phone",
      .body = "{\"lat\":1,\"lon\":2,\"tst\":3,\"_type\":\"location\"}"},
     "jane/phone +1+2 3\n"},

    {"OsmAnd",
     {HERD_TRACKER_OSMAND,
      .query = "id=1234&lat=48.8568&lon=2.2927&timestamp=1795694395123&hdop=14.0&altitude=57.2&speed=1.5"},
     "1234 +48.8568+2.2927 1795694395.123\n"},
    {"Traccar Client 8, Android",
     {HERD_TRACKER_OSMAND, .query = "id=843259&timestamp=1795694395&lat=48.8568&lon=2.2927&speed=0.0&bearing=0.0"
                                    "&altitude=0.0&accuracy=14.0&batt=83.0"},
     "843259 +48.8568+2.2927 1795694395\n"},
    {"Traccar Client 6, POST with the query and an empty body",
     {HERD_TRACKER_OSMAND, .query = "id=843259&timestamp=1795694395&lat=48.8568&lon=2.2927", .body = ""},
     "843259 +48.8568+2.2927 1795694395\n"},
    {"Traccar Client 9, JSON",
     {HERD_TRACKER_OSMAND,
      .body =
          "{\"location\":{\"event\":\"motionchange\",\"is_moving\":false,\"uuid\":\"5d0c\","
          "\"timestamp\":\"2026-11-26T09:19:55.123Z\",\"age\":51,\"odometer\":0,\"coords\":{\"latitude\":48.8568,"
          "\"longitude\":2.2927,\"accuracy\":14,\"speed\":-1,\"heading\":-1,\"altitude\":57.2},"
          "\"activity\":{\"type\":\"still\",\"confidence\":100},\"battery\":{\"is_charging\":false,\"level\":0.83},"
          "\"extras\":{}},\"device_id\":\"843259\"}"},
     "843259 +48.8568+2.2927 1795684795.123\n"},
    {"Traccar Client 9, several locations",
     {HERD_TRACKER_OSMAND,
      .body =
          "{\"device_id\":843259,\"location\":[{\"timestamp\":\"2026-11-26T09:19:55Z\",\"coords\":{\"latitude\":1,"
          "\"longitude\":2}}, "
          "{\"timestamp\":\"2026-11-26T09:19:56Z\",\"coords\":{\"latitude\":3,\"longitude\":4}}]}"},
     "843259 +1+2 1795684795\n843259 +3+4 1795684796\n"},
    {"Traccar Client 10, form",
     {HERD_TRACKER_OSMAND,
      .body =
          "id=843259&lat=48.8568&lon=2.2927&timestamp=1795694395&speed=0.0&bearing=0.0&altitude=57.2&accuracy=14.0"
          "&batt=83&charge=true"},
     "843259 +48.8568+2.2927 1795694395\n"},
    {"Traccar Client 10 without a fix",
     {HERD_TRACKER_OSMAND, .body = "id=843259&timestamp=1795694395&batt=83&alarm=sos"},
     "no_position 843259\n"},
    {"Traccar, dates",
     {HERD_TRACKER_OSMAND, .query = "deviceid=7&location=48.8568%2C2.2927&timestamp=2026-11-26+09%3A19%3A55"},
     "7 +48.8568+2.2927 1795684795\n"},
    {"GPSLogger, its usual query",
     {HERD_TRACKER_OSMAND,
      .query = "id=ann&lat=48.8568&lon=2.2927&time=2026-11-26T09:19:55.000Z&spd=1.5&acc=14.0&sat=9&batt=83"},
     "ann +48.8568+2.2927 1795684795.000\n"},
    {"GPSLogger, %ALL",
     {HERD_TRACKER_OSMAND,
      .query = "id=ann&lat=48.8568&lon=2.2927&sat=9&desc=&alt=57.2&acc=14.0&dir=0.0&prov=gps&spd_kph=5.4&spd=1.5"
               "&timestamp=1795684795&timeoffset=2026-11-26T10:19:55.000+01:00&time=2026-11-26T09:19:55.000Z"
               "&starttimestamp=1795684000&date=2026-11-26&batt=83.0&ischarging=false&aid=a1&ser=b2&act=&filename="
               "20261126"
               "&profile=Default+Profile&hdop=&vdop=&pdop=&dist=120"},
     "ann +48.8568+2.2927 1795684795\n"},
    {"GPSLogger, the id in the URL and a form in the body, no Content-Type",
     {HERD_TRACKER_OSMAND, .query = "id=ann+b%2Fc", .body = "lat=48.8568&lon=2.2927&timestamp=1795684795"},
     "ann%20b/c +48.8568+2.2927 1795684795\n"},
    {"GPSLogger, a body of JSON",
     {HERD_TRACKER_OSMAND, .basic = "ann",
      .body = "{\"lat\":\"48.8568\",\"lon\":\"2.2927\",\"time\":\"2026-11-26T10:19:55+01:00\"}"},
     "ann +48.8568+2.2927 1795684795\n"},
    {"GPSLogger, an unescaped plus in a zone",
     {HERD_TRACKER_OSMAND, .query = "id=ann&lat=+48.8568&lon=-2.2927&time=2026-11-26T10:19:55+01:00"},
     "ann +48.8568-2.2927 1795684795\n"},
    {"PhoneTrack, the name in the path",
     {HERD_TRACKER_OSMAND, .name = "bike 1",
      .query = "lat=48.8568&lon=2.2927&alt=57.2&timestamp=1795684795&acc=14&bat=83&sat=9&speed=1.5&bearing=90"},
     "bike%201 +48.8568+2.2927 1795684795\n"},
    {"Colota, GET",
     {HERD_TRACKER_OSMAND, .query = "id=c1&lat=48.8568&lon=2.2927&tst=1795694395&acc=5&vel=1.5"},
     "c1 +48.8568+2.2927 1795694395\n"},

    {"Overland iOS",
     {HERD_TRACKER_OVERLAND,
      .body =
          "{\"locations\":[{\"type\":\"Feature\",\"geometry\":{\"type\":\"Point\",\"coordinates\":[2.2927,48.8568]}"
          ","
          "\"properties\":{\"timestamp\":\"2026-11-26T09:19:55Z\",\"altitude\":57,\"speed\":-1,\"horizontal_"
          "accuracy\":14,"
          "\"vertical_accuracy\":3,\"motion\":[\"stationary\"],\"pauses\":false,\"activity\":\"other_navigation\","
          "\"desired_accuracy\":100,\"deferred\":0,\"significant_change\":\"disabled\",\"locations_in_payload\":1,"
          "\"battery_state\":\"charging\",\"battery_level\":0.83,\"device_id\":\"ann\",\"wifi\":\"home\"}},\n"
          "{\"type\":\"Feature\",\"geometry\":{\"type\":\"Point\",\"coordinates\":[-2.5, -48.5, 30]},"
          "\"properties\":{\"timestamp\":\"2026-11-26T10:19:56+0100\",\"device_id\":\"bob\"}}],"
          "\"current\":{\"type\":\"Feature\"},\"trip\":{\"distance\":12}}"},
     "ann +48.8568+2.2927 1795684795\nbob -48.5-2.5 1795684796\n"},
    {"Overland without a device_id, Basic",
     {HERD_TRACKER_OVERLAND, .basic = "ann",
      .body = "{\"locations\":[{\"type\":\"Feature\",\"geometry\":{\"type\":\"Point\",\"coordinates\":[1,2]},"
              "\"properties\":{\"device_id\":\"\"}}]}"},
     "ann +2+1 1795694400.000000000\n"},
    {"the id of the query with escapes, before that of the object with escapes",
     {HERD_TRACKER_OSMAND, .query = "id=jane%20doe",
      .body = "{\"id\":\"e\\u0076e\",\"lat\":1,\"lon\":2,\"timestamp\":3}"},
     "jane%20doe +1+2 3\n"},
    {"all in the query, and an object that says nothing of it",
     {HERD_TRACKER_OSMAND, .query = "id=a&lat=1&lon=2&timestamp=3", .body = "{\"batt\":7}"},
     "a +1+2 3\n"},
    {"location beside lat or lon alone",
     {HERD_TRACKER_OSMAND, .query = "id=a&location=1,2&lat=5&timestamp=3"},
     "a +1+2 3\n"},
    {"location beside lon alone",
     {HERD_TRACKER_OSMAND, .query = "id=a&location=1,2&lon=5&timestamp=3"},
     "a +1+2 3\n"},
    {"location beside both",
     {HERD_TRACKER_OSMAND, .query = "id=a&location=1,2&lat=5&lon=6&timestamp=3"},
     "a +5+6 3\n"},
    {"Overland, nothing to send", {HERD_TRACKER_OVERLAND, .body = "{\"locations\":[]}"}, ""},
};

static void apps(void **state)
{
    struct herd_tracker tracker = {0};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct herd_tracker_request request = request_of(&rows[i].request);
        struct herd_buf out = {0};
        assert_int_equal(read_all(&tracker, rows[i].request.format, &request, &out), 0);
        add(&out, (struct herd_span){"", 1});
        if (strcmp(out.at, rows[i].expected) != 0)
            fail_msg("%s:\n%s", rows[i].app, out.at);
        herd_buf_fini(&out);
    }
    herd_tracker_fini(&tracker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(apps)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
