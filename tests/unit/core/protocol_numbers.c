/* SPDX-License-Identifier: MIT */
/* The numbers of the line protocol, rule by rule: places, times, radii and bounds. */
#include "row.h"

#include <stdio.h>

/* Put into "IAMAT kiwi %s 1": whether it is a place. */
static const struct {
    bool good;
    const char *text;
} places[] = {
    {true, "+34.068930-118.445127"},
    {true, "+90+180"},
    {true, "-90-180"},
    {true, "+90.0-180.000"},
    {true, "+0-0"},
    {true, "-0.0+0.0"},
    {true, "+00000000000000000000000000090+000180"},
    {true, "+5.00-5"},
    {true, "+89.9999999999999999999999999999+179.99999999999999999999999999"},
    {true, "+90.00000000000000000000000000000000000000-180.000000000000000000000000000000000"},
    {false, "+90.0000000000000000001+0"},
    {false, "-90.0000000000000000001+0"},
    {false, "+0+180.0000000000000000000000001"},
    {false, "+0-180.00000000000000000001"},
    {false, "+91+0"},
    {false, "+0+181"},
    {false, "+100+100"},
    {false, "+18446744073709551616+0"},
    {false, "+18446744073709551706+0"},
    {false, "+0+340282366920938463463374607431768211456"},
    {false, "34+118"},
    {false, "+34118"},
    {false, "+34"},
    {false, "+34+"},
    {false, "+34-"},
    {false, "+"},
    {false, "+-"},
    {false, "++1+1"},
    {false, "+.5+1"},
    {false, "+5.+1"},
    {false, "+1+1."},
    {false, "+1+.5"},
    {false, "+1.2.3+1"},
    {false, "+1,5+1"},
    {false, "+1/+1"},
    {false, "+1+1/"},
    {false, "+1+1+1"},
    {false, "+1;+1"},
    {false, "+1e1+1"},
    {false, "+1+1e0"},
    {false, "+1E0+1"},
    {false, "+0x1+1"},
    {false, "+nan+1"},
    {false, "+inf+1"},
    {false, "+1+inf"},
    {false, "NaN"},
    {false, "+1+1CRS"},
    {false, "\xe2\x88\x92"
            "1+1"},
    {false, "+\xd9\xa1+1"},
    {false, "+34.0-118.0-"},
    {false, "-+1+1"},
};

/* Put into "IAMAT kiwi +0+0 %s". */
static const struct {
    bool good;
    const char *text;
} times[] = {
    {true, "0"},
    {true, "0.0"},
    {true, "1621464827.959498503"},
    {true, "000000000000000000000000001.5"},
    {true, "1.000000000000000000000000000000000000000000000000001"},
    {true, "9223372036"},
    {true, "9223372036.854775807"},
    {true, "9223372036.854775807000000000000000000000000"},
    {true, "0009223372036.8547758069999999999999999999"},
    {false, "9223372036.854775808"},
    {false, "9223372036.8547758070000000000000000000000001"},
    {false, "9223372036.9"},
    {false, "9223372037"},
    {false, "18446744073709551616"},
    {false, "18446744073.709551616"},
    {false, "99999999999999999999999999999999999999999"},
    {false, "+1"},
    {false, "-1"},
    {false, "-0"},
    {false, "1."},
    {false, ".5"},
    {false, "."},
    {false, "1.5.0"},
    {false, "1e9"},
    {false, "1E9"},
    {false, "0x10"},
    {false, "1.5e0"},
    {false, "nan"},
    {false, "inf"},
    {false, "infinity"},
    {false, "1,5"},
    {false, "1_000"},
    {false, "1f"},
    {false, "1L"},
    {false, "\xd9\xa1"},
};

/* Put into "WHATSAT kiwi %s 5". */
static const struct {
    bool good;
    const char *text;
} radii[] = {
    {true, "0"},
    {true, "0.0"},
    {true, "50"},
    {true, "50.000000000000000000000000000000"},
    {true, "0000050"},
    {true, "49.99999999999999999999999999999999"},
    {true, "0.000000000000000000000000000000000000001"},
    {true, "10"},
    {true, "00000000000000000000000000000000001.5"},
    {false, "50.0000000000000000000000000001"},
    {false, "51"},
    {false, "100"},
    {false, "18446744073709551616"},
    {false, "18446744073709551620"},
    {false, "+5"},
    {false, "-5"},
    {false, "-0"},
    {false, "5."},
    {false, ".5"},
    {false, "5e0"},
    {false, "1e1"},
    {false, "0x5"},
    {false, "nan"},
    {false, "inf"},
    {false, "5km"},
    {false, "5,0"},
    {false, "."},
};

/* Put into "WHATSAT kiwi 10 %s". */
static const struct {
    bool good;
    unsigned value;
    const char *text;
} bounds[] = {
    {true, 0, "0"},
    {true, 20, "20"},
    {true, 5, "0005"},
    {true, 20, "00000000000000000000000000000000000000020"},
    {true, 0, "000"},
    {false, 0, "21"},
    {false, 0, "5.0"},
    {false, 0, "5."},
    {false, 0, "+5"},
    {false, 0, "-0"},
    {false, 0, "-5"},
    {false, 0, "1e1"},
    {false, 0, "0x5"},
    {false, 0, "4294967296"},
    {false, 0, "4294967301"},
    {false, 0, "18446744073709551616"},
    {false, 0, "18446744073709551621"},
    {false, 0, "five"},
    {false, 0, "nan"},
    {false, 0, "5;"},
};

static void check_text(struct herd_node *node, enum herd_verb verb, const char *before, const char *text,
                       const char *behind)
{
    char line[512];
    int len = snprintf(line, sizeof line, "%s%s%s", before, text, behind);
    struct row row = {verb, line, (size_t)len};
    check_row(node, &row);
}

static void test_numbers(void **state)
{
    (void)state;
    struct herd_node *node = make_node();
    for (size_t i = 0; i < COUNT(places); i++) {
        check_text(node, places[i].good ? HERD_IAMAT : HERD_INVALID, "IAMAT kiwi ", places[i].text, " 1");
        check_text(node, places[i].good ? HERD_AT : HERD_INVALID, "AT Riley +0.1 kiwi ", places[i].text, " 1");
    }
    for (size_t i = 0; i < COUNT(times); i++) {
        check_text(node, times[i].good ? HERD_IAMAT : HERD_INVALID, "IAMAT kiwi +0+0 ", times[i].text, "");
        check_text(node, times[i].good ? HERD_AT : HERD_INVALID, "AT Riley +0.1 kiwi +0+0 ", times[i].text, "");
    }
    herd_node_free(node);
    node = make_node(); /* that knows nobody: WHATSAT is answered as it stands */
    for (size_t i = 0; i < COUNT(radii); i++)
        check_text(node, radii[i].good ? HERD_WHATSAT : HERD_INVALID, "WHATSAT kiwi ", radii[i].text, " 5");
    for (size_t i = 0; i < COUNT(bounds); i++)
        check_text(node, bounds[i].good ? HERD_WHATSAT : HERD_INVALID, "WHATSAT kiwi 10 ", bounds[i].text, "");
    herd_node_free(node);
}

static void test_values(void **state)
{
    (void)state;
    struct herd_command c;
    char line[256];
    for (size_t i = 0; i < COUNT(bounds); i++) {
        snprintf(line, sizeof line, "WHATSAT kiwi 10 %s", bounds[i].text);
        if (herd_command_parse(herd_span_of(line), &c) == HERD_WHATSAT)
            assert_int_equal(c.bound, bounds[i].value);
    }
    assert_int_equal(herd_command_parse(herd_span_of("IAMAT a +0+0 1621464827.9594985037"), &c), HERD_IAMAT);
    assert_true(c.time_ns == INT64_C(1621464827959498503));
    assert_int_equal(herd_command_parse(herd_span_of("HELLO 17 Riley Juzang ffffffffffffffff"), &c), HERD_HELLO);
    assert_int_equal(c.version, 17);
    assert_true(c.incarnation == UINT64_MAX);
    assert_int_equal(herd_command_parse(herd_span_of("HELLO 017 Riley Juzang 00012abc"), &c), HERD_HELLO);
    assert_int_equal(c.version, 17);
    assert_true(c.incarnation == 0x12abc);
    static const struct {
        const char *line;
        uint64_t expire_ms;
    } hellos[] = {{"HELLO 2 a b 1", 0},
                  {"HELLO 2 a b 1 0", 0},
                  {"HELLO 2 a b 1 600000", 600000},
                  {"HELLO 2 a b 1 600000 more", 600000},
                  {"HELLO 2 a b 1 1.5", 0},
                  {"HELLO 2 a b 1 later", 0}};
    for (size_t i = 0; i < COUNT(hellos); i++) {
        assert_int_equal(herd_command_parse(herd_span_of(hellos[i].line), &c), HERD_HELLO);
        assert_true(c.expire_ms == hellos[i].expire_ms);
    }
    struct herd_span nothing = {NULL, 0};
    assert_int_equal(herd_command_parse(nothing, &c), HERD_BLANK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
