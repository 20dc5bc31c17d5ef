/* SPDX-License-Identifier: MIT */
/* Counts the blocks that live, and lets allocations fail while a node is out of memory. Linked with
 * -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=aligned_alloc,--wrap=free. */
#include "world.h"

#include <stdlib.h>

struct sim_alloc sim_alloc;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *at, size_t size);
void *__real_aligned_alloc(size_t to, size_t size);
void __real_free(void *at);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *at, size_t size);
void *__wrap_aligned_alloc(size_t to, size_t size);
void __wrap_free(void *at);

static bool fails(void)
{
    if (!sim_alloc.one_in || !rng_one_in(&sim_alloc.rng, sim_alloc.one_in))
        return false;
    sim_alloc.failed++;
    return true;
}

static void *counted(void *at)
{
    sim_alloc.live += at != NULL;
    return at;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : counted(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : counted(__real_calloc(count, size));
}

void *__wrap_realloc(void *at, size_t size)
{
    if (fails())
        return NULL;
    void *moved = __real_realloc(at, size);
    sim_alloc.live += !at && moved;
    return moved;
}

void *__wrap_aligned_alloc(size_t to, size_t size)
{
    return fails() ? NULL : counted(__real_aligned_alloc(to, size));
}

void __wrap_free(void *at)
{
    sim_alloc.live -= at != NULL;
    __real_free(at);
}
