/* SPDX-License-Identifier: MIT */
/* A file, pipe or terminal that is appended to. */
#ifndef HERD_EDGE_APPEND_H
#define HERD_EDGE_APPEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct herd_append {
    int fd;
    bool is_stderr;
    bool in_line; /* what it holds ends in the middle of a line */
    bool is_regular;
    bool reserves;
    uint64_t offset;   /* length of the file, as far as it is known */
    uint64_t reserved; /* room is reserved up to here */
    uint64_t wrote;    /* since it was opened */
    char path[];
};

/* Opens `path` for appending (created 0640); "-": standard error. HERD_E_NOMEM, HERD_E_IO (see errno). */
int herd_append_open(struct herd_append **ret_file, const char *path);
/* Opens the path anew; on failure the old descriptor stays in use. HERD_E_IO. */
int herd_append_reopen(struct herd_append *file);
/* Writes; *ret_wrote bytes are in the file in any case. HERD_E_IO (see errno): not all. */
int herd_append_write(struct herd_append *file, const char *bytes, size_t len, size_t *ret_wrote);
void herd_append_close(struct herd_append *file);

#endif
