/* SPDX-License-Identifier: MIT */
/* Walking over checked JSON: members, elements and strings as spans into the text; and text into JSON. */
#include "raw.h"
#include "raw_bytes.h"

#include <string.h>

static bool ends_word(char c)
{
    return c == ',' || c == '\n' || c == '}' || c == ']' || c == ' ' || c == '\r' || c == '\t';
}

static const char *string_end(const char *at, const char *end)
{
    at++;
    while ((at = herd_raw_plain_end(at, end)) < end && *at != '"')
        at += *at == '\\' && at + 1 < end ? 2 : 1;
    return at < end ? at + 1 : end;
}

/* Behind the value at `at`. The text was checked, so counting brackets is enough. */
static const char *value_end(const char *at, const char *end)
{
    unsigned depth = 0;
    while (at < end) {
        switch (*at) {
        case '"': at = string_end(at, end); break;
        case '{':
        case '[':
            depth++;
            at++;
            continue;
        case '}':
        case ']':
            at++;
            if (depth)
                depth--;
            break;
        case ',':
        case ':':
        case ' ':
        case '\n':
        case '\r':
        case '\t': at = herd_raw_space_end(at + 1, end); continue;
        default:
            while (at < end && !ends_word(*at))
                at++;
        }
        if (!depth)
            return at;
    }
    return end;
}

struct herd_span herd_raw_trim(struct herd_span text)
{
    const char *end = text.at + text.len;
    const char *at = herd_raw_space_end(text.at, end);
    while (end > at && (end[-1] == ' ' || end[-1] == '\n' || end[-1] == '\r' || end[-1] == '\t'))
        end--;
    return (struct herd_span){at, (size_t)(end - at)};
}

char herd_raw_kind(struct herd_span value)
{
    if (!value.len)
        return 0;
    char first = *value.at;
    return first == '-' || (first >= '0' && first <= '9') ? '0' : first;
}

struct herd_raw_walk herd_raw_walk(struct herd_span value)
{
    char kind = herd_raw_kind(value);
    if ((kind != '{' && kind != '[') || value.len < 2)
        return (struct herd_raw_walk){NULL, NULL};
    return (struct herd_raw_walk){value.at + 1, value.at + value.len - 1};
}

bool herd_raw_element(struct herd_raw_walk *io_walk, struct herd_span *ret_value)
{
    const char *at = io_walk->at, *end = io_walk->end;
    if (!at)
        return false;
    at = herd_raw_space_end(at, end);
    if (at < end && *at == ',')
        at = herd_raw_space_end(at + 1, end);
    if (at == end)
        return false;
    io_walk->at = value_end(at, end);
    *ret_value = (struct herd_span){at, (size_t)(io_walk->at - at)};
    return true;
}

bool herd_raw_member(struct herd_raw_walk *io_walk, struct herd_span *ret_key, struct herd_span *ret_value)
{
    struct herd_span key;
    if (!herd_raw_element(io_walk, &key))
        return false;
    const char *at = herd_raw_space_end(io_walk->at, io_walk->end);
    if (at < io_walk->end && *at == ':')
        at = herd_raw_space_end(at + 1, io_walk->end);
    io_walk->at = value_end(at, io_walk->end);
    *ret_key = key;
    *ret_value = (struct herd_span){at, (size_t)(io_walk->at - at)};
    return true;
}

static unsigned hex_digit(char c)
{
    return c <= '9' ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a') + 10;
}

/* The next character of a string's inside; escapes taken for what they stand for. */
static bool next_char(struct herd_span *io_in, unsigned *ret_c)
{
    const char *at = io_in->at;
    size_t used = 1;
    unsigned c = (unsigned char)*at;
    if (c == '\\') {
        if (io_in->len >= 6 && at[1] == 'u') {
            c = 0;
            for (size_t k = 2; k < 6; k++)
                c = c * 16 + hex_digit(at[k]);
            used = 6;
        } else if (io_in->len >= 2 && at[1] == '/') {
            c = '/';
            used = 2;
        } else {
            return false; /* of the short escapes only the solidus is a letter of any name */
        }
    }
    io_in->at += used;
    io_in->len -= used;
    *ret_c = c;
    return true;
}

bool herd_raw_is(struct herd_span string, const char *name)
{
    struct herd_span in = herd_raw_inside(string);
    unsigned c;
    for (; *name; name++)
        if (!in.len || !next_char(&in, &c) || c != (unsigned char)*name)
            return false;
    return in.len == 0 && in.at != NULL;
}

bool herd_raw_get(struct herd_span object, const char *name, struct herd_span *ret_value)
{
    struct herd_raw_walk walk = herd_raw_walk(object);
    struct herd_span key, value;
    if (herd_raw_kind(object) == '{')
        while (herd_raw_member(&walk, &key, &value))
            if (herd_raw_is(key, name)) {
                *ret_value = value;
                return true;
            }
    *ret_value = (struct herd_span){NULL, 0};
    return false;
}

size_t herd_raw_count(struct herd_span object, const char *name, struct herd_span *ret_value)
{
    struct herd_raw_walk walk = herd_raw_walk(object);
    struct herd_span key, value, first = {NULL, 0};
    size_t count = 0;
    while (herd_raw_kind(object) == '{' && herd_raw_member(&walk, &key, &value))
        if (herd_raw_is(key, name) && !count++)
            first = value;
    *ret_value = first;
    return count;
}

struct herd_span herd_raw_inside(struct herd_span string)
{
    if (herd_raw_kind(string) != '"' || string.len < 2)
        return (struct herd_span){NULL, 0};
    return (struct herd_span){string.at + 1, string.len - 2};
}

struct herd_span herd_raw_text(struct herd_span object, const char *name)
{
    struct herd_span value;
    (void)herd_raw_get(object, name, &value);
    return herd_raw_inside(value);
}

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

int herd_raw_escape(struct herd_buf *out, struct herd_span bytes)
{
    static const char hex[] = "0123456789abcdef";
    size_t i = 0;
    while (i < bytes.len) {
        unsigned char c = (unsigned char)bytes.at[i];
        size_t len = herd_utf8_len((struct herd_span){bytes.at + i, bytes.len - i});
        char text[6] = {'\\', 'u', '0', '0', hex[c >> 4 & 1], hex[c & 15]};
        int err;
        if (!len)
            err = herd_buf_add_text(out, "\xef\xbf\xbd");
        else if (c < 0x20)
            err = herd_buf_add(out, text, sizeof text);
        else if (c == '"' || c == '\\')
            err = herd_buf_add(out, c == '"' ? "\\\"" : "\\\\", 2);
        else
            err = herd_buf_add(out, bytes.at + i, len);
        if (err < 0)
            return err;
        i += len ? len : 1;
    }
    return 0;
}
