/* SPDX-License-Identifier: MIT */
/* Bodies in chunks: whole, cut in two anywhere, and byte by byte; what is behind them begins the next request. */
#include "cm.h"

#include "http_transcript.h"

#define HEAD "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
#define NEXT "GET / HTTP/1.1\r\nHost: h\r\n\r\n"

struct row {
    const char *bytes;
    size_t len;
    const char *body; /* NULL: 400 */
};
#define ROW(bytes, body)                         \
    {                                            \
        HEAD bytes, sizeof(HEAD bytes) - 1, body \
    }
#define OK(chunks, body) ROW(chunks NEXT, body)
#define BAD(chunks)      ROW(chunks NEXT, NULL)

static const struct row rows[] = {
    OK("0\r\n\r\n", ""),
    OK("5\r\nhello\r\n0\r\n\r\n", "hello"),
    OK("1\r\nh\r\n4\r\nello\r\n0\r\n\r\n", "hello"),
    OK("a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789"),
    OK("0005\r\nhello\r\n000\r\n\r\n", "hello"),
    OK("0000000000000005\r\nhello\r\n0\r\n\r\n", "hello"),
    OK("2\r\n\r\n\r\n0\r\n\r\n", "\\x0d\\x0a"),
    OK("5;a\r\nhello\r\n0;b\r\n\r\n", "hello"),
    OK("5;abc=def;g=hij\r\nhello\r\n0;k=lm\r\n\r\n", "hello"),
    OK("5;a=b;c=\"d\\\"; \t\";e\r\nhello\r\n0\r\n\r\n", "hello"),
    OK("5\r\nhello\r\n0\r\nA: b\r\nContent-Length: 7\r\n\r\n", "hello"),
    OK("0\r\nA:\r\n\r\n", ""),
    OK("0\r\nA: \t\xff\r\n\r\n", ""),
    BAD("\r\n"),
    BAD(""),
    BAD("g\r\n"),
    BAD("-5\r\nhello\r\n0\r\n\r\n"),
    BAD("+5\r\nhello\r\n0\r\n\r\n"),
    BAD("0x5\r\nhello\r\n0\r\n\r\n"),
    BAD(" 5\r\nhello\r\n0\r\n\r\n"),
    BAD("5 \r\nhello\r\n0\r\n\r\n"),
    BAD("5\t\r\nhello\r\n0\r\n\r\n"),
    BAD("5 ;a\r\nhello\r\n0\r\n\r\n"),
    BAD("5\nhello\r\n0\r\n\r\n"),
    BAD("5\rhello\r\n0\r\n\r\n"),
    BAD("5\r\r\nhello\r\n0\r\n\r\n"),
    BAD("00000000000000005\r\nhello\r\n0\r\n\r\n"),
    BAD("5;\r\nhello\r\n0\r\n\r\n"),
    BAD("5;;a\r\nhello\r\n0\r\n\r\n"),
    BAD("5; a\r\nhello\r\n0\r\n\r\n"),
    BAD("5;a =b\r\nhello\r\n0\r\n\r\n"),
    BAD("5;a=\r\nhello\r\n0\r\n\r\n"),
    BAD("5;a=;b\r\nhello\r\n0\r\n\r\n"),
    BAD("5;a=b=c\r\nhello\r\n0\r\n\r\n"),
    BAD("5;a=\"b\r\nhello\r\n0\r\n\r\n"),
    BAD("5;a=\"b\\\r\"\r\nhello\r\n0\r\n\r\n"),
    BAD("5;a=\"b\"c\r\nhello\r\n0\r\n\r\n"),
    BAD("5;a=b\"\r\nhello\r\n0\r\n\r\n"),
    BAD("5;a\nhello\r\n0\r\n\r\n"),
    BAD("5;a\0\r\nhello\r\n0\r\n\r\n"),
    BAD("5;(\r\nhello\r\n0\r\n\r\n"),
    BAD("5\r\nhello0\r\n\r\n"),
    BAD("5\r\nhello\n0\r\n\r\n"),
    BAD("5\r\nhello\r0\r\n\r\n"),
    BAD("5\r\nhellox\r\n0\r\n\r\n"),
    BAD("4\r\nhello\r\n0\r\n\r\n"),
    BAD("0\r\n"), /* the next request line is no trailer */
    BAD("0\r\nA b: c\r\n\r\n"),
    BAD("0\r\nA : c\r\n\r\n"),
    BAD("0\r\n: c\r\n\r\n"),
    BAD("0\r\nA\r\n\r\n"),
    BAD("0\r\nA: b\n\r\n"),
    BAD("0\r\nA: b\r\n c\r\n\r\n"),
    BAD("0\r\nA: b\0\r\n\r\n"),
    BAD("0\r\nA: b\r\n\n"),
    BAD("0\r\n\n"),
    BAD("0\n\n"),
    BAD("0\r\n\rx"),
};

static void check(const struct row *row, size_t first, size_t step)
{
    char want[256];
    if (row->body)
        snprintf(want, sizeof want, "POST / 1.1 h keep chunked |%s|\nGET / 1.1 h keep none ||\n= open\n",
                 row->body);
    char *text = transcript_of((struct herd_span){row->bytes, row->len}, first, step, 8192, 100, NULL);
    const char *fault = strchr(text, '=');
    if (row->body ? strcmp(text, want) != 0 : !fault || strcmp(fault, "= 400\n") != 0)
        fail_msg("first %zu then %zu of\n%.*s\ngives\n%s", first, step, (int)row->len, row->bytes, text);
    free(text);
}

static void test_chunks(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        check(&rows[i], rows[i].len, 1);
        check(&rows[i], 1, 1);
        for (size_t first = sizeof HEAD - 1; first < rows[i].len; first++)
            check(&rows[i], first, rows[i].len);
    }
}

/* Gives `body` to a decoder of chunks with this bound: the status, 0 if all was taken; *ret_taken bytes of body came. */
static int status_of(struct herd_span body, uint64_t body_max, size_t step, size_t *ret_taken)
{
    struct herd_http_head head = {.framing = HERD_HTTP_CHUNKED};
    struct herd_http_body decoder;
    struct herd_http_fault fault;
    assert_int_equal(herd_http_body_begin(&decoder, &head, body_max, &fault), 0);
    *ret_taken = 0;
    for (size_t at = 0; at < body.len; at += step) {
        struct herd_span some = {body.at + at, step < body.len - at ? step : body.len - at}, piece;
        enum herd_http_progress progress;
        while ((progress = herd_http_body_take(&decoder, &some, &piece, &fault)) == HERD_HTTP_DONE && piece.len)
            *ret_taken += piece.len;
        if (progress == HERD_HTTP_FAULT) {
            int status = fault.status;
            assert_int_equal(herd_http_body_take(&decoder, &some, &piece, &fault), HERD_HTTP_FAULT); /* and stays */
            assert_false(herd_http_body_done(&decoder));
            return status;
        }
    }
    return herd_http_body_done(&decoder) ? 0 : -1;
}

static void test_sizes(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        uint64_t max;
        int status;
        size_t taken;
    } bounds[] = {
        {"5\r\nhello\r\n0\r\n\r\n", 5, 0, 5},
        {"5\r\nhello\r\n0\r\n\r\n", 4, 413, 0},
        {"3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", 5, 0, 5},
        {"3\r\nhel\r\n3\r\nlo!\r\n0\r\n\r\n", 5, 413, 3},
        {"3\r\nhel\r\nffffffffffffffff\r\n", UINT64_MAX, 413, 3},
        {"ffffffffffffffff\r\nhel", UINT64_MAX, -1, 3},
        {"fffffffffffffffff\r\nhel", UINT64_MAX, 400, 0},
        {"10000000000000005\r\nhello\r\n0\r\n\r\n", 5, 400, 0},
        {"0\r\n\r\n", 0, 0, 0},
        {"1\r\nx\r\n", 0, 413, 0},
    };
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++) {
        size_t len = strlen(bounds[i].body), taken;
        for (size_t step = 1; step <= len; step++) {
            assert_int_equal(status_of(herd_span_of(bounds[i].body), bounds[i].max, step, &taken),
                             bounds[i].status);
            assert_int_equal(taken, bounds[i].taken);
        }
    }
}

static int status_of_repeated(const char *front, const char *again, size_t bytes, const char *back)
{
    struct herd_buf buf = {0};
    assert_int_equal(herd_buf_add_text(&buf, front), 0);
    for (size_t len = 0; len < bytes; len += strlen(again))
        assert_int_equal(herd_buf_add_text(&buf, again), 0);
    assert_int_equal(herd_buf_add_text(&buf, back), 0);
    size_t taken;
    int status = status_of((struct herd_span){buf.at, buf.len}, UINT64_MAX, buf.len, &taken);
    assert_int_equal(status_of((struct herd_span){buf.at, buf.len}, UINT64_MAX, 7, &taken), status);
    herd_buf_fini(&buf);
    return status;
}

static void test_extras(void **state)
{
    (void)state;
    assert_int_equal(status_of_repeated("5;", "a", HERD_HTTP_EXTENSIONS_MAX_BYTES - 1, "\r\nhello\r\n0\r\n\r\n"),
                     0);
    assert_int_equal(status_of_repeated("5;", "a", HERD_HTTP_EXTENSIONS_MAX_BYTES, "\r\nhello\r\n0\r\n\r\n"), 400);
    /* of all chunks together: an extension with each byte is no way to make a body cost more */
    assert_int_equal(status_of_repeated("", "1;abcdefg\r\nx\r\n", 1000, "0\r\n\r\n"), 0);
    assert_int_equal(status_of_repeated("", "1;abcdefg\r\nx\r\n", 8000, "0\r\n\r\n"), 400);
    assert_int_equal(status_of_repeated("0\r\n", "A: b\r\n", HERD_HTTP_TRAILERS_MAX_BYTES - 6, "\r\n"), 0);
    assert_int_equal(status_of_repeated("0\r\n", "A: b\r\n", HERD_HTTP_TRAILERS_MAX_BYTES, "\r\n"), 431);
    assert_int_equal(status_of_repeated("0\r\n", "a", HERD_HTTP_TRAILERS_MAX_BYTES + 1, ":\r\n"), 431);
}

static void test_no_body(void **state)
{
    (void)state;
    struct herd_http_head head = {.framing = HERD_HTTP_NO_BODY};
    struct herd_http_body body;
    struct herd_http_fault fault;
    struct herd_span bytes = herd_span_of("GET"), piece;
    assert_int_equal(herd_http_body_begin(&body, &head, 10, &fault), 0);
    assert_true(herd_http_body_done(&body));
    assert_int_equal(herd_http_body_take(&body, &bytes, &piece, &fault), HERD_HTTP_DONE);
    assert_true(piece.len == 0 && bytes.len == 3);
    head = (struct herd_http_head){.framing = HERD_HTTP_LENGTH, .content_length = 11};
    assert_int_equal(herd_http_body_begin(&body, &head, 10, &fault), HERD_E_LIMIT);
    assert_int_equal(fault.status, 413);
    head.content_length = 10;
    assert_int_equal(herd_http_body_begin(&body, &head, 10, &fault), 0);
    assert_false(herd_http_body_done(&body));
    bytes.len = 0;
    assert_int_equal(herd_http_body_take(&body, &bytes, &piece, &fault), HERD_HTTP_MORE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_extras),
        cmocka_unit_test(test_no_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
