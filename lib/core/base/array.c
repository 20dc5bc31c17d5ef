/* SPDX-License-Identifier: MIT */
/* Arrays that grow. */
#include "array.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#define CAP_FIRST 16

void *herd_array_grow(void *array, size_t *io_cap, size_t count, size_t size)
{
    assert(size > 0 && count > *io_cap);
    size_t cap = *io_cap <= SIZE_MAX / 2 ? *io_cap * 2 : SIZE_MAX;
    if (cap < CAP_FIRST)
        cap = CAP_FIRST;
    if (cap < count)
        cap = count;
    if (cap > PTRDIFF_MAX / size)
        return NULL;
    void *larger = realloc(array, cap * size);
    if (larger)
        *io_cap = cap;
    return larger;
}
