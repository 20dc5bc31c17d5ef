/* SPDX-License-Identifier: MIT */
/* Commands as Redis reads them: the number of words, then each word with its length. */
#ifndef HERD_REDIS_COMMAND_H
#define HERD_REDIS_COMMAND_H

#include <herd/types.h>

/* Each appends to `out`. HERD_E_NOMEM. */
int herd_redis_words(struct herd_buf *out, size_t count); /* so many words follow */
int herd_redis_word(struct herd_buf *out, struct herd_span word);
int herd_redis_word_text(struct herd_buf *out, const char *word);
int herd_redis_word_number(struct herd_buf *out, int64_t number);
/* A word of two parts. */
int herd_redis_word_joined(struct herd_buf *out, struct herd_span front, struct herd_span back);
/* A whole command of words without spaces, which are separated by one. */
int herd_redis_command(struct herd_buf *out, const char *words);

/* Writes a number, without NUL, and returns its length. */
#define HERD_REDIS_NUMBER_MAX 20
size_t herd_redis_number(char text[HERD_REDIS_NUMBER_MAX], int64_t number);

#endif
