/* SPDX-License-Identifier: MIT */
/* How many descriptors the process has open, and the one that counts them: alike before and after, nothing stayed open. */
#ifndef TEST_OPEN_FILES_H
#define TEST_OPEN_FILES_H

#include "cm.h"

#include <dirent.h>

static inline unsigned open_files(void)
{
    unsigned count = 0;
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

#endif
