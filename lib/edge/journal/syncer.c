/* SPDX-License-Identifier: MIT */
/* fdatasync in a thread of its own. */
#include "syncer.h"

#include "../clock.h"

#include <errno.h>
#include <unistd.h>

static int sync_file(void *arg)
{
    struct herd_syncer *syncer = arg;
    const int64_t began_ns = herd_clock().steady_ns;
    int result;
    do
        result = fdatasync(syncer->fd);
    while (result < 0 && errno == EINTR);
    syncer->took_ns = herd_clock().steady_ns - began_ns;
    /* A file system that cannot sync (some for directories) has nothing to wait for. */
    return result < 0 && errno != EINVAL && errno != ENOTSUP ? errno : 0;
}

void herd_syncer_init(struct herd_syncer *syncer)
{
    herd_worker_init(&syncer->worker, -1);
    syncer->fd = -1;
}

bool herd_syncer_fini(struct herd_syncer *syncer, int64_t timeout_ms, void (*release)(void *arg), void *release_arg)
{
    return herd_worker_fini(&syncer->worker, timeout_ms, release, release_arg);
}

void herd_syncer_begin(struct herd_syncer *syncer, int fd)
{
    syncer->fd = fd;
    herd_worker_begin(&syncer->worker, sync_file, syncer);
}

enum herd_syncer_state herd_syncer_wait(struct herd_syncer *syncer, int64_t timeout_ms, int *ret_error)
{
    if (syncer->fd < 0)
        return HERD_SYNCER_IDLE;
    if (herd_worker_wait(&syncer->worker, timeout_ms, ret_error) == HERD_WORKER_BUSY)
        return HERD_SYNCER_BUSY;
    syncer->fd = -1;
    return HERD_SYNCER_DONE;
}

enum herd_syncer_state herd_syncer_poll(struct herd_syncer *syncer, int *ret_error)
{
    return herd_syncer_wait(syncer, 0, ret_error);
}
