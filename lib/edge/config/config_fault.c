/* SPDX-License-Identifier: MIT */
/* Reports where a configuration is wrong and why: line, column, path of the member, message. */
#include "../log/escape.h"
#include "config_reader.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void herd_config_enter(struct herd_config_reader *reader, struct herd_span name)
{
    assert(reader->depth < HERD_CONFIG_DEPTH_MAX);
    reader->path[reader->depth++] = (struct herd_config_step){.name = name};
}

void herd_config_enter_index(struct herd_config_reader *reader, size_t index)
{
    assert(reader->depth < HERD_CONFIG_DEPTH_MAX);
    reader->path[reader->depth++] = (struct herd_config_step){.index = index};
}

void herd_config_leave(struct herd_config_reader *reader)
{
    assert(reader->depth > 0);
    reader->depth--;
}

const char *herd_config_show(char to[HERD_CONFIG_SHOWN_SIZE], struct herd_span bytes)
{
    const size_t most = HERD_CONFIG_SHOWN_SIZE - sizeof "...";
    size_t len = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        char one[HERD_ESCAPE_GROWTH];
        size_t one_len = herd_escape_copy(one, bytes.at + i, 1);
        if (len + one_len > most) {
            memcpy(to + len, "...", 3);
            len += 3;
            break;
        }
        memcpy(to + len, one, one_len);
        len += one_len;
    }
    to[len] = '\0';
    return to;
}

/* Lines end with LF; columns count characters, so bytes that continue one in UTF-8 do not count. */
static void find_place(struct herd_span text, size_t offset, struct herd_diagnostic *diagnostic)
{
    diagnostic->line = 1;
    diagnostic->column = 1;
    for (size_t i = 0; i < offset && i < text.len; i++) {
        if (text.at[i] == '\n') {
            diagnostic->line++;
            diagnostic->column = 1;
        } else if (((unsigned char)text.at[i] & 0xc0) != 0x80) {
            diagnostic->column++;
        }
    }
}

struct herd_config_place herd_config_place_of(const struct herd_config_reader *reader, size_t offset)
{
    struct herd_diagnostic diagnostic;
    find_place(reader->text, offset, &diagnostic);
    return (struct herd_config_place){diagnostic.line, diagnostic.column};
}

bool herd_config_goes_on(struct herd_config_reader *reader, size_t depth, int *io_err, int err)
{
    if (err < 0 && (*io_err >= 0 || err == HERD_E_NOMEM))
        *io_err = err; /* out of memory is said whatever came before it: what follows was not read */
    if (err < 0 && (!reader->report || err == HERD_E_NOMEM))
        return false; /* the path stays: it names what is wrong */
    reader->depth = depth;
    return true;
}

static void append(struct herd_diagnostic *diagnostic, size_t *io_len, const char *format, ...) HERD_PRINTF(3, 4);
static void append_args(struct herd_diagnostic *diagnostic, size_t *io_len, const char *format, va_list args)
    HERD_PRINTF(3, 0);

static void append_args(struct herd_diagnostic *diagnostic, size_t *io_len, const char *format, va_list args)
{
    size_t room = sizeof diagnostic->message - *io_len;
    int len = vsnprintf(diagnostic->message + *io_len, room, format, args);
    if (len > 0)
        *io_len += (size_t)len < room ? (size_t)len : room - 1;
}

static void append(struct herd_diagnostic *diagnostic, size_t *io_len, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    append_args(diagnostic, io_len, format, args);
    va_end(args);
}

int herd_config_fail(struct herd_config_reader *reader, int err, size_t offset, const char *format, ...)
{
    struct herd_diagnostic *diagnostic = reader->diagnostic;
    char shown[HERD_CONFIG_SHOWN_SIZE];
    size_t len = 0;
    diagnostic->message[0] = '\0';
    find_place(reader->text, offset, diagnostic);
    for (size_t i = 0; i < reader->depth; i++) {
        const struct herd_config_step *step = &reader->path[i];
        if (step->name.at)
            append(diagnostic, &len, "%s%s", i ? "." : "", herd_config_show(shown, step->name));
        else
            append(diagnostic, &len, "[%zu]", step->index);
    }
    if (reader->depth)
        append(diagnostic, &len, ": ");
    va_list args;
    va_start(args, format);
    append_args(diagnostic, &len, format, args);
    va_end(args);
    if (reader->report)
        reader->report(reader->report_ctx, diagnostic);
    return err;
}

int herd_config_fail_nowhere(struct herd_diagnostic *diagnostic, int err, const char *format, ...)
{
    size_t len = 0;
    if (!diagnostic)
        return err;
    *diagnostic = (struct herd_diagnostic){0};
    va_list args;
    va_start(args, format);
    append_args(diagnostic, &len, format, args);
    va_end(args);
    return err;
}

size_t herd_config_at(struct json_object *value)
{
    return (size_t)(uintptr_t)json_object_get_userdata(value) - 1;
}

size_t herd_config_name_at(const struct herd_config_reader *reader, struct json_object *value)
{
    /* Back over white space and the colon to the quote that ends the name, then to the one that begins
     * it: the first with an even number of backslashes before it, since one inside has an odd number. */
    const char *text = reader->text.at;
    size_t at = herd_config_at(value);
    while (at > 0 && text[at - 1] != '"')
        at--;
    if (at > 0)
        at--;
    while (at > 0) {
        at--;
        if (text[at] != '"')
            continue;
        size_t backslashes = 0;
        while (backslashes < at && text[at - 1 - backslashes] == '\\')
            backslashes++;
        if (backslashes % 2 == 0)
            break;
    }
    return at;
}

/* A number as it is written: json-c may have clamped it. */
static struct herd_span number_text(const struct herd_config_reader *reader, struct json_object *value)
{
    size_t start = herd_config_at(value), end = start;
    while (end < reader->text.len && strchr("+-.0123456789eE", reader->text.at[end]) && reader->text.at[end])
        end++;
    return (struct herd_span){reader->text.at + start, end - start};
}

int herd_config_expected(struct herd_config_reader *reader, int err, struct json_object *value,
                         const char *expected)
{
    char shown[HERD_CONFIG_SHOWN_SIZE];
    size_t at = herd_config_at(value);
    switch (json_object_get_type(value)) {
    case json_type_object: return herd_config_fail(reader, err, at, "expected %s, found an object", expected);
    case json_type_array: return herd_config_fail(reader, err, at, "expected %s, found a list", expected);
    case json_type_boolean:
        return herd_config_fail(reader, err, at, "expected %s, found %s", expected,
                                json_object_get_boolean(value) ? "true" : "false");
    case json_type_string:
        herd_config_show(
            shown, (struct herd_span){json_object_get_string(value), (size_t)json_object_get_string_len(value)});
        return herd_config_fail(reader, err, at, "expected %s, found \"%s\"", expected, shown);
    default:
        return herd_config_fail(reader, err, at, "expected %s, found %s", expected,
                                herd_config_show(shown, number_text(reader, value)));
    }
}
