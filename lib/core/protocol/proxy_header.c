/* SPDX-License-Identifier: MIT */
#include "proxy_header.h"

#include "../base/hex_digit.h"

#include <string.h>

/* ---- addresses as text ---- */

/* Decimal digits without a zero in front, 0 .. most. Takes them off *io_text. */
static bool take_number(struct herd_span *io_text, unsigned most, unsigned *ret_number)
{
    unsigned number = 0;
    size_t len = 0;
    while (len < io_text->len && len < 6 && io_text->at[len] >= '0' && io_text->at[len] <= '9')
        number = number * 10 + (unsigned)(io_text->at[len++] - '0');
    if (len == 0 || number > most || (len > 1 && io_text->at[0] == '0'))
        return false;
    io_text->at += len;
    io_text->len -= len;
    *ret_number = number;
    return true;
}

static bool take_byte(struct herd_span *io_text, char byte)
{
    if (io_text->len == 0 || io_text->at[0] != byte)
        return false;
    io_text->at++;
    io_text->len--;
    return true;
}

static bool parse_v4(struct herd_span text, unsigned char ret_bytes[4])
{
    for (int i = 0; i < 4; i++) {
        unsigned number;
        if ((i > 0 && !take_byte(&text, '.')) || !take_number(&text, 255, &number))
            return false;
        ret_bytes[i] = (unsigned char)number;
    }
    return text.len == 0;
}

/* One to four hexadecimal digits. */
static bool take_group(struct herd_span *io_text, unsigned char ret_bytes[2])
{
    unsigned number = 0;
    size_t len = 0;
    while (len < io_text->len && len < 4 && herd_hex_digit(io_text->at[len]) >= 0)
        number = number << 4 | (unsigned)herd_hex_digit(io_text->at[len++]);
    io_text->at += len;
    io_text->len -= len;
    ret_bytes[0] = (unsigned char)(number >> 8);
    ret_bytes[1] = (unsigned char)(number & 0xff);
    return len > 0;
}

/* Eight groups, or fewer around one "::"; the last two may be an IPv4 address (RFC 4291, 2.2). */
static bool parse_v6(struct herd_span text, unsigned char ret_bytes[16])
{
    unsigned char bytes[16] = {0};
    size_t count = 0, gap = 17; /* where "::" stood; 17: nowhere */
    if (text.len >= 2 && text.at[0] == ':' && text.at[1] == ':') {
        text.at += 2;
        text.len -= 2;
        gap = 0;
    }
    while (text.len > 0) {
        size_t left = sizeof bytes - count;
        if (left >= 4 && parse_v4(text, bytes + count)) {
            count += 4;
            break;
        }
        if (left < 2 || !take_group(&text, bytes + count))
            return false;
        count += 2;
        if (text.len == 0)
            break;
        if (!take_byte(&text, ':') || text.len == 0)
            return false;
        if (text.at[0] == ':') {
            if (gap != 17)
                return false;
            take_byte(&text, ':');
            gap = count;
        }
    }
    if (gap == 17) {
        if (count != sizeof bytes)
            return false;
        memcpy(ret_bytes, bytes, sizeof bytes);
        return true;
    }
    if (count >= sizeof bytes)
        return false;
    memset(ret_bytes, 0, sizeof bytes);
    memcpy(ret_bytes, bytes, gap);
    memcpy(ret_bytes + sizeof bytes - (count - gap), bytes + gap, count - gap);
    return true;
}

/* ---- version 1 ---- */

static const char line_begin[] = "PROXY ";

static bool take_word(struct herd_span *io_line, struct herd_span *ret_word)
{
    const char *end = io_line->len ? memchr(io_line->at, ' ', io_line->len) : NULL;
    size_t len = end ? (size_t)(end - io_line->at) : io_line->len;
    *ret_word = (struct herd_span){io_line->at, len};
    io_line->at += len + (end != NULL);
    io_line->len -= len + (end != NULL);
    return len > 0;
}

static bool parse_port(struct herd_span text, uint16_t *ret_port)
{
    unsigned number = 0;
    if (!take_number(&text, 65535, &number) || text.len > 0)
        return false;
    *ret_port = (uint16_t)number;
    return true;
}

static void map_v4(unsigned char address[16], const unsigned char bytes[4])
{
    memset(address, 0, 10);
    address[10] = address[11] = 0xff;
    memcpy(address + 12, bytes, 4);
}

static bool parse_address(struct herd_span text, bool v6, unsigned char ret_address[16])
{
    unsigned char bytes[4];
    if (v6)
        return parse_v6(text, ret_address);
    if (!parse_v4(text, bytes))
        return false;
    map_v4(ret_address, bytes);
    return true;
}

/* `line` is what stands between "PROXY " and CR LF. */
static bool parse_line(struct herd_span line, struct herd_proxy_header *ret_header)
{
    struct herd_span words[5];
    unsigned char to[16];
    uint16_t to_port;
    if (!take_word(&line, &words[0]))
        return false;
    if (herd_span_equal(words[0], herd_span_of("UNKNOWN")))
        return true; /* whatever follows */
    bool v6 = herd_span_equal(words[0], herd_span_of("TCP6"));
    if (!v6 && !herd_span_equal(words[0], herd_span_of("TCP4")))
        return false;
    for (int i = 1; i < 5; i++)
        if (!take_word(&line, &words[i]))
            return false;
    /* A blank at the end leaves nothing behind it, but was one. */
    bool ends = words[4].at + words[4].len == line.at && line.len == 0;
    ret_header->named = true;
    return ends && parse_address(words[1], v6, ret_header->address) && parse_address(words[2], v6, to) &&
           parse_port(words[3], &ret_header->port) && parse_port(words[4], &to_port);
}

static enum herd_proxy_scan scan_line(struct herd_span bytes, struct herd_proxy_header *ret_header)
{
    const size_t begin = sizeof line_begin - 1;
    size_t same = bytes.len < begin ? bytes.len : begin;
    size_t most = bytes.len < HERD_PROXY_LINE_MAX_BYTES ? bytes.len : HERD_PROXY_LINE_MAX_BYTES;
    if (memcmp(bytes.at, line_begin, same) != 0)
        return HERD_PROXY_FAULT;
    const char *cr = memchr(bytes.at, '\r', most);
    size_t len = cr ? (size_t)(cr - bytes.at) + 2 : 0;
    if (memchr(bytes.at, '\n', cr ? len - 2 : most) || len > HERD_PROXY_LINE_MAX_BYTES)
        return HERD_PROXY_FAULT;
    if (!cr || len > bytes.len)
        return most == HERD_PROXY_LINE_MAX_BYTES ? HERD_PROXY_FAULT : HERD_PROXY_MORE;
    struct herd_proxy_header header = {.len = len};
    if (cr[1] != '\n' || len < begin + 2 ||
        !parse_line((struct herd_span){bytes.at + begin, len - begin - 2}, &header))
        return HERD_PROXY_FAULT;
    *ret_header = header;
    return HERD_PROXY_DONE;
}

/* ---- version 2 ---- */

static const unsigned char signature[12] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};

enum { FRONT = 16, LOCAL = 0x20, PROXY = 0x21, TCP4 = 0x11, TCP6 = 0x21, TCP4_BYTES = 12, TCP6_BYTES = 36 };

static uint16_t big_endian(const unsigned char *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static enum herd_proxy_scan scan_binary(struct herd_span bytes, struct herd_proxy_header *ret_header)
{
    const unsigned char *at = (const unsigned char *)bytes.at;
    size_t same = bytes.len < sizeof signature ? bytes.len : sizeof signature;
    if (memcmp(at, signature, same) != 0)
        return HERD_PROXY_FAULT;
    if (bytes.len > 12 && at[12] != LOCAL && at[12] != PROXY)
        return HERD_PROXY_FAULT;
    if (bytes.len < FRONT)
        return HERD_PROXY_MORE;
    size_t rest = big_endian(at + 14);
    if (rest > HERD_PROXY_REST_MAX_BYTES)
        return HERD_PROXY_FAULT;
    bool tcp4 = at[12] == PROXY && at[13] == TCP4, tcp6 = at[12] == PROXY && at[13] == TCP6;
    if ((tcp4 && rest < TCP4_BYTES) || (tcp6 && rest < TCP6_BYTES))
        return HERD_PROXY_FAULT;
    if (bytes.len < FRONT + rest)
        return HERD_PROXY_MORE;
    struct herd_proxy_header header = {.len = FRONT + rest, .named = tcp4 || tcp6};
    if (tcp4) {
        map_v4(header.address, at + FRONT);
        header.port = big_endian(at + FRONT + 8);
    } else if (tcp6) {
        memcpy(header.address, at + FRONT, 16);
        header.port = big_endian(at + FRONT + 32);
    }
    *ret_header = header;
    return HERD_PROXY_DONE;
}

enum herd_proxy_scan herd_proxy_header_scan(struct herd_span bytes, struct herd_proxy_header *ret_header)
{
    if (bytes.len == 0)
        return HERD_PROXY_MORE;
    return bytes.at[0] == 'P' ? scan_line(bytes, ret_header) : scan_binary(bytes, ret_header);
}
