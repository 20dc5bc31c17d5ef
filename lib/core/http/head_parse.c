/* SPDX-License-Identifier: MIT */
/* The fields of a head, and what those mean that say where the request ends. */
#include "../base/digits.h"
#include "chars.h"
#include "field_list.h"
#include "head.h"
#include "request_line.h"

/* The fields that this file acts on: how often they came, and the value of the last. */
struct known {
    unsigned hosts, lengths, codings, expects;
    struct herd_span host, length, coding, expect;
    bool close, keep_alive;
};

static int refuse(struct herd_http_fault *reterr_fault, int status, const char *message)
{
    *reterr_fault = (struct herd_http_fault){status, message};
    return HERD_E_SYNTAX;
}

/* Options of Connection: tokens. */
static bool read_connection(struct known *known, struct herd_span value)
{
    struct herd_span option;
    while (herd_http_list_next(&value, &option)) {
        if (herd_http_skip(option.at, option.at + option.len, HERD_HTTP_TOKEN) != option.at + option.len)
            return false;
        known->close |= herd_http_equal_nocase(option, "close");
        known->keep_alive |= herd_http_equal_nocase(option, "keep-alive");
    }
    return true;
}

/* Notes a field whose name may be one of those that matter here. */
static bool note(struct known *known, struct herd_span name, struct herd_span value)
{
    switch (name.len) {
    case sizeof "host" - 1:
        if (herd_http_equal_nocase(name, "host")) {
            known->hosts++;
            known->host = value;
        }
        return true;
    case sizeof "expect" - 1:
        if (herd_http_equal_nocase(name, "expect")) {
            known->expects++;
            known->expect = value;
        }
        return true;
    case sizeof "connection" - 1:
        return !herd_http_equal_nocase(name, "connection") || read_connection(known, value);
    case sizeof "content-length" - 1:
        if (herd_http_equal_nocase(name, "content-length")) {
            known->lengths++;
            known->length = value;
        }
        return true;
    case sizeof "transfer-encoding" - 1:
        if (herd_http_equal_nocase(name, "transfer-encoding")) {
            known->codings++;
            known->coding = value;
        }
        return true;
    default: return true;
    }
}

/* One field line at the front of *io_rest: name ":" value CRLF. */
static int read_field(struct herd_http_head *head, struct known *known, struct herd_span *io_rest,
                      struct herd_http_fault *reterr_fault)
{
    const char *begin = io_rest->at, *end = begin + io_rest->len;
    if (herd_http_is_blank(*begin))
        return refuse(reterr_fault, 400, "a field line that begins with a blank (obsolete folding)");
    const char *colon = herd_http_skip(begin, end, HERD_HTTP_TOKEN);
    if (colon == begin || colon == end || *colon != ':')
        return refuse(reterr_fault, 400, "a field line has no name that ends with a colon");
    const char *value = colon + 1;
    while (value < end && herd_http_is_blank(*value))
        value++;
    const char *stop = value;
    while ((stop = herd_http_text_end(stop, end)) < end && *stop == '\t')
        stop++;
    if (end - stop < 2 || stop[0] != '\r' || stop[1] != '\n')
        return refuse(reterr_fault, 400, "a control character in the value of a field");
    if (head->field_count == HERD_HTTP_FIELDS_MAX)
        return refuse(reterr_fault, 431, "too many fields");
    io_rest->at = stop + 2;
    io_rest->len = (size_t)(end - io_rest->at);
    while (stop > value && herd_http_is_blank(stop[-1]))
        stop--;
    head->fields[head->field_count++] =
        (struct herd_http_field){(uint16_t)(begin - head->at), (uint16_t)(colon - begin),
                                 (uint16_t)(value - head->at), (uint16_t)(stop - value)};
    if (!note(known, (struct herd_span){begin, (size_t)(colon - begin)},
              (struct herd_span){value, (size_t)(stop - value)}))
        return refuse(reterr_fault, 400, "Connection is not a list of tokens");
    return 0;
}

static int check_host(struct herd_http_head *head, const struct known *known, struct herd_http_fault *reterr_fault)
{
    if (known->hosts > 1)
        return refuse(reterr_fault, 400, "more than one Host");
    if (known->hosts == 0)
        return head->minor == 0 ? 0 : refuse(reterr_fault, 400, "no Host");
    if (!herd_http_host_valid(known->host))
        return refuse(reterr_fault, 400, "Host is not valid");
    if (head->host.at && !herd_http_spans_equal_nocase(head->host, known->host))
        return refuse(reterr_fault, 400, "Host and target name different hosts");
    if (!head->host.at)
        head->host = known->host;
    return 0;
}

/* Digits; *ret is UINT64_MAX for what does not fit. */
static bool read_length(struct herd_span text, uint64_t *ret)
{
    uint64_t value = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (!herd_is_digit(text.at[i]))
            return false;
        uint64_t digit = (uint64_t)(text.at[i] - '0');
        value = value > (UINT64_MAX - digit) / 10 ? UINT64_MAX : value * 10 + digit;
    }
    *ret = value;
    return text.len > 0;
}

/* 0 if `value` is "chunked", 501 if that is the last of several codings, else 400: nobody could tell where the body
 * ends (RFC 9112, 6.3). */
static int coding_status(struct herd_span value)
{
    if (herd_http_equal_nocase(value, "chunked"))
        return 0;
    struct herd_span coding, last = {NULL, 0};
    while (herd_http_list_next(&value, &coding))
        last = coding;
    return last.len && herd_http_equal_nocase(last, "chunked") ? 501 : 400;
}

static int set_framing(struct herd_http_head *head, const struct known *known, struct herd_http_fault *reterr_fault)
{
    head->framing = HERD_HTTP_NO_BODY;
    head->content_length = 0;
    if (known->codings > 0) {
        if (known->lengths > 0)
            return refuse(reterr_fault, 400, "Transfer-Encoding and Content-Length");
        if (known->codings > 1)
            return refuse(reterr_fault, 400, "more than one Transfer-Encoding");
        if (head->minor == 0)
            return refuse(reterr_fault, 400, "Transfer-Encoding in HTTP/1.0");
        int status = coding_status(known->coding);
        if (status)
            return refuse(reterr_fault, status, "Transfer-Encoding is not chunked alone");
        head->framing = HERD_HTTP_CHUNKED;
    } else if (known->lengths > 0) {
        if (known->lengths > 1)
            return refuse(reterr_fault, 400, "more than one Content-Length");
        if (!read_length(known->length, &head->content_length))
            return refuse(reterr_fault, 400, "Content-Length is not a number");
        head->framing = HERD_HTTP_LENGTH;
    }
    return 0;
}

/* HTTP/1.0 knows no expectations (RFC 9110, 10.1.1). */
static int set_expect(struct herd_http_head *head, const struct known *known, struct herd_http_fault *reterr_fault)
{
    head->expect_continue = false;
    if (known->expects == 0 || head->minor == 0)
        return 0;
    if (known->expects > 1 || !herd_http_equal_nocase(known->expect, "100-continue"))
        return refuse(reterr_fault, 417, "an expectation that is not 100-continue");
    head->expect_continue = head->framing == HERD_HTTP_CHUNKED || head->content_length > 0;
    return 0;
}

int herd_http_head_parse(struct herd_http_head *ret_head, struct herd_span head,
                         struct herd_http_fault *reterr_fault)
{
    struct known known = {0};
    struct herd_span rest = head;
    if (head.len > HERD_HTTP_HEAD_LIMIT)
        return refuse(reterr_fault, 431, "head too long");
    ret_head->at = head.at;
    ret_head->field_count = 0;
    int err = herd_http_request_line(ret_head, &rest, reterr_fault);
    if (err < 0)
        return err;
    while (rest.len > 0 && *rest.at != '\r') {
        err = read_field(ret_head, &known, &rest, reterr_fault);
        if (err < 0)
            return err;
    }
    if (rest.len != 2 || memcmp(rest.at, "\r\n", 2) != 0)
        return refuse(reterr_fault, 400, "no empty line ends the head");
    err = check_host(ret_head, &known, reterr_fault);
    if (err < 0)
        return err;
    err = set_framing(ret_head, &known, reterr_fault);
    if (err < 0)
        return err;
    err = set_expect(ret_head, &known, reterr_fault);
    if (err < 0)
        return err;
    ret_head->keep_alive = !known.close && (ret_head->minor > 0 || known.keep_alive);
    return 0;
}
