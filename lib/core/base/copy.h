/* SPDX-License-Identifier: MIT */
/* Copying the short pieces that lines and records are made of, without a call. */
#ifndef HERD_CORE_COPY_H
#define HERD_CORE_COPY_H

#include <stddef.h>
#include <string.h>

/* Two moves of a fixed size that overlap cover every length between that size and twice it. */
static inline void herd_copy(void *to, const void *from, size_t len)
{
    char *t = to;
    const char *f = from;
    char first[32], last[32];
    if (len > 64 || len < 4) {
        if (len > 64)
            memcpy(t, f, len);
        else
            for (size_t i = 0; i < len; i++)
                t[i] = f[i];
    } else if (len > 32) {
        memcpy(first, f, 32);
        memcpy(last, f + len - 32, 32);
        memcpy(t, first, 32);
        memcpy(t + len - 32, last, 32);
    } else if (len > 16) {
        memcpy(first, f, 16);
        memcpy(last, f + len - 16, 16);
        memcpy(t, first, 16);
        memcpy(t + len - 16, last, 16);
    } else if (len >= 8) {
        memcpy(first, f, 8);
        memcpy(last, f + len - 8, 8);
        memcpy(t, first, 8);
        memcpy(t + len - 8, last, 8);
    } else {
        memcpy(first, f, 4);
        memcpy(last, f + len - 4, 4);
        memcpy(t, first, 4);
        memcpy(t + len - 4, last, 4);
    }
}

#endif
