/* SPDX-License-Identifier: MIT */
/* Requests of HTTP as a server reads them from a connection: whole, cut in two anywhere, and byte by byte. */
#include "cm.h"

#include "field_list.h"
#include "guard.h"
#include "http_transcript.h"

struct row {
    const char *bytes;
    size_t len;
    const char *want;
};
#define ROW(bytes, want)               \
    {                                  \
        bytes, sizeof(bytes) - 1, want \
    }

static void check(const struct row *row, size_t first, size_t step)
{
    char *text = transcript_of((struct herd_span){row->bytes, row->len}, first, step, HERD_HTTP_HEAD_MAX_BYTES,
                               HERD_HTTP_BODY_MAX_BYTES, NULL);
    if (strcmp(text, row->want) != 0)
        fail_msg("first %zu then %zu of\n%.*s\ngives\n%swant\n%s", first, step, (int)row->len, row->bytes, text,
                 row->want);
    free(text);
}

static void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        check(&rows[i], rows[i].len, 1);
        check(&rows[i], 1, 1);
        for (size_t first = 1; first < rows[i].len; first++)
            check(&rows[i], first, rows[i].len);
    }
}

#define H           "Host: h\r\n"
#define GET         "GET / HTTP/1.1\r\n"
#define OK          "GET / 1.1 h keep none ||\n"
#define POST        "POST / HTTP/1.1\r\n" H
#define CHECK(rows) check_rows(rows, sizeof(rows) / sizeof *(rows))

static void test_request_lines(void **state)
{
    (void)state;
    static const struct row rows[] = {
        ROW("", "= open\n"),
        ROW("GET", "= head\n"),
        ROW(GET H "\r\n", OK "= open\n"),
        ROW(GET H "\r\n" GET H "\r\n", OK OK "= open\n"),
        ROW("\r\n" GET H "\r\n", OK "= open\n"),
        ROW(GET H "\r\n\r\n" GET H "\r\n\r\n", OK OK "= head\n"),
        ROW("\r\n\r\n" GET H "\r\n", "= 400\n"),
        ROW("\n" GET H "\r\n", "= 400\n"),
        ROW(" " GET H "\r\n", "= 400\n"),
        ROW("\t" GET H "\r\n", "= 400\n"),
        ROW("\x16\x03\x01\x02", "= 400\n"),
        ROW("\xef\xbb\xbf" GET H "\r\n", "= 400\n"),
        ROW("HEAD /a HTTP/1.1\r\n" H "\r\n", "HEAD /a 1.1 h keep none ||\n= open\n"),
        ROW("PUT /a HTTP/1.1\r\n" H "\r\n", "PUT /a 1.1 h keep none ||\n= open\n"),
        ROW("DELETE /a HTTP/1.1\r\n" H "\r\n", "DELETE /a 1.1 h keep none ||\n= open\n"),
        ROW("PATCH /a HTTP/1.1\r\n" H "\r\n", "PATCH /a 1.1 h keep none ||\n= open\n"),
        ROW("OPTIONS /a HTTP/1.1\r\n" H "\r\n", "OPTIONS /a 1.1 h keep none ||\n= open\n"),
        ROW("OPTIONS * HTTP/1.1\r\n" H "\r\n", "OPTIONS * 1.1 h keep none ||\n= open\n"),
        ROW("GET * HTTP/1.1\r\n" H "\r\n", "= 400\n"),
        ROW("OPTIONS ** HTTP/1.1\r\n" H "\r\n", "= 400\n"),
        ROW("TRACE / HTTP/1.1\r\n" H "\r\n", "= 501\n"),
        ROW("CONNECT h:80 HTTP/1.1\r\n" H "\r\n", "= 501\n"),
        ROW("M-SEARCH * HTTP/1.1\r\n" H "\r\n", "= 501\n"),
        ROW("get / HTTP/1.1\r\n" H "\r\n", "= 501\n"),
        ROW("GETX / HTTP/1.1\r\n" H "\r\n", "= 501\n"),
        ROW("GE / HTTP/1.1\r\n" H "\r\n", "= 501\n"),
        ROW("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "= 505\n"),
        ROW("G@T / HTTP/1.1\r\n" H "\r\n", "= 400\n"),
        ROW("GET  / HTTP/1.1\r\n" H "\r\n", "= 400\n"),
        ROW("GET /  HTTP/1.1\r\n" H "\r\n", "= 400\n"),
        ROW("GET\t/ HTTP/1.1\r\n" H "\r\n", "= 400\n"),
        ROW("GET /\tHTTP/1.1\r\n" H "\r\n", "= 400\n"),
        ROW("GET /a b HTTP/1.1\r\n" H "\r\n", "= 400\n"),
        ROW("GET / HTTP/1.1 \r\n" H "\r\n", "= 400\n"),
        ROW("GET /\r\n\r\n", "= 400\n"),
        ROW("GET / \r\n" H "\r\n", "= 400\n"),
        ROW("GET\r\n\r\n", "= 400\n"),
        ROW("GET HTTP/1.1\r\n" H "\r\n", "= 400\n"),
        ROW("IAMAT kiwi.cs.ucla.edu +34.068930-118.445127 1621464827.959498503\r\n\r\n", "= 400\n"),
        ROW("GET / http/1.1\r\n" H "\r\n", "= 400\n"),
        ROW("GET / HTTP/1\r\n" H "\r\n", "= 400\n"),
        ROW("GET / HTTP/11.1\r\n" H "\r\n", "= 400\n"),
        ROW("GET / HTTP/1.10\r\n" H "\r\n", "= 400\n"),
        ROW("GET / HTTP/1,1\r\n" H "\r\n", "= 400\n"),
        ROW("GET / HTTP/1.2\r\n" H "\r\n", "= 505\n"),
        ROW("GET / HTTP/0.9\r\n" H "\r\n", "= 505\n"),
        ROW("GET / HTTP/2.0\r\n" H "\r\n", "= 505\n"),
        ROW("GET / HTTP/9.9\r\n" H "\r\n", "= 505\n"),
        ROW("GET / HTTP/1.1\r" H "\r\n", "= 400\n"),
        ROW("GET / HTTP/1.1\n" H "\r\n", "= 400\n"),
        ROW("GET / HTTP/1.1\r\n\r\n", "= 400\n"),
        ROW("GET /\x01 HTTP/1.1\r\n" H "\r\n", "= 400\n"),
        ROW("GET /\0 HTTP/1.1\r\n" H "\r\n", "= 400\n"),
        ROW("GET /\x7f HTTP/1.1\r\n" H "\r\n", "= 400\n"),
        ROW("GET /\xc3\xbc HTTP/1.1\r\n" H "\r\n", "= 400\n"),
    };
    CHECK(rows);
}

static void test_targets(void **state)
{
    (void)state;
    static const struct row rows[] = {
        ROW("GET /a/b;c=1/%2f%C3%BC,@:!$&'()*+= HTTP/1.1\r\n" H "\r\n",
            "GET /a/b;c=1/%2f%C3%BC,@:!$&'()*+= 1.1 h keep none ||\n= open\n"),
        ROW("GET /?id=1&lat=+4.5&q=/?:@ HTTP/1.1\r\n" H "\r\n",
            "GET /?id=1&lat=+4.5&q=/?:@ 1.1 h keep none ||\n= open\n"),
        ROW("GET /? HTTP/1.1\r\n" H "\r\n", "GET /? 1.1 h keep none ||\n= open\n"),
        ROW("GET //a HTTP/1.1\r\n" H "\r\n", "GET //a 1.1 h keep none ||\n= open\n"),
        ROW("GET ?a HTTP/1.1\r\n" H "\r\n", "= 400\n"),
        ROW("GET a HTTP/1.1\r\n" H "\r\n", "= 400\n"),
        ROW("GET /# HTTP/1.1\r\n" H "\r\n", "= 400\n"),
        ROW("GET /%2 HTTP/1.1\r\n" H "\r\n", "= 400\n"),
        ROW("GET /%zz HTTP/1.1\r\n" H "\r\n", "= 400\n"),
        ROW("GET /%2g HTTP/1.1\r\n" H "\r\n", "= 400\n"),
        ROW("GET /?%2g HTTP/1.1\r\n" H "\r\n", "GET /?%2g 1.1 h keep none ||\n= open\n"),
        ROW("GET /?a=% HTTP/1.1\r\n" H "\r\n", "GET /?a=% 1.1 h keep none ||\n= open\n"),
        ROW("GET /\\ HTTP/1.1\r\n" H "\r\n", "= 400\n"),
        ROW("GET /\" HTTP/1.1\r\n" H "\r\n", "= 400\n"),
        ROW("GET /[a|b]?c[0]=\\^`{d|e} HTTP/1.1\r\n" H "\r\n",
            "GET /[a|b]?c[0]=\\^`{d|e} 1.1 h keep none ||\n= open\n"),
        ROW("GET /{a} HTTP/1.1\r\n" H "\r\n", "= 400\n"),
        ROW("GET /^ HTTP/1.1\r\n" H "\r\n", "= 400\n"),
        ROW("GET /?\" HTTP/1.1\r\n" H "\r\n", "= 400\n"),
        ROW("GET /?<> HTTP/1.1\r\n" H "\r\n", "= 400\n"),
        ROW("GET http://h HTTP/1.1\r\n" H "\r\n", "GET / 1.1 h keep none ||\n= open\n"),
        ROW("GET http://h/ HTTP/1.1\r\n" H "\r\n", "GET / 1.1 h keep none ||\n= open\n"),
        ROW("GET http://h?a HTTP/1.1\r\n" H "\r\n", "GET /?a 1.1 h keep none ||\n= open\n"),
        ROW("GET HTTPS://H/a?b HTTP/1.1\r\n" H "\r\n", "GET /a?b 1.1 H keep none ||\n= open\n"),
        ROW("OPTIONS http://h HTTP/1.1\r\n" H "\r\n", "OPTIONS / 1.1 h keep none ||\n= open\n"),
        ROW("GET http://h:80/ HTTP/1.1\r\nHost: h:80\r\n\r\n", "GET / 1.1 h:80 keep none ||\n= open\n"),
        ROW("GET http://h:80/ HTTP/1.1\r\n" H "\r\n", "= 400\n"),
        ROW("GET http://i/ HTTP/1.1\r\n" H "\r\n", "= 400\n"),
        ROW("GET http://h/ HTTP/1.1\r\n\r\n", "= 400\n"),
        ROW("GET http://h/ HTTP/1.0\r\n\r\n", "GET / 1.0 h close none ||\n= closed\n"),
        ROW("GET http:/// HTTP/1.1\r\n" H "\r\n", "= 400\n"),
        ROW("GET http:/h HTTP/1.1\r\n" H "\r\n", "= 400\n"),
        ROW("GET http:h HTTP/1.1\r\n" H "\r\n", "= 400\n"),
        ROW("GET http HTTP/1.1\r\n" H "\r\n", "= 400\n"),
        ROW("GET ftp://h/ HTTP/1.1\r\n" H "\r\n", "= 400\n"),
        ROW("GET http://u@h/ HTTP/1.1\r\n" H "\r\n", "= 400\n"),
        ROW("GET h:80 HTTP/1.1\r\n" H "\r\n", "= 400\n"),
    };
    CHECK(rows);
}

static void test_hosts(void **state)
{
    (void)state;
#define HOST_OK(host)  ROW(GET "Host: " host "\r\n\r\n", "GET / 1.1 " host " keep none ||\n= open\n")
#define HOST_BAD(host) ROW(GET "Host: " host "\r\n\r\n", "= 400\n")
    static const struct row rows[] = {
        HOST_OK("h"),
        HOST_OK("herd.example.org:8080"),
        HOST_OK("127.0.0.1:1"),
        HOST_OK("[::1]"),
        HOST_OK("[2001:db8::1.2.3.4]:65535"),
        HOST_OK("h:"),
        HOST_OK("a_b~c"),
        HOST_BAD(""),
        HOST_BAD(":80"),
        HOST_BAD("h:80a"),
        HOST_BAD("h:-1"),
        HOST_BAD("h:123456"),
        HOST_BAD("a b"),
        HOST_BAD("a,b"
                 "/"),
        HOST_BAD("u@h"),
        HOST_BAD("h?"),
        HOST_BAD("h#"),
        HOST_BAD("h\\"),
        HOST_BAD("http://h"),
        HOST_BAD("%41"),
        HOST_BAD("[]"),
        HOST_BAD("[::1"),
        HOST_BAD("[::1]a"),
        HOST_BAD("[g]"),
        HOST_BAD("::1"),
        HOST_BAD("\xc3\xbc"),
        ROW(GET "\r\n", "= 400\n"),
        ROW(GET H H "\r\n", "= 400\n"),
        ROW(GET H "Host: i\r\n\r\n", "= 400\n"),
        ROW(GET H "host: h\r\n\r\n", "= 400\n"),
        ROW(GET "hOsT:h\r\n\r\n", OK "= open\n"),
        ROW("GET / HTTP/1.0\r\n\r\n", "GET / 1.0  close none ||\n= closed\n"),
        ROW("GET / HTTP/1.0\r\n" H "\r\n", "GET / 1.0 h close none ||\n= closed\n"),
        ROW("GET / HTTP/1.0\r\n" H H "\r\n", "= 400\n"),
        ROW("GET / HTTP/1.0\r\nHost: \r\n\r\n", "= 400\n"),
    };
    CHECK(rows);
}

static void test_fields(void **state)
{
    (void)state;
#define FIELD_OK(line)  ROW(GET H line "\r\n\r\n", OK "= open\n")
#define FIELD_BAD(line) ROW(GET H line "\r\n\r\n", "= 400\n")
    static const struct row rows[] = {
        FIELD_OK("A:b"),
        FIELD_OK("A:"),
        FIELD_OK("A: \t "),
        FIELD_OK("A: \t b \t c \t "),
        FIELD_OK("A: \xc3\xbc \xff\x80"),
        FIELD_OK("A: b:c: d"),
        FIELD_OK("!#$%&'*+-.^_`|~09azAZ: b"),
        FIELD_OK("A: b\r\nA: c"),
        FIELD_BAD("A : b"),
        FIELD_BAD("A\t: b"),
        FIELD_BAD(" A: b"),
        FIELD_BAD("A: b\r\n c"),
        FIELD_BAD("A: b\r\n\tc"),
        FIELD_BAD("A: b\r\n "),
        FIELD_BAD("A"),
        FIELD_BAD(": b"),
        FIELD_BAD("A B: c"),
        FIELD_BAD("A(: c"),
        FIELD_BAD("\xc3\xbc: c"),
        FIELD_BAD("A\0: c"),
        FIELD_BAD("A: b\0c"),
        FIELD_BAD("A: \0"),
        FIELD_BAD("A: b\x01"
                  "c"),
        FIELD_BAD("A: b\x0b"),
        FIELD_BAD("A: b\x0c"),
        FIELD_BAD("A: b\x1b[0m"),
        FIELD_BAD("A: b\x7f"),
        FIELD_BAD("A: b\rc"),
        FIELD_BAD("A: b\r\rc"),
        FIELD_BAD("A: b\nC: d"),
        FIELD_BAD("A: b\n"),
        FIELD_BAD("A: b\r"),
        ROW(GET "Host: h\n\r\n", "= 400\n"),
        ROW(GET H "\n", "= 400\n"),
        ROW(GET "Host : h\r\n\r\n", "= 400\n"),
        ROW(GET H "\rX: y\r\n\r\n", "= 400\n"),
    };
    CHECK(rows);
}

static void test_framing(void **state)
{
    (void)state;
#define BODY(fields, body) POST fields "\r\n" body
#define BAD(fields)        ROW(BODY(fields, "0\r\n\r\n"), "= 400\n")
    static const struct row rows[] = {
        ROW(BODY("Content-Length: 0\r\n", GET H "\r\n"), "POST / 1.1 h keep length ||\n" OK "= open\n"),
        ROW(BODY("Content-Length: 5\r\n", "hello" GET H "\r\n"),
            "POST / 1.1 h keep length |hello|\n" OK "= open\n"),
        ROW(BODY("content-LENGTH:5 \t\r\n", "hello"), "POST / 1.1 h keep length |hello|\n= open\n"),
        ROW(BODY("Content-Length: 0005\r\n", "hello"), "POST / 1.1 h keep length |hello|\n= open\n"),
        ROW(BODY("Content-Length: 5\r\n", "hel"), "POST / 1.1 h keep length |hel| cut\n= body\n"),
        ROW("GET / HTTP/1.1\r\n" H "Content-Length: 2\r\n\r\nhi", "GET / 1.1 h keep length |hi|\n= open\n"),
        ROW(POST "\r\n" GET H "\r\n", "POST / 1.1 h keep none ||\n" OK "= open\n"),
        ROW(BODY("Content-Length: 1048577\r\n", "x"), "= 413\n"),
        ROW(BODY("Content-Length: 18446744073709551615\r\n", "x"), "= 413\n"),
        ROW(BODY("Content-Length: 18446744073709551616\r\n", "x"), "= 413\n"),
        ROW(BODY("Content-Length: 99999999999999999999999999999999\r\n", "x"), "= 413\n"),
        BAD("Content-Length:\r\n"),
        BAD("Content-Length: +5\r\n"),
        BAD("Content-Length: -5\r\n"),
        BAD("Content-Length: 0x5\r\n"),
        BAD("Content-Length: a\r\n"),
        BAD("Content-Length: 5a\r\n"),
        BAD("Content-Length: 5 5\r\n"),
        BAD("Content-Length: 5,5\r\n"),
        BAD("Content-Length: 5, 5\r\n"),
        BAD("Content-Length: 5.0\r\n"),
        BAD("Content-Length: \"5\"\r\n"),
        BAD("Content-Length: 5;\r\n"),
        BAD("Content-Length : 5\r\n"),
        BAD("Content-Length: 5\r\nContent-Length: 5\r\n"),
        BAD("Content-Length: 5\r\nContent-Length: 6\r\n"),
        BAD("Content-Length: 0\r\ncontent-length: 0\r\n"),
        ROW(BODY("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n" GET H "\r\n"),
            "POST / 1.1 h keep chunked |hello|\n" OK "= open\n"),
        ROW(BODY("transfer-encoding:CHUNKED\r\n", "0\r\n\r\n"), "POST / 1.1 h keep chunked ||\n= open\n"),
        ROW(BODY("Transfer-Encoding: gzip, chunked\r\n", ""), "= 501\n"),
        ROW(BODY("Transfer-Encoding: identity, chunked\r\n", ""), "= 501\n"),
        ROW(BODY("Transfer-Encoding: chunked, chunked\r\n", ""), "= 501\n"),
        BAD("Transfer-Encoding: gzip\r\n"),
        BAD("Transfer-Encoding: identity\r\n"),
        BAD("Transfer-Encoding: chunked, gzip\r\n"),
        BAD("Transfer-Encoding: xchunked\r\n"),
        BAD("Transfer-Encoding: chunkedx\r\n"),
        BAD("Transfer-Encoding: chunked;q=1\r\n"),
        BAD("Transfer-Encoding: \"chunked\"\r\n"),
        BAD("Transfer-Encoding:\r\n"),
        BAD("Transfer-Encoding: ,\r\n"),
        BAD("Transfer-Encoding: \x0b"
            "chunked\r\n"),
        BAD("Transfer-Encoding : chunked\r\n"),
        BAD(" Transfer-Encoding: chunked\r\n"),
        BAD("Transfer-Encoding:\r\n chunked\r\n"),
        BAD("X: y\nTransfer-Encoding: chunked\r\n"),
        BAD("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
        BAD("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n"),
        BAD("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"),
        BAD("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
        BAD("Content-Length: 5\r\nTransfer-Encoding: identity\r\n"),
        ROW("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "= 400\n"),
        ROW(BODY("Transfer_Encoding: chunked\r\n", GET H "\r\n"), "POST / 1.1 h keep none ||\n" OK "= open\n"),
        ROW(BODY("Content_Length: 5\r\n", GET H "\r\n"), "POST / 1.1 h keep none ||\n" OK "= open\n"),
    };
    CHECK(rows);
}

static void test_connections(void **state)
{
    (void)state;
#define OLD "GET / HTTP/1.0\r\n" H
    static const struct row rows[] = {
        ROW(GET H "Connection: close\r\n\r\n" GET H "\r\n", "GET / 1.1 h close none ||\n= closed\n"),
        ROW(GET H "Connection: keep-alive\r\n\r\n" GET H "\r\n", OK OK "= open\n"),
        ROW(GET H "Connection: keep-alive, close\r\n\r\n", "GET / 1.1 h close none ||\n= closed\n"),
        ROW(GET H "Connection: x\r\nConnection: ,CLOSE,\r\n\r\n", "GET / 1.1 h close none ||\n= closed\n"),
        ROW(GET H "Connection: closed\r\n\r\n", OK "= open\n"),
        ROW(GET H "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n", OK "= open\n"),
        ROW(GET H "Connection: \r\n\r\n", OK "= open\n"),
        ROW(GET H "Connection: a b\r\n\r\n", "= 400\n"),
        ROW(GET H "Connection: \"close\"\r\n\r\n", "= 400\n"),
        ROW(OLD "\r\n" OLD "\r\n", "GET / 1.0 h close none ||\n= closed\n"),
        ROW(OLD "Connection: Keep-Alive\r\n\r\n" OLD "\r\n",
            "GET / 1.0 h keep none ||\nGET / 1.0 h close none ||\n= closed\n"),
        ROW(OLD "Connection: keep-alive\r\nConnection: close\r\n\r\n", "GET / 1.0 h close none ||\n= closed\n"),
        ROW(POST "Content-Length: 2\r\nExpect: 100-Continue\r\n\r\nhi",
            "POST / 1.1 h keep 100 length |hi|\n= open\n"),
        ROW(POST "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n0\r\n\r\n",
            "POST / 1.1 h keep 100 chunked ||\n= open\n"),
        ROW(POST "Content-Length: 0\r\nExpect: 100-continue\r\n\r\n", "POST / 1.1 h keep length ||\n= open\n"),
        ROW(POST "Expect: 100-continue\r\n\r\n", "POST / 1.1 h keep none ||\n= open\n"),
        ROW(POST "Content-Length: 2\r\nExpect: 200-ok\r\n\r\nhi", "= 417\n"),
        ROW(POST "Content-Length: 2\r\nExpect:\r\n\r\nhi", "= 417\n"),
        ROW(POST "Expect: 100-continue\r\nExpect: 100-continue\r\n\r\n", "= 417\n"),
        ROW("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi",
            "POST / 1.0  close length |hi|\n= closed\n"),
    };
    CHECK(rows);
}

static char *of_size(struct herd_span front, char fill, size_t size, struct herd_span back)
{
    char *bytes = malloc(size);
    assert_non_null(bytes);
    memset(bytes, fill, size);
    memcpy(bytes, front.at, front.len);
    memcpy(bytes + size - back.len, back.at, back.len);
    return bytes;
}

/* A head of `size` bytes, long in its target or in a field, against a bound of 1000. */
static void check_size(const char *front, size_t size, const char *back, const char *want)
{
    char *bytes = of_size(herd_span_of(front), 'a', size, herd_span_of(back));
    for (size_t step = 1; step <= size; step += step < 4                             ? 1
                                                : size - step > 3 && step < size - 3 ? size - step - 3
                                                                                     : 1) {
        char *text = transcript_of((struct herd_span){bytes, size}, step, step, 1000, 10, NULL);
        const char *status = strchr(text, '=');
        assert_non_null(status);
        assert_string_equal(status, want);
        free(text);
    }
    free(bytes);
}

static void test_bounds(void **state)
{
    (void)state;
    static const char line[] = "GET /", end[] = " HTTP/1.1\r\n" H "\r\n", field[] = GET H "A: ";
    check_size(line, 1000, end, "= open\n");
    check_size(line, 1001, end, "= 431\n"); /* the request line is whole */
    check_size(line, 1100, end, "= 414\n");
    check_size(line, 999, "a", "= head\n");
    check_size(line, 1000, "a", "= 414\n");
    check_size(line, 2000, "a", "= 414\n");
    check_size(field, 1000, "\r\n\r\n", "= open\n");
    check_size(field, 1001, "\r\n\r\n", "= 431\n");
    check_size(field, 999, "a", "= head\n");
    check_size(field, 1000, "a", "= 431\n");

    struct herd_buf buf = {0};
    assert_int_equal(herd_buf_add_text(&buf, GET H), 0);
    for (int i = 1; i < HERD_HTTP_FIELDS_MAX; i++)
        assert_int_equal(herd_buf_add_text(&buf, "A:\r\n"), 0);
    struct herd_http_head head;
    struct herd_http_fault fault;
    assert_int_equal(herd_buf_add_text(&buf, "\r\n"), 0);
    assert_int_equal(herd_http_head_parse(&head, guarded(span_of_buf(&buf)), &fault), 0);
    assert_int_equal(head.field_count, HERD_HTTP_FIELDS_MAX);
    buf.len -= 2;
    assert_int_equal(herd_buf_add_text(&buf, "A:\r\n\r\n"), 0);
    assert_int_equal(herd_http_head_parse(&head, guarded(span_of_buf(&buf)), &fault), HERD_E_SYNTAX);
    assert_int_equal(fault.status, 431);
    buf.len = 0;
    while (buf.len <= HERD_HTTP_HEAD_LIMIT)
        assert_int_equal(herd_buf_add_text(&buf, GET), 0);
    assert_int_equal(herd_http_head_parse(&head, span_of_buf(&buf), &fault), HERD_E_SYNTAX);
    assert_int_equal(fault.status, 431);
    herd_buf_fini(&buf);
}

/* A head is refused also when it did not come from a scan: cut anywhere, or with bytes behind it. */
static void test_heads_alone(void **state)
{
    (void)state;
    static const char whole[] =
        "POST /pub?u=jane HTTP/1.1\r\nHost: a.example:8080\r\nContent-Length: 5\r\nX: y\r\n\r\n";
    struct herd_http_head head;
    struct herd_http_fault fault;
    for (size_t len = 0; len < sizeof whole - 1; len++)
        assert_int_equal(herd_http_head_parse(&head, guarded((struct herd_span){whole, len}), &fault),
                         HERD_E_SYNTAX);
    assert_int_equal(herd_http_head_parse(&head, guarded((struct herd_span){whole, sizeof whole}), &fault),
                     HERD_E_SYNTAX);
    static const char ends_in_cr_cr[] = "GET / HTTP/1.1\r\nHost: h\r\n\r\r";
    assert_int_equal(
        herd_http_head_parse(&head, guarded((struct herd_span){ends_in_cr_cr, sizeof ends_in_cr_cr - 1}), &fault),
        HERD_E_SYNTAX);
    assert_int_equal(fault.status, 400);
}

/* What a request does not have stays so when its bytes move. */
static void test_moved_without_host(void **state)
{
    (void)state;
    static const char bytes[] = "GET /a HTTP/1.0\r\n\r\n";
    char moved[sizeof bytes];
    struct herd_http_head head;
    struct herd_http_fault fault;
    assert_int_equal(herd_http_head_parse(&head, (struct herd_span){bytes, sizeof bytes - 1}, &fault), 0);
    assert_null(head.host.at);
    memcpy(moved, bytes, sizeof bytes);
    herd_http_head_rebase(&head, moved);
    assert_null(head.host.at);
    assert_int_equal(head.host.len, 0);
    assert_ptr_equal(head.path.at, moved + 4);
}

static void test_looking_up(void **state)
{
    (void)state;
    static const char bytes[] =
        "GET /a?b HTTP/1.1\r\nhOST: h\r\nX-Limit-U: jane \r\nx-limit-d:phone\r\nX-LIMIT-U: joe\r\nE:\r\n\r\n";
    char moved[sizeof bytes];
    struct herd_http_head head;
    struct herd_http_fault fault;
    struct herd_span value = {NULL, 7};
    assert_int_equal(herd_http_head_parse(&head, (struct herd_span){bytes, sizeof bytes - 1}, &fault), 0);
    assert_int_equal(herd_http_head_find(&head, "missing", &value), 0);
    assert_true(value.at == NULL && value.len == 7);
    assert_int_equal(herd_http_head_find(&head, "X-Limit-U", &value), 2);
    assert_true(herd_span_equal(value, herd_span_of("jane")));
    assert_int_equal(herd_http_head_find(&head, "x-limit-d", &value), 1);
    assert_true(herd_span_equal(value, herd_span_of("phone")));
    assert_int_equal(herd_http_head_find(&head, "e", &value), 1);
    assert_int_equal(value.len, 0);
    memcpy(moved, bytes, sizeof bytes);
    herd_http_head_rebase(&head, moved);
    assert_true(head.path.at == moved + 4 && head.query.at == moved + 7 && head.at == moved);
    assert_true(herd_span_equal(head.host, herd_span_of("h")) && head.host.at > moved &&
                head.host.at < moved + sizeof moved);
    assert_int_equal(herd_http_head_find(&head, "X-Limit-U", &value), 2);
    assert_true(value.at > moved && value.at < moved + sizeof moved &&
                herd_span_equal(value, herd_span_of("jane")));
    assert_string_equal(herd_http_method_name(head.method), "GET");
}

static void test_lists(void **state)
{
    (void)state;
    static const struct {
        const char *value, *elements;
    } rows[] = {
        {"", ""},
        {" ,\t, ", ""},
        {"a", "a|"},
        {" a ,b\t,, c d ", "a|b|c d|"},
        {"\"x,y\", W/\"z\"", "\"x,y\"|W/\"z\"|"},
        {"\"x\\\",y\",z", "\"x\\\",y\"|z|"},
        {"\"open, z", "\"open, z|"},
        {"\"\\", "\"\\|"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct herd_span rest = guarded(herd_span_of(rows[i].value)), element;
        char text[64] = "";
        while (herd_http_list_next(&rest, &element)) {
            strncat(text, element.at, element.len);
            strcat(text, "|");
        }
        assert_string_equal(text, rows[i].elements);
        assert_false(herd_http_list_next(&rest, &element));
    }
    assert_true(herd_http_equal_nocase(herd_span_of("ChunKED"), "chunked"));
    assert_false(herd_http_equal_nocase(herd_span_of("chunke"), "chunked"));
    assert_true(herd_http_equal_nocase(herd_span_of("x-limit-u"), "X-Limit-U"));
    assert_false(herd_http_equal_nocase(herd_span_of("@"), "`"));
    assert_false(herd_http_equal_nocase((struct herd_span){NULL, 0}, "a"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_lines),
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_framing),
        cmocka_unit_test(test_connections),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_heads_alone),
        cmocka_unit_test(test_looking_up),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_moved_without_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
