/* SPDX-License-Identifier: MIT */
/* cmocka wants these before it, in this order. */
#ifndef TEST_CM_H
#define TEST_CM_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#endif
