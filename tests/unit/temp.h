/* SPDX-License-Identifier: MIT */
/* Files and directories for one test, with names that nobody else has. */
#ifndef TEST_TEMP_H
#define TEST_TEMP_H

#include "cm.h"

#include <stdlib.h>
#include <string.h>

#define TEMP_TEMPLATE "/tmp/herd-test-XXXXXX" /* mkstemp() wants these six */
#define TEMP_LEN      sizeof TEMP_TEMPLATE

/* An empty file: its descriptor, and its path in `ret_path` (TEMP_LEN bytes). */
static inline int temp_file(char *ret_path)
{
    memcpy(ret_path, TEMP_TEMPLATE, TEMP_LEN);
    int fd = mkstemp(ret_path);
    assert_true(fd >= 0);
    return fd;
}

static inline void temp_dir(char *ret_path)
{
    memcpy(ret_path, TEMP_TEMPLATE, TEMP_LEN);
    assert_non_null(mkdtemp(ret_path));
}

#endif
