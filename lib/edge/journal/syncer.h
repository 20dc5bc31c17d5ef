/* SPDX-License-Identifier: MIT */
/*
 * A thread that does nothing but wait for the disk: fdatasync can take seconds, and what is to be appended meanwhile
 * need not wait for it. One request at a time; the loop asks whether it is done, it is never called back. Where no
 * thread can be had, syncing is done on the spot.
 */
#ifndef HERD_EDGE_SYNCER_H
#define HERD_EDGE_SYNCER_H

#include "../worker/worker.h"

enum herd_syncer_state { HERD_SYNCER_IDLE, HERD_SYNCER_BUSY, HERD_SYNCER_DONE };

struct herd_syncer {
    struct herd_worker worker;
    int fd;          /* being synced; -1: none */
    int64_t took_ns; /* how long the disk took for the last one; the thread's until it is done */
};

void herd_syncer_init(struct herd_syncer *syncer);
/* As herd_worker_fini. */
bool herd_syncer_fini(struct herd_syncer *syncer, int64_t timeout_ms, void (*release)(void *arg),
                      void *release_arg);

/* Begins to sync; `fd` must stay open until done. Only when idle. */
void herd_syncer_begin(struct herd_syncer *syncer, int fd);
/* IDLE: nothing was asked. DONE, once for each request, with 0 or an errno: it is idle again. */
enum herd_syncer_state herd_syncer_poll(struct herd_syncer *syncer, int *ret_error);
/* The same, but waits up to `timeout_ms` while it is busy. */
enum herd_syncer_state herd_syncer_wait(struct herd_syncer *syncer, int64_t timeout_ms, int *ret_error);

#endif
