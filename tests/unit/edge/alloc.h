/* SPDX-License-Identifier: MIT */
/* Fails the n-th allocation of the code under test; link with -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc. */
#ifndef TEST_ALLOC_H
#define TEST_ALLOC_H
#include <stdbool.h>
#include <stddef.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *at, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *at, size_t size);

/* 0: none fails. 1: the next one fails, and so on; it stays below zero afterwards. */
static long alloc_fail_at;

static bool alloc_fails(void)
{
    return alloc_fail_at != 0 && --alloc_fail_at == 0;
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
#endif
