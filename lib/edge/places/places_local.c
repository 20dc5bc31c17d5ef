/* SPDX-License-Identifier: MIT */
/*
 * Providers in memory: the compiled-in gazetteer, and files. A file is read by a thread of its own: millions of points
 * take seconds, and the loop has no seconds. A start waits for it, with a bound, for the file may lie where no read ever
 * returns; what comes after that is taken all the same. While the loop serves, only the first 64 KiB are waited for.
 * The thread shares a job with the loop, which belongs to both: the one that lets go of it last frees it. So leaving never
 * waits for a read that hangs (a network file system whose server is gone): the thread is left behind with the job.
 * That it is done is told by closing its end of a pipe.
 */
#include "places_parts.h"

#include "../../places/points.h"

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

#define LEAVE_MAX_MS 100 /* a thread that reads looks at `stop` more often than that */
#define BEGIN_MAX_MS 100 /* 64 KiB take much less, where a read returns at all */

struct load_job {
    atomic_int owners;
    atomic_bool done;
    struct herd_points_watch watch;
    char *path;
    int done_fd; /* the thread's: a byte when the file has begun well, closed when what is below is written */
    struct herd_points *points;
    struct herd_points_summary summary;
    int err;
    struct herd_diagnostic fault;
};

struct local_provider {
    struct herd_places *places;
    struct places_backend *slot;
    char *path;                 /* NULL: the gazetteer */
    struct herd_points *points; /* NULL: the file could not be read yet */
    struct herd_buf answer;
    struct load_job *job; /* NULL: nothing is being read */
    int job_fd;
    struct event *loaded;
    bool again;
};

static void job_release(struct load_job *job)
{
    if (atomic_fetch_sub(&job->owners, 1) > 1)
        return;
    herd_points_free(job->points);
    free(job->path);
    free(job);
}

/* What was read, and how much could not be: many unnamed features are usual, faulty ones are not. */
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

/* Takes over what was read. A file without a place answers nothing: the chain goes on to the next provider. */
static void use_points(struct local_provider *local, struct herd_points *points,
                       const struct herd_points_summary *summary)
{
    herd_points_free(local->points);
    local->points = points;
    local->slot->unusable[0] = '\0';
    if (!herd_points_count(points))
        snprintf(local->slot->unusable, sizeof local->slot->unusable, "%.200s holds no place", local->path);
    log_loaded(local, summary);
}

static void local_start(void *ctx, struct herd_provider_call *call, const struct herd_places_query *query)
{
    struct local_provider *local = ctx;
    local->answer.len = 0;
    if (!local->points || herd_points_answer(local->points, query, &local->answer) < 0) {
        places_call_fail(call, &(struct places_failure){.status = "UNKNOWN_ERROR", .why = "out of memory"});
        return;
    }
    places_call_answer_final(call, (struct herd_span){local->answer.at, local->answer.len});
}

/* One byte into an empty pipe. */
static void on_begun(void *ctx)
{
    const struct load_job *job = ctx;
    (void)!write(job->done_fd, "", 1);
}

static void *load_thread(void *ctx)
{
    struct load_job *job = ctx;
    job->err = herd_points_load(&job->points, job->path, &job->watch, &job->summary, &job->fault);
    atomic_store(&job->done, true);
    close(job->done_fd);
    job_release(job);
    return NULL;
}

static int start_thread(struct load_job *job)
{
    sigset_t all, before;
    pthread_t thread;
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0)
        return HERD_E_NOMEM;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    /* Signals are for the program's own threads. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&thread, &attributes, load_thread, job);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return failed ? HERD_E_NOMEM : 0;
}

static void on_loaded(evutil_socket_t fd, short what, void *ctx);

/* Lets go of the job; the thread may still be at it. */
static void leave_job(struct local_provider *local)
{
    if (local->loaded)
        event_free(local->loaded);
    local->loaded = NULL;
    if (local->job_fd >= 0)
        close(local->job_fd);
    local->job_fd = -1;
    if (local->job)
        job_release(local->job);
    local->job = NULL;
}

static int begin_load(struct local_provider *local)
{
    int ends[2], err = HERD_E_NOMEM;
    local->again = false;
    if (pipe(ends) < 0)
        return HERD_E_IO;
    for (int i = 0; i < 2; i++)
        fcntl(ends[i], F_SETFD, FD_CLOEXEC);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    local->job_fd = ends[0];
    local->loaded = event_new(local->places->base, ends[0], EV_READ, on_loaded, local);
    struct load_job *job = calloc(1, sizeof *job);
    if (local->loaded && job && (job->path = strdup(local->path)) && event_add(local->loaded, NULL) == 0) {
        job->done_fd = ends[1];
        job->watch.begun = on_begun;
        job->watch.ctx = job;
        atomic_init(&job->owners, 2);
        local->job = job;
        if ((err = start_thread(job)) == 0)
            return 0;
        local->job = NULL;
    }
    close(ends[1]);
    leave_job(local);
    if (job)
        free(job->path);
    free(job);
    return err;
}

static void log_kept(struct local_provider *local, const struct load_job *job, const char *why)
{
    struct herd_log_field fields[] = {herd_log_text("file", local->path),
                                      herd_log_int("line", (int64_t)job->fault.line), herd_log_text("why", why)};
    herd_log_event(local->places->log, HERD_LOG_ERROR, "places_file_kept", fields, 3);
}

/* Fills the diagnostic with what a failed job says. Returns its error. */
static int job_fault(const struct load_job *job, struct herd_diagnostic *reterr_diagnostic)
{
    if (job->fault.line)
        return places_fault(reterr_diagnostic, job->err, "%s, line %u: %s", job->path, job->fault.line,
                            job->fault.message);
    return places_fault(reterr_diagnostic, job->err, "%s: %s", job->path, job->fault.message);
}

/* Takes over what a job that is done has read, or says why not. */
static void end_load(struct local_provider *local)
{
    struct load_job *job = local->job;
    struct herd_diagnostic diagnostic;
    if (job->err < 0 && local->slot->loading) {
        job_fault(job, &diagnostic);
        places_set_unusable(local->places, local->slot, diagnostic.message);
    } else if (job->err < 0) {
        log_kept(local, job, job->fault.message);
    } else if (job->summary.cut_short && local->points && herd_points_count(local->points)) {
        job->fault.line = job->summary.first.line; /* perhaps it is being written just now */
        log_kept(local, job, "the file is cut short");
    } else {
        use_points(local, job->points, &job->summary);
        job->points = NULL;
    }
    leave_job(local);
    local->slot->loading = false;
}

static void on_loaded(evutil_socket_t fd, short what, void *ctx)
{
    (void)what;
    struct local_provider *local = ctx;
    char begun;
    (void)!read(fd, &begun, 1);
    if (!atomic_load(&local->job->done) && event_add(local->loaded, NULL) == 0)
        return;
    end_load(local);
    if (local->again)
        (void)begin_load(local);
    places_pump(local->places);
}

/* Waits until the job is done, or has begun well if that is enough, or the moment has come. Whether it is done. */
static bool wait_load(const struct local_provider *local, int64_t until_ms, bool begun_is_enough)
{
    struct pollfd said = {.fd = local->job_fd, .events = POLLIN};
    while (!atomic_load(&local->job->done)) {
        char begun;
        int64_t left_ms = until_ms - herd_fetch_now_ms();
        int ready = poll(&said, 1, left_ms > 0 ? (int)left_ms : 0);
        if (ready == 0 || (ready < 0 && errno != EINTR))
            break;
        if (ready > 0 && read(local->job_fd, &begun, 1) == 1 && begun_is_enough)
            break;
    }
    return atomic_load(&local->job->done);
}

static int local_reload(void *ctx)
{
    struct local_provider *local = ctx;
    if (!local->path)
        return 0;
    if (local->job) {
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
    if (local->job) {
        /* As a rule the thread ends at once, and nothing is left behind. */
        atomic_store(&local->job->watch.stop, true);
        (void)wait_load(local, herd_fetch_now_ms() + LEAVE_MAX_MS, false);
    }
    leave_job(local);
    herd_points_free(local->points);
    herd_buf_fini(&local->answer);
    free(local->path);
    free(local);
}

/* Reads the file for the first time. HERD_E_TIMEOUT: the reading goes on, and what comes of it is taken. */
static int open_file(struct local_provider *local, struct herd_diagnostic *reterr_diagnostic)
{
    bool serving = local->places->serving;
    int64_t until_ms = serving ? herd_fetch_now_ms() + BEGIN_MAX_MS : local->places->load_until_ms;
    int err = begin_load(local);
    if (err < 0)
        return places_fault(reterr_diagnostic, err, "%s: %s", local->path, herd_strerror(err));
    if (!wait_load(local, until_ms, serving)) {
        local->slot->loading = serving;
        return serving
                   ? 0
                   : places_fault(reterr_diagnostic, HERD_E_TIMEOUT, "%s: reading it takes too long", local->path);
    }
    struct load_job *job = local->job;
    if (job->err < 0) {
        err = job_fault(job, reterr_diagnostic);
    } else {
        use_points(local, job->points, &job->summary);
        job->points = NULL;
    }
    leave_job(local);
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
    local->slot = backend;
    local->job_fd = -1;
    backend->provider =
        (struct herd_provider){.ctx = local, .start = local_start, .reload = local_reload, .free = local_free};
    if (file)
        return open_file(local, reterr_diagnostic);
    return herd_points_gazetteer(&local->points) < 0
               ? places_fault(reterr_diagnostic, HERD_E_NOMEM, "out of memory")
               : 0;
}
