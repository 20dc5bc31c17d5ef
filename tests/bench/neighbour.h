/* SPDX-License-Identifier: MIT */
/* Poses as a configured neighbour of a herd server. The one place that knows how a link begins. */
#ifndef BENCH_NEIGHBOUR_H
#define BENCH_NEIGHBOUR_H

#include <stdint.h>

/* "PORT:SELF:PEER": dial PORT as SELF, a neighbour of PEER. "PORT::": a plain server, no introduction. */
struct neighbour {
    uint16_t port;
    char self[65], peer[65];
};

void neighbour_parse(struct neighbour *ret_neighbour, const char *text);
/* Dials, says hello, waits for the hello of the other side. Returns a non-blocking descriptor on which AT
 * lines may be sent. Dies when the other side does not take the link. */
int neighbour_dial(const struct neighbour *neighbour);

#endif
