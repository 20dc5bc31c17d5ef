/* SPDX-License-Identifier: MIT */
/*
 * Providers in memory: the compiled-in gazetteer, and files. A file is read at the start and again on
 * reload, then by a thread of its own: millions of points take seconds, and the loop has no seconds. The
 * thread shares nothing but the flag that stops it; what it made is handed over through a pipe.
 */
#include "places_parts.h"

#include "../../places/points.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct local_provider {
    struct herd_places *places;
    char *path; /* NULL: the gazetteer */
    struct herd_points *points;
    struct herd_buf answer;
    struct event *loaded;
    int pipe[2];
    pthread_t thread;
    bool loading, again;
    atomic_bool stop;
    /* Written by the thread, read when it has been joined. */
    struct herd_points *fresh;
    size_t skipped;
    int err;
    struct herd_config_fault fault;
};

static void log_loaded(struct local_provider *local, size_t skipped)
{
    struct herd_log_field fields[] = {herd_log_text("file", local->path),
                                      herd_log_int("points", (int64_t)herd_points_count(local->points)),
                                      herd_log_int("skipped", (int64_t)skipped)};
    herd_log_event(local->places->log, HERD_LOG_INFO, "places_file", fields, 3);
}

static void local_start(void *ctx, struct herd_lookup *lookup, const struct herd_places_query *query)
{
    struct local_provider *local = ctx;
    local->answer.len = 0;
    if (herd_points_answer(local->points, query, &local->answer) < 0) {
        places_lookup_fail(lookup, &(struct places_failure){.status = "UNKNOWN_ERROR", .why = "out of memory"});
        return;
    }
    places_lookup_answer_final(lookup, (struct herd_span){local->answer.at, local->answer.len});
}

static void *load_thread(void *ctx)
{
    struct local_provider *local = ctx;
    local->err = herd_points_load(&local->fresh, local->path, &local->stop, &local->skipped, &local->fault);
    /* One byte into an empty pipe always fits. */
    ssize_t wrote = write(local->pipe[1], "", 1);
    (void)wrote;
    return NULL;
}

static int begin_load(struct local_provider *local)
{
    sigset_t all, before;
    local->fresh = NULL;
    local->again = false;
    /* Signals are for the program's own threads. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&local->thread, NULL, load_thread, local);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    local->loading = !failed;
    return failed ? HERD_E_NOMEM : 0;
}

static void on_loaded(evutil_socket_t fd, short what, void *ctx)
{
    (void)what;
    struct local_provider *local = ctx;
    char byte;
    if (read(fd, &byte, 1) != 1)
        return;
    pthread_join(local->thread, NULL);
    local->loading = false;
    if (local->err < 0) {
        struct herd_log_field fields[] = {herd_log_text("file", local->path),
                                          herd_log_int("line", (int64_t)local->fault.line),
                                          herd_log_text("why", local->fault.what)};
        herd_log_event(local->places->log, HERD_LOG_ERROR, "places_file_kept", fields, 3);
    } else {
        herd_points_free(local->points);
        local->points = local->fresh;
        local->fresh = NULL;
        log_loaded(local, local->skipped);
    }
    if (local->again)
        (void)begin_load(local);
}

static int local_reload(void *ctx)
{
    struct local_provider *local = ctx;
    if (!local->path)
        return 0;
    if (local->loading) {
        local->again = true; /* the file may have changed since this one was begun */
        return 0;
    }
    return begin_load(local);
}

static void local_free(void *ctx)
{
    struct local_provider *local = ctx;
    if (!local)
        return;
    if (local->loading) {
        local->stop = true;
        pthread_join(local->thread, NULL);
        herd_points_free(local->fresh);
    }
    if (local->loaded)
        event_free(local->loaded);
    for (int i = 0; i < 2; i++)
        if (local->pipe[i] >= 0)
            close(local->pipe[i]);
    herd_points_free(local->points);
    herd_buf_fini(&local->answer);
    free(local->path);
    free(local);
}

static int open_file(struct local_provider *local, struct herd_config_fault *reterr_fault)
{
    size_t skipped;
    struct herd_config_fault fault = {0};
    int err = herd_points_load(&local->points, local->path, NULL, &skipped, &fault);
    if (err < 0) {
        if (fault.line)
            return places_fault(reterr_fault, err, "%s, line %u: %s", local->path, fault.line, fault.what);
        return places_fault(reterr_fault, err, "%s: %s", local->path, fault.what);
    }
    log_loaded(local, skipped);
    if (pipe(local->pipe) < 0) {
        local->pipe[0] = local->pipe[1] = -1;
        return places_fault(reterr_fault, HERD_E_IO, "no pipe");
    }
    for (int i = 0; i < 2; i++) {
        fcntl(local->pipe[i], F_SETFD, FD_CLOEXEC);
        fcntl(local->pipe[i], F_SETFL, O_NONBLOCK);
    }
    local->loaded = event_new(local->places->base, local->pipe[0], EV_READ | EV_PERSIST, on_loaded, local);
    if (!local->loaded || event_add(local->loaded, NULL) < 0)
        return places_fault(reterr_fault, HERD_E_NOMEM, "out of memory");
    return 0;
}

int places_local_new(struct herd_provider *ret_provider, struct herd_places *places,
                     const struct herd_config_provider *config, struct herd_config_fault *reterr_fault)
{
    bool file = strcmp(config->kind, "file") == 0;
    if (file && !config->file)
        return places_fault(reterr_fault, HERD_E_SYNTAX, "provider file needs a file");
    struct local_provider *local = calloc(1, sizeof *local);
    if (!local)
        return places_fault(reterr_fault, HERD_E_NOMEM, "out of memory");
    local->places = places;
    local->pipe[0] = local->pipe[1] = -1;
    int err;
    if (file && !(local->path = strdup(config->file)))
        err = places_fault(reterr_fault, HERD_E_NOMEM, "out of memory");
    else if (file)
        err = open_file(local, reterr_fault);
    else if ((err = herd_points_gazetteer(&local->points)) < 0)
        err = places_fault(reterr_fault, err, "out of memory");
    if (err < 0) {
        local_free(local);
        return err;
    }
    *ret_provider =
        (struct herd_provider){.ctx = local, .start = local_start, .reload = local_reload, .free = local_free};
    return 0;
}
