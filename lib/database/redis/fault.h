/* SPDX-License-Identifier: MIT */
/* What follows from an error of Redis, and how it is told. */
#ifndef HERD_REDIS_FAULT_H
#define HERD_REDIS_FAULT_H

#include <herd/database.h>

#define HERD_REDIS_MESSAGE_MAX 200

/* The first word of an error: NOSCRIPT, LOADING. That of a command in a script, where the error of the script says it. */
struct herd_span herd_redis_fault_code(struct herd_span error);
/* RETRY, BAD or REFUSED; LOST: what is connected to is not, or no longer, what takes writes. */
enum herd_database_result herd_redis_fault_result(struct herd_span error);
/* Copies `error`, cut, without control bytes, and without `secret` wherever that is in it (NULL: none). Returns `text`. */
const char *herd_redis_fault_text(char text[HERD_REDIS_MESSAGE_MAX], struct herd_span error, const char *secret);

#endif
