/* SPDX-License-Identifier: MIT */
/*
 * What a server understands of the bytes of one connection, as text: a line for each request, then how it ends.
 *
 *     POST /pub?u=jane 1.1 a.example keep 100 length |{}|
 *     = 400
 *
 * "= open" where all requests are whole, "= head" and "= body" where one is not, "= closed" behind one that closes,
 * or the status of a fault; nothing further is read then. Bytes given in any pieces must make the same text.
 */
#ifndef TEST_HTTP_TRANSCRIPT_H
#define TEST_HTTP_TRANSCRIPT_H

#include "body.h"
#include "head.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct transcript {
    struct herd_buf in, text;
    struct herd_http_scan scan;
    struct herd_http_body body;
    uint64_t body_max;
    size_t head_max, consumed;
    bool in_body, closing, closed, refused;
};

#define TRANSCRIPT_MUST(condition) \
    do {                           \
        if (!(condition))          \
            abort();               \
    } while (0)

static inline void transcript_add(struct transcript *t, struct herd_span text)
{
    TRANSCRIPT_MUST(herd_buf_add(&t->text, text.at, text.len) == 0);
}

static inline void transcript_say(struct transcript *t, const char *text)
{
    transcript_add(t, herd_span_of(text));
}

/* Bytes of a body, so that the text stays one of lines: \xHH for what is not printed, for '|' and '\'. */
static inline void transcript_quote(struct transcript *t, struct herd_span bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned char c = (unsigned char)bytes.at[i];
        char text[8];
        if (c >= 0x20 && c < 0x7f && c != '|' && c != '\\')
            snprintf(text, sizeof text, "%c", c);
        else
            snprintf(text, sizeof text, "\\x%02x", c);
        transcript_say(t, text);
    }
}

static inline void transcript_drop(struct transcript *t, size_t len)
{
    t->consumed += len;
    t->in.len -= len;
    if (t->in.len)
        memmove(t->in.at, t->in.at + len, t->in.len);
}

static inline void transcript_refuse(struct transcript *t, struct herd_http_fault fault)
{
    char text[200];
    TRANSCRIPT_MUST(fault.status >= 400 && fault.status <= 599 && fault.message);
#ifdef TRANSCRIPT_MESSAGES
    snprintf(text, sizeof text, "= %d %s\n", fault.status, fault.message);
#else
    snprintf(text, sizeof text, "= %d\n", fault.status);
#endif
    transcript_say(t, text);
    t->closed = t->refused = true;
}

static inline void transcript_end_request(struct transcript *t)
{
    transcript_say(t, "|\n");
    t->in_body = false;
    t->scan = (struct herd_http_scan){0};
    t->closed = t->closing;
}

static inline void transcript_head(struct transcript *t, const struct herd_http_head *head)
{
    static const char *const framings[] = {"none", "length", "chunked"};
    transcript_say(t, herd_http_method_name(head->method));
    transcript_say(t, " ");
    transcript_add(t, head->path);
    if (head->query.at) {
        transcript_say(t, "?");
        transcript_add(t, head->query);
    }
    transcript_say(t, head->minor ? " 1.1 " : " 1.0 ");
    transcript_add(t, head->host);
    transcript_say(t, head->keep_alive ? " keep " : " close ");
    transcript_say(t, head->expect_continue ? "100 " : "");
    transcript_say(t, framings[head->framing]);
    transcript_say(t, " |");
}

/* One step; false: it needs more bytes. `exact` is a copy of t->in that ends at the end of its memory. */
static inline bool transcript_step(struct transcript *t, struct herd_span exact)
{
    struct herd_http_fault fault = {0, NULL};
    if (t->in_body) {
        struct herd_span rest = exact, piece;
        enum herd_http_progress progress = herd_http_body_take(&t->body, &rest, &piece, &fault);
        if (progress == HERD_HTTP_FAULT) {
            transcript_drop(t, exact.len - rest.len);
            transcript_say(t, "| cut\n");
            transcript_refuse(t, fault);
            return true;
        }
        transcript_quote(t, piece);
        TRANSCRIPT_MUST(rest.len + piece.len <= exact.len && (progress == HERD_HTTP_DONE || rest.len == 0));
        transcript_drop(t, exact.len - rest.len);
        if (progress == HERD_HTTP_DONE && piece.len == 0) {
            TRANSCRIPT_MUST(herd_http_body_done(&t->body));
            transcript_end_request(t);
            return true;
        }
        return progress == HERD_HTTP_DONE;
    }
    if (exact.len == 0)
        return false;
    switch (herd_http_head_scan(&t->scan, exact, t->head_max, &fault)) {
    case HERD_HTTP_MORE: return false;
    case HERD_HTTP_FAULT: transcript_refuse(t, fault); return true;
    default: break;
    }
    TRANSCRIPT_MUST(t->scan.at <= exact.len && t->scan.from <= 2);
    struct herd_http_head head;
    struct herd_span bytes = herd_http_scan_head(&t->scan, exact);
    if (herd_http_head_parse(&head, bytes, &fault) < 0) {
        transcript_refuse(t, fault);
        return true;
    }
    if (herd_http_body_begin(&t->body, &head, t->body_max, &fault) < 0) {
        TRANSCRIPT_MUST(fault.status == 413);
        transcript_refuse(t, fault);
        return true;
    }
    transcript_head(t, &head);
    t->closing = !head.keep_alive;
    t->in_body = true;
    transcript_drop(t, t->scan.at);
    return true;
}

static inline void transcript_feed(struct transcript *t, struct herd_span bytes)
{
    if (bytes.len)
        TRANSCRIPT_MUST(herd_buf_add(&t->in, bytes.at, bytes.len) == 0);
    for (bool more = true; more && !t->closed;) {
        char *exact = malloc(t->in.len ? t->in.len : 1);
        TRANSCRIPT_MUST(exact);
        if (t->in.len)
            memcpy(exact, t->in.at, t->in.len);
        more = transcript_step(t, (struct herd_span){exact, t->in.len});
        free(exact);
    }
}

/* All of `bytes`: the first piece has `first` bytes, the others `step`. The text is the caller's, with a NUL. */
static inline char *transcript_of(struct herd_span bytes, size_t first, size_t step, size_t head_max,
                                  uint64_t body_max, size_t *ret_consumed)
{
    struct transcript t = {.head_max = head_max, .body_max = body_max};
    for (size_t at = 0, len = first; at < bytes.len && !t.closed; at += len, len = step) {
        if (len > bytes.len - at)
            len = bytes.len - at;
        transcript_feed(&t, (struct herd_span){bytes.at + at, len});
    }
    if (!t.closed)
        transcript_say(&t, t.in_body ? "| cut\n= body\n" : t.in.len ? "= head\n" : "= open\n");
    else if (!t.refused)
        transcript_say(&t, "= closed\n");
    transcript_add(&t, (struct herd_span){"", 1});
    herd_buf_fini(&t.in);
    if (ret_consumed)
        *ret_consumed = t.consumed;
    return t.text.at;
}

#endif
