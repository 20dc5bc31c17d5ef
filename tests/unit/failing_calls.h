/* SPDX-License-Identifier: MIT */
/* Calls that fail where the test's own fails() says so. Link with -Wl,--wrap=NAME for each. */
#ifndef TEST_FAILING_CALLS_H
#define TEST_FAILING_CALLS_H

#include <stdbool.h>

/* Whether this call of that name is to fail; errno is its business. */
static bool fails(const char *name);

/* `failure` is what a call that fails returns; behind `parameters` come their names, as a call takes them. */
#define FAILING(type, name, failure, parameters, ...)                 \
    type __real_##name parameters;                                    \
    type __wrap_##name parameters;                                    \
    type __wrap_##name parameters                                     \
    {                                                                 \
        return fails(#name) ? (failure) : __real_##name(__VA_ARGS__); \
    }

#endif
