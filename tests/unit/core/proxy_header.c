/* SPDX-License-Identifier: MIT */
/* Headers of the PROXY protocol: each whole, and cut at every byte, at the end of readable memory. */
#include "client.h"

#include "proxy_header.h"

#include <stdio.h>

/* The address as text, so that a row can be read: "a.b.c.d" or groups, and its port. */
static const char *shown(const struct herd_proxy_header *header)
{
    static char text[80];
    const unsigned char *at = header->address;
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (!header->named)
        return "-";
    if (memcmp(at, mapped, sizeof mapped) == 0) {
        snprintf(text, sizeof text, "%u.%u.%u.%u %u", at[12], at[13], at[14], at[15], (unsigned)header->port);
    } else {
        size_t len = 0;
        for (int i = 0; i < 16; i += 2)
            len += (size_t)snprintf(text + len, sizeof text - len, "%s%x", i ? ":" : "",
                                    (unsigned)(at[i] << 8 | at[i + 1]));
        snprintf(text + len, sizeof text - len, " %u", (unsigned)header->port);
    }
    return text;
}

static void check(struct herd_span bytes, const char *expected)
{
    struct herd_proxy_header header;
    char more[600];
    /* Every beginning of a good one lacks something. */
    for (size_t len = 0; expected && len < bytes.len; len++)
        assert_int_equal(herd_proxy_header_scan(guarded((struct herd_span){bytes.at, len}), &header),
                         HERD_PROXY_MORE);
    enum herd_proxy_scan scan = herd_proxy_header_scan(guarded(bytes), &header);
    if (!expected) {
        if (scan != HERD_PROXY_FAULT)
            fail_msg("taken: %.*s", (int)bytes.len, bytes.at);
        return;
    }
    if (scan != HERD_PROXY_DONE)
        fail_msg("not taken: %.*s", (int)bytes.len, bytes.at);
    assert_int_equal(header.len, bytes.len);
    assert_string_equal(shown(&header), expected);
    /* What is behind it is not looked at. */
    assert_true(bytes.len + 4 <= sizeof more);
    memcpy(more, bytes.at, bytes.len);
    memcpy(more + bytes.len, "\r\nP\n", 4);
    assert_int_equal(herd_proxy_header_scan(guarded((struct herd_span){more, bytes.len + 4}), &header),
                     HERD_PROXY_DONE);
    assert_int_equal(header.len, bytes.len);
}

static void test_lines(void **state)
{
    (void)state;
    static const struct {
        const char *line, *expected;
    } rows[] = {
        {"PROXY TCP4 192.0.2.7 10.0.0.1 4711 80\r\n", "192.0.2.7 4711"},
        {"PROXY TCP4 255.255.255.255 0.0.0.0 65535 0\r\n", "255.255.255.255 65535"},
        {"PROXY TCP6 2001:db8::7 ::1 4711 80\r\n", "2001:db8:0:0:0:0:0:7 4711"},
        {"PROXY TCP6 1:2:3:4:5:6:7:8 :: 1 2\r\n", "1:2:3:4:5:6:7:8 1"},
        {"PROXY TCP6 ::FFFF:192.0.2.7 ::1 4711 80\r\n", "192.0.2.7 4711"},
        {"PROXY TCP6 1:2:3:4:5:6:192.0.2.7 1:: 4711 80\r\n", "1:2:3:4:5:6:c000:207 4711"},
        {"PROXY TCP6 1:: ::1 4711 80\r\n", "1:0:0:0:0:0:0:0 4711"},
        {"PROXY UNKNOWN\r\n", "-"},
        {"PROXY UNKNOWN ffff::1 whatever 1 2\r\n", "-"},
        {"PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 "
         "65535\r\n",
         "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535"},
        {"proxy TCP4 192.0.2.7 10.0.0.1 4711 80\r\n", NULL},
        {"PROXY  TCP4 192.0.2.7 10.0.0.1 4711 80\r\n", NULL},
        {"PROXY TCP4 192.0.2.7  10.0.0.1 4711 80\r\n", NULL},
        {"PROXY TCP4 192.0.2.7 10.0.0.1 4711 80 \r\n", NULL},
        {"PROXY TCP4 192.0.2.7 10.0.0.1 4711 80 1\r\n", NULL},
        {"PROXY TCP4 192.0.2.7 10.0.0.1 4711\r\n", NULL},
        {"PROXY TCP4 192.0.2.7 10.0.0.1 4711 80\n", NULL},
        {"PROXY TCP4 192.0.2.7 10.0.0.1 4711 80\r\r\n", NULL},
        {"PROXY TCP4 192.0.2.7 10.0.0.1\n4711 80\r\n", NULL},
        {"PROXY TCP4 192.0.2.07 10.0.0.1 4711 80\r\n", NULL},
        {"PROXY TCP4 192.0.2.256 10.0.0.1 4711 80\r\n", NULL},
        {"PROXY TCP4 192.0.2 10.0.0.1 4711 80\r\n", NULL},
        {"PROXY TCP4 192.0.2.7.8 10.0.0.1 4711 80\r\n", NULL},
        {"PROXY TCP4 192.0.2.7 ::1 4711 80\r\n", NULL},
        {"PROXY TCP4 192.0.2.7 10.0.0.1 65536 80\r\n", NULL},
        {"PROXY TCP4 192.0.2.7 10.0.0.1 04711 80\r\n", NULL},
        {"PROXY TCP4 192.0.2.7 10.0.0.1 4294971 80\r\n", NULL},
        {"PROXY TCP4 192.0.2.7 10.0.0.1 4294972007 80\r\n", NULL}, /* 2^32 more than 4711 */
        {"PROXY TCP4 192.0.2.7 10.0.0.1 -1 80\r\n", NULL},
        {"PROXY TCP4 192.0.2.7 10.0.0.1 4711 \r\n", NULL},
        {"PROXY TCP6 192.0.2.7 10.0.0.1 4711 80\r\n", NULL},
        {"PROXY TCP6 1::2::3 ::1 4711 80\r\n", NULL},
        {"PROXY TCP6 1:2:3:4:5:6:7 ::1 4711 80\r\n", NULL},
        {"PROXY TCP6 1:2:3:4:5:6:7:8:9 ::1 4711 80\r\n", NULL},
        {"PROXY TCP6 1:2:3:4:5:6:7:8:: ::1 4711 80\r\n", NULL},
        {"PROXY TCP6 12345::1 ::1 4711 80\r\n", NULL},
        {"PROXY TCP6 1 ::1 4711 80\r\n", NULL},
        {"PROXY TCP6 : ::1 4711 80\r\n", NULL},
        {"PROXY TCP6 :1 ::1 4711 80\r\n", NULL},
        {"PROXY TCP6 1: ::1 4711 80\r\n", NULL},
        {"PROXY TCP6 ::: ::1 4711 80\r\n", NULL},
        {"PROXY TCP6 fe80::1%eth0 ::1 4711 80\r\n", NULL},
        {"PROXY UDP4 192.0.2.7 10.0.0.1 4711 80\r\n", NULL},
        {"PROXY UNKNOWN2\r\n", NULL},
        {"PROXY \r\n", NULL},
        {"PROXY\r\n", NULL},
        {"GET / HTTP/1.1\r\n", NULL},
        {"IAMAT x +1-1 5\n", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check(herd_span_of(rows[i].line), rows[i].expected);
}

/* A line that never ends is given up at its greatest length, and its LF without CR at once. */
static void test_long_lines(void **state)
{
    (void)state;
    char line[200];
    struct herd_proxy_header header;
    memset(line, 'x', sizeof line);
    memcpy(line, "PROXY UNKNOWN ", 14);
    assert_int_equal(herd_proxy_header_scan(guarded((struct herd_span){line, 106}), &header), HERD_PROXY_MORE);
    assert_int_equal(herd_proxy_header_scan(guarded((struct herd_span){line, 107}), &header), HERD_PROXY_FAULT);
    line[105] = '\r';
    line[106] = '\n';
    check((struct herd_span){line, 107}, "-");
    line[105] = 'x';
    line[106] = '\r';
    line[107] = '\n';
    check((struct herd_span){line, 108}, NULL);
    line[50] = '\n';
    check((struct herd_span){line, 51}, NULL);
}

#define SIGNATURE   "\r\n\r\n\0\r\nQUIT\n"
#define BYTES(text) text, sizeof(text) - 1

static void test_binary(void **state)
{
    (void)state;
    static const struct {
        const char *at;
        size_t len;
        const char *expected;
    } rows[] = {
        {BYTES(SIGNATURE "\x21\x11\0\x0c\xc0\0\x02\x07\x0a\0\0\x01\x12\x67\0\x50"), "192.0.2.7 4711"},
        {BYTES(SIGNATURE "\x21\x11\0\x0f\xc0\0\x02\x07\x0a\0\0\x01\x12\x67\0\x50\x04\0\0"), "192.0.2.7 4711"},
        {BYTES(SIGNATURE "\x21\x21\0\x24\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07"
                         "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x12\x67\0\x50"),
         "2001:db8:0:0:0:0:0:7 4711"},
        {BYTES(SIGNATURE "\x20\x11\0\x0c\xc0\0\x02\x07\x0a\0\0\x01\x12\x67\0\x50"), "-"},
        {BYTES(SIGNATURE "\x20\0\0\0"), "-"},
        {BYTES(SIGNATURE "\x21\0\0\0"), "-"},
        {BYTES(SIGNATURE "\x21\x12\0\x02"
                         "ab"),
         "-"},
        {BYTES(SIGNATURE "\x21\x11\0\x0b\xc0\0\x02\x07\x0a\0\0\x01\x12\x67\0"), NULL},
        {BYTES(SIGNATURE "\x21\x21\0\x0c\xc0\0\x02\x07\x0a\0\0\x01\x12\x67\0\x50"), NULL},
        {BYTES(SIGNATURE "\x22\x11\0\x0c"), NULL},
        {BYTES(SIGNATURE "\x11\x11\0\x0c"), NULL},
        {BYTES(SIGNATURE "\x21\x11\xff\xff"), NULL},
        {BYTES("\r\n\r\n\0\r\nQUIX"), NULL},
        {BYTES("\0"), NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check((struct herd_span){rows[i].at, rows[i].len}, rows[i].expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_binary),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
