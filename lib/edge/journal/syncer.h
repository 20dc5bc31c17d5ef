/* SPDX-License-Identifier: MIT */
/*
 * A thread that does nothing but wait for the disk: fdatasync can take seconds, and the loop has clients
 * to answer. One request at a time; the loop asks whether it is done, it is never called back. Where no
 * thread can be had, syncing is done on the spot.
 */
#ifndef HERD_EDGE_SYNCER_H
#define HERD_EDGE_SYNCER_H

#include <pthread.h>
#include <stdbool.h>

enum herd_syncer_state { HERD_SYNCER_IDLE, HERD_SYNCER_BUSY, HERD_SYNCER_DONE };

struct herd_syncer {
    pthread_t thread;
    pthread_mutex_t lock; /* over what follows */
    pthread_cond_t changed;
    enum herd_syncer_state state;
    int fd;
    int error; /* 0 or an errno, when DONE */
    bool quit;
    bool threaded;
};

void herd_syncer_init(struct herd_syncer *syncer);
/* Waits for what is under way. */
void herd_syncer_fini(struct herd_syncer *syncer);

/* Begins to sync; `fd` must stay open until done. Only when idle. */
void herd_syncer_begin(struct herd_syncer *syncer, int fd);
/* IDLE: nothing was asked. DONE, once for each request, with 0 or an errno: it is idle again. */
enum herd_syncer_state herd_syncer_poll(struct herd_syncer *syncer, int *ret_error);
/* The same, but waits while it is busy. */
enum herd_syncer_state herd_syncer_wait(struct herd_syncer *syncer, int *ret_error);

#endif
