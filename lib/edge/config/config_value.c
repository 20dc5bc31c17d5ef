/* SPDX-License-Identifier: MIT */
/* What configurations are made of: text, whole numbers, true and false, objects. */
#include "config_reader.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *herd_config_copy(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = malloc(size);
    return copy ? memcpy(copy, text, size) : NULL;
}

bool herd_config_made_of(const char *text, const char *others)
{
    for (; *text; text++) {
        bool is_letter = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z');
        if (!is_letter && !(*text >= '0' && *text <= '9') && !strchr(others, *text))
            return false;
    }
    return true;
}

/* True if there are control bytes: in a path or a URL they are never intended. */
static bool has_control(const char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return true;
    }
    return false;
}

int herd_config_take_members(struct herd_config_reader *reader, struct json_object *value,
                             herd_config_take_member *take, void *ctx, const char *expected)
{
    if (!json_object_is_type(value, json_type_object))
        return herd_config_expected(reader, HERD_E_SYNTAX, value, "an object");
    const size_t depth = reader->depth;
    int first = 0;
    json_object_object_foreach(value, name, member)
    {
        herd_config_enter(reader, herd_span_of(name));
        int err = take(reader, name, member, ctx);
        if (err == HERD_CONFIG_UNKNOWN)
            err = herd_config_fail(reader, HERD_E_SYNTAX, herd_config_name_at(reader, member),
                                   "unknown member, expected %s", expected);
        if (!herd_config_goes_on(reader, depth, &first, err))
            break;
    }
    return first;
}

int herd_config_take_text(struct herd_config_reader *reader, struct json_object *value, char **io_text)
{
    if (!json_object_is_type(value, json_type_string))
        return herd_config_expected(reader, HERD_E_SYNTAX, value, "a string");
    const char *text = json_object_get_string(value);
    if (!*text)
        return herd_config_expected(reader, HERD_E_SYNTAX, value, "a string that is not empty");
    size_t len = strlen(text);
    if (len > HERD_CONFIG_TEXT_MAX_BYTES)
        return herd_config_fail(reader, HERD_E_RANGE, herd_config_at(value), "expected at most %d bytes, found %zu",
                                HERD_CONFIG_TEXT_MAX_BYTES, len);
    if (has_control(text))
        return herd_config_fail(reader, HERD_E_SYNTAX, herd_config_at(value),
                                "expected text without control bytes");
    char *copy = herd_config_copy(text);
    if (!copy)
        return HERD_E_NOMEM;
    free(*io_text);
    *io_text = copy;
    return 0;
}

int herd_config_take_int(struct herd_config_reader *reader, struct json_object *value, int64_t least,
                         int64_t greatest, int64_t *ret_number)
{
    char range[96];
    snprintf(range, sizeof range, "a whole number from %" PRId64 " to %" PRId64, least, greatest);
    if (!json_object_is_type(value, json_type_int))
        return herd_config_expected(reader, HERD_E_SYNTAX, value, range);
    int64_t number = json_object_get_int64(value);
    if (number < least || number > greatest)
        return herd_config_expected(reader, HERD_E_RANGE, value, range);
    *ret_number = number;
    return 0;
}

int herd_config_take_bool(struct herd_config_reader *reader, struct json_object *value, bool *ret_bool)
{
    if (!json_object_is_type(value, json_type_boolean))
        return herd_config_expected(reader, HERD_E_SYNTAX, value, "true or false");
    *ret_bool = json_object_get_boolean(value);
    return 0;
}
