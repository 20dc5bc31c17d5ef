/* SPDX-License-Identifier: MIT */
/* GPX in every form it has in the wild, through the reader of examples/tracker.c. */
#include "../unit/temp.h"
#include "want.h"

#include "../../examples/gpx.h"

#include <unistd.h>

static void check(const char *path, FILE *want)
{
    char line[512], why[128];
    double lat, lon;
    struct gpx_point point;
    struct gpx *gpx = gpx_open(path, why, sizeof why);
    bool faulty = false;
    if (!gpx)
        fail_msg("%s: %s", path, why);
    while (next_line(want, line)) {
        if (sscanf(line, "%lf %lf", &lat, &lon) == 2) {
            if (!gpx_next(gpx, &point) || point.lat_deg != lat || point.lon_deg != lon)
                fail_msg("%s: no point %s: %s", path, line, gpx_fault(gpx) ? gpx_fault(gpx) : "");
        } else {
            faulty = true;
            assert_false(gpx_next(gpx, &point));
            if (!gpx_fault(gpx) || strncmp(line, "fault ", 6) != 0 || !strstr(gpx_fault(gpx), line + 6))
                fail_msg("%s: %s; not %s", path, gpx_fault(gpx) ? gpx_fault(gpx) : "no fault", line);
        }
    }
    assert_false(gpx_next(gpx, &point));
    if (!faulty && gpx_fault(gpx))
        fail_msg("%s: %s", path, gpx_fault(gpx));
    gpx_close(gpx);
}

static void test_files(void **state)
{
    (void)state;
    for_each_file("gpx", 13, check);
}

/* All points of a file that is larger than any piece of it. */
static void test_large(void **state)
{
    (void)state;
    char path[TEMP_LEN], why[128];
    FILE *file = fdopen(temp_file(path), "w");
    assert_non_null(file);
    fputs("<gpx><trk><trkseg>\n", file);
    for (int i = 0; i < 40000; i++)
        fprintf(file, "<trkpt lat=\"%d.%04d\" lon=\"2\"><ele>100</ele></trkpt>\n", i / 10000, i % 10000);
    fputs("</trkseg></trk></gpx>\n", file);
    assert_int_equal(fclose(file), 0);
    struct gpx *gpx = gpx_open(path, why, sizeof why);
    struct gpx_point point;
    int count = 0;
    assert_non_null(gpx);
    for (; gpx_next(gpx, &point); count++)
        assert_true(point.lat_deg * 10000 > count - 0.5 && point.lat_deg * 10000 < count + 0.5);
    assert_int_equal(count, 40000);
    assert_null(gpx_fault(gpx));
    gpx_close(gpx);
    unlink(path);
}

static void test_no_file(void **state)
{
    (void)state;
    char why[128];
    assert_null(gpx_open("/nonexistent/track.gpx", why, sizeof why));
    assert_string_equal(why, "No such file or directory");
    assert_null(gpx_open("/tmp", why, sizeof why));
    assert_string_equal(why, "Is a directory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_files), cmocka_unit_test(test_large),
                                       cmocka_unit_test(test_no_file)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
