/* SPDX-License-Identifier: MIT */
/*
 * What a process manager and a service say to each other, by the documented protocol of systemd: sockets are
 * inherited from number 3 on (sd_listen_fds(3)), and datagrams tell how the service is (sd_notify(3)). Where
 * nobody asks for it, each function does nothing.
 */
#ifndef HERD_BIN_SERVICE_H
#define HERD_BIN_SERVICE_H

#include <stdint.h>

/* The listening socket this process was started with; 0: none. The number of sockets that came with it and are
 * not used is in *ret_more. */
int service_listen_fd(int *ret_more);

/* Sends "READY=1", "STOPPING=1", "WATCHDOG=1", ... It never waits; what cannot be sent is lost. */
void service_notify(const char *state);

/* How often the watchdog wants to hear of us, in microseconds; 0: there is none. */
int64_t service_watchdog_us(void);

#endif
