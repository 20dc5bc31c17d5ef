/* SPDX-License-Identifier: MIT */
/*
 * The text of a file of identities, cut into lines and fields. Nothing is kept of a text with an error in it.
 *
 * All memory is taken before the first line is read: no line has more fields, and no field more patterns, than the
 * text has separators, and a pattern never becomes longer by being decoded.
 */
#include "../base/hex_digit.h"
#include "../protocol/fields.h"
#include "identities_impl.h"

#include <herd/protocol.h>

#include <stdlib.h>

#define NUMBER_MAX    INT64_C(1000000000)
#define TEXT_MAX      ((size_t)1 << 24)
#define SHORTEST_LINE (sizeof "a - - -" - 1)

struct parser {
    struct herd_identities *set;
    struct herd_identities_error *error;
    const char *line_at;
    unsigned line;
    size_t bytes_used, pattern_count;
};

static int fail(struct parser *parser, int err, const char *at, const char *message)
{
    parser->error->line = parser->line;
    parser->error->column = (unsigned)(at - parser->line_at) + 1;
    parser->error->message = message;
    return err;
}

/* Two hexadecimal digits at `at`, or -1. */
static int hex_byte(const char *at)
{
    int high = herd_hex_digit(at[0]), low = herd_hex_digit(at[1]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

static struct herd_span keep(struct parser *parser, struct herd_span text)
{
    char *to = parser->set->bytes + parser->bytes_used;
    memcpy(to, text.at, text.len);
    parser->bytes_used += text.len;
    return (struct herd_span){to, text.len};
}

static bool starts_with(struct herd_span text, const char *with)
{
    size_t len = strlen(with);
    return text.len >= len && memcmp(text.at, with, len) == 0;
}

static bool is(struct herd_span text, const char *what)
{
    return herd_span_equal(text, herd_span_of(what));
}

/* ---- proofs ---- */

static bool is_proof(struct herd_span field)
{
    return starts_with(field, "sha256:") || is(field, "cert");
}

static int parse_proof(struct parser *parser, struct herd_span field, struct herd_identity *identity)
{
    struct herd_identities *set = parser->set;
    if (is(field, "-"))
        return is(identity->name, HERD_IDENTITY_ANONYMOUS)
                   ? 0
                   : fail(parser, HERD_E_SYNTAX, field.at, "only \"anonymous\" is without a proof");
    if (is(identity->name, HERD_IDENTITY_ANONYMOUS))
        return fail(parser, HERD_E_SYNTAX, field.at, "\"anonymous\" has no proof: expected \"-\"");
    if (is(field, "cert")) {
        if (identity->certificate)
            return fail(parser, HERD_E_EXISTS, field.at, "\"cert\" is given twice");
        identity->certificate = true;
        return 0;
    }
    const char *digits = field.at + sizeof "sha256:" - 1;
    struct herd_token *token = &set->tokens[set->token_count];
    if (field.len != sizeof "sha256:" - 1 + 2 * sizeof token->hash)
        return fail(parser, HERD_E_SYNTAX, field.at, "expected 64 hexadecimal digits behind \"sha256:\"");
    for (size_t i = 0; i < sizeof token->hash; i++) {
        int byte = hex_byte(digits + 2 * i);
        if (byte < 0)
            return fail(parser, HERD_E_SYNTAX, digits + 2 * i, "expected a hexadecimal digit");
        token->hash[i] = (unsigned char)byte;
    }
    token->identity = (uint32_t)set->count;
    set->token_count++;
    return 0;
}

/* ---- patterns ---- */

static int parse_pattern(struct parser *parser, struct herd_span text)
{
    struct herd_identities *set = parser->set;
    char *to = set->bytes + parser->bytes_used;
    struct herd_pattern pattern = {.bytes = {to, 0}};
    if (text.len == 0)
        return fail(parser, HERD_E_SYNTAX, text.at, "an empty pattern");
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        if (c == '*') {
            if (i + 1 != text.len)
                return fail(parser, HERD_E_SYNTAX, text.at + i,
                            "\"*\" stands at the end of a pattern only; \"%2A\" is a star");
            pattern.prefix = true;
            break;
        }
        if (c == '%') {
            int byte = i + 2 < text.len ? hex_byte(text.at + i + 1) : -1;
            if (byte < 0)
                return fail(parser, HERD_E_SYNTAX, text.at + i, "expected two hexadecimal digits behind \"%\"");
            c = (char)byte;
            i += 2;
        }
        to[pattern.bytes.len++] = c;
    }
    parser->bytes_used += pattern.bytes.len;
    set->patterns[parser->pattern_count++] = pattern;
    return 0;
}

static int parse_patterns(struct parser *parser, struct herd_span field, struct herd_patterns *ret_patterns)
{
    const char *at = field.at, *end = field.at + field.len;
    size_t first = parser->pattern_count;
    int err = 0;
    if (is(field, "-"))
        return 0;
    while (err == 0) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        err = parse_pattern(parser, (struct herd_span){at, (size_t)((comma ? comma : end) - at)});
        if (!comma)
            break;
        at = comma + 1;
    }
    *ret_patterns = (struct herd_patterns){parser->set->patterns + first, parser->pattern_count - first};
    return err;
}

/* ---- options ---- */

/* `name=` and a number from 1 to NUMBER_MAX: 1 with *io_number, 0 if it is another option. */
static int parse_number(struct parser *parser, struct herd_span field, const char *name, int64_t *io_number)
{
    if (!starts_with(field, name))
        return 0;
    size_t at = strlen(name);
    int64_t number = 0;
    if (*io_number > 0)
        return fail(parser, HERD_E_EXISTS, field.at, "an option given twice");
    for (size_t i = at; i < field.len; i++) {
        if (field.at[i] < '0' || field.at[i] > '9')
            return fail(parser, HERD_E_SYNTAX, field.at + i, "expected a digit");
        number = number * 10 + (field.at[i] - '0');
        if (number > NUMBER_MAX)
            break;
    }
    if (number < 1 || number > NUMBER_MAX)
        return fail(parser, HERD_E_RANGE, field.at + at, "expected a number from 1 to 1000000000");
    *io_number = number;
    return 1;
}

static const char delete[] = "delete=";

static int parse_delete(struct parser *parser, struct herd_span field, struct herd_identity *identity)
{
    const size_t len = sizeof delete - 1;
    if (identity->delete.list)
        return fail(parser, HERD_E_EXISTS, field.at, "an option given twice");
    return parse_patterns(parser, (struct herd_span){field.at + len, field.len - len}, &identity->delete);
}

static int parse_options(struct parser *parser, const struct herd_span *fields, size_t count,
                         struct herd_identity *identity)
{
    int64_t connections = 0, reports = 0, burst = 0;
    const char *burst_at = NULL;
    for (size_t i = 0; i < count; i++) {
        if (is(fields[i], "admin")) {
            identity->admin = true;
            continue;
        }
        if (starts_with(fields[i], delete)) {
            int err = parse_delete(parser, fields[i], identity);
            if (err < 0)
                return err;
            continue;
        }
        int found = parse_number(parser, fields[i], "connections=", &connections);
        if (found == 0)
            found = parse_number(parser, fields[i], "reports=", &reports);
        if (found == 0) {
            found = parse_number(parser, fields[i], "burst=", &burst);
            burst_at = fields[i].at;
        }
        if (found < 0)
            return found;
        if (found == 0)
            return fail(parser, HERD_E_SYNTAX, fields[i].at,
                        "expected \"admin\", \"connections=\", \"delete=\", \"reports=\" or \"burst=\"");
    }
    if (burst > 0 && reports == 0)
        return fail(parser, HERD_E_SYNTAX, burst_at, "\"burst=\" without \"reports=\"");
    identity->connections_max = (size_t)connections;
    if (reports > 0)
        herd_rate_init(&identity->reports, reports, burst > 0 ? burst : reports > 10 ? reports : 10);
    return 0;
}

/* ---- lines ---- */

static int parse_line(struct parser *parser, struct herd_span line, struct herd_span *fields)
{
    struct herd_identities *set = parser->set;
    const char *end = line.at + line.len;
    size_t count = herd_fields(line, end, fields, line.len + 1), at = 1;
    if (count == 0 || fields[0].at[0] == '#')
        return 0;
    struct herd_identity *identity = &set->list[set->count];
    if (!herd_name_valid(fields[0]))
        return fail(parser, HERD_E_SYNTAX, fields[0].at, "an identity is 1 to 64 bytes of A-Z a-z 0-9 . _ -");
    identity->name = keep(parser, fields[0]);
    while (at < count && (is_proof(fields[at]) || (at == 1 && is(fields[at], "-")))) {
        bool none = is(fields[at], "-"); /* a second "-" is what it may report */
        int err = parse_proof(parser, fields[at++], identity);
        if (err < 0)
            return err;
        if (none)
            break;
    }
    if (at == 1)
        return fail(parser, HERD_E_SYNTAX, count > 1 ? fields[1].at : end,
                    "expected a proof: sha256:..., cert or -");
    if (count < at + 2)
        return fail(parser, HERD_E_SYNTAX, end, "expected what it may report and what it may ask");
    int err = parse_patterns(parser, fields[at], &identity->report);
    if (err >= 0)
        err = parse_patterns(parser, fields[at + 1], &identity->ask);
    if (err >= 0)
        err = parse_options(parser, fields + at + 2, count - at - 2, identity);
    if (err >= 0)
        set->count++;
    return err;
}

static int parse_text(struct parser *parser, struct herd_span text, struct herd_span *fields, unsigned *lines)
{
    const char *end = text.at + text.len;
    for (const char *at = text.at; at < end;) {
        const char *lf = memchr(at, '\n', (size_t)(end - at));
        struct herd_span line = {at, (size_t)((lf ? lf : end) - at)};
        size_t before = parser->set->count;
        parser->line_at = at;
        parser->line++;
        int err = parse_line(parser, line, fields);
        if (err < 0)
            return err;
        if (parser->set->count > before)
            lines[before] = parser->line;
        at += line.len + 1;
    }
    return 0;
}

static size_t count_of(struct herd_span text, char c)
{
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++)
        count += text.at[i] == c;
    return count;
}

/* The longest line, in bytes. */
static size_t longest_line(struct herd_span text)
{
    size_t longest = 0, from = 0;
    for (size_t i = 0; i <= text.len; i++) {
        if (i < text.len && text.at[i] != '\n')
            continue;
        longest = i - from > longest ? i - from : longest;
        from = i + 1;
    }
    return longest;
}

int herd_identities_parse(struct herd_identities **ret_identities, struct herd_span text, const uint64_t key[2],
                          struct herd_identities_error *reterr_error)
{
    size_t lines_max = text.len / SHORTEST_LINE + 1, twice;
    struct herd_identities *set = calloc(1, sizeof *set);
    struct parser parser = {.set = set, .error = reterr_error};
    if (text.len > TEXT_MAX) {
        free(set);
        *reterr_error = (struct herd_identities_error){1, 1, "more than 16 MiB"};
        return HERD_E_RANGE;
    }
    if (!set)
        return HERD_E_NOMEM;
    set->key[0] = key[0];
    set->key[1] = key[1];
    set->bytes = malloc(text.len + 1);
    set->patterns = calloc(count_of(text, ',') + 3 * lines_max, sizeof *set->patterns);
    set->list = calloc(lines_max, sizeof *set->list);
    set->tokens = calloc(count_of(text, ':') + 1, sizeof *set->tokens);
    struct herd_span *fields = calloc(longest_line(text) / 2 + 2, sizeof *fields);
    unsigned *lines = calloc(lines_max, sizeof *lines);
    int err = HERD_E_NOMEM;
    if (set->bytes && set->patterns && set->list && set->tokens && fields && lines)
        err = parse_text(&parser, text, fields, lines);
    if (err >= 0)
        err = herd_identities_index(set, &twice);
    if (err == HERD_E_EXISTS && set->by_name.buckets) {
        reterr_error->line = lines[twice];
        reterr_error->column = 1;
        reterr_error->message = "an identity or a token that an earlier line gives";
    }
    free(lines);
    free(fields);
    if (err < 0) {
        herd_identities_free(set);
        return err;
    }
    *ret_identities = set;
    return 0;
}
