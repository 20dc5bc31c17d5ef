/* SPDX-License-Identifier: MIT */
/* fdatasync in a thread of its own. */
#include "syncer.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

static int sync_file(int fd)
{
    int result;
    do
        result = fdatasync(fd);
    while (result < 0 && errno == EINTR);
    /* A file system that cannot sync (some for directories) has nothing to wait for. */
    return result < 0 && errno != EINVAL && errno != ENOTSUP ? errno : 0;
}

static void *work(void *arg)
{
    struct herd_syncer *syncer = arg;
    pthread_mutex_lock(&syncer->lock);
    for (;;) {
        while (syncer->state != HERD_SYNCER_BUSY && !syncer->quit)
            pthread_cond_wait(&syncer->changed, &syncer->lock);
        if (syncer->state != HERD_SYNCER_BUSY)
            break;
        int fd = syncer->fd;
        pthread_mutex_unlock(&syncer->lock);
        int error = sync_file(fd);
        pthread_mutex_lock(&syncer->lock);
        syncer->error = error;
        syncer->state = HERD_SYNCER_DONE;
        pthread_cond_broadcast(&syncer->changed);
    }
    pthread_mutex_unlock(&syncer->lock);
    return NULL;
}

void herd_syncer_init(struct herd_syncer *syncer)
{
    sigset_t all, before;
    *syncer = (struct herd_syncer){.fd = -1};
    pthread_mutex_init(&syncer->lock, NULL);
    pthread_cond_init(&syncer->changed, NULL);
    /* Signals are the loop's. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    syncer->threaded = pthread_create(&syncer->thread, NULL, work, syncer) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void herd_syncer_fini(struct herd_syncer *syncer)
{
    if (syncer->threaded) {
        pthread_mutex_lock(&syncer->lock);
        syncer->quit = true;
        pthread_cond_broadcast(&syncer->changed);
        pthread_mutex_unlock(&syncer->lock);
        pthread_join(syncer->thread, NULL);
    }
    pthread_cond_destroy(&syncer->changed);
    pthread_mutex_destroy(&syncer->lock);
}

void herd_syncer_begin(struct herd_syncer *syncer, int fd)
{
    if (!syncer->threaded) {
        syncer->error = sync_file(fd);
        syncer->state = HERD_SYNCER_DONE;
        return;
    }
    pthread_mutex_lock(&syncer->lock);
    syncer->fd = fd;
    syncer->state = HERD_SYNCER_BUSY;
    pthread_cond_broadcast(&syncer->changed);
    pthread_mutex_unlock(&syncer->lock);
}

static enum herd_syncer_state collect(struct herd_syncer *syncer, bool wait, int *ret_error)
{
    pthread_mutex_lock(&syncer->lock);
    while (wait && syncer->state == HERD_SYNCER_BUSY)
        pthread_cond_wait(&syncer->changed, &syncer->lock);
    enum herd_syncer_state state = syncer->state;
    if (state == HERD_SYNCER_DONE) {
        *ret_error = syncer->error;
        syncer->state = HERD_SYNCER_IDLE;
    }
    pthread_mutex_unlock(&syncer->lock);
    return state;
}

enum herd_syncer_state herd_syncer_poll(struct herd_syncer *syncer, int *ret_error)
{
    return collect(syncer, false, ret_error);
}

enum herd_syncer_state herd_syncer_wait(struct herd_syncer *syncer, int *ret_error)
{
    return collect(syncer, true, ret_error);
}
