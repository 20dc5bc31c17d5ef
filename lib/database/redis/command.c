/* SPDX-License-Identifier: MIT */
#include "command.h"

#include <string.h>

size_t herd_redis_number(char text[HERD_REDIS_NUMBER_MAX], int64_t number)
{
    char digits[HERD_REDIS_NUMBER_MAX];
    size_t len = 0, out = 0;
    uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    do
        digits[len++] = (char)('0' + rest % 10);
    while (rest /= 10);
    if (number < 0)
        text[out++] = '-';
    while (len)
        text[out++] = digits[--len];
    return out;
}

/* The sign, the number and CR LF, where there is room for them. */
static void put_head(struct herd_buf *out, char sign, size_t number)
{
    out->at[out->len++] = sign;
    if (number < 100) { /* nearly always */
        if (number >= 10)
            out->at[out->len++] = (char)('0' + number / 10);
        out->at[out->len++] = (char)('0' + number % 10);
    } else {
        out->len += herd_redis_number(out->at + out->len, (int64_t)number);
    }
    memcpy(out->at + out->len, "\r\n", 2);
    out->len += 2;
}

#define HEAD_MAX (1 + HERD_REDIS_NUMBER_MAX + 2)

int herd_redis_words(struct herd_buf *out, size_t count)
{
    int err = herd_buf_reserve(out, HEAD_MAX);
    if (err >= 0)
        put_head(out, '*', count);
    return err;
}

static void put(struct herd_buf *out, struct herd_span part)
{
    if (part.len)
        memcpy(out->at + out->len, part.at, part.len);
    out->len += part.len;
}

int herd_redis_word_joined(struct herd_buf *out, struct herd_span front, struct herd_span back)
{
    int err = herd_buf_reserve(out, HEAD_MAX + front.len + back.len + 2);
    if (err < 0)
        return err;
    put_head(out, '$', front.len + back.len);
    put(out, front);
    put(out, back);
    put(out, (struct herd_span){"\r\n", 2});
    return 0;
}

int herd_redis_word(struct herd_buf *out, struct herd_span word)
{
    return herd_redis_word_joined(out, word, (struct herd_span){"", 0});
}

int herd_redis_word_text(struct herd_buf *out, const char *word)
{
    return herd_redis_word(out, herd_span_of(word));
}

int herd_redis_word_number(struct herd_buf *out, int64_t number)
{
    char text[HERD_REDIS_NUMBER_MAX];
    return herd_redis_word(out, (struct herd_span){text, herd_redis_number(text, number)});
}

int herd_redis_command(struct herd_buf *out, const char *words)
{
    size_t count = 1;
    for (const char *at = words; (at = strchr(at, ' ')); at++)
        count++;
    int err = herd_redis_words(out, count);
    for (const char *at = words; err >= 0 && count; count--) {
        size_t len = strcspn(at, " ");
        err = herd_redis_word(out, (struct herd_span){at, len});
        at += len + 1;
    }
    return err;
}
