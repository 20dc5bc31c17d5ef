/* SPDX-License-Identifier: MIT */
#include "cm.h"

#include "escape.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The rule once more, a byte at a time and with printf. */
static size_t slow_escape(char *to, const char *from, size_t len)
{
    char *start = to;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)from[i];
        if (c == '"' || c == '\\')
            to += sprintf(to, "\\%c", c);
        else if (c < 0x20 || c > 0x7e)
            to += sprintf(to, "\\x%02x", c);
        else
            *to++ = (char)c;
    }
    return (size_t)(to - start);
}

/* Copies into blocks of exactly the sizes promised, so that a sanitizer sees a byte too far. */
static void check(const char *bytes, size_t len)
{
    char want[1024];
    char *from = malloc(len + !len), *to = malloc(len * HERD_ESCAPE_GROWTH + 1);
    assert_non_null(from);
    assert_non_null(to);
    memcpy(from, bytes, len);
    size_t want_len = slow_escape(want, bytes, len);
    assert_int_equal(herd_escape_copy(to, from, len), want_len);
    assert_memory_equal(to, want, want_len);
    free(from);
    free(to);
}

static void test_every_byte_at_every_place(void **state)
{
    (void)state;
    char line[100]; /* words of two sizes, and an end */
    for (size_t len = 0; len <= sizeof line; len += len < 40 ? 1 : 7) {
        memset(line, 'a', sizeof line);
        check(line, len);
        for (size_t place = 0; place < len; place++) {
            for (int byte = 0; byte < 256; byte++) {
                line[place] = (char)byte;
                check(line, len);
            }
            line[place] = 'a';
        }
    }
}

static void test_every_pair_of_neighbours(void **state)
{
    (void)state;
    char line[21];
    memset(line, 'a', sizeof line);
    for (int first = 0; first < 256; first++) {
        for (int second = 0; second < 256; second++) {
            line[15] = (char)first; /* the last of one word and the first of the end */
            line[16] = (char)second;
            check(line, sizeof line);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_byte_at_every_place),
        cmocka_unit_test(test_every_pair_of_neighbours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
