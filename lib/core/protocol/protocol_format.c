/* SPDX-License-Identifier: MIT */
/* Commands and replies into lines. */
#include <herd/protocol.h>

#include <string.h>

static char *put(char *p, struct herd_span bytes)
{
    if (bytes.len)
        memcpy(p, bytes.at, bytes.len);
    return p + bytes.len;
}

/* Appends `count` fields separated by one space each, then LF. */
static int add_fields(struct herd_buf *out, const struct herd_span *fields, size_t count)
{
    size_t len = count;
    for (size_t i = 0; i < count; i++)
        len += fields[i].len;
    int err = herd_buf_reserve(out, len);
    if (err < 0)
        return err;
    char *p = out->at + out->len;
    for (size_t i = 0; i < count; i++) {
        p = put(p, fields[i]);
        *p++ = i + 1 < count ? ' ' : '\n';
    }
    out->len += len;
    return 0;
}

#define WORD(text) ((struct herd_span){text, sizeof(text) - 1})

int herd_format_at(struct herd_buf *out, struct herd_span server, struct herd_span diff, struct herd_span id,
                   struct herd_span position, struct herd_span time)
{
    const struct herd_span fields[] = {WORD("AT"), server, diff, id, position, time};
    return add_fields(out, fields, 6);
}

int herd_format_gone(struct herd_buf *out, struct herd_span server, struct herd_span diff, struct herd_span id,
                     struct herd_span time)
{
    const struct herd_span fields[] = {WORD("GONE"), server, diff, id, time};
    return add_fields(out, fields, 5);
}

int herd_format_invalid(struct herd_buf *out, struct herd_span line)
{
    const struct herd_span fields[] = {WORD("?"), line};
    return add_fields(out, fields, 2);
}

int herd_format_iamat(struct herd_buf *out, struct herd_span id, struct herd_span position, struct herd_span time)
{
    const struct herd_span fields[] = {WORD("IAMAT"), id, position, time};
    return add_fields(out, fields, 4);
}

/* Digits of `value` in `base`, at least `width` of them, at the end of `text`. */
static struct herd_span digits(char text[20], uint64_t value, unsigned base, size_t width)
{
    size_t at = 20;
    do {
        text[--at] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value > 0 || 20 - at < width);
    return (struct herd_span){text + at, 20 - at};
}

int herd_format_whatsat(struct herd_buf *out, struct herd_span id, struct herd_span radius_km, unsigned bound)
{
    char text[20];
    const struct herd_span fields[] = {WORD("WHATSAT"), id, radius_km, digits(text, bound, 10, 1)};
    return add_fields(out, fields, 4);
}

int herd_format_see(struct herd_buf *out, struct herd_span host, uint16_t port, unsigned bucket)
{
    char port_text[20], bucket_text[20];
    const struct herd_span fields[] = {WORD("SEE"), host, digits(port_text, port, 10, 1),
                                       digits(bucket_text, bucket, 10, 1)};
    return add_fields(out, fields, 4);
}

int herd_format_hello(struct herd_buf *out, unsigned version, struct herd_span from, struct herd_span to,
                      uint64_t incarnation, uint64_t expire_ms, uint64_t key_check, bool takes_gone)
{
    char decimal[20], hex[20], expire[20], check[20];
    const struct herd_span fields[] = {WORD("HELLO"),
                                       digits(decimal, version, 10, 1),
                                       from,
                                       to,
                                       digits(hex, incarnation, 16, 16),
                                       digits(expire, expire_ms, 10, 1),
                                       digits(check, key_check, 16, 16),
                                       WORD("1")};
    return add_fields(out, fields, takes_gone ? 8 : key_check ? 7 : expire_ms ? 6 : 5);
}
