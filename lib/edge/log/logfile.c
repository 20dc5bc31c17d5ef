/* SPDX-License-Identifier: MIT */
/*
 * A file as the sink of a log, written at once or by a thread.
 *
 *     herd_log --sink--> queue of blocks --thread--> busy blocks --> file --> written blocks --sink--> spare blocks
 *
 * A job of the thread writes until the queue is empty. What the file does not take goes back to the front of the
 * queue and is tried by the next job, which the next line begins: the thread loses nothing. A queue that is full
 * refuses what comes, and the log counts that. Blocks that are written are used again, the last one first: while
 * the file keeps up, the same few stay in the cache.
 */
#include "../clock.h"
#include "../worker/worker.h"
#include "append.h"

#include <herd/log.h>

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES      65536
#define BUFFER_STANDARD  (4u << 20)
#define SPARES_MAX       4
#define REST_BLOCKS      2 /* the rest of the longest line */
#define CLOSE_TIMEOUT_MS 1000

struct block {
    struct block *next;
    size_t len, wrote;
    bool reopen; /* the path is opened anew when this is written */
    char bytes[BLOCK_BYTES];
};

struct list {
    struct block *first, *last;
};

struct herd_logfile {
    struct herd_append *file; /* the thread's while it works */
    bool in_line;             /* the last thing taken was part of a line */
    bool is_torn;             /* and its rest is lost */
    bool started;             /* a thread writes: */
    struct herd_worker worker;
    pthread_mutex_t lock;       /* guards the queue, `written` and `working` */
    struct list queue, written; /* the first block of the queue may be written in part */
    bool working;               /* a job looks at the queue once more before it ends */
    struct list busy;           /* the thread's */
    struct herd_log *own;       /* the thread's: makes lines about the file itself */
    struct block *spares;       /* the loop's, as all below */
    size_t spare_count;
    size_t block_count, blocks_max; /* that are no spares */
    int64_t offset;                 /* how long the file is when all is written; -1: it is none */
};

int herd_logfile_open(struct herd_logfile **ret_file, const char *path)
{
    struct herd_logfile *file = calloc(1, sizeof *file);
    if (!file)
        return HERD_E_NOMEM;
    int err = herd_append_open(&file->file, path);
    if (err < 0) {
        int why = errno;
        free(file);
        errno = why;
        return err;
    }
    file->in_line = file->is_torn = file->file->in_line;
    *ret_file = file;
    return 0;
}

/* ---- without a thread ---- */

static int write_now(struct herd_logfile *file, const char *bytes, size_t len)
{
    size_t wrote;
    int err = file->is_torn ? herd_append_write(file->file, "\n", 1, &wrote) : 0;
    if (err >= 0)
        err = herd_append_write(file->file, bytes, len, &wrote);
    file->in_line = file->file->in_line;
    file->is_torn = err < 0 && file->in_line;
    return err;
}

/* ---- blocks ---- */

static void append_block(struct list *list, struct block *block)
{
    block->next = NULL;
    if (list->last)
        list->last->next = block;
    else
        list->first = block;
    list->last = block;
}

static bool reserve_spares(struct herd_logfile *file, size_t count)
{
    while (file->spare_count < count) {
        struct block *block = malloc(sizeof *block);
        if (!block)
            return false;
        block->next = file->spares;
        file->spares = block;
        file->spare_count++;
    }
    return true;
}

/* Moves a spare block, of which there must be one, to the end of the queue. */
static struct block *add_block(struct herd_logfile *file)
{
    struct block *block = file->spares;
    assert(block);
    file->spares = block->next;
    file->spare_count--;
    block->len = block->wrote = 0;
    block->reopen = false;
    append_block(&file->queue, block);
    file->block_count++;
    return block;
}

static void drop_block(struct herd_logfile *file, struct block *block)
{
    file->block_count--;
    if (file->spare_count == SPARES_MAX) {
        free(block);
        return;
    }
    block->next = file->spares;
    file->spares = block;
    file->spare_count++;
}

/* How many bytes the last block of the queue still takes. */
static size_t room_at_end(const struct herd_logfile *file)
{
    const struct block *block = file->queue.last;
    return block && !block->reopen ? BLOCK_BYTES - block->len : 0;
}

/* Whether `len` bytes fit; the blocks for them are spare ones then. The rest of a line that was begun may go beyond
 * the bound, so that lines are lost whole. */
static bool has_room(struct herd_logfile *file, size_t len, bool is_rest)
{
    size_t room = room_at_end(file);
    size_t blocks = len > room ? (len - room + BLOCK_BYTES - 1) / BLOCK_BYTES : 0;
    size_t blocks_max = file->blocks_max + (is_rest ? REST_BLOCKS : 0);
    return file->block_count + blocks <= blocks_max && reserve_spares(file, blocks);
}

static void put(struct herd_logfile *file, const char *bytes, size_t len)
{
    if (file->offset >= 0)
        file->offset += (int64_t)len;
    while (len > 0) {
        size_t room = room_at_end(file);
        struct block *block = room > 0 ? file->queue.last : add_block(file);
        size_t part = BLOCK_BYTES - block->len < len ? BLOCK_BYTES - block->len : len;
        memcpy(block->bytes + block->len, bytes, part);
        block->len += part;
        bytes += part;
        len -= part;
    }
}

static void reuse_written(struct herd_logfile *file)
{
    while (file->written.first) {
        struct block *block = file->written.first;
        file->written.first = block->next;
        drop_block(file, block);
    }
    file->written.last = NULL;
}

/* Appends lines to the queue, all or none; a log whose lines are refused in the middle of one hands on its rest alone.
 * The lock is held. */
static int enqueue(struct herd_logfile *file, const char *bytes, size_t len)
{
    reuse_written(file);
    bool is_rest = file->in_line && !file->is_torn && memchr(bytes, '\n', len) == bytes + len - 1;
    if (!has_room(file, len + 1, is_rest)) {
        file->is_torn = file->is_torn || is_rest;
        return HERD_E_LIMIT;
    }
    if (file->is_torn)
        put(file, "\n", 1);
    put(file, bytes, len);
    file->is_torn = false;
    file->in_line = bytes[len - 1] != '\n';
    return 0;
}

/* ---- the thread ---- */

/* Writes a line about the file itself; it is lost if the file takes nothing. */
static int write_own(void *ctx, const char *bytes, size_t len)
{
    struct herd_logfile *file = ctx;
    size_t wrote;
    if (!file->file->in_line || herd_append_write(file->file, "\n", 1, &wrote) >= 0)
        (void)herd_append_write(file->file, bytes, len, &wrote);
    return 0;
}

static void reopen(struct herd_logfile *file)
{
    int err = herd_append_reopen(file->file);
    struct herd_log_field field = herd_log_text("why", strerror(errno));
    herd_log_set_time(file->own, herd_clock().wall_ns);
    if (err < 0)
        herd_log_event(file->own, HERD_LOG_ERROR, "log_reopen_failed", &field, 1);
    else
        herd_log_event(file->own, HERD_LOG_INFO, "log_reopened", NULL, 0);
    herd_log_flush(file->own);
}

/* Writes the busy blocks: 0 or an errno. A file that takes nothing more does not keep the next one from being
 * opened. */
static int write_busy(struct herd_logfile *file)
{
    int error = 0;
    for (struct block *block = file->busy.first; block; block = block->next) {
        size_t wrote = 0;
        if (!error &&
            herd_append_write(file->file, block->bytes + block->wrote, block->len - block->wrote, &wrote) < 0)
            error = errno;
        block->wrote += wrote;
        if (block->reopen)
            reopen(file);
        block->reopen = false;
    }
    return error;
}

/* Returns written blocks to the loop, and the others to the front of the queue. The lock is held. */
static void give_back(struct herd_logfile *file)
{
    struct list *busy = &file->busy;
    while (busy->first && busy->first->wrote == busy->first->len) {
        struct block *block = busy->first;
        busy->first = block->next;
        append_block(&file->written, block);
    }
    if (busy->first) {
        busy->last->next = file->queue.first;
        file->queue.first = busy->first;
        if (!file->queue.last)
            file->queue.last = busy->last;
    }
    *busy = (struct list){NULL, NULL};
}

/* Writes until the queue is empty or the file takes nothing; runs on the thread. */
static int write_queue(void *arg)
{
    struct herd_logfile *file = arg;
    int error = 0;
    pthread_mutex_lock(&file->lock);
    while (file->queue.first && !error) {
        file->busy = file->queue;
        file->queue = (struct list){NULL, NULL};
        pthread_mutex_unlock(&file->lock);
        error = write_busy(file);
        pthread_mutex_lock(&file->lock);
        give_back(file);
    }
    file->working = false;
    pthread_mutex_unlock(&file->lock);
    return error;
}

/* Starts a job unless one is running. Unlocks. */
static void begin_job(struct herd_logfile *file)
{
    int unused;
    bool begin = !file->working && file->queue.first;
    if (begin)
        file->working = true;
    pthread_mutex_unlock(&file->lock);
    if (!begin)
        return;
    /* The last one has ended but for its return. */
    while (herd_worker_wait(&file->worker, CLOSE_TIMEOUT_MS, &unused) == HERD_WORKER_BUSY)
        continue;
    herd_worker_begin(&file->worker, write_queue, file);
}

int herd_logfile_start(struct herd_logfile *file, size_t buffer_bytes)
{
    const struct herd_log_options own = {.sink = write_own, .sink_ctx = file};
    if (file->started)
        return 0;
    if (herd_log_new(&file->own, &own) < 0)
        return HERD_E_NOMEM;
    herd_worker_init(&file->worker, -1);
    if (!file->worker.threaded) {
        herd_worker_fini(&file->worker, 0, NULL, NULL);
        herd_log_free(file->own);
        file->own = NULL;
        return HERD_E_NOMEM;
    }
    pthread_mutex_init(&file->lock, NULL);
    file->blocks_max = (buffer_bytes ? buffer_bytes : BUFFER_STANDARD) / BLOCK_BYTES;
    if (file->blocks_max < 2)
        file->blocks_max = 2;
    file->offset = file->file->is_regular ? (int64_t)file->file->offset : -1;
    file->started = true;
    return 0;
}

/* ---- either way ---- */

int herd_logfile_sink(void *ctx, const char *bytes, size_t len)
{
    struct herd_logfile *file = ctx;
    if (!file->started)
        return write_now(file, bytes, len);
    pthread_mutex_lock(&file->lock);
    int err = enqueue(file, bytes, len);
    begin_job(file);
    return err;
}

int herd_logfile_reopen(struct herd_logfile *file)
{
    if (!file->started) {
        int err = herd_append_reopen(file->file);
        if (err >= 0)
            file->in_line = file->is_torn = file->file->in_line;
        return err;
    }
    pthread_mutex_lock(&file->lock);
    reuse_written(file);
    /* One block more than are allowed: a file that takes nothing can still be replaced. */
    if (!file->queue.last && reserve_spares(file, 1))
        add_block(file);
    bool done = file->queue.last;
    if (done) {
        file->queue.last->reopen = true;
        if (file->offset >=
            0) /* the old one was moved away, most likely: a new one begins with the line about that */
            file->offset = sizeof "2026-11-23T07:01:02.345678Z info log_reopened\n" - 1;
    }
    begin_job(file);
    errno = ENOMEM;
    return done ? 0 : HERD_E_IO;
}

int64_t herd_logfile_offset(const struct herd_logfile *file)
{
    if (file->started)
        return file->offset;
    return file->file->is_regular ? (int64_t)file->file->offset : -1;
}

static void free_blocks(struct block *block)
{
    while (block) {
        struct block *next = block->next;
        free(block);
        block = next;
    }
}

static void release(void *arg)
{
    struct herd_logfile *file = arg;
    herd_log_free(file->own);
    herd_append_close(file->file);
    free_blocks(file->queue.first);
    free_blocks(file->busy.first);
    free_blocks(file->written.first);
    if (file->started)
        pthread_mutex_destroy(&file->lock);
    free_blocks(file->spares);
    free(file);
}

/* Writes what is queued, for up to `timeout_ms`; does not wait for a full disk. */
static void drain(struct herd_logfile *file)
{
    int64_t until_ms = herd_clock().steady_ns / 1000000 + CLOSE_TIMEOUT_MS, left_ms = CLOSE_TIMEOUT_MS;
    int failures = 0; /* the first may be an old one */
    bool left = true;
    while (left && failures < 2 && left_ms > 0) {
        int why = 0;
        pthread_mutex_lock(&file->lock);
        begin_job(file);
        herd_worker_wait(&file->worker, left_ms, &why);
        failures += why != 0 && why != EAGAIN;
        left_ms = until_ms - herd_clock().steady_ns / 1000000;
        pthread_mutex_lock(&file->lock);
        left = file->working || file->queue.first;
        pthread_mutex_unlock(&file->lock);
    }
}

void herd_logfile_close(struct herd_logfile *file)
{
    if (!file)
        return;
    if (!file->started) {
        release(file);
        return;
    }
    drain(file);
    herd_worker_fini(&file->worker, 0, release, file);
}
