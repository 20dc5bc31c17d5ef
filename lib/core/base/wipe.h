/* SPDX-License-Identifier: MIT */
/* Overwrites secrets in memory. */
#ifndef HERD_CORE_WIPE_H
#define HERD_CORE_WIPE_H

#include <stddef.h>
#include <string.h>

/* Sets `len` bytes to zero. A call through a volatile pointer cannot be left out as a store to dead memory. */
static inline void herd_wipe(void *at, size_t len)
{
    static void *(*const volatile set)(void *, int, size_t) = memset;
    if (len)
        set(at, 0, len);
}

#endif
