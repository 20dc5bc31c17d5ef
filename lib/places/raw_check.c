/* SPDX-License-Identifier: MIT */
/* A strict check of JSON texts (RFC 8259) in one pass, without recursion and without memory: 7.7 instructions a byte
 * (callgrind, gcc 12, -O2). Configurations have a scanner of their own, lib/edge/config/json_scan.c, which says more of a
 * fault and takes 25, for reasons given there. */
#include "raw.h"
#include "raw_bytes.h"

#include <string.h>

/* Everything below takes the place it is at and gives the place it got to; NULL: a fault, which is in *s. */
static const char *fault(struct herd_raw_scan *s, const char *at, const char *what)
{
    s->at = at;
    s->what = what;
    return NULL;
}

static const char *hex4(struct herd_raw_scan *s, const char *at, unsigned *ret_unit)
{
    unsigned unit = 0;
    if (s->end - at < 4)
        return fault(s, at, "unfinished escape");
    for (int i = 0; i < 4; i++, at++) {
        char ch = *at;
        unsigned digit = ch >= '0' && ch <= '9'   ? (unsigned)(ch - '0')
                         : ch >= 'a' && ch <= 'f' ? (unsigned)(ch - 'a') + 10
                         : ch >= 'A' && ch <= 'F' ? (unsigned)(ch - 'A') + 10
                                                  : 16;
        if (digit == 16)
            return fault(s, at, "bad \\u escape");
        unit = unit * 16 + digit;
    }
    *ret_unit = unit;
    return at;
}

/* `at` is behind a backslash. */
static const char *escape_end(struct herd_raw_scan *s, const char *at)
{
    if (at == s->end)
        return fault(s, at, "unfinished string");
    char ch = *at++;
    if (ch != 'u')
        return ch && strchr("\"\\/bfnrt", ch) ? at : fault(s, at, "unknown escape");
    unsigned unit;
    if (!(at = hex4(s, at, &unit)) || unit < 0xd800 || unit > 0xdfff)
        return at;
    if (unit >= 0xdc00 || s->end - at < 6 || at[0] != '\\' || at[1] != 'u')
        return fault(s, at, "lone surrogate");
    if (!(at = hex4(s, at + 2, &unit)))
        return NULL;
    return unit >= 0xdc00 && unit <= 0xdfff ? at : fault(s, at, "lone surrogate");
}

/* Inside a string, at something that is not an ordinary character. */
static const char *string_rest_end(struct herd_raw_scan *s, const char *at)
{
    const char *end = s->end;
    for (; at < end; at = herd_raw_plain_end(at, s->end)) {
        unsigned char ch = (unsigned char)*at;
        if (ch == '"')
            return at + 1;
        if (ch >= 0x80) {
            size_t len = herd_utf8_len((struct herd_span){at, (size_t)(end - at)});
            if (!len)
                return fault(s, at, "not UTF-8");
            at += len;
        } else if (ch == '\\') {
            if (!(at = escape_end(s, at + 1)))
                return NULL;
        } else {
            return fault(s, at, "control character in a string");
        }
    }
    return fault(s, at, "unfinished string");
}

/* Most strings are ordinary characters up to their quote. */
static inline const char *string_end(struct herd_raw_scan *s, const char *at)
{
    if (at == s->end || *at != '"')
        return fault(s, at, "expected a string");
    at = herd_raw_plain_end(at + 1, s->end);
    return at < s->end && *at == '"' ? at + 1 : string_rest_end(s, at);
}

static inline const char *digits_end(struct herd_raw_scan *s, const char *at)
{
    const char *from = at;
    while (at < s->end && *at >= '0' && *at <= '9')
        at++;
    return at > from ? at : fault(s, at, "bad number");
}

static const char *number_end(struct herd_raw_scan *s, const char *at)
{
    const char *end = s->end;
    if (*at == '-')
        at++;
    if (at < end && *at == '0')
        at++;
    else if (!(at = digits_end(s, at)))
        return NULL;
    if (at < end && *at == '.' && !(at = digits_end(s, at + 1)))
        return NULL;
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        if (at < end && (*at == '+' || *at == '-'))
            at++;
        at = digits_end(s, at);
    }
    return at;
}

static const char *word_end(struct herd_raw_scan *s, const char *at, const char *word)
{
    size_t len = strlen(word);
    if ((size_t)(s->end - at) < len || memcmp(at, word, len) != 0)
        return fault(s, at, "expected a value");
    return at + len;
}

static inline const char *scalar_end(struct herd_raw_scan *s, const char *at)
{
    switch (*at) {
    case '"': return string_end(s, at);
    case 't': return word_end(s, at, "true");
    case 'f': return word_end(s, at, "false");
    case 'n': return word_end(s, at, "null");
    default:
        if (*at != '-' && (*at < '0' || *at > '9'))
            return fault(s, at, "expected a value");
        return number_end(s, at);
    }
}

/* "key" : and the white space behind it */
static inline const char *key_end(struct herd_raw_scan *s, const char *at, size_t *ret_len)
{
    const char *from = at;
    if (!(at = string_end(s, at)))
        return NULL;
    *ret_len = (size_t)(at - from);
    if (s->end - at > 3 && memcmp(at, " : ", 3) == 0 && at[3] > ' ') /* as Google writes it */
        return at + 3;
    at = herd_raw_space_end(at, s->end);
    if (at == s->end || *at != ':')
        return fault(s, at, "expected a colon");
    return herd_raw_space_end(at + 1, s->end);
}

/* Stands on a bracket. *ret_more is whether there is anything in the container; an empty one is left again. */
static inline const char *enter(struct herd_raw_scan *s, const char *at, bool *ret_more)
{
    if (s->depth == HERD_RAW_DEPTH_MAX)
        return fault(s, at, "nested too deep");
    bool object = *at == '{';
    at = herd_raw_space_end(at + 1, s->end);
    *ret_more = at == s->end || *at != (object ? '}' : ']');
    if (!*ret_more)
        return at + 1;
    s->depth++;
    s->objects = s->objects << 1 | object;
    return at;
}

/* Behind a value, in a container. *ret_more is whether another one follows, behind a comma and white space. */
static inline const char *go_on(struct herd_raw_scan *s, const char *at, bool *ret_more)
{
    if (at < s->end && *at != ',')
        at = herd_raw_space_end(at, s->end);
    if (at == s->end)
        return fault(s, at, "cut short");
    *ret_more = *at == ',';
    if (*ret_more)
        return herd_raw_space_end(at + 1, s->end);
    if (*at != (s->objects & 1 ? '}' : ']'))
        return fault(s, at, "expected a comma or the end of an object or array");
    s->depth--;
    s->objects >>= 1;
    return at + 1;
}

/* The value at `at`, with all that is in it. */
static const char *value_end(struct herd_raw_scan *s, const char *at)
{
    unsigned outside = s->depth;
    for (;;) {
        bool more = false;
        if (at == s->end)
            return fault(s, at, "cut short");
        at = *at == '{' || *at == '[' ? enter(s, at, &more) : scalar_end(s, at);
        /* A value ended: so do the containers that close behind it, up to the next comma. */
        while (at && !more && s->depth > outside)
            at = go_on(s, at, &more);
        if (!at || !more)
            return at;
        size_t len;
        if (s->objects & 1 && !(at = key_end(s, at, &len)))
            return NULL;
    }
}

/* Goes to where one of them got. */
static bool moved(struct herd_raw_scan *s, const char *at)
{
    if (at)
        s->at = at;
    return at != NULL;
}

struct herd_raw_scan herd_raw_scan(struct herd_span text)
{
    const char *at = text.len ? text.at : ""; /* an empty span may point nowhere */
    return (struct herd_raw_scan){.begin = at, .at = at, .end = at + text.len};
}

char herd_raw_scan_peek(struct herd_raw_scan *s)
{
    s->at = herd_raw_space_end(s->at, s->end);
    return s->at < s->end ? *s->at : '\0';
}

bool herd_raw_scan_open(struct herd_raw_scan *s, char bracket)
{
    bool more = false;
    if (s->what)
        return false;
    if (herd_raw_scan_peek(s) != bracket)
        return fault(s, s->at, bracket == '{' ? "not an object" : "not an array") != NULL;
    return moved(s, enter(s, s->at, &more)) && more;
}

bool herd_raw_scan_next(struct herd_raw_scan *s)
{
    bool more = false;
    return !s->what && moved(s, go_on(s, s->at, &more)) && more;
}

bool herd_raw_scan_key(struct herd_raw_scan *s, struct herd_span *ret_key)
{
    ret_key->at = s->at;
    return !s->what && moved(s, key_end(s, s->at, &ret_key->len));
}

bool herd_raw_scan_value(struct herd_raw_scan *s, struct herd_span *ret_value)
{
    if (s->what)
        return false;
    const char *from = herd_raw_space_end(s->at, s->end);
    if (!moved(s, value_end(s, from)))
        return false;
    *ret_value = (struct herd_span){from, (size_t)(s->at - from)};
    return true;
}

int herd_raw_scan_end(struct herd_raw_scan *s, struct herd_raw_fault *reterr_diagnostic)
{
    if (!s->what) {
        if (herd_raw_scan_peek(s), s->at == s->end)
            return 0;
        s->what = "something behind the end";
    }
    *reterr_diagnostic = (struct herd_raw_fault){(size_t)(s->at - s->begin), s->what};
    return HERD_E_SYNTAX;
}

int herd_raw_check(struct herd_span text, struct herd_raw_fault *reterr_diagnostic)
{
    if (!text.len) {
        *reterr_diagnostic = (struct herd_raw_fault){0, "empty"};
        return HERD_E_SYNTAX;
    }
    struct herd_raw_scan s = herd_raw_scan(text);
    struct herd_span value;
    (void)herd_raw_scan_value(&s, &value);
    return herd_raw_scan_end(&s, reterr_diagnostic);
}
