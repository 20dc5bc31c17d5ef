/* SPDX-License-Identifier: MIT */
/* UTF-8 as RFC 3629 has it: both checks, of the configuration and of answers, against a plain decoder. */
#include "cm.h"

#include "../../../lib/places/raw.h"

#include <herd/config.h>

#include <string.h>

/* Decodes and encodes again: what does not come out the same is not UTF-8. */
static size_t plain_len(const unsigned char *at, size_t room)
{
    size_t len = at[0] < 0x80 ? 1 : at[0] >> 5 == 6 ? 2 : at[0] >> 4 == 14 ? 3 : at[0] >> 3 == 30 ? 4 : 0;
    if (len == 0 || len > room)
        return 0;
    unsigned long c = len == 1 ? at[0] : at[0] & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        if (at[i] >> 6 != 2)
            return 0;
        c = c << 6 | (at[i] & 0x3f);
    }
    size_t shortest = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    return len == shortest && c <= 0x10ffff && !(c >= 0xd800 && c <= 0xdfff) ? len : 0;
}

static bool config_takes(const unsigned char *bytes, size_t len)
{
    char json[40] = "{\"journal\": \"";
    size_t start = strlen(json);
    memcpy(json + start, bytes, len);
    memcpy(json + start + len, "\"}", 2);
    struct herd_config *config = NULL;
    struct herd_diagnostic diagnostic;
    int err = herd_config_parse(&config, (struct herd_span){json, start + len + 2}, &diagnostic);
    assert_true(err == 0 || (err == HERD_E_SYNTAX && strstr(diagnostic.message, "expected UTF-8")));
    herd_config_free(config);
    return err == 0;
}

static void test_all_beginnings(void **state)
{
    (void)state;
    static const unsigned char tails[][2] = {{0x80, 0x80}, {0xbf, 0xbf}, {0x7f, 0x80},
                                             {0x80, 0x7f}, {0xc0, 0x80}, {0x80, 0xc0}};
    size_t good = 0;
    for (unsigned first = 0x80; first < 0x100; first++)
        for (unsigned second = 0x80 - 2; second < 0x100; second++) /* with two that are ASCII */
            for (size_t t = 0; t < sizeof tails / sizeof *tails; t++)
                for (size_t len = 1; len <= 4; len++) {
                    unsigned char bytes[] = {(unsigned char)first, (unsigned char)second, tails[t][0], tails[t][1]};
                    size_t want = plain_len(bytes, len);
                    assert_int_equal(herd_utf8_len((struct herd_span){(const char *)bytes, len}), want);
                    if (want == len && ++good)
                        assert_true(config_takes(bytes, len));
                    else if (!want && (second == 0x80 || second == 0x9f || second == 0xa0 || second == 0xbf ||
                                       second == 0xff))
                        assert_false(config_takes(bytes, len));
                }
    assert_true(good > 1000);
    for (unsigned c = 0x20; c < 0x7f; c++) {
        char text = (char)c;
        assert_int_equal(herd_utf8_len((struct herd_span){&text, 1}), 1);
    }
    assert_int_equal(herd_utf8_len((struct herd_span){"", 0}), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all_beginnings)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
