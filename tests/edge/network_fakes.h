/* SPDX-License-Identifier: MIT */
/*
 * What getaddrinfo, connect and the clock say is said by the test, and where a call fails. Link with -Wl,--wrap=NAME for each call
 * that is named in network_fakes.c.
 */
#ifndef TEST_NETWORK_FAKES_H
#define TEST_NETWORK_FAKES_H

#include <event2/event.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* ---- calls that fail ---- */

/* The first-th call of that name fails with this errno, and no other. */
void arm(const char *name, unsigned first, int error);
void disarm(void);
/* Added to every clock. */
extern _Atomic int64_t clock_ahead_s;

/* ---- names ---- */

/* What getaddrinfo says of a name: "code N" that, "ADDRESS ADDRESS ..." those, "gate N" 127.0.0.1 once the gate is open. */
void set_gate(bool open);
/* How many names were asked for; wait at the gate, and did at most; of how many it was told that they are done. */
struct gate {
    unsigned asked, waiting, most, finished;
};
struct gate gate_now(void);

/* ---- connections ---- */

/* What connect says of the address 127.0.0.N or ::N: the error at N; 0: it is under way for ever; -1: what the kernel says. */
extern int answers[16];

/* ---- the world ---- */

extern struct event_base *base;
int setup(void **state);
int teardown(void **state);

int __real_event_add(struct event *event, const struct timeval *after);
void on_late(evutil_socket_t fd, short what, void *arg);

#define until(condition)                                            \
    do {                                                            \
        struct event *late = event_new(base, -1, 0, on_late, NULL); \
        __real_event_add(late, &(struct timeval){20, 0});           \
        while (!(condition))                                        \
            event_base_loop(base, EVLOOP_ONCE);                     \
        event_free(late);                                           \
    } while (0)

#endif
