/* SPDX-License-Identifier: MIT */
/* Heads of replies, dates, and the table of characters. */
#include "cm.h"

#include "chars.h"
#include "guard.h"
#include "response.h"

#include <ctype.h>
#include <stdio.h>
#include <time.h>

#define S INT64_C(1000000000)

static void test_head(void **state)
{
    (void)state;
    struct herd_buf out = {0};
    assert_int_equal(herd_http_response_begin(&out, 200, 1795694400 * S), 0);
    assert_int_equal(herd_http_response_field(&out, "Content-Type", herd_span_of("application/json")), 0);
    assert_int_equal(herd_http_response_field(&out, "X-Empty", (struct herd_span){NULL, 0}), 0);
    assert_int_equal(herd_http_response_length(&out, 0), 0);
    assert_int_equal(herd_http_response_number(&out, "X-Number", UINT64_MAX), 0);
    assert_int_equal(herd_http_response_connection(&out, false), 0);
    assert_int_equal(herd_http_response_connection(&out, true), 0);
    assert_int_equal(herd_http_response_field(&out, "X", herd_span_of("a\r\nSet-Cookie: b")), HERD_E_SYNTAX);
    assert_int_equal(herd_http_response_field(&out, "X", (struct herd_span){"a\0b", 3}), HERD_E_SYNTAX);
    assert_int_equal(herd_http_response_field(&out, "X", herd_span_of("a\tb \xc3\xbc")), 0);
    assert_int_equal(herd_http_response_end(&out), 0);
    assert_true(herd_span_equal(span_of_buf(&out), herd_span_of("HTTP/1.1 200 OK\r\n"
                                                                "Date: Thu, 26 Nov 2026 12:00:00 GMT\r\n"
                                                                "Content-Type: application/json\r\n"
                                                                "X-Empty: \r\n"
                                                                "Content-Length: 0\r\n"
                                                                "X-Number: 18446744073709551615\r\n"
                                                                "Connection: close\r\n"
                                                                "Connection: keep-alive\r\n"
                                                                "X: a\tb \xc3\xbc\r\n"
                                                                "\r\n")));
    out.len = 0;
    assert_int_equal(herd_http_response_continue(&out), 0);
    assert_int_equal(herd_http_response_chunk(&out, 1), 0);
    assert_int_equal(herd_http_response_chunk(&out, 0xabc0), 0);
    assert_int_equal(herd_http_response_chunk(&out, SIZE_MAX), 0);
    assert_int_equal(herd_http_response_chunk(&out, 0), 0);
    char want[100];
    snprintf(want, sizeof want, "HTTP/1.1 100 Continue\r\n\r\n1\r\nabc0\r\n%zx\r\n0\r\n\r\n", SIZE_MAX);
    assert_true(herd_span_equal(span_of_buf(&out), herd_span_of(want)));
    herd_buf_fini(&out);
}

static void test_reasons(void **state)
{
    (void)state;
    assert_string_equal(herd_http_reason(404), "Not Found");
    assert_string_equal(herd_http_reason(599), "Unknown");
    for (int status = 100; status < 600; status++) {
        struct herd_buf out = {0};
        char want[128];
        assert_int_equal(herd_http_response_begin(&out, status, 0), 0);
        int len = snprintf(want, sizeof want, "HTTP/1.1 %d %s\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n", status,
                           herd_http_reason(status));
        assert_true(herd_span_equal(span_of_buf(&out), (struct herd_span){want, (size_t)len}));
        herd_buf_fini(&out);
    }
}

static void check_date(int64_t wall_ns)
{
    char to[HERD_HTTP_DATE_BYTES], want[40];
    time_t s = (time_t)(wall_ns / S - (wall_ns % S < 0));
    struct tm tm;
    assert_non_null(gmtime_r(&s, &tm));
    assert_int_equal(strftime(want, sizeof want, "%a, %d %b %Y %H:%M:%S GMT", &tm), HERD_HTTP_DATE_BYTES);
    herd_http_date_put(to, wall_ns);
    if (memcmp(to, want, sizeof to) != 0)
        fail_msg("%.*s is %s", (int)sizeof to, to, want);
}

static void test_dates(void **state)
{
    (void)state;
    check_date(0);
    check_date(-1);
    check_date(INT64_MAX);
    check_date(INT64_MIN);
    for (int64_t day = -110000; day < 106000; day++) { /* 1668 to 2260, so far as 64 bits go */
        if (day > INT64_MIN / (86400 * S) + 1) {
            check_date(day * 86400 * S);
            check_date(day * 86400 * S - 1);
        }
    }
    uint64_t seed = 7;
    for (int i = 0; i < 100000; i++)
        check_date((int64_t)rnd(&seed));
}

static bool in(unsigned char c, const char *set)
{
    return c && strchr(set, c);
}

static void test_chars(void **state)
{
    (void)state;
    for (int i = 0; i < 256; i++) {
        unsigned char c = (unsigned char)i;
        bool alnum = c < 0x80 && isalnum(c), reg_name = alnum || in(c, "-._~!$&'()*+,;="),
             path = reg_name || in(c, ":@/[]|");
        bool value = c == '\t' || (c >= 0x20 && c != 0x7f);
        unsigned want = 0;
        want |= alnum || in(c, "!#$%&'*+-.^_`|~") ? HERD_HTTP_TOKEN : 0;
        want |= path ? HERD_HTTP_PATH : 0;
        want |= path || in(c, "?%\\^`{}") ? HERD_HTTP_QUERY : 0;
        want |= reg_name ? HERD_HTTP_REG_NAME : 0;
        want |= value ? HERD_HTTP_VALUE : 0;
        want |= value && !in(c, "\"\\") ? HERD_HTTP_QUOTED : 0;
        assert_int_equal(herd_http_chars[i], want);
    }
}

/* Each byte at each place of a text of any length. */
static void test_text_end(void **state)
{
    (void)state;
    char text[20];
    for (size_t len = 0; len <= sizeof text; len++) {
        for (size_t at = 0; at < len; at++) {
            for (int c = 0; c < 256; c++) {
                memset(text, at % 2 ? 0x80 : ' ', sizeof text);
                text[at] = (char)c;
                if (at + 1 < len)
                    text[at + 1] = c % 2 ? '\n' : 'a';
                struct herd_span exact = guarded((struct herd_span){text, len});
                const char *p = exact.at, *end = p + len;
                while (p < end && (unsigned char)*p >= 0x20 && *p != 0x7f)
                    p++;
                assert_ptr_equal(herd_http_text_end(exact.at, end), p);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_head),  cmocka_unit_test(test_reasons),  cmocka_unit_test(test_dates),
        cmocka_unit_test(test_chars), cmocka_unit_test(test_text_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
