/* SPDX-License-Identifier: MIT */
/* Other protocols, told by the first bytes of a connection. */
#include "preface.h"

#include "../base/digits.h"
#include "fields.h"

#define TLS_HANDSHAKE     0x16
#define TLS_VERSION_MAJOR 0x03

/* tchar of RFC 9110, 5.6.2. */
static bool is_token_char(char c)
{
    if (herd_is_digit(c) || (unsigned char)((c | 0x20) - 'a') < 26)
        return true;
    return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

/* HTTP/ digits [. digits], in any case. */
static bool is_version(const char *at, const char *end)
{
    static const char name[] = "http/";
    if ((size_t)(end - at) < sizeof name)
        return false;
    for (size_t i = 0; i < sizeof name - 1; i++)
        if (at[i] != name[i] && (at[i] | 0x20) != name[i])
            return false;
    at += sizeof name - 1;
    bool digits = false;
    for (bool point = false; at < end; at++) {
        if (herd_is_digit(*at)) {
            digits = true;
        } else if (*at == '.' && digits && !point) {
            point = true;
            digits = false;
        } else {
            return false;
        }
    }
    return digits;
}

bool herd_preface_http(struct herd_span line)
{
    if (line.len == 0)
        return false; /* it may have no address */
    const char *end = line.at + line.len;
    const char *method = herd_space_end(line.at, end);
    while (end > method && herd_is_space(end[-1]))
        end--;
    const char *version = end;
    while (version > method && !herd_is_space(version[-1]))
        version--;
    if (version == method || !is_version(version, end))
        return false;
    const char *method_end = method;
    while (is_token_char(*method_end))
        method_end++; /* white space ends it at the latest */
    return herd_is_space(*method_end);
}

bool herd_preface_tls(struct herd_span bytes)
{
    return bytes.len >= 2 && bytes.at[0] == TLS_HANDSHAKE && bytes.at[1] == TLS_VERSION_MAJOR;
}

struct herd_span herd_preface_skip_bom(struct herd_span line)
{
    static const char bom[3] = "\xef\xbb\xbf";
    if (line.len < sizeof bom || memcmp(line.at, bom, sizeof bom) != 0)
        return line;
    return (struct herd_span){line.at + sizeof bom, line.len - sizeof bom};
}
