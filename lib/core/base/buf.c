/* SPDX-License-Identifier: MIT */
/* Bytes that grow. */
#include <herd/types.h>

#include <stdlib.h>
#include <string.h>

int herd_buf_reserve(struct herd_buf *buf, size_t more)
{
    if (more <= buf->cap - buf->len)
        return 0;
    if (more > SIZE_MAX / 4 || buf->len > SIZE_MAX / 4)
        return HERD_E_NOMEM;
    size_t cap = buf->cap ? buf->cap : 256;
    while (cap - buf->len < more)
        cap *= 2;
    char *at = realloc(buf->at, cap);
    if (!at)
        return HERD_E_NOMEM;
    buf->at = at;
    buf->cap = cap;
    return 0;
}

int herd_buf_add(struct herd_buf *buf, const void *bytes, size_t len)
{
    int err = herd_buf_reserve(buf, len);
    if (err < 0)
        return err;
    if (len)
        memcpy(buf->at + buf->len, bytes, len);
    buf->len += len;
    return 0;
}

int herd_buf_add_text(struct herd_buf *buf, const char *text)
{
    return herd_buf_add(buf, text, strlen(text));
}

void herd_buf_fini(struct herd_buf *buf)
{
    free(buf->at);
    *buf = (struct herd_buf){0};
}
