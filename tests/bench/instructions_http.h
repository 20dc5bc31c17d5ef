/* SPDX-License-Identifier: MIT */
/* Kinds of `instructions-of` that are HTTP: each returns how many it counted. */
#ifndef BENCH_INSTRUCTIONS_HTTP_H
#define BENCH_INSTRUCTIONS_HTTP_H

unsigned count_http_request(void);
unsigned count_http_reply(void);
unsigned count_owntracks(void);

#endif
