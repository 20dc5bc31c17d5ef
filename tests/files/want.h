/* SPDX-License-Identifier: MIT */
/* Every file of a directory beside the file NAME.want that says, a line each, what must come out of it. */
#ifndef TEST_FILES_WANT_H
#define TEST_FILES_WANT_H

#include "cm.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);
    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

/* Calls `check` for each file of $HERD_TEST_FILES/`folder`; at least `least` of them. `want` is at its beginning. */
static inline void for_each_file(const char *folder, size_t least, void (*check)(const char *path, FILE *want))
{
    char dir_path[1024], path[2048], want_path[2100];
    const char *root = getenv("HERD_TEST_FILES");
    snprintf(dir_path, sizeof dir_path, "%s/%s", root ? root : ".", folder);
    DIR *dir = opendir(dir_path);
    size_t count = 0;
    if (!dir)
        fail_msg("no directory %s", dir_path);
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (entry->d_name[0] == '.' || ends_with(entry->d_name, ".want"))
            continue;
        snprintf(path, sizeof path, "%s/%s", dir_path, entry->d_name);
        snprintf(want_path, sizeof want_path, "%s.want", path);
        FILE *want = fopen(want_path, "r");
        if (!want)
            fail_msg("nothing says what must come out of %s", path);
        check(path, want);
        fclose(want);
        count++;
    }
    closedir(dir);
    assert_true(count >= least);
}

/* The next line without its end; false: there is none. */
static inline bool next_line(FILE *want, char line[512])
{
    if (!fgets(line, 512, want))
        return false;
    line[strcspn(line, "\n")] = '\0';
    return true;
}

#endif
