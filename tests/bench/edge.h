/* SPDX-License-Identifier: MIT */
/*
 * What every program of the suite needs from the system: loopback sockets, the clock, the CPU time that
 * the kernel has accounted to another process, pinning, and a loud end when something is wrong.
 */
#ifndef BENCH_EDGE_H
#define BENCH_EDGE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define EDGE_PIDS_MAX 256

/* Prints "PROGRAM: ..." and ends the process with status 1: a wrong benchmark must not print figures. */
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Monotonic. */
int64_t clock_ns(void);
int64_t clock_real_ns(void); /* CLOCK_REALTIME, of which the kernel's stamps are */
void sleep_ns(int64_t ns);
/* 64-bit numbers with a bound, for options; dies naming `what`. */
int64_t number_of(const char *text, const char *what, int64_t least, int64_t most);

/* Only 127.0.0.1 is ever listened on or dialled. Both are non-blocking, with TCP_NODELAY. */
int listen_on(uint16_t port, int backlog);
int dial(uint16_t port);
/* Likewise, with segments of so many bytes at most, as a network has them; 0: those of the loopback, of 64 KiB. */
int dial_segments(uint16_t port, int segment);
void make_ready(int fd);
/* The next connection of a listener, non-blocking, with TCP_NODELAY; -1: there is none. */
int take_connection(int listener);
/* From now on epoll says, by its number, when a descriptor can be read. */
void watch_reads(int ep, int fd);

void pin_to(int cpu);

/* CPU time of all threads of a process, ended ones included, as the scheduler counts it: ns resolution,
 * exact even while it runs. This is the clock behind utime + stime, without their rounding to ticks. */
int64_t cpu_ns_of(pid_t pid);

/* CPU time spent by anyone on this machine, in steps of 10 ms: what neither server nor generator used of it
 * is what disturbed them. */
int64_t cpu_ns_of_machine(void);

/* The processes measured. */
struct pids {
    pid_t at[EDGE_PIDS_MAX];
    size_t count;
};
int64_t cpu_ns_of_all(const struct pids *pids);

/* A server has come to rest when all processes together use less than 2 % of a core for 60 ms. */
struct rest {
    int64_t since_ns, cpu_ns, bound_ns;
};
void rest_begin(struct rest *rest, const struct pids *pids, int64_t patience_ns);
/* To be called every few ms; 1: at rest. Dies when patience is at an end. */
int rest_reached(struct rest *rest, const struct pids *pids);

#endif
