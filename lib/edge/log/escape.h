/* SPDX-License-Identifier: MIT */
/* Hostile bytes made fit for one line of text: what a log and an error message show of them. */
#ifndef HERD_EDGE_ESCAPE_H
#define HERD_EDGE_ESCAPE_H

#include <stddef.h>

/* The most bytes that one byte can become. */
#define HERD_ESCAPE_GROWTH 4

/* Copies `len` bytes to `to`, which has room for HERD_ESCAPE_GROWTH times as many and does not overlap.
 * Bytes outside 0x20..0x7e become \xNN, `"` and `\` become \" and \\. Returns how many were written. */
size_t herd_escape_copy(char *to, const char *from, size_t len);

#endif
