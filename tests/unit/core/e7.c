/* SPDX-License-Identifier: MIT */
/* Positions from their packed digits: what the text says, or none; whatever stands before and behind them. */
#include "cm.h"

#include "e7.h"
#include "guard.h"
#include "pack.h"

#include <stdio.h>

#define TEXT_MAX 200

static struct herd_e7 e7_of(const char *position, bool *ret_exact)
{
    struct herd_e7 e7;
    *ret_exact = herd_e7_position(herd_span_of(position), &e7);
    return e7;
}

/* `quick`: whether the packed digits are understood; then they say the same. */
static void check(const char *before, const char *position, const char *behind, bool quick)
{
    char text[TEXT_MAX + HERD_PACK_SLACK] = {0};
    unsigned char room[HERD_PACK_FRONT + TEXT_MAX / 2 + HERD_PACK_SLACK] = {0}, *packed = room + HERD_PACK_FRONT;
    const size_t len = (size_t)snprintf(text, TEXT_MAX, "%s%s%s", before, position, behind);
    const size_t at = strlen(before), end = at + strlen(position);
    herd_pack(packed, text, len);
    bool exact;
    const struct herd_e7 e7 = e7_of(position, &exact);
    struct herd_e7 got = {0, 0};
    if (herd_e7_position_packed(packed, at, end, &got) != quick)
        fail_msg("%s|%s|%s: %s", before, position, behind, quick ? "not understood" : "understood");
    if (!quick)
        return;
    assert_true(exact);
    assert_int_equal(got.lat, e7.lat);
    assert_int_equal(got.lon, e7.lon);
}

static void check_everywhere(const char *position, bool quick)
{
    static const char *const before[] = {"", "+", "+0.263873386", "-0.000000000", "+12345678901.123456789"};
    static const char *const behind[] = {"", "0", "1621464827.959498503", "00000000000000000000", ".", "+"};
    for (size_t i = 0; i < sizeof before / sizeof *before; i++)
        for (size_t k = 0; k < sizeof behind / sizeof *behind; k++)
            check(before[i], position, behind[k], quick);
}

static void test_borders(void **state)
{
    (void)state;
    check_everywhere("+34.068930-118.445127", true);
    check_everywhere("+0-0", true);
    check_everywhere("-90+180", true);
    check_everywhere("+90.0000000-180.0000000", true);
    check_everywhere("-0.0000001+0.0000001", true);
    check_everywhere("+001.5-009.25", true);
    check_everywhere("+34-118.4", true);
    check_everywhere("+34.1-118", true);
    /* more than is kept, or written at length: read another way */
    check_everywhere("+34.06893001-118.445127", false);
    check_everywhere("+34.068930-118.44512701", false);
    check_everywhere("+0034.1-118", false);
    check_everywhere("+34.1-0118", false);
    check_everywhere("+34.000000000000000000000-118", false);
    check_everywhere("+34-118.000000000000000000000", false);
}

static void test_random(void **state)
{
    (void)state;
    uint64_t seed = 7;
    for (int i = 0; i < 200000; i++) {
        char position[64];
        int decimals[2] = {(int)rnd_below(&seed, 10), (int)rnd_below(&seed, 10)};
        unsigned whole[2] = {(unsigned)rnd_below(&seed, 90), (unsigned)rnd_below(&seed, 180)};
        int length = 0;
        for (int k = 0; k < 2; k++) {
            length += snprintf(position + length, sizeof position - (size_t)length, "%c%u",
                               "+-"[rnd_below(&seed, 2)], whole[k]);
            if (decimals[k] > 0)
                length += snprintf(position + length, sizeof position - (size_t)length, ".%0*u", decimals[k],
                                   (unsigned)rnd_below(&seed, 10));
        }
        check("+0.5", position, i % 2 ? "1621464827.9" : "", decimals[0] <= 7 && decimals[1] <= 7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_borders),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
