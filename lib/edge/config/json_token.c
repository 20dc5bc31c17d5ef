/* SPDX-License-Identifier: MIT */
/* The tokens of JSON (RFC 8259), byte by byte: strings with their escapes and UTF-8, numbers, words. */
#include "json_token.h"

#include "../../places/raw.h"

#include <stdio.h>
#include <string.h>

size_t herd_json_offset(const struct herd_json_scan *scan, const char *at)
{
    return (size_t)(at - scan->reader->text.at);
}

int herd_json_expected(struct herd_json_scan *scan, const char *what)
{
    char found[32];
    unsigned char byte = scan->at < scan->end ? (unsigned char)*scan->at : 0;
    if (scan->at == scan->end)
        snprintf(found, sizeof found, "the end of the text");
    else if (byte < 0x20 || byte > 0x7e)
        snprintf(found, sizeof found, "byte 0x%02x", byte);
    else
        snprintf(found, sizeof found, "'%c'", byte);
    return herd_config_fail(scan->reader, HERD_E_SYNTAX, herd_json_offset(scan, scan->at), "expected %s, found %s",
                            what, found);
}

bool herd_json_is_at(const struct herd_json_scan *scan, char byte)
{
    return scan->at < scan->end && *scan->at == byte;
}

bool herd_json_is_digit_at(const struct herd_json_scan *scan)
{
    return scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9';
}

void herd_json_skip_space(struct herd_json_scan *scan)
{
    while (herd_json_is_at(scan, ' ') || herd_json_is_at(scan, '\t') || herd_json_is_at(scan, '\n') ||
           herd_json_is_at(scan, '\r'))
        scan->at++;
}

/* Four hexadecimal digits. */
static int scan_hex(struct herd_json_scan *scan, unsigned *ret_unit)
{
    unsigned unit = 0;
    for (int i = 0; i < 4; i++, scan->at++) {
        const char *digits = "0123456789abcdefABCDEF";
        const char *digit = scan->at < scan->end && *scan->at ? strchr(digits, *scan->at) : NULL;
        if (!digit)
            return herd_json_expected(scan, "four hexadecimal digits after \\u");
        unsigned value = (unsigned)(digit - digits);
        unit = unit * 16 + (value > 15 ? value - 6 : value);
    }
    *ret_unit = unit;
    return 0;
}

static int scan_escape(struct herd_json_scan *scan)
{
    const char *start = scan->at++;
    if (scan->at == scan->end || *scan->at == '\0' || !strchr("\"\\/bfnrtu", *scan->at))
        return herd_json_expected(scan, "one of \" \\ / b f n r t u after \\");
    if (*scan->at++ != 'u')
        return 0;
    unsigned unit = 0, low = 0;
    int err = scan_hex(scan, &unit);
    if (err < 0)
        return err;
    if (unit == 0)
        return herd_config_fail(scan->reader, HERD_E_SYNTAX, herd_json_offset(scan, start),
                                "a NUL byte cannot be used");
    if (unit < 0xd800 || unit > 0xdfff)
        return 0;
    if (unit < 0xdc00 && scan->end - scan->at >= 2 && scan->at[0] == '\\' && scan->at[1] == 'u') {
        scan->at += 2;
        err = scan_hex(scan, &low);
        if (err < 0)
            return err;
    }
    if (low < 0xdc00 || low > 0xdfff)
        return herd_config_fail(scan->reader, HERD_E_SYNTAX, herd_json_offset(scan, start),
                                "expected a pair of surrogates, found half of one");
    return 0;
}

int herd_json_scan_string(struct herd_json_scan *scan)
{
    scan->at++;
    while (!herd_json_is_at(scan, '"')) {
        int err = 0;
        if (scan->at == scan->end)
            return herd_json_expected(scan, "'\"' at the end of the string");
        if ((unsigned char)*scan->at < 0x20)
            return herd_json_expected(scan, "'\"' at the end of the string (control bytes are written as \\u00XX)");
        size_t len = herd_utf8_len((struct herd_span){scan->at, (size_t)(scan->end - scan->at)});
        if (len == 0)
            return herd_json_expected(scan, "UTF-8");
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

static int scan_digits(struct herd_json_scan *scan)
{
    if (!herd_json_is_digit_at(scan))
        return herd_json_expected(scan, "a digit");
    while (herd_json_is_digit_at(scan))
        scan->at++;
    return 0;
}

int herd_json_scan_number(struct herd_json_scan *scan)
{
    int err = 0;
    if (herd_json_is_at(scan, '-'))
        scan->at++;
    if (herd_json_is_at(scan, '0')) {
        scan->at++;
        if (herd_json_is_digit_at(scan))
            return herd_json_expected(scan, "no digit after a leading 0");
    } else {
        err = scan_digits(scan);
    }
    if (err >= 0 && herd_json_is_at(scan, '.')) {
        scan->at++;
        err = scan_digits(scan);
    }
    if (err >= 0 && (herd_json_is_at(scan, 'e') || herd_json_is_at(scan, 'E'))) {
        scan->at++;
        if (herd_json_is_at(scan, '+') || herd_json_is_at(scan, '-'))
            scan->at++;
        err = scan_digits(scan);
    }
    return err;
}

int herd_json_scan_word(struct herd_json_scan *scan, const char *word)
{
    for (; *word; word++, scan->at++) {
        if (!herd_json_is_at(scan, *word))
            return herd_json_expected(scan, "true or false");
    }
    return 0;
}
