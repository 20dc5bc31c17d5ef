/* SPDX-License-Identifier: MIT */
/* ISO 6709: how a text is split, which error says what, and degrees against strtod. */
#include "cm.h"

#include "guard.h"

#include <herd/geo.h>

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>

static const struct {
    const char *text;
    int err;
    size_t lat_len;
} rows[] = {
    {"+34.068930-118.445127", 0, 10},
    {"-90+180", 0, 3},
    {"+0-0", 0, 2},
    {"+00000000000000000000000000000000000000090.000+180", 0, 46},
    {"+90.0000000000000000001+0", HERD_E_RANGE, 0},
    {"+0-180.0000000000000000001", HERD_E_RANGE, 0},
    {"+91-181", HERD_E_RANGE, 0},
    {"+99999999999999999999999999999999-0", HERD_E_RANGE, 0},
    {"+91-181x", HERD_E_SYNTAX, 0}, /* out of range only if well formed */
    {"+91", HERD_E_SYNTAX, 0},
    {"+91+", HERD_E_SYNTAX, 0},
    {"", HERD_E_SYNTAX, 0},
    {"+", HERD_E_SYNTAX, 0},
    {"34-118", HERD_E_SYNTAX, 0},
    {"+34.-118", HERD_E_SYNTAX, 0},
    {"+34-118.", HERD_E_SYNTAX, 0},
    {"+34 -118", HERD_E_SYNTAX, 0},
    {"+34-118+0", HERD_E_SYNTAX, 0},
    {"+34-118/", HERD_E_SYNTAX, 0},
};

static void test_split(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct herd_span text = guarded(herd_span_of(rows[i].text));
        struct herd_position position = {{"untouched", 9}, {"untouched", 9}};
        int err = herd_position_parse(text, &position);
        if (err != rows[i].err)
            fail_msg("\"%s\": %d", rows[i].text, err);
        if (err < 0) {
            assert_int_equal(position.lat.len, 9);
            continue;
        }
        assert_ptr_equal(position.lat.at, text.at);
        assert_int_equal(position.lat.len, rows[i].lat_len);
        assert_ptr_equal(position.lon.at, text.at + rows[i].lat_len);
        assert_int_equal(position.lon.len, text.len - rows[i].lat_len);
    }
}

/* An empty span may have no address. */
static void test_nothing(void **state)
{
    (void)state;
    struct herd_position position;
    assert_int_equal(herd_position_parse((struct herd_span){NULL, 0}, &position), HERD_E_SYNTAX);
    assert_true(herd_coordinate_degrees((struct herd_span){NULL, 0}) == 0);
}

/* Every changed byte of a place: never a crash, and valid only if it looks valid. */
static void test_mutations(void **state)
{
    (void)state;
    static const char good[] = "+34.068930-118.445127";
    for (size_t at = 0; at < sizeof good - 1; at++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            char text[sizeof good];
            memcpy(text, good, sizeof good);
            text[at] = (char)byte;
            struct herd_position position;
            int err = herd_position_parse(guarded((struct herd_span){text, sizeof good - 1}), &position);
            bool digit = byte >= '0' && byte <= '9';
            if (err == 0)
                assert_true(digit || strchr("+-.", (char)byte));
            if (!digit && !(byte && strchr("+-.", (char)byte)))
                assert_int_equal(err, HERD_E_SYNTAX);
        }
    }
}

static void test_degrees(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double value;
    } exact[] = {
        {"+34.068930", 34.068930},
        {"-118.445127", -118.445127},
        {"+0", 0},
        {"-0.0", -0.0},
        {"+180", 180},
        {"+0000000000000000000000000045.5", 45.5},
        {"-90.000000000000000000000000000000000000", -90},
        {"+0.000000000000000001", 1e-18},
        {"+0.1", 0.1},
        {"+179.999999999999", 179.999999999999},
    };
    for (size_t i = 0; i < sizeof exact / sizeof *exact; i++) {
        double got = herd_coordinate_degrees(guarded(herd_span_of(exact[i].text)));
        assert_true(got == exact[i].value);
        assert_int_equal(signbit(got) != 0, signbit(exact[i].value) != 0);
    }
    uint64_t seed = 3;
    for (int i = 0; i < 200000; i++) {
        char text[64];
        size_t decimals = rnd_below(&seed, 30);
        int n = snprintf(text, sizeof text, "%c%s%u", rnd(&seed) & 1 ? '+' : '-', rnd(&seed) & 1 ? "00" : "",
                         (unsigned)rnd_below(&seed, 180));
        size_t len = (size_t)n;
        if (decimals)
            text[len++] = '.';
        for (size_t k = 0; k < decimals; k++)
            text[len++] = (char)('0' + rnd_below(&seed, 10));
        text[len] = '\0';
        double expected = strtod(text, NULL);
        double got = herd_coordinate_degrees(guarded((struct herd_span){text, len}));
        if (decimals <= 12)
            assert_true(got == expected); /* 15 significant digits: correctly rounded */
        else if (fabs(expected) > 1e-3)
            assert_true(fabs(got - expected) <= 2 * DBL_EPSILON * fabs(expected));
    }
}

static void test_locale_does_not_matter(void **state)
{
    (void)state;
    const char *const names[] = {"de_DE.UTF-8", "de_DE", "fr_FR.UTF-8"};
    for (size_t i = 0; i < 3; i++)
        if (setlocale(LC_ALL, names[i]))
            break;
    struct herd_position position;
    assert_int_equal(herd_position_parse(herd_span_of("+1.5-2.5"), &position), 0);
    assert_int_equal(herd_position_parse(herd_span_of("+1,5-2,5"), &position), HERD_E_SYNTAX);
    assert_true(herd_coordinate_degrees(herd_span_of("+1.5")) == 1.5);
    setlocale(LC_ALL, "C");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_mutations),
        cmocka_unit_test(test_degrees),
        cmocka_unit_test(test_locale_does_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
