/* SPDX-License-Identifier: MIT */
/*
 * Numbers that whoever asks is given and brings back: where a page ended, which event was the last. As they are they would
 * tell how many clients there are and how often these report, also those that one may not ask for; so they are enciphered
 * with a key of this process. What another process gave, or nobody, is not taken.
 */
#ifndef HERD_EDGE_CURSOR_H
#define HERD_EDGE_CURSOR_H

#include <herd/types.h>

#define HERD_CURSOR_DIGITS 32

/* What a number is of: one is not taken for another. */
enum herd_cursor_kind { HERD_CURSOR_PAGE = 1, HERD_CURSOR_EVENT };

/* 32 hexadecimal digits, NUL-terminated. */
void herd_cursor_write(const uint64_t key[2], enum herd_cursor_kind kind, uint64_t number,
                       char ret_text[HERD_CURSOR_DIGITS + 1]);
/* False: not what herd_cursor_write makes with this key of a number of this kind. */
bool herd_cursor_read(const uint64_t key[2], enum herd_cursor_kind kind, struct herd_span text,
                      uint64_t *ret_number);

#endif
