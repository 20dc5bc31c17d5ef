/* SPDX-License-Identifier: MIT */
/* Kinds of `instructions-of` that are a scrape of /metrics: each returns how many it counted. */
#ifndef BENCH_INSTRUCTIONS_SCRAPE_H
#define BENCH_INSTRUCTIONS_SCRAPE_H

#include <stdint.h>

/* A TCP port of 127.0.0.1 that nobody has at the moment. */
uint16_t free_port(void);

unsigned count_scrape(void);         /* 64 neighbours, 1 000 records */
unsigned count_scrape_of_many(void); /* the same with 100 000 */

#endif
