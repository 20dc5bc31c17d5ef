/* SPDX-License-Identifier: MIT */
/*
 * Counts allocations, and lets chosen ones fail. A program that includes this is linked with
 * -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=aligned_alloc.
 */
#ifndef TEST_ALLOC_H
#define TEST_ALLOC_H

#include <stdbool.h>
#include <stdlib.h>

struct alloc_plan {
    bool armed;   /* counts and fails only then */
    size_t count; /* allocations asked for since */
    size_t fail;  /* the first to fail, counted from 1; 0: none */
    bool all;     /* and all behind it */
};

static struct alloc_plan alloc_plan;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *at, size_t size);
void *__real_aligned_alloc(size_t to, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *at, size_t size);
void *__wrap_aligned_alloc(size_t to, size_t size);

#ifndef ALLOC_HERE
#define ALLOC_HERE true /* whether an allocation made now is one of those */
#endif

static bool alloc_fails(void)
{
    if (!alloc_plan.armed || !(ALLOC_HERE))
        return false;
    size_t n = ++alloc_plan.count;
    return alloc_plan.fail && (n == alloc_plan.fail || (alloc_plan.all && n > alloc_plan.fail));
}

void *__wrap_malloc(size_t size)
{
    return alloc_fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return alloc_fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *at, size_t size)
{
    return alloc_fails() ? NULL : __real_realloc(at, size);
}

void *__wrap_aligned_alloc(size_t to, size_t size)
{
    return alloc_fails() ? NULL : __real_aligned_alloc(to, size);
}

#endif
