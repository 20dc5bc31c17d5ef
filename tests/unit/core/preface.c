/* SPDX-License-Identifier: MIT */
/* Connections that begin like another protocol: HTTP, TLS, a file with a byte order mark. */
#include "client.h"

#include "preface.h"

static struct herd_span cut(const char *text)
{
    return guarded(herd_span_of(text));
}

static void test_http_lines(void **state)
{
    (void)state;
    static const char *const yes[] = {
        "GET / HTTP/1.1",
        "GET / HTTP/1.1\r",
        "POST / HTTP/1.0\r",
        "post /x http/1.1",
        " POST  /  HTTP/1.1 \r",
        "POST\t/\tHTTP/1.1",
        "POST /a b c HTTP/1.1\r",
        "PRI * HTTP/2.0\r",
        "OPTIONS * HTTP/1.1",
        "CONNECT a:1 HTTP/1.1",
        "GET http://a/ HTTP/1.1",
        "M-SEARCH * HTTP/1.1",
        "GET / HTTP/2",
        "!#$%&'*+-.^_`|~9Az / HTTP/1.1",
        "GET HTTP/1.1",
        "GET /\x0b\x0cHTTP/1.1\r",
        "POST /\xff\x80 HTTP/1.1",
        "G / HTTP/11.10",
        "LIST 0 0 HTTP/1.1",
        "IAMAT / HTTP/1.1",
    };
    static const char *const no[] = {
        "",
        " ",
        "\r",
        "x",
        "GET /",
        "HTTP/1.1",
        " HTTP/1.1 ",
        "GET / HTTP",
        "GET / HTTP/",
        "G / HTTP/.",
        "G / HTTP/1.",
        "G / HTTP/1.1.1",
        "G / HTTP/1.1x",
        "G / XTTP/1.1",
        "G / HTTP1.1",
        "GET /HTTP/1.1",
        "G(T / HTTP/1.1",
        "\x01 / HTTP/1.1",
        "G\xff / HTTP/1.1",
        "IAMAT POST +1+1 1",
        "WHATSAT POST 1 1",
        "\"GET\" / HTTP/1.1",
        "HTTP/1.1 200 OK",
        "G / HTTP/a.b",
        "G / HTTP/.1",
    };
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        if (!herd_preface_http(cut(yes[i])))
            fail_msg("no request line: %s", yes[i]);
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        if (herd_preface_http(cut(no[i])))
            fail_msg("a request line: %s", no[i]);
    assert_false(herd_preface_http((struct herd_span){NULL, 0}));
    static const char nul[] = "G\0T / HTTP/1.1"; /* strchr finds the end of its text */
    assert_false(herd_preface_http(guarded((struct herd_span){nul, sizeof nul - 1})));
}

/* Gives all of it at once, or cut in two at `split`, or byte by byte. */
static void feed(struct fixture *f, const char *text, size_t split)
{
    size_t len = strlen(text);
    for (size_t at = 0; at < len && !f->turn.close;) {
        size_t some = split == SIZE_MAX ? 1 : at == 0 && split > 0 && split < len ? split : len - at;
        say_bytes(f, (struct herd_span){text + at, some});
        at += some;
    }
}

#define BODY "Host: a\r\nContent-Type: text/plain\r\n\r\nIAMAT a +1+1 1\nWHATSAT a 1 1\n"

/* A web page's reader reports for nobody, however its request is cut. */
static void test_web_page(void **state)
{
    (void)state;
    static const struct {
        const char *said, *answer;
    } cases[] = {
        {"POST / HTTP/1.1\r\n" BODY, "? POST / HTTP/1.1\r\n"},
        {"\r\n\n \t\r\nPOST / HTTP/1.1\r\n" BODY, "? POST / HTTP/1.1\r\n"},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" BODY, "? PRI * HTTP/2.0\r\n"},
        {"post http://a/ http/1.0\n" BODY, "? post http://a/ http/1.0\n"},
        {"LIST 0 0 HTTP/1.1\n" BODY, "? LIST 0 0 HTTP/1.1\n"},
        {"AT / HTTP/1.1\n" BODY, "? AT / HTTP/1.1\n"},
        {"\xef\xbb\xbfPOST / HTTP/1.1\r\n" BODY, "? POST / HTTP/1.1\r\n"},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
        for (size_t split = 0; split <= strlen(cases[c].said); split++) {
            struct fixture f;
            begin(&f, NULL);
            feed(&f, cases[c].said, split == strlen(cases[c].said) ? SIZE_MAX : split);
            heard(&f, cases[c].answer);
            assert_true(f.turn.close);
            assert_int_equal(f.in.len, 0);
            assert_string_equal(f.notice, "http_request");
            say(&f, "IAMAT a +1+1 1\n");
            heard(&f, "");
            assert_int_equal(herd_store_count(herd_node_store(f.node)), 0);
            end(&f);
        }
}

/* A client is free to be called POST, and to say such a line later. */
static void test_clients(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, NULL);
    say(&f, "IAMAT POST +1+1 1621464828.040501497\nPOST / HTTP/1.1\r\nWHATSAT POST 1 1\n");
    answer(&f, 0, "{}");
    heard(&f, "AT Riley -0.040501497 POST +1+1 1621464828.040501497\n? POST / HTTP/1.1\r\n"
              "AT Riley -0.040501497 POST +1+1 1621464828.040501497\n{}\n\n");
    assert_false(f.turn.close);
    end(&f);
    begin(&f, NULL);
    say(&f, "POST / HTTP\nPOST / HTTP/1.1\n");
    heard(&f, "? POST / HTTP\n? POST / HTTP/1.1\n");
    assert_false(f.turn.close);
    end(&f);
}

/* A page that the program does not answer either. */
static void test_no_command(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, &(struct herd_node_options){.commands = true});
    say(&f, "POST / HTTP/1.1\r\nmy command\n");
    heard(&f, "? POST / HTTP/1.1\r\n");
    assert_true(f.turn.close);
    end(&f);
}

static void test_at_the_end(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f, NULL);
    struct herd_span last = cut("GET / HTTP/1.1");
    assert_int_equal(herd_session_eof(f.session, last, f.now, &f.out, &f.turn), 0);
    heard(&f, "? GET / HTTP/1.1\n");
    assert_true(f.turn.close);
    end(&f);
}

static void test_tls(void **state)
{
    (void)state;
    static const char hello[] = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\nIAMAT a +1+1 1\n";
    for (size_t split = 0; split < sizeof hello - 1; split++) {
        struct fixture f;
        begin(&f, NULL);
        if (split)
            say_bytes(&f, (struct herd_span){hello, split});
        say_bytes(&f, (struct herd_span){hello + split, sizeof hello - 1 - split});
        heard(&f, "");
        assert_string_equal(f.closed, "tls_not_enabled");
        assert_string_equal(f.notice, "tls_not_enabled");
        assert_int_equal(f.notices, 1);
        assert_int_equal(herd_store_count(herd_node_store(f.node)), 0);
        end(&f);
    }
    /* at the second byte, and only as the first bytes */
    struct fixture f;
    begin(&f, NULL);
    say(&f, "\x16");
    assert_string_equal(f.closed, "");
    say(&f, "\x03");
    assert_string_equal(f.closed, "tls_not_enabled");
    end(&f);
    begin(&f, NULL);
    say(&f, "\n\x16\x03\n\x16\x04\n");
    heard(&f, "? \x16\x03\n? \x16\x04\n");
    assert_string_equal(f.closed, "");
    end(&f);
}

/* Ten thousand of them are some lines in the log. */
static void test_damped(void **state)
{
    (void)state;
    static const char *const first[] = {"\x16\x03\x01", "GET / HTTP/1.1\n"};
    for (size_t c = 0; c < 2; c++) {
        struct fixture f;
        begin(&f, NULL);
        for (int i = 0; i < 10000; i++) {
            herd_session_close(f.session);
            assert_int_equal(herd_session_open(f.node, &f.session, &f, f.now), 0);
            f.in.len = 0;
            say(&f, first[c]);
        }
        assert_int_equal(f.notices, 14);
        end(&f);
    }
}

static void test_byte_order_mark(void **state)
{
    (void)state;
    static const char bom[] = "\xef\xbb\xbf" KIWI;
    for (size_t split = 0; split < sizeof bom - 1; split++) {
        struct fixture f;
        begin(&f, NULL);
        if (split)
            say_bytes(&f, (struct herd_span){bom, split});
        say_bytes(&f, (struct herd_span){bom + split, sizeof bom - 1 - split});
        heard(&f, AT_KIWI);
        end(&f);
    }
    struct fixture f;
    begin(&f, NULL);
    say(&f, "\xef\xbb\xbfx\n\xef\xbb\xbfy\n"); /* once, and never behind the first line */
    heard(&f, "? x\n? \xef\xbb\xbfy\n");
    end(&f);
    begin(&f, NULL);
    say(&f, "\n\xef\xbb\xbfx\n\xef\xbb\n");
    heard(&f, "? \xef\xbb\xbfx\n? \xef\xbb\n");
    end(&f);
    begin(&f, NULL); /* a line that is nothing else, and one that the end of input ends */
    say(&f, "\xef\xbb\xbf\n");
    heard(&f, "");
    end(&f);
    begin(&f, NULL);
    assert_int_equal(herd_session_eof(f.session, cut("\xef\xbb\xbfx"), f.now, &f.out, &f.turn), 0);
    heard(&f, "? x\n");
    end(&f);
    begin(&f, NULL);
    assert_int_equal(herd_session_eof(f.session, cut("\xef\xbb\xbf"), f.now, &f.out, &f.turn), 0);
    heard(&f, "");
    end(&f);
    begin(&f, &(struct herd_node_options){.line_max_bytes = 10});
    say(&f, "\xef\xbb\xbfxxxxxxxxxxxxx");
    heard(&f, "? xxxxxxxxxxxxx\n");
    assert_true(f.turn.close);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_http_lines), cmocka_unit_test(test_web_page),        cmocka_unit_test(test_clients),
        cmocka_unit_test(test_no_command), cmocka_unit_test(test_at_the_end),      cmocka_unit_test(test_tls),
        cmocka_unit_test(test_damped),     cmocka_unit_test(test_byte_order_mark),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
