/* SPDX-License-Identifier: MIT */
/* A proxy on the loop between an adapter and a PostgreSQL: passes all bytes, until it is to do otherwise. */
#ifndef TEST_DATABASE_CUT_H
#define TEST_DATABASE_CUT_H

#include <herd/types.h>

struct cut;
struct event_base;

/* For the server whose socket is in `dir`. */
struct cut *cut_new(struct event_base *base, const char *dir);
void cut_free(struct cut *cut);
/* The folder of its own socket. */
const char *cut_dir(const struct cut *cut);
/* The next answer of the server that is whole is not passed on; the connection ends. */
void cut_before_answer(struct cut *cut);
/* Instead of the next bytes of the server these are passed on, and after them nothing. Borrowed. */
void cut_answer(struct cut *cut, struct herd_span bytes);
/* Connections from now on are passed on again. */
void cut_pass(struct cut *cut);

#endif
