/* SPDX-License-Identifier: MIT */
/* Additions to buffers that fail where the test's own addition_fails_now() says so, whether or not the buffer happens to have
 * room; what room was reserved for does not fail. With RESERVATIONS_FAIL reservations fail likewise. Link with
 * -Wl,--wrap=herd_buf_reserve,--wrap=herd_buf_add,--wrap=herd_buf_add_text. */
#ifndef TEST_FAILING_ADDITIONS_H
#define TEST_FAILING_ADDITIONS_H

#include <herd/types.h>

#include <stdbool.h>
#include <string.h>

static bool addition_fails_now(void);

int __real_herd_buf_reserve(struct herd_buf *buf, size_t more);
int __wrap_herd_buf_reserve(struct herd_buf *buf, size_t more);
int __real_herd_buf_add(struct herd_buf *buf, const void *bytes, size_t len);
int __wrap_herd_buf_add(struct herd_buf *buf, const void *bytes, size_t len);
int __real_herd_buf_add_text(struct herd_buf *buf, const char *text);
int __wrap_herd_buf_add_text(struct herd_buf *buf, const char *text);
static struct {
    const struct herd_buf *buf;
    size_t end;
} reserved;

static bool addition_fails(const struct herd_buf *buf, size_t len)
{
    return !(reserved.buf == buf && buf->len + len <= reserved.end) && addition_fails_now();
}

int __wrap_herd_buf_reserve(struct herd_buf *buf, size_t more)
{
#ifdef RESERVATIONS_FAIL
    if (addition_fails_now())
        return HERD_E_NOMEM;
#endif
    int err = __real_herd_buf_reserve(buf, more);
    reserved.buf = err < 0 ? NULL : buf;
    reserved.end = buf->len + more;
    return err;
}

int __wrap_herd_buf_add(struct herd_buf *buf, const void *bytes, size_t len)
{
    return addition_fails(buf, len) ? HERD_E_NOMEM : __real_herd_buf_add(buf, bytes, len);
}

int __wrap_herd_buf_add_text(struct herd_buf *buf, const char *text)
{
    return addition_fails(buf, strlen(text)) ? HERD_E_NOMEM : __real_herd_buf_add_text(buf, text);
}

#endif
