/* SPDX-License-Identifier: MIT */
/*
 * Walks a JSON text, strictly. json-c keeps no positions, and accepts single quotes, NaN, raw control bytes, lone
 * surrogates and members given twice, even in strict mode: this walk reports them with their position. A second
 * walk, beside the finished tree, stores each value's offset with it.
 *
 * lib/places/raw_check.c is a strict scanner too, for answers of providers: as fast as can be, a short fault at an
 * offset, any value allowed. An operator needs other things here: what was expected and what was found, the path of
 * the member, no null and no NUL, a depth of its own, and members beside a tree. Asking for these in one scanner
 * would put a branch at each token of that one, and save of this one little more than numbers and words; both share
 * UTF-8. On the same 1.6 MB of objects, lists, texts and numbers that one takes 7.7 instructions a byte, this one 25
 * (callgrind, gcc 12, -O2): answers and files of places have megabytes, a configuration has some kilobytes and is read
 * once.
 */
#include "json_scan.h"
#include "json_token.h"

#include <string.h>

static int scan_value(struct herd_json_scan *scan, struct json_object *tree);

/* json-c undoes the escapes of a name, as it did when it made the tree. */
static int unescape_name(struct herd_json_scan *scan, struct herd_span quoted)
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
 * the second is reported when the walk reaches it. If there is no second, json-c had no memory to keep the
 * value, which it does not report.
 */
static int find_member(struct herd_json_scan *scan, struct herd_span quoted, struct json_object *tree,
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
        return herd_config_fail(scan->reader, HERD_E_SYNTAX, herd_json_offset(scan, quoted.at), "given twice");
    return 0;
}

static int check_depth(struct herd_json_scan *scan)
{
    if (scan->reader->depth < HERD_CONFIG_DEPTH_MAX)
        return 0;
    return herd_config_fail(scan->reader, HERD_E_SYNTAX, herd_json_offset(scan, scan->at), "nested too deeply");
}

static int scan_object(struct herd_json_scan *scan, struct json_object *tree)
{
    int err = check_depth(scan);
    scan->at++;
    herd_json_skip_space(scan);
    if (err >= 0 && herd_json_is_at(scan, '}')) {
        scan->at++;
        return 0;
    }
    while (err >= 0) {
        struct json_object *value = NULL;
        herd_json_skip_space(scan);
        if (!herd_json_is_at(scan, '"'))
            return herd_json_expected(scan, "a member name in double quotes");
        struct herd_span quoted = {scan->at, 0};
        err = herd_json_scan_string(scan);
        if (err < 0)
            return err;
        quoted.len = (size_t)(scan->at - quoted.at);
        herd_json_skip_space(scan);
        if (!herd_json_is_at(scan, ':'))
            return herd_json_expected(scan, "':' after a member name");
        scan->at++;
        herd_config_enter(scan->reader, (struct herd_span){quoted.at + 1, quoted.len - 2});
        if (scan->marking)
            err = find_member(scan, quoted, tree, &value);
        if (err >= 0)
            err = scan_value(scan, value);
        if (err < 0)
            return err;
        herd_config_leave(scan->reader);
        herd_json_skip_space(scan);
        if (!herd_json_is_at(scan, ',') && !herd_json_is_at(scan, '}'))
            return herd_json_expected(scan, "',' or '}'");
        if (*scan->at++ == '}')
            return 0;
    }
    return err;
}

static int scan_list(struct herd_json_scan *scan, struct json_object *tree)
{
    int err = check_depth(scan);
    scan->at++;
    herd_json_skip_space(scan);
    if (err >= 0 && herd_json_is_at(scan, ']')) {
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
        herd_json_skip_space(scan);
        if (!herd_json_is_at(scan, ',') && !herd_json_is_at(scan, ']'))
            return herd_json_expected(scan, "',' or ']'");
        if (*scan->at++ == ']')
            return 0;
    }
    return err;
}

static int scan_value(struct herd_json_scan *scan, struct json_object *tree)
{
    herd_json_skip_space(scan);
    /* The serializer goes with the old user data: json-c keeps the text of a fraction there. */
    if (tree)
        json_object_set_serializer(tree, NULL, (void *)(uintptr_t)(herd_json_offset(scan, scan->at) + 1), NULL);
    if (herd_json_is_at(scan, '{'))
        return scan_object(scan, tree);
    if (herd_json_is_at(scan, '['))
        return scan_list(scan, tree);
    if (herd_json_is_at(scan, '"'))
        return herd_json_scan_string(scan);
    if (herd_json_is_at(scan, '-') || herd_json_is_digit_at(scan))
        return herd_json_scan_number(scan);
    if (herd_json_is_at(scan, 't'))
        return herd_json_scan_word(scan, "true");
    if (herd_json_is_at(scan, 'f'))
        return herd_json_scan_word(scan, "false");
    if (scan->end - scan->at >= 4 && memcmp(scan->at, "null", 4) == 0)
        return herd_config_fail(scan->reader, HERD_E_SYNTAX, herd_json_offset(scan, scan->at),
                                "null cannot be used; leave the member out");
    return herd_json_expected(scan, "a value");
}

static int scan_all(struct herd_config_reader *reader, struct json_object *tree)
{
    struct herd_json_scan scan = {
        .reader = reader, .at = reader->text.at, .end = reader->text.at + reader->text.len};
    scan.marking = tree != NULL;
    reader->depth = 0;
    herd_json_skip_space(&scan);
    if (!herd_json_is_at(&scan, '{'))
        return herd_json_expected(&scan, "an object");
    int err = scan_value(&scan, tree);
    herd_buf_fini(&scan.name);
    if (err < 0)
        return err;
    herd_json_skip_space(&scan);
    if (scan.at < scan.end)
        return herd_json_expected(&scan, "nothing after the configuration");
    return scan.has_lost ? HERD_E_NOMEM : 0;
}

int herd_json_scan_check(struct herd_config_reader *reader)
{
    return scan_all(reader, NULL);
}

int herd_json_mark(struct herd_config_reader *reader, struct json_object *tree)
{
    return scan_all(reader, tree);
}
