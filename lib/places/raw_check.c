/* SPDX-License-Identifier: MIT */
/* A strict check of JSON texts (RFC 8259) in one pass, without recursion and without memory. */
#include "raw.h"

#include <string.h>

size_t herd_utf8_len(struct herd_span bytes)
{
    const unsigned char *at = (const unsigned char *)bytes.at;
    if (!bytes.len)
        return 0;
    if (at[0] < 0x80)
        return 1;
    size_t len = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
    if (at[0] < 0xc2 || at[0] > 0xf4 || bytes.len < len)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    /* overlong forms, surrogates, beyond U+10FFFF */
    if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) || (at[0] == 0xf0 && at[1] < 0x90) ||
        (at[0] == 0xf4 && at[1] > 0x8f))
        return 0;
    return len;
}

/* Eight bytes at a time: most of an answer is ordinary characters inside strings, and layout. */
const char *herd_raw_plain_end(const char *at, const char *end)
{
    const uint64_t ones = 0x0101010101010101u, highs = 0x8080808080808080u;
    while (end - at >= 8) {
        uint64_t eight;
        memcpy(&eight, at, 8);
        uint64_t quote = eight ^ ones * '"', backslash = eight ^ ones * '\\';
        /* A high bit is set for each byte that is zero after the XOR, below 0x20, or above 0x7f. */
        uint64_t found = ((quote - ones) & ~quote) | ((backslash - ones) & ~backslash) |
                         ((eight - ones * 0x20) & ~eight) | eight;
        if (found & highs) {
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
            /* A borrow only ever marks bytes behind one that is rightly marked, so the first one is right. */
            return at + __builtin_ctzll(found & highs) / 8;
#else
            break;
#endif
        }
        at += 8;
    }
    while (at < end && (unsigned char)*at >= 0x20 && (unsigned char)*at < 0x80 && *at != '"' && *at != '\\')
        at++;
    return at;
}

const char *herd_raw_space_end(const char *at, const char *end)
{
    const uint64_t blanks = 0x2020202020202020u;
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) {
        uint64_t eight;
        at++;
        while (end - at >= 8 && (memcpy(&eight, at, 8), eight == blanks))
            at += 8;
    }
    return at;
}

struct check {
    const char *at, *end;
    const char *what;
};

static bool fails(struct check *c, const char *what)
{
    c->what = what;
    return false;
}

static void skip_space(struct check *c)
{
    c->at = herd_raw_space_end(c->at, c->end);
}

static bool hex4(struct check *c, unsigned *ret_unit)
{
    unsigned unit = 0;
    if (c->end - c->at < 4)
        return fails(c, "unfinished escape");
    for (int i = 0; i < 4; i++, c->at++) {
        char ch = *c->at;
        unsigned digit = ch >= '0' && ch <= '9'   ? (unsigned)(ch - '0')
                         : ch >= 'a' && ch <= 'f' ? (unsigned)(ch - 'a') + 10
                         : ch >= 'A' && ch <= 'F' ? (unsigned)(ch - 'A') + 10
                                                  : 16;
        if (digit == 16)
            return fails(c, "bad \\u escape");
        unit = unit * 16 + digit;
    }
    *ret_unit = unit;
    return true;
}

/* Behind a backslash. */
static bool check_escape(struct check *c)
{
    if (c->at == c->end)
        return fails(c, "unfinished string");
    char ch = *c->at++;
    if (ch != 'u')
        return ch && strchr("\"\\/bfnrt", ch) ? true : fails(c, "unknown escape");
    unsigned unit;
    if (!hex4(c, &unit))
        return false;
    if (unit < 0xd800 || unit > 0xdfff)
        return true;
    if (unit >= 0xdc00 || c->end - c->at < 6 || c->at[0] != '\\' || c->at[1] != 'u')
        return fails(c, "lone surrogate");
    c->at += 2;
    if (!hex4(c, &unit))
        return false;
    return unit >= 0xdc00 && unit <= 0xdfff ? true : fails(c, "lone surrogate");
}

static bool check_string(struct check *c)
{
    if (c->at == c->end || *c->at != '"')
        return fails(c, "expected a string");
    c->at++;
    while ((c->at = herd_raw_plain_end(c->at, c->end)) < c->end) {
        unsigned char ch = (unsigned char)*c->at;
        if (ch >= 0x80) {
            size_t len = herd_utf8_len((struct herd_span){c->at, (size_t)(c->end - c->at)});
            if (!len)
                return fails(c, "not UTF-8");
            c->at += len;
        } else if (ch == '"') {
            c->at++;
            return true;
        } else if (ch == '\\') {
            c->at++;
            if (!check_escape(c))
                return false;
        } else {
            return fails(c, "control character in a string");
        }
    }
    return fails(c, "unfinished string");
}

static bool digits(struct check *c)
{
    const char *from = c->at;
    while (c->at < c->end && *c->at >= '0' && *c->at <= '9')
        c->at++;
    return c->at > from ? true : fails(c, "bad number");
}

static bool check_number(struct check *c)
{
    if (*c->at == '-')
        c->at++;
    if (c->at < c->end && *c->at == '0')
        c->at++;
    else if (!digits(c))
        return false;
    if (c->at < c->end && *c->at == '.') {
        c->at++;
        if (!digits(c))
            return false;
    }
    if (c->at < c->end && (*c->at == 'e' || *c->at == 'E')) {
        c->at++;
        if (c->at < c->end && (*c->at == '+' || *c->at == '-'))
            c->at++;
        if (!digits(c))
            return false;
    }
    return true;
}

static bool check_word(struct check *c, const char *word)
{
    size_t len = strlen(word);
    if ((size_t)(c->end - c->at) < len || memcmp(c->at, word, len) != 0)
        return fails(c, "expected a value");
    c->at += len;
    return true;
}

static bool check_scalar(struct check *c)
{
    switch (*c->at) {
    case '"': return check_string(c);
    case 't': return check_word(c, "true");
    case 'f': return check_word(c, "false");
    case 'n': return check_word(c, "null");
    default:
        if (*c->at != '-' && (*c->at < '0' || *c->at > '9'))
            return fails(c, "expected a value");
        return check_number(c);
    }
}

/* "key" : */
static bool check_key(struct check *c)
{
    if (!check_string(c))
        return false;
    skip_space(c);
    if (c->at == c->end || *c->at != ':')
        return fails(c, "expected a colon");
    c->at++;
    return true;
}

/* Opens a container; *ret_empty where it closes at once. */
static bool open_container(struct check *c, char *stack, unsigned *io_depth, bool *ret_empty)
{
    if (*io_depth == HERD_RAW_DEPTH_MAX)
        return fails(c, "nested too deep");
    char close = *c->at == '{' ? '}' : ']';
    stack[(*io_depth)++] = close;
    c->at++;
    skip_space(c);
    *ret_empty = c->at < c->end && *c->at == close;
    return true;
}

static bool check_value(struct check *c)
{
    char stack[HERD_RAW_DEPTH_MAX]; /* what closes each open container */
    unsigned depth = 0;
    for (;;) {
        bool empty = false;
        skip_space(c);
        if (c->at == c->end)
            return fails(c, "cut short");
        if (*c->at == '{' || *c->at == '[') {
            if (!open_container(c, stack, &depth, &empty))
                return false;
            if (!empty) {
                if (stack[depth - 1] == '}' && !check_key(c))
                    return false;
                continue;
            }
        } else if (!check_scalar(c)) {
            return false;
        }
        /* A value ended, or an empty container is about to: close what closes, up to the next comma. */
        for (;;) {
            if (!depth)
                return true;
            skip_space(c);
            if (c->at == c->end)
                return fails(c, "cut short");
            if (*c->at != stack[depth - 1])
                break;
            c->at++;
            depth--;
        }
        if (*c->at != ',')
            return fails(c, "expected a comma or the end of an object or array");
        c->at++;
        skip_space(c);
        if (stack[depth - 1] == '}' && !check_key(c))
            return false;
    }
}

int herd_raw_check(struct herd_span text, struct herd_raw_fault *reterr_fault)
{
    if (!text.len) {
        *reterr_fault = (struct herd_raw_fault){0, "empty"};
        return HERD_E_SYNTAX;
    }
    struct check c = {text.at, text.at + text.len, NULL};
    bool good = check_value(&c);
    if (good) {
        skip_space(&c);
        if (c.at != c.end)
            good = fails(&c, "something behind the end");
    }
    if (good)
        return 0;
    *reterr_fault = (struct herd_raw_fault){(size_t)(c.at - text.at), c.what};
    return HERD_E_SYNTAX;
}
