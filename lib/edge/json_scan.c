/* SPDX-License-Identifier: MIT */
/*
 * Walks a JSON text, strictly. json-c keeps no positions, and lets through single quotes, NaN, raw control
 * bytes, lone surrogates and members given twice, even when it is strict: this finds them and says where.
 * The same walk goes along the finished tree a second time and leaves each value's offset with it.
 */
#include "json_scan.h"

#include <stdio.h>
#include <string.h>

struct scan {
    struct herd_config_reader *reader;
    const char *at, *end;
    bool marking;
    bool has_lost;        /* some value of the text is not in the tree */
    struct herd_buf name; /* of the member being looked up, terminated */
};

static int scan_value(struct scan *scan, struct json_object *tree);

static size_t offset_of(const struct scan *scan, const char *at)
{
    return (size_t)(at - scan->reader->text.at);
}

/* Shows one byte only: what stands there unquoted may be a key put into the file by mistake. */
static int expected(struct scan *scan, const char *what)
{
    char found[32];
    unsigned char byte = scan->at < scan->end ? (unsigned char)*scan->at : 0;
    if (scan->at == scan->end)
        snprintf(found, sizeof found, "the end of the text");
    else if (byte < 0x20 || byte > 0x7e)
        snprintf(found, sizeof found, "byte 0x%02x", byte);
    else
        snprintf(found, sizeof found, "'%c'", byte);
    return herd_config_fail(scan->reader, HERD_E_SYNTAX, offset_of(scan, scan->at), "expected %s, found %s", what,
                            found);
}

static bool is_at(const struct scan *scan, char byte)
{
    return scan->at < scan->end && *scan->at == byte;
}

static bool is_digit_at(const struct scan *scan)
{
    return scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9';
}

static void skip_space(struct scan *scan)
{
    while (is_at(scan, ' ') || is_at(scan, '\t') || is_at(scan, '\n') || is_at(scan, '\r'))
        scan->at++;
}

/* The length of the UTF-8 character that starts here (RFC 3629), 0 where there is none. */
static size_t utf8_len(const char *text, size_t room)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t len = at[0] < 0x80 ? 1 : at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : at[0] < 0xf5 ? 4 : 0;
    if (len == 0 || len > room)
        return 0;
    for (size_t i = 1; i < len; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    }
    bool is_wrong = (at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) ||
                    (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f);
    return is_wrong ? 0 : len;
}

/* Four hexadecimal digits. */
static int scan_hex(struct scan *scan, unsigned *ret_unit)
{
    unsigned unit = 0;
    for (int i = 0; i < 4; i++, scan->at++) {
        const char *digits = "0123456789abcdefABCDEF";
        const char *digit = scan->at < scan->end && *scan->at ? strchr(digits, *scan->at) : NULL;
        if (!digit)
            return expected(scan, "four hexadecimal digits after \\u");
        unsigned value = (unsigned)(digit - digits);
        unit = unit * 16 + (value > 15 ? value - 6 : value);
    }
    *ret_unit = unit;
    return 0;
}

static int scan_escape(struct scan *scan)
{
    const char *start = scan->at++;
    if (scan->at == scan->end || *scan->at == '\0' || !strchr("\"\\/bfnrtu", *scan->at))
        return expected(scan, "one of \" \\ / b f n r t u after \\");
    if (*scan->at++ != 'u')
        return 0;
    unsigned unit = 0, low = 0;
    int err = scan_hex(scan, &unit);
    if (err < 0)
        return err;
    if (unit == 0)
        return herd_config_fail(scan->reader, HERD_E_SYNTAX, offset_of(scan, start), "a NUL byte cannot be used");
    if (unit < 0xd800 || unit > 0xdfff)
        return 0;
    if (unit < 0xdc00 && scan->end - scan->at >= 2 && scan->at[0] == '\\' && scan->at[1] == 'u') {
        scan->at += 2;
        err = scan_hex(scan, &low);
        if (err < 0)
            return err;
    }
    if (low < 0xdc00 || low > 0xdfff)
        return herd_config_fail(scan->reader, HERD_E_SYNTAX, offset_of(scan, start),
                                "expected a pair of surrogates, found half of one");
    return 0;
}

static int scan_string(struct scan *scan)
{
    scan->at++;
    while (!is_at(scan, '"')) {
        int err = 0;
        if (scan->at == scan->end)
            return expected(scan, "'\"' at the end of the string");
        if ((unsigned char)*scan->at < 0x20)
            return expected(scan, "'\"' at the end of the string (control bytes are written as \\u00XX)");
        size_t len = utf8_len(scan->at, (size_t)(scan->end - scan->at));
        if (len == 0)
            return expected(scan, "UTF-8");
        if (*scan->at == '\\')
            err = scan_escape(scan);
        else
            scan->at += len;
        if (err < 0)
            return err;
    }
    scan->at++;
    return 0;
}

static int scan_digits(struct scan *scan)
{
    if (!is_digit_at(scan))
        return expected(scan, "a digit");
    while (is_digit_at(scan))
        scan->at++;
    return 0;
}

static int scan_number(struct scan *scan)
{
    int err = 0;
    if (is_at(scan, '-'))
        scan->at++;
    if (is_at(scan, '0')) {
        scan->at++;
        if (is_digit_at(scan))
            return expected(scan, "no digit after a leading 0");
    } else {
        err = scan_digits(scan);
    }
    if (err >= 0 && is_at(scan, '.')) {
        scan->at++;
        err = scan_digits(scan);
    }
    if (err >= 0 && (is_at(scan, 'e') || is_at(scan, 'E'))) {
        scan->at++;
        if (is_at(scan, '+') || is_at(scan, '-'))
            scan->at++;
        err = scan_digits(scan);
    }
    return err;
}

static int scan_word(struct scan *scan, const char *word)
{
    for (; *word; word++, scan->at++) {
        if (!is_at(scan, *word))
            return expected(scan, "true or false");
    }
    return 0;
}

/* json-c undoes the escapes of a name, as it did when it made the tree. */
static int unescape_name(struct scan *scan, struct herd_span quoted)
{
    int err = HERD_E_NOMEM;
    struct json_object *text = NULL;
    struct json_tokener *tokener = json_tokener_new();
    if (tokener)
        text = json_tokener_parse_ex(tokener, quoted.at, (int)quoted.len);
    if (text)
        err = herd_buf_add(&scan->name, json_object_get_string(text), (size_t)json_object_get_string_len(text));
    json_object_put(text);
    if (tokener)
        json_tokener_free(tokener);
    return err;
}

/*
 * Finds the member's value in the tree. The last of two members of one name is in the tree, so under the
 * first of them the text and the tree need not agree: what is not found is noted and left unmarked, and
 * the second is told of when the walk comes to it. Where there is no second, json-c had no memory to
 * keep the value, which it does not tell.
 */
static int find_member(struct scan *scan, struct herd_span quoted, struct json_object *tree,
                       struct json_object **ret_value)
{
    int err;
    scan->name.len = 0;
    if (!json_object_is_type(tree, json_type_object)) {
        scan->has_lost = true;
        return 0;
    }
    if (memchr(quoted.at, '\\', quoted.len))
        err = unescape_name(scan, quoted);
    else
        err = herd_buf_add(&scan->name, quoted.at + 1, quoted.len - 2);
    if (err >= 0)
        err = herd_buf_add(&scan->name, "", 1);
    if (err < 0)
        return err;
    if (!json_object_object_get_ex(tree, scan->name.at, ret_value) || !*ret_value)
        scan->has_lost = true;
    /* json-c itself leaves user data with fractions; the format has none, so they fail in any case. */
    else if (json_object_get_userdata(*ret_value) && !json_object_is_type(*ret_value, json_type_double))
        return herd_config_fail(scan->reader, HERD_E_SYNTAX, offset_of(scan, quoted.at), "given twice");
    return 0;
}

static int check_depth(struct scan *scan)
{
    if (scan->reader->depth < HERD_CONFIG_DEPTH_MAX)
        return 0;
    return herd_config_fail(scan->reader, HERD_E_SYNTAX, offset_of(scan, scan->at), "nested too deeply");
}

static int scan_object(struct scan *scan, struct json_object *tree)
{
    int err = check_depth(scan);
    scan->at++;
    skip_space(scan);
    if (err >= 0 && is_at(scan, '}')) {
        scan->at++;
        return 0;
    }
    while (err >= 0) {
        struct json_object *value = NULL;
        skip_space(scan);
        if (!is_at(scan, '"'))
            return expected(scan, "a member name in double quotes");
        struct herd_span quoted = {scan->at, 0};
        err = scan_string(scan);
        if (err < 0)
            return err;
        quoted.len = (size_t)(scan->at - quoted.at);
        skip_space(scan);
        if (!is_at(scan, ':'))
            return expected(scan, "':' after a member name");
        scan->at++;
        herd_config_enter(scan->reader, (struct herd_span){quoted.at + 1, quoted.len - 2});
        if (scan->marking)
            err = find_member(scan, quoted, tree, &value);
        if (err >= 0)
            err = scan_value(scan, value);
        if (err < 0)
            return err;
        herd_config_leave(scan->reader);
        skip_space(scan);
        if (!is_at(scan, ',') && !is_at(scan, '}'))
            return expected(scan, "',' or '}'");
        if (*scan->at++ == '}')
            return 0;
    }
    return err;
}

static int scan_list(struct scan *scan, struct json_object *tree)
{
    int err = check_depth(scan);
    scan->at++;
    skip_space(scan);
    if (err >= 0 && is_at(scan, ']')) {
        scan->at++;
        return 0;
    }
    for (size_t i = 0; err >= 0; i++) {
        struct json_object *value = NULL;
        herd_config_enter_index(scan->reader, i);
        if (scan->marking) {
            if (json_object_is_type(tree, json_type_array))
                value = json_object_array_get_idx(tree, i);
            scan->has_lost |= !value;
        }
        err = scan_value(scan, value);
        if (err < 0)
            return err;
        herd_config_leave(scan->reader);
        skip_space(scan);
        if (!is_at(scan, ',') && !is_at(scan, ']'))
            return expected(scan, "',' or ']'");
        if (*scan->at++ == ']')
            return 0;
    }
    return err;
}

static int scan_value(struct scan *scan, struct json_object *tree)
{
    skip_space(scan);
    /* The serializer goes with the old user data: json-c keeps the text of a fraction there. */
    if (tree)
        json_object_set_serializer(tree, NULL, (void *)(uintptr_t)(offset_of(scan, scan->at) + 1), NULL);
    if (is_at(scan, '{'))
        return scan_object(scan, tree);
    if (is_at(scan, '['))
        return scan_list(scan, tree);
    if (is_at(scan, '"'))
        return scan_string(scan);
    if (is_at(scan, '-') || is_digit_at(scan))
        return scan_number(scan);
    if (is_at(scan, 't'))
        return scan_word(scan, "true");
    if (is_at(scan, 'f'))
        return scan_word(scan, "false");
    if (scan->end - scan->at >= 4 && memcmp(scan->at, "null", 4) == 0)
        return herd_config_fail(scan->reader, HERD_E_SYNTAX, offset_of(scan, scan->at),
                                "null cannot be used; leave the member out");
    return expected(scan, "a value");
}

static int scan_all(struct herd_config_reader *reader, struct json_object *tree)
{
    struct scan scan = {.reader = reader, .at = reader->text.at, .end = reader->text.at + reader->text.len};
    scan.marking = tree != NULL;
    reader->depth = 0;
    skip_space(&scan);
    if (!is_at(&scan, '{'))
        return expected(&scan, "an object");
    int err = scan_value(&scan, tree);
    herd_buf_fini(&scan.name);
    if (err < 0)
        return err;
    skip_space(&scan);
    if (scan.at < scan.end)
        return expected(&scan, "nothing after the configuration");
    return scan.has_lost ? HERD_E_NOMEM : 0;
}

int herd_json_check(struct herd_config_reader *reader)
{
    return scan_all(reader, NULL);
}

int herd_json_mark(struct herd_config_reader *reader, struct json_object *tree)
{
    return scan_all(reader, tree);
}
