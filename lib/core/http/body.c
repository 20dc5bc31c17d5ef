/* SPDX-License-Identifier: MIT */
/* Bodies: one machine whose state is between any two bytes. */
#include "body.h"

#include "../base/hex_digit.h"
#include "chars.h"

#define SIZE_DIGITS_MAX 16 /* 64 bits; zeros in front count */

enum state {
    DONE,
    LENGTH,
    /* chunk-size [ chunk-ext ] CRLF */
    SIZE,
    EXT_NAME_FIRST,
    EXT_NAME,
    EXT_VALUE_FIRST,
    EXT_VALUE,
    EXT_QUOTED,
    EXT_ESCAPED,
    EXT_QUOTED_END,
    SIZE_LF,
    /* chunk-data CRLF */
    DATA,
    DATA_CR,
    DATA_LF,
    /* trailer-section CRLF */
    TRAILER_FIRST,
    TRAILER_NAME,
    TRAILER_VALUE,
    TRAILER_LF,
    END_LF,
    REFUSED,
};

static enum herd_http_progress refuse(struct herd_http_body *body, struct herd_http_fault *reterr_fault, int status,
                                      const char *message)
{
    body->state = REFUSED;
    *reterr_fault = (struct herd_http_fault){status, message};
    return HERD_HTTP_FAULT;
}

static void begin_chunk(struct herd_http_body *body)
{
    body->state = SIZE;
    body->left = 0;
    body->digits = 0;
}

int herd_http_body_begin(struct herd_http_body *ret_body, const struct herd_http_head *head, uint64_t body_max,
                         struct herd_http_fault *reterr_fault)
{
    struct herd_http_body body = {.state = DONE, .room = body_max};
    if (head->framing == HERD_HTTP_LENGTH) {
        if (head->content_length > body_max) {
            *reterr_fault = (struct herd_http_fault){413, "Content-Length is above the bound of bodies"};
            return HERD_E_LIMIT;
        }
        body.left = head->content_length;
        body.state = body.left ? LENGTH : DONE;
    } else if (head->framing == HERD_HTTP_CHUNKED) {
        begin_chunk(&body);
    }
    *ret_body = body;
    return 0;
}

bool herd_http_body_done(const struct herd_http_body *body)
{
    return body->state == DONE;
}

/* The line of a chunk's size ends at `c`, or has an extension. */
static int end_size(struct herd_http_body *body, char c)
{
    if (body->digits == 0 || (c != '\r' && c != ';'))
        return 400;
    if (body->left > body->room)
        return 413;
    body->state = c == ';' ? EXT_NAME_FIRST : SIZE_LF;
    return 0;
}

/* Behind the name or the value of an extension. */
static int end_extension(struct herd_http_body *body, char c)
{
    if (c != '\r' && c != ';')
        return 400;
    body->state = c == ';' ? EXT_NAME_FIRST : SIZE_LF;
    return 0;
}

static int take_size(struct herd_http_body *body, char c)
{
    int digit = herd_hex_digit(c);
    if (digit < 0)
        return end_size(body, c);
    if (body->digits++ == SIZE_DIGITS_MAX)
        return 400;
    body->left = body->left << 4 | (uint64_t)digit;
    return 0;
}

/* Blanks around ';' and '=' are refused: RFC 9112, 7.1.1 has them for old senders, and parsers differ about them. */
static int take_extension(struct herd_http_body *body, char c)
{
    bool token = herd_http_is(c, HERD_HTTP_TOKEN);
    if (++body->extras > HERD_HTTP_EXTENSIONS_MAX_BYTES)
        return 400;
    switch ((enum state)body->state) {
    case EXT_NAME_FIRST: body->state = EXT_NAME; return token ? 0 : 400;
    case EXT_NAME:
        if (token)
            return 0;
        if (c != '=')
            return end_extension(body, c);
        body->state = EXT_VALUE_FIRST;
        return 0;
    case EXT_VALUE_FIRST: body->state = c == '"' ? EXT_QUOTED : EXT_VALUE; return token || c == '"' ? 0 : 400;
    case EXT_VALUE: return token ? 0 : end_extension(body, c);
    case EXT_QUOTED:
        if (c == '"' || c == '\\')
            body->state = c == '"' ? EXT_QUOTED_END : EXT_ESCAPED;
        else if (!herd_http_is(c, HERD_HTTP_QUOTED))
            return 400;
        return 0;
    case EXT_ESCAPED: body->state = EXT_QUOTED; return herd_http_is(c, HERD_HTTP_VALUE) ? 0 : 400;
    default: return end_extension(body, c);
    }
}

static int take_trailer(struct herd_http_body *body, char c)
{
    if (++body->extras > HERD_HTTP_TRAILERS_MAX_BYTES)
        return 431;
    switch ((enum state)body->state) {
    case TRAILER_FIRST:
        if (c == '\r') {
            body->state = END_LF;
            return 0;
        }
        body->state = TRAILER_NAME;
        return herd_http_is(c, HERD_HTTP_TOKEN) ? 0 : 400;
    case TRAILER_NAME:
        if (c == ':')
            body->state = TRAILER_VALUE;
        return c == ':' || herd_http_is(c, HERD_HTTP_TOKEN) ? 0 : 400;
    case TRAILER_VALUE:
        if (c == '\r')
            body->state = TRAILER_LF;
        return c == '\r' || herd_http_is(c, HERD_HTTP_VALUE) ? 0 : 400;
    case TRAILER_LF: body->state = TRAILER_FIRST; return c == '\n' ? 0 : 400;
    default: body->state = DONE; return c == '\n' ? 0 : 400;
    }
}

/* A byte of the framing, not of the body. 0, or the status that refuses it. */
static int take_byte(struct herd_http_body *body, char c)
{
    switch ((enum state)body->state) {
    case SIZE: return take_size(body, c);
    case SIZE_LF:
        body->state = body->left ? DATA : TRAILER_FIRST;
        if (body->left == 0)
            body->extras = 0;
        return c == '\n' ? 0 : 400;
    case DATA_CR: body->state = DATA_LF; return c == '\r' ? 0 : 400;
    case DATA_LF: begin_chunk(body); return c == '\n' ? 0 : 400;
    case TRAILER_FIRST:
    case TRAILER_NAME:
    case TRAILER_VALUE:
    case TRAILER_LF:
    case END_LF: return take_trailer(body, c);
    default: return take_extension(body, c);
    }
}

static const char *message_of(int status)
{
    if (status == 413)
        return "the chunks are above the bound of bodies";
    return status == 431 ? "too many bytes of trailers" : "the chunks are not valid";
}

/* Cuts a piece of at most `left` bytes off the front. */
static struct herd_span cut(struct herd_http_body *body, struct herd_span *io_bytes)
{
    struct herd_span piece = {io_bytes->at, io_bytes->len < body->left ? io_bytes->len : (size_t)body->left};
    io_bytes->at += piece.len;
    io_bytes->len -= piece.len;
    body->left -= piece.len;
    body->room -= piece.len;
    if (body->left == 0)
        body->state = body->state == LENGTH ? DONE : DATA_CR;
    return piece;
}

enum herd_http_progress herd_http_body_take(struct herd_http_body *body, struct herd_span *io_bytes,
                                            struct herd_span *ret_piece, struct herd_http_fault *reterr_fault)
{
    if (body->state == REFUSED)
        return refuse(body, reterr_fault, 400, "the body was refused before");
    while (body->state != DONE && io_bytes->len > 0) {
        if (body->state == LENGTH || body->state == DATA) {
            *ret_piece = cut(body, io_bytes);
            return HERD_HTTP_DONE;
        }
        int status = take_byte(body, *io_bytes->at);
        if (status)
            return refuse(body, reterr_fault, status, message_of(status));
        io_bytes->at++;
        io_bytes->len--;
    }
    *ret_piece = (struct herd_span){NULL, 0};
    return body->state == DONE ? HERD_HTTP_DONE : HERD_HTTP_MORE;
}
