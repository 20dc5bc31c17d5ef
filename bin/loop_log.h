/* SPDX-License-Identifier: MIT */
/*
 * What libevent itself has to say, as events `libevent` of a log instead of lines on standard error. libevent has one
 * such function a process, which is why a program sets it and the library does not.
 */
#ifndef HERD_BIN_LOOP_LOG_H
#define HERD_BIN_LOOP_LOG_H

#include <herd/log.h>

/* From now on, into `log`; NULL: as libevent does by itself. */
void loop_log_to(struct herd_log *log);

#endif
