/* SPDX-License-Identifier: MIT */
/*
 * Providers in memory: the compiled-in gazetteer, and files. A file is read by a thread of its own: millions of
 * points take seconds. A start waits for it up to a bound, because a read may never return; its result is taken
 * even if it comes later. While the loop serves, only the first 64 KiB are waited for. The thread and the loop
 * share a reference-counted load; the one that releases it last frees it. So freeing a provider never waits for a
 * read that hangs (a network file system whose server is gone): the thread keeps the load. It signals through a
 * pipe.
 */
#include "places_local.h"

#include "../../places/points.h"
#include "../clock.h"
#include "places_call.h"
#include "places_chain.h"
#include "places_fault.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LEAVE_MAX_MS 100 /* a thread that reads checks `stop` more often than that */
#define BEGIN_MAX_MS 100 /* 64 KiB take much less, where a read returns at all */

struct load {
    atomic_int owners;
    atomic_bool done;
    struct herd_points_watch watch;
    char *path;
    int done_fd; /* the thread's end of the pipe: a byte after the first 64 KiB, closed when the rest is written */
    struct herd_points *points;
    struct herd_points_summary summary;
    int err;
    struct herd_diagnostic fault;
};

struct local_provider {
    struct herd_places *places;
    struct places_backend *backend;
    char *path;                 /* NULL: the gazetteer */
    struct herd_points *points; /* NULL: the file could not be read yet */
    struct herd_buf answer;
    struct load *load; /* NULL: nothing is being read */
    int pipe_fd;       /* of the load; -1: none */
    struct event *loaded;
    bool again; /* load once more when this one is done */
};

static void load_release(struct load *load)
{
    if (atomic_fetch_sub(&load->owners, 1) > 1)
        return;
    herd_points_free(load->points);
    free(load->path);
    free(load);
}

/* Logs what was read and what could not be: unnamed features are usual, faulty ones are not. */
static void log_loaded(struct local_provider *local, const struct herd_points_summary *summary)
{
    size_t count = herd_points_count(local->points), field_count = 3;
    struct herd_log_field fields[7] = {herd_log_text("file", local->path), herd_log_int("points", (int64_t)count),
                                       herd_log_int("skipped", (int64_t)summary->skipped)};
    if (summary->faulty) {
        fields[field_count++] = herd_log_int("faulty", (int64_t)summary->faulty);
        fields[field_count++] = herd_log_int("first_line", (int64_t)summary->first.line);
        if (summary->first_item)
            fields[field_count++] = herd_log_int("first_feature", (int64_t)summary->first_item);
        fields[field_count++] = herd_log_text("why", summary->first.message);
    }
    herd_log_event(local->places->log, count && !summary->faulty ? HERD_LOG_INFO : HERD_LOG_WARN, "places_file",
                   fields, field_count);
}

/* Replaces the points. A file without a place makes the provider unusable: the chain passes it over. */
static void use_points(struct local_provider *local, struct herd_points *points,
                       const struct herd_points_summary *summary)
{
    herd_points_free(local->points);
    local->points = points;
    local->backend->unusable[0] = '\0';
    if (!herd_points_count(points))
        snprintf(local->backend->unusable, sizeof local->backend->unusable, "%.200s holds no place", local->path);
    log_loaded(local, summary);
}

static void local_start(void *ctx, struct herd_provider_call *call, const struct herd_places_query *query)
{
    struct local_provider *local = ctx;
    local->answer.len = 0;
    assert(local->points); /* else it is unusable, or loading */
    if (herd_points_answer(local->points, query, &local->answer) < 0) {
        places_call_fail(call, &(struct places_failure){.status = "UNKNOWN_ERROR", .why = "out of memory"});
        return;
    }
    places_call_answer_final(call, (struct herd_span){local->answer.at, local->answer.len});
}

/* Writes one byte into an empty pipe. */
static void on_begun(void *ctx)
{
    const struct load *load = ctx;
    (void)!write(load->done_fd, "", 1);
}

static void *load_thread(void *ctx)
{
    struct load *load = ctx;
    load->err = herd_points_load(&load->points, load->path, &load->watch, &load->summary, &load->fault);
    atomic_store(&load->done, true);
    close(load->done_fd);
    load_release(load);
    return NULL;
}

static int start_thread(struct load *load)
{
    sigset_t all, before;
    pthread_t thread;
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0)
        return HERD_E_NOMEM;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    /* Signals are handled by the program's own threads. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&thread, &attributes, load_thread, load);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return failed ? HERD_E_NOMEM : 0;
}

static void on_loaded(evutil_socket_t fd, short what, void *ctx);

/* Releases the load; the thread may still be reading. */
static void leave_load(struct local_provider *local)
{
    if (local->loaded)
        event_free(local->loaded);
    local->loaded = NULL;
    if (local->pipe_fd >= 0)
        close(local->pipe_fd);
    local->pipe_fd = -1;
    if (local->load)
        load_release(local->load);
    local->load = NULL;
}

static int begin_load(struct local_provider *local)
{
    int ends[2], err = HERD_E_NOMEM;
    assert(!local->load && local->pipe_fd < 0 && !local->loaded);
    local->again = false;
    if (pipe(ends) < 0)
        return HERD_E_IO;
    for (int i = 0; i < 2; i++)
        fcntl(ends[i], F_SETFD, FD_CLOEXEC);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    local->pipe_fd = ends[0];
    local->loaded = event_new(local->places->base, ends[0], EV_READ | EV_PERSIST, on_loaded, local);
    struct load *load = calloc(1, sizeof *load);
    if (local->loaded && load && (load->path = strdup(local->path)) && event_add(local->loaded, NULL) == 0) {
        load->done_fd = ends[1];
        load->watch.begun = on_begun;
        load->watch.ctx = load;
        atomic_init(&load->owners, 2);
        local->load = load;
        if ((err = start_thread(load)) == 0)
            return 0;
        local->load = NULL;
    }
    close(ends[1]);
    leave_load(local);
    if (load)
        free(load->path);
    free(load);
    return err;
}

static void log_kept(struct local_provider *local, const struct load *load, const char *why)
{
    struct herd_log_field fields[] = {herd_log_text("file", local->path),
                                      herd_log_int("line", (int64_t)load->fault.line), herd_log_text("why", why)};
    herd_log_event(local->places->log, HERD_LOG_ERROR, "places_file_kept", fields, 3);
}

/* Fills the diagnostic with the fault of a failed load. Returns its error. */
static int load_fault(const struct load *load, struct herd_diagnostic *reterr_diagnostic)
{
    if (load->fault.line)
        return places_fault(reterr_diagnostic, load->err, "%s, line %u: %s", load->path, load->fault.line,
                            load->fault.message);
    return places_fault(reterr_diagnostic, load->err, "%s: %s", load->path, load->fault.message);
}

/* Takes the points of a load that is done, or logs why not. */
static void end_load(struct local_provider *local)
{
    struct load *load = local->load;
    struct herd_diagnostic diagnostic;
    assert(load && atomic_load(&load->done));
    if (load->err < 0 && local->backend->loading) {
        load_fault(load, &diagnostic);
        places_set_unusable(local->places, local->backend, diagnostic.message);
    } else if (load->err < 0) {
        log_kept(local, load, load->fault.message);
    } else if (load->summary.cut_short && local->points && herd_points_count(local->points)) {
        load->fault.line = load->summary.first.line; /* it may be being written right now */
        log_kept(local, load, "the file is cut short");
    } else {
        use_points(local, load->points, &load->summary);
        load->points = NULL;
    }
    leave_load(local);
    local->backend->loading = false;
}

static void on_loaded(evutil_socket_t fd, short what, void *ctx)
{
    (void)what;
    struct local_provider *local = ctx;
    char begun;
    int err;
    (void)!read(fd, &begun, 1);
    if (!atomic_load(&local->load->done))
        return;
    end_load(local);
    if (local->again && (err = begin_load(local)) < 0)
        places_log_reload(local->places, local->backend, err);
    places_pump(local->places);
}

/* Waits until the load is done, or has read the first 64 KiB if `begun_is_enough`, or until_ms. True: it is
 * done. */
static bool wait_load(const struct local_provider *local, int64_t until_ms, bool begun_is_enough)
{
    struct pollfd wait = {.fd = local->pipe_fd, .events = POLLIN};
    while (!atomic_load(&local->load->done)) {
        char begun;
        int64_t left_ms = until_ms - herd_clock_steady_ms();
        int ready = poll(&wait, 1, left_ms > 0 ? (int)left_ms : 0);
        if (ready == 0 || (ready < 0 && errno != EINTR))
            break;
        if (ready > 0 && read(local->pipe_fd, &begun, 1) == 1 && begun_is_enough)
            break;
    }
    return atomic_load(&local->load->done);
}

static int local_reload(void *ctx)
{
    struct local_provider *local = ctx;
    if (!local->path)
        return 0;
    if (local->load) {
        local->again = true; /* the file may have changed since this load began */
        return 0;
    }
    return begin_load(local);
}

static void local_free(void *ctx)
{
    struct local_provider *local = ctx;
    if (local->load) {
        /* As a rule the thread ends at once. */
        atomic_store(&local->load->watch.stop, true);
        (void)wait_load(local, herd_clock_steady_ms() + LEAVE_MAX_MS, false);
    }
    leave_load(local);
    herd_points_free(local->points);
    herd_buf_fini(&local->answer);
    free(local->path);
    free(local);
}

/* Reads the file for the first time. HERD_E_TIMEOUT: the reading goes on, and its result is taken later. */
static int open_file(struct local_provider *local, struct herd_diagnostic *reterr_diagnostic)
{
    bool serving = local->places->serving;
    int64_t until_ms = serving ? herd_clock_steady_ms() + BEGIN_MAX_MS : local->places->load_until_ms;
    int err = begin_load(local);
    if (err < 0)
        return places_fault(reterr_diagnostic, err, "%s: %s", local->path, herd_strerror(err));
    if (!wait_load(local, until_ms, serving)) {
        local->backend->loading = serving;
        return serving
                   ? 0
                   : places_fault(reterr_diagnostic, HERD_E_TIMEOUT, "%s: reading it takes too long", local->path);
    }
    struct load *load = local->load;
    if (load->err < 0) {
        err = load_fault(load, reterr_diagnostic);
    } else {
        use_points(local, load->points, &load->summary);
        load->points = NULL;
    }
    leave_load(local);
    return err;
}

int places_local_new(struct places_backend *backend, struct herd_places *places,
                     const struct herd_config_provider *config, struct herd_diagnostic *reterr_diagnostic)
{
    bool file = strcmp(config->kind, "file") == 0;
    if (file && !config->file)
        return places_fault(reterr_diagnostic, HERD_E_SYNTAX, "provider file needs a file");
    struct local_provider *local = calloc(1, sizeof *local);
    if (!local || (file && !(local->path = strdup(config->file)))) {
        free(local);
        return places_fault(reterr_diagnostic, HERD_E_NOMEM, "out of memory");
    }
    local->places = places;
    local->backend = backend;
    local->pipe_fd = -1;
    backend->provider =
        (struct herd_provider){.ctx = local, .start = local_start, .reload = local_reload, .free = local_free};
    if (file)
        return open_file(local, reterr_diagnostic);
    return herd_points_gazetteer(&local->points) < 0
               ? places_fault(reterr_diagnostic, HERD_E_NOMEM, "out of memory")
               : 0;
}
