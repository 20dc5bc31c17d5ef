/* SPDX-License-Identifier: MIT */
/* A strict check of JSON texts (RFC 8259) in one pass, without recursion and without memory. */
#include "raw.h"
#include "raw_bytes.h"

#include <string.h>

static bool fails(struct herd_raw_scan *s, const char *at, const char *what)
{
    s->at = at;
    s->what = what;
    return false;
}

static bool hex4(struct herd_raw_scan *s, const char *at, unsigned *ret_unit)
{
    unsigned unit = 0;
    if (s->end - at < 4)
        return fails(s, at, "unfinished escape");
    for (int i = 0; i < 4; i++, at++) {
        char ch = *at;
        unsigned digit = ch >= '0' && ch <= '9'   ? (unsigned)(ch - '0')
                         : ch >= 'a' && ch <= 'f' ? (unsigned)(ch - 'a') + 10
                         : ch >= 'A' && ch <= 'F' ? (unsigned)(ch - 'A') + 10
                                                  : 16;
        if (digit == 16)
            return fails(s, at, "bad \\u escape");
        unit = unit * 16 + digit;
    }
    *ret_unit = unit;
    s->at = at;
    return true;
}

/* `at` is behind a backslash. */
static bool take_escape(struct herd_raw_scan *s, const char *at)
{
    if (at == s->end)
        return fails(s, at, "unfinished string");
    char ch = *at++;
    s->at = at;
    if (ch != 'u')
        return ch && strchr("\"\\/bfnrt", ch) ? true : fails(s, at, "unknown escape");
    unsigned unit;
    if (!hex4(s, at, &unit))
        return false;
    if (unit < 0xd800 || unit > 0xdfff)
        return true;
    at = s->at;
    if (unit >= 0xdc00 || s->end - at < 6 || at[0] != '\\' || at[1] != 'u')
        return fails(s, at, "lone surrogate");
    if (!hex4(s, at + 2, &unit))
        return false;
    return unit >= 0xdc00 && unit <= 0xdfff ? true : fails(s, s->at, "lone surrogate");
}

/* Inside a string, at something that is not an ordinary character. */
static bool take_rest(struct herd_raw_scan *s, const char *at)
{
    const char *end = s->end;
    for (; at < end; at = herd_raw_plain_end(at, end)) {
        unsigned char ch = (unsigned char)*at;
        if (ch == '"') {
            s->at = at + 1;
            return true;
        }
        if (ch >= 0x80) {
            size_t len = herd_utf8_len((struct herd_span){at, (size_t)(end - at)});
            if (!len)
                return fails(s, at, "not UTF-8");
            at += len;
        } else if (ch == '\\') {
            if (!take_escape(s, at + 1))
                return false;
            at = s->at;
        } else {
            return fails(s, at, "control character in a string");
        }
    }
    return fails(s, at, "unfinished string");
}

/* Most strings are ordinary characters up to their quote. */
static inline bool take_string(struct herd_raw_scan *s)
{
    if (s->at == s->end || *s->at != '"')
        return fails(s, s->at, "expected a string");
    const char *at = herd_raw_plain_end(s->at + 1, s->end);
    if (at == s->end || *at != '"')
        return take_rest(s, at);
    s->at = at + 1;
    return true;
}

static inline bool take_digits(struct herd_raw_scan *s, const char **io_at)
{
    const char *from = *io_at, *at = from;
    while (at < s->end && *at >= '0' && *at <= '9')
        at++;
    *io_at = at;
    return at > from ? true : fails(s, at, "bad number");
}

static bool take_number(struct herd_raw_scan *s)
{
    const char *at = s->at, *end = s->end;
    if (*at == '-')
        at++;
    if (at < end && *at == '0')
        at++;
    else if (!take_digits(s, &at))
        return false;
    if (at < end && *at == '.') {
        at++;
        if (!take_digits(s, &at))
            return false;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        if (at < end && (*at == '+' || *at == '-'))
            at++;
        if (!take_digits(s, &at))
            return false;
    }
    s->at = at;
    return true;
}

static bool take_word(struct herd_raw_scan *s, const char *word)
{
    size_t len = strlen(word);
    if ((size_t)(s->end - s->at) < len || memcmp(s->at, word, len) != 0)
        return fails(s, s->at, "expected a value");
    s->at += len;
    return true;
}

static inline bool take_scalar(struct herd_raw_scan *s)
{
    switch (*s->at) {
    case '"': return take_string(s);
    case 't': return take_word(s, "true");
    case 'f': return take_word(s, "false");
    case 'n': return take_word(s, "null");
    default:
        if (*s->at != '-' && (*s->at < '0' || *s->at > '9'))
            return fails(s, s->at, "expected a value");
        return take_number(s);
    }
}

static inline void skip_space(struct herd_raw_scan *s)
{
    s->at = herd_raw_space_end(s->at, s->end);
}

/* "key" : and the white space behind it */
static inline bool take_key(struct herd_raw_scan *s, struct herd_span *ret_key)
{
    const char *from = s->at;
    if (!take_string(s))
        return false;
    *ret_key = (struct herd_span){from, (size_t)(s->at - from)};
    if (s->end - s->at > 3 && memcmp(s->at, " : ", 3) == 0) { /* as Google writes it */
        s->at += 3;
        skip_space(s);
        return true;
    }
    skip_space(s);
    if (s->at == s->end || *s->at != ':')
        return fails(s, s->at, "expected a colon");
    s->at++;
    skip_space(s);
    return true;
}

/* Stands on a bracket. True if there is anything in the container; an empty one is left again. */
static inline bool enter(struct herd_raw_scan *s)
{
    if (s->depth == HERD_RAW_DEPTH_MAX)
        return fails(s, s->at, "nested too deep");
    bool object = *s->at++ == '{';
    skip_space(s);
    if (s->at < s->end && *s->at == (object ? '}' : ']')) {
        s->at++;
        return false;
    }
    s->depth++;
    s->objects = s->objects << 1 | object;
    return true;
}

/* Behind a value, in a container: true if another one follows, behind a comma and white space. */
static inline bool go_on(struct herd_raw_scan *s)
{
    if (s->at < s->end && *s->at != ',')
        skip_space(s);
    if (s->at == s->end)
        return fails(s, s->at, "cut short");
    char ch = *s->at;
    if (ch == ',') {
        s->at++;
        skip_space(s);
        return true;
    }
    if (ch != (s->objects & 1 ? '}' : ']'))
        return fails(s, s->at, "expected a comma or the end of an object or array");
    s->at++;
    s->depth--;
    s->objects >>= 1;
    return false;
}

struct herd_raw_scan herd_raw_scan(struct herd_span text)
{
    const char *at = text.len ? text.at : ""; /* an empty span may point nowhere */
    return (struct herd_raw_scan){.begin = at, .at = at, .end = at + text.len};
}

char herd_raw_scan_peek(struct herd_raw_scan *s)
{
    skip_space(s);
    return s->at < s->end ? *s->at : '\0';
}

bool herd_raw_scan_open(struct herd_raw_scan *s, char bracket)
{
    if (s->what)
        return false;
    if (herd_raw_scan_peek(s) != bracket)
        return fails(s, s->at, bracket == '{' ? "not an object" : "not an array");
    return enter(s);
}

bool herd_raw_scan_next(struct herd_raw_scan *s)
{
    return !s->what && go_on(s);
}

bool herd_raw_scan_key(struct herd_raw_scan *s, struct herd_span *ret_key)
{
    return !s->what && take_key(s, ret_key);
}

bool herd_raw_scan_value(struct herd_raw_scan *s, struct herd_span *ret_value)
{
    unsigned outside = s->depth;
    if (s->what)
        return false;
    skip_space(s);
    const char *from = s->at;
    for (;;) {
        struct herd_span key;
        if (s->at == s->end)
            return fails(s, s->at, "cut short");
        bool more;
        if (*s->at == '{' || *s->at == '[') {
            more = enter(s);
            if (s->what)
                return false;
        } else {
            more = false;
            if (!take_scalar(s))
                return false;
        }
        /* A value ended: so do the containers that close behind it, up to the next comma. */
        while (!more && s->depth > outside) {
            more = go_on(s);
            if (s->what)
                return false;
        }
        if (!more) {
            *ret_value = (struct herd_span){from, (size_t)(s->at - from)};
            return true;
        }
        if (s->objects & 1 && !take_key(s, &key))
            return false;
    }
}

int herd_raw_scan_end(struct herd_raw_scan *s, struct herd_raw_fault *reterr_fault)
{
    if (!s->what) {
        skip_space(s);
        if (s->at == s->end)
            return 0;
        s->what = "something behind the end";
    }
    *reterr_fault = (struct herd_raw_fault){(size_t)(s->at - s->begin), s->what};
    return HERD_E_SYNTAX;
}

int herd_raw_check(struct herd_span text, struct herd_raw_fault *reterr_fault)
{
    if (!text.len) {
        *reterr_fault = (struct herd_raw_fault){0, "empty"};
        return HERD_E_SYNTAX;
    }
    struct herd_raw_scan s = herd_raw_scan(text);
    struct herd_span value;
    (void)herd_raw_scan_value(&s, &value);
    return herd_raw_scan_end(&s, reterr_fault);
}
