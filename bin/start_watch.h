/* SPDX-License-Identifier: MIT */
/*
 * A start that takes long: files are read before the loop runs, and a disk or a mount may not answer. A thread says so
 * on standard error, at 5, 10, 20, 40 ... seconds, and ends the process when SIGTERM or SIGINT comes.
 */
#ifndef HERD_BIN_START_WATCH_H
#define HERD_BIN_START_WATCH_H

/* Begins. Until the end these signals are the thread's, and SIGHUP is kept. Where no thread can be had all stays as
 * it was. Only one watch may run at a time. */
void start_watch_begin(void);
/* Ends it. A signal that the thread has not taken is delivered now. Without a begin it does nothing. */
void start_watch_end(void);

#endif
