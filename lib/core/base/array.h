/* SPDX-License-Identifier: MIT */
/* Arrays that grow: the capacity doubles, so that appending n entries copies fewer than 2 n. */
#ifndef HERD_CORE_ARRAY_H
#define HERD_CORE_ARRAY_H

#include <stddef.h>

/* The part of herd_array_reserve that is not done inline. */
void *herd_array_grow(void *array, size_t *io_cap, size_t count, size_t size);

/* Reserves `count` entries (1 or more) of `size` bytes in an array with room for *io_cap. Returns the array, perhaps
 * moved; entries behind the old capacity are not initialized. NULL: no memory, or more bytes than an object can have;
 * the array and *io_cap are as they were. */
static inline void *herd_array_reserve(void *array, size_t *io_cap, size_t count, size_t size)
{
    return count <= *io_cap ? array : herd_array_grow(array, io_cap, count, size);
}

#endif
