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

/* What a thread that says by an eventfd what it has done begins with; needs <errno.h>, <pthread.h> and <sys/eventfd.h>. */
#define FAILING_TO_BEGIN_A_THREAD                                                                                 \
    FAILING(int, eventfd, -1, (unsigned initial, int flags), initial, flags)                                      \
    FAILING(int, pthread_mutex_init, ENOMEM, (pthread_mutex_t * mutex, const pthread_mutexattr_t *attr), mutex,   \
            attr)                                                                                                 \
    FAILING(int, pthread_attr_init, ENOMEM, (pthread_attr_t * attr), attr)                                        \
    FAILING(int, pthread_create, EAGAIN,                                                                          \
            (pthread_t * thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg), thread, attr, run, \
            arg)

#endif
