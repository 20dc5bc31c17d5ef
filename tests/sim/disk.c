/* SPDX-License-Identifier: MIT */
/*
 * Journals: lib/edge writes them, the disk below keeps them. It knows which bytes of a file and which names of a
 * folder were synced. When a machine goes down, what was not may be lost: of a file all behind any byte, of the folder
 * its last changes; a process that is killed loses nothing that it wrote. Until all is well again, writing, syncing,
 * renaming and the rest fail now and then.
 *
 *     synced      a line that reached the disk is never lost again, whatever is written anew meanwhile
 *     replaced    what is safe in a journal is safe in the file that takes its name
 *     read back   a node has what its journal says, line by line
 *     at the end  all that the node knows is in its journal
 */
#define SIM_DISK
#include "world.h"

#include "files.h"
#include "node_impl.h"

#include "../../lib/edge/journal/journal_impl.h"
#include "../../lib/edge/journal/syncer.h"
#include "../../lib/edge/worker/worker.h"

#include <stdarg.h>

#define FD_FIRST 100
#define FOLDER   (-2)

/* Whose files are meant, while a node's journal is at work. */
static struct world *world;
static struct sim_disk *disk;
static int whose;

static void enter(struct world *w, int node)
{
    world = w;
    whose = node;
    disk = &w->nodes[node].disk;
}

/* What a disk does, of a seed that is told step by step. */
__attribute__((format(printf, 1, 2))) static void tell(const char *format, ...)
{
    char text[200];
    va_list list;
    if (!world->verbose)
        return;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    sim_say(world, "%s's disk: %s", world->nodes[whose].name, text);
}

static bool unlucky(uint64_t one_in)
{
    return disk->trouble && rng_one_in(&world->checks, one_in);
}

static int fails(int error)
{
    errno = error;
    return -1;
}

/* ---- files ---- */

static bool in_use(int file)
{
    for (int i = 0; i < DISK_NAMES; i++)
        if (disk->names[i] == file || disk->durable[i] == file)
            return true;
    for (int i = 0; i < DISK_FDS; i++)
        if (disk->fds[i].used && disk->fds[i].file == file)
            return true;
    return false;
}

/* 0: the journal's name; 1: that of the file that is to replace it. */
static int name_of(const char *path)
{
    size_t len = strlen(path);
    return len > 8 && strcmp(path + len - 8, "~compact") == 0;
}

static struct sim_file *file_of(int fd)
{
    return &disk->files[disk->fds[fd - FD_FIRST].file];
}

int sim_open(const char *path, int flags)
{
    int fd = 0, name = name_of(path);
    while (disk->fds[fd].used)
        if (++fd == DISK_FDS)
            sim_fail(world, "a journal leaves files open");
    if (disk->dead || unlucky(12))
        return fails(EMFILE);
    disk->fds[fd].used = true;
    disk->fds[fd].at = 0;
    if (flags & O_DIRECTORY) {
        disk->fds[fd].file = FOLDER;
        return FD_FIRST + fd;
    }
    if (disk->names[name] >= 0 && (flags & O_EXCL)) {
        disk->fds[fd].used = false;
        return fails(EEXIST);
    }
    if (disk->names[name] < 0 && !(flags & O_CREAT)) {
        disk->fds[fd].used = false;
        return fails(ENOENT);
    }
    if (disk->names[name] < 0) {
        int file = 0;
        disk->fds[fd].file = FOLDER;
        while (in_use(file))
            if (++file == DISK_FILES)
                sim_fail(world, "a journal of more than %d files", DISK_FILES);
        herd_buf_fini(&disk->files[file].bytes);
        disk->files[file] = (struct sim_file){0};
        disk->names[name] = file;
    }
    disk->fds[fd].file = disk->names[name];
    return FD_FIRST + fd;
}

int sim_close(int fd)
{
    disk->fds[fd - FD_FIRST].used = false;
    return 0;
}

ssize_t sim_read(int fd, void *at, size_t len)
{
    const struct sim_file *file = file_of(fd);
    size_t *from = &disk->fds[fd - FD_FIRST].at, left = file->bytes.len - *from;
    len = left < len ? left : len;
    if (len > 1)
        len = (size_t)rng_in(&world->checks, 1, (int64_t)len);
    if (len)
        memcpy(at, file->bytes.at + *from, len);
    *from += len;
    return (ssize_t)len;
}

ssize_t sim_write(int fd, const void *at, size_t len)
{
    struct sim_file *file = file_of(fd);
    if (disk->dead || unlucky(20))
        return fails(rng_one_in(&world->checks, 4) ? EINTR : ENOSPC);
    if (unlucky(8))
        len = (size_t)rng_in(&world->checks, 1, (int64_t)len);
    if (len == 1 && *(const char *)at == '\n')
        file->doubt = 0; /* the part of a line is ended instead */
    uint64_t one_in = sim_alloc.one_in;
    sim_alloc.one_in = 0; /* the disk's memory, not ours */
    if (herd_buf_add(&file->bytes, at, len) < 0)
        sim_fail(world, "out of memory");
    sim_alloc.one_in = one_in;
    return (ssize_t)len;
}

int sim_ftruncate(int fd, off_t len)
{
    struct sim_file *file = file_of(fd);
    if (disk->dead || unlucky(4)) {
        disk->torn++;
        file->doubt = (size_t)len;
        return fails(EIO);
    }
    if ((size_t)len > file->bytes.len)
        sim_fail(world, "a journal grows out of nothing");
    tell("file %d is cut from %zu to %zu", disk->fds[fd - FD_FIRST].file, file->bytes.len, (size_t)len);
    file->bytes.len = (size_t)len;
    file->doubt = 0;
    for (int i = 0; i < DISK_FDS; i++) /* a sync under way knows nothing of what will stand here instead */
        if (disk->fds[i].used && disk->fds[i].file == disk->fds[fd - FD_FIRST].file &&
            disk->fds[i].syncing > (size_t)len)
            disk->fds[i].syncing = (size_t)len;
    if (file->synced > file->bytes.len)
        file->synced = file->bytes.len;
    if (file->parsed > file->bytes.len)
        file->parsed = file->bytes.len;
    return 0;
}

off_t sim_lseek(int fd, off_t offset, int whence)
{
    if (offset != 0 || whence != SEEK_END)
        sim_fail(world, "a journal seeks");
    return (off_t)file_of(fd)->bytes.len;
}

static int tell_stat(int file, struct stat *ret)
{
    *ret = (struct stat){.st_mode = S_IFREG | 0600, .st_ino = (ino_t)file};
    return 0;
}

int sim_fstat(int fd, struct stat *ret)
{
    return tell_stat(disk->fds[fd - FD_FIRST].file, ret);
}

int sim_stat(const char *path, struct stat *ret)
{
    int file = disk->names[name_of(path)];
    return file < 0 ? fails(ENOENT) : tell_stat(file, ret);
}

static bool is_record(const char *at, const char *lf)
{
    return lf - at >= 5 + HERD_CHECKSUM_LEN && (memcmp(at, "AT ", 3) == 0 || memcmp(at, "GONE ", 5) == 0);
}

/* The version in the line at *io_at, or NO_VERSION; then *io_at is behind its LF, or behind `stop`, where the last line
 * may end too. */
static int32_t next_version(const char **io_at, const char *stop)
{
    const char *at = *io_at, *lf = memchr(at, '\n', (size_t)(stop - at)), *end = lf ? lf : stop;
    *io_at = end + 1;
    if (!is_record(at, end))
        return NO_VERSION;
    return model_find(&world->model, (struct herd_span){at, (size_t)(end - at) - HERD_CHECKSUM_LEN});
}

/* Whether a version may stand in a journal in place of one that was safe: it is no less, but where a clock that came back
 * made the node take a lesser one. What it held then, took in again, and had synced by chance, is not told apart. */
static bool follows(const struct sim_node *n, uint32_t key, int32_t version, int32_t safe)
{
    return version != NO_VERSION && (n->lives[key] > 0 || model_order(&world->model, version, safe) >= 0);
}

/* Of a file that takes the journal's name: what is safe in the old one is safe in this one. What the node dropped and took in
 * again is safe in the old one by chance, if what it held before stands there: here it may stand in what is to be synced. */
static void check_replacement(const struct sim_file *file)
{
    const struct sim_node *n = &world->nodes[whose];
    uint64_t one_in = sim_alloc.one_in;
    sim_alloc.one_in = 0; /* our memory, not the node's */
    bool *found = calloc(world->model.key_count, sizeof *found);
    const char *at = file->bytes.at, *synced = at + file->synced, *stop = at + file->bytes.len;
    while (at < stop) {
        const bool is_safe = at < synced;
        int32_t version = next_version(&at, is_safe ? synced : stop);
        uint32_t key = version == NO_VERSION ? 0 : world->model.versions[version].key;
        if (version != NO_VERSION && (is_safe || n->lives[key] > 0))
            found[key] |= follows(n, key, version, n->safe[key]);
    }
    for (uint32_t key = 0; key < world->model.key_count; key++)
        if (n->safe[key] != NO_VERSION && !found[key] && !model_removed(world, whose, n->safe[key]))
            sim_fail(world, "%s's journal is replaced by one that may lose %.*s", n->name,
                     (int)world->model.versions[n->safe[key]].len, world->model.texts[n->safe[key]]);
    free(found);
    sim_alloc.one_in = one_in;
}

int sim_rename(const char *from, const char *to)
{
    int old = name_of(from), new = name_of(to);
    if (disk->dead || unlucky(6))
        return fails(EIO);
    check_replacement(&disk->files[disk->names[old]]);
    tell("file %d replaces file %d", disk->names[old], disk->names[new]);
    disk->names[new] = disk->names[old];
    disk->names[old] = -1;
    world->figures->compactions++;
    return 0;
}

int sim_unlink(const char *path)
{
    if (disk->dead)
        return fails(EIO);
    disk->names[name_of(path)] = -1;
    return 0;
}

char *sim_strdup(const char *text)
{
    size_t len = strlen(text) + 1;
    char *copy = malloc(len);
    return copy ? memcpy(copy, text, len) : NULL;
}

/* ---- syncing ---- */

/* What is safe under the journal's name is safe for ever. */
static void note_safe(void)
{
    struct sim_node *n = &world->nodes[whose];
    if (disk->names[0] < 0 || disk->names[0] != disk->durable[0])
        return;
    struct sim_file *file = &disk->files[disk->names[0]];
    size_t end = file->doubt && file->doubt < file->synced ? file->doubt : file->synced;
    if (end <= file->parsed)
        return;
    const char *at = file->bytes.at + file->parsed, *stop = file->bytes.at + end;
    for (const char *lf; at < stop && (lf = memchr(at, '\n', (size_t)(stop - at))) != NULL; at = lf + 1) {
        if (!is_record(at, lf))
            continue;
        struct herd_span line = {at, (size_t)(lf - at) - HERD_CHECKSUM_LEN};
        int32_t version = model_find(&world->model, line);
        if (version == NO_VERSION)
            continue; /* the end of another, torn one */
        int32_t *safe = &n->safe[world->model.versions[version].key];
        /* A node holds ever newer records, but where its clock made it forget: then the last counts. */
        if (world->expire_ns || model_order(&world->model, version, *safe) > 0) {
            *safe = version;
            tell("client %u is safe: version %d, at %zu", world->model.versions[version].key, version,
                 (size_t)(at - file->bytes.at));
        }
    }
    file->parsed = (size_t)(at - file->bytes.at);
    tell("file %d of %zu bytes is safe up to %zu", disk->names[0], file->bytes.len, file->parsed);
}

static int sync_up_to(int fd, size_t len)
{
    if (disk->dead)
        return fails(EIO);
    if (unlucky(20)) {
        tell("file %d is not synced", disk->fds[fd - FD_FIRST].file);
        if (disk->fds[fd - FD_FIRST].file != FOLDER)
            file_of(fd)->spoiled = true; /* nobody knows what it holds, whatever is synced later */
        return fails(EIO);
    }
    if (disk->fds[fd - FD_FIRST].file == FOLDER) {
        memcpy(disk->durable, disk->names, sizeof disk->durable);
    } else {
        struct sim_file *file = file_of(fd);
        if (len > file->bytes.len)
            len = file->bytes.len;
        if (!file->spoiled && len > file->synced)
            file->synced = len;
    }
    note_safe();
    return 0;
}

/* A journal that has synced its lines syncs its name too, or will. */
static void check_name(int fd)
{
    const struct herd_journal *journal = world->nodes[whose].journal;
    if (journal && !disk->dead && disk->fds[fd - FD_FIRST].file == disk->names[0] &&
        disk->names[0] != disk->durable[0] && journal->compaction == HERD_COMPACTION_NONE && !journal->rewrite)
        sim_fail(world, "%s trusts a name that is not on the disk", world->nodes[whose].name);
}

static size_t length(int fd)
{
    return disk->fds[fd - FD_FIRST].file == FOLDER ? 0 : file_of(fd)->bytes.len;
}

int sim_fdatasync(int fd)
{
    return sync_up_to(fd, length(fd));
}

/* In place of the thread: what was there when it began is synced when it ends. */
void herd_syncer_init(struct herd_syncer *syncer)
{
    *syncer = (struct herd_syncer){.fd = -1};
}

bool herd_syncer_fini(struct herd_syncer *syncer, int64_t timeout_ms, void (*release)(void *arg), void *release_arg)
{
    (void)syncer;
    (void)timeout_ms;
    release(release_arg);
    return true;
}

void herd_syncer_begin(struct herd_syncer *syncer, int fd)
{
    if (syncer->fd >= 0)
        sim_fail(world, "a journal syncs two files at once");
    syncer->fd = fd;
    disk->fds[fd - FD_FIRST].syncing = length(fd);
}

enum herd_syncer_state herd_syncer_wait(struct herd_syncer *syncer, int64_t timeout_ms, int *ret_error)
{
    (void)timeout_ms;
    int fd = syncer->fd;
    if (fd < 0)
        return HERD_SYNCER_IDLE;
    syncer->fd = -1;
    check_name(fd);
    *ret_error = sync_up_to(fd, disk->fds[fd - FD_FIRST].syncing) < 0 ? errno : 0;
    return HERD_SYNCER_DONE;
}

enum herd_syncer_state herd_syncer_poll(struct herd_syncer *syncer, int *ret_error)
{
    if (syncer->fd >= 0 && !rng_one_in(&world->checks, 3))
        return HERD_SYNCER_BUSY;
    return herd_syncer_wait(syncer, 0, ret_error);
}

/* ---- tasks ---- */

/* In place of the thread: a job is done at once, or some turns later. */
void herd_worker_init(struct herd_worker *worker, int notify_fd)
{
    *worker = (struct herd_worker){.notify_fd = notify_fd};
}

bool herd_worker_fini(struct herd_worker *worker, int64_t timeout_ms, void (*release)(void *arg), void *release_arg)
{
    (void)timeout_ms;
    if (worker->state == HERD_WORKER_BUSY)
        sim_fail(world, "a journal ends in the middle of a task");
    release(release_arg);
    return true;
}

void herd_worker_begin(struct herd_worker *worker, herd_worker_job *job, void *arg)
{
    if (worker->state != HERD_WORKER_IDLE)
        sim_fail(world, "a journal does two things at once");
    worker->job = job;
    worker->arg = arg;
    worker->state = HERD_WORKER_BUSY;
}

enum herd_worker_state herd_worker_wait(struct herd_worker *worker, int64_t timeout_ms, int *ret_result)
{
    (void)timeout_ms;
    if (worker->state == HERD_WORKER_IDLE)
        return HERD_WORKER_IDLE;
    *ret_result = worker->job(worker->arg);
    worker->state = HERD_WORKER_IDLE;
    return HERD_WORKER_DONE;
}

enum herd_worker_state herd_worker_poll(struct herd_worker *worker, int *ret_result)
{
    if (worker->state == HERD_WORKER_BUSY && !rng_one_in(&world->checks, 2))
        return HERD_WORKER_BUSY;
    return herd_worker_wait(worker, 0, ret_result);
}

/* ---- what the journal says to its operator ---- */

void herd_log_event(struct herd_log *log, enum herd_log_level level, const char *event,
                    const struct herd_log_field *fields, size_t count)
{
    (void)log;
    if (world->verbose)
        sim_say(world, "%s logs %s", world->nodes[whose].name, event);
    for (size_t i = 0; strcmp(event, "journal_read") == 0 && i < count; i++) {
        world->figures->replays += strcmp(fields[i].key, "lines") == 0 && fields[i].number > 1;
        if (strcmp(fields[i].key, "corrupt") == 0 && fields[i].number > disk->torn)
            sim_fail(world, "%s finds %lld corrupt lines in its journal", world->nodes[whose].name,
                     (long long)fields[i].number);
    }
    (void)level;
}

struct herd_log_field herd_log_text(const char *key, const char *value)
{
    (void)value;
    return (struct herd_log_field){.key = key};
}

struct herd_log_field herd_log_int(const char *key, int64_t value)
{
    return (struct herd_log_field){.key = key, .number = value};
}

/* ---- a node's journal ---- */

void disk_make(struct world *w, int node, struct rng *r)
{
    struct sim_node *n = &w->nodes[node];
    n->journals = rng_one_in(r, w->expire_ns ? 2 : 3);
    n->disk = (struct sim_disk){
        .names = {-1, -1},
        .durable = {-1, -1},
        .sync_ns = rng_one_in(r, 4) ? 0 : rng_in(r, 1, rng_one_in(r, 2) ? 20 : 1000) * MS,
        .compact_lines = (uint64_t)rng_in(r, 2, rng_one_in(r, 2) ? 10 : 60),
    };
}

static bool from_future(const struct world *w, int node, int32_t version)
{
    return version != NO_VERSION && w->model.versions[version].effective_ns > model_window_end(w, node);
}

/* A line is read back, behind others: it is newer, or took the place of one from the future; else what expired
 * meanwhile is not taken. */
static void read_back(struct world *w, int node, int32_t version, int32_t *io_has)
{
    bool ahead = from_future(w, node, *io_has);
    if (!ahead && !model_within(w, node, version) && !from_future(w, node, version)) {
        model_remove(w, node, version);
        return;
    }
    if (ahead || model_order(&w->model, version, *io_has) > 0)
        *io_has = version;
}

/* What a file says of a client. */
struct told {
    int32_t has;  /* by its lines, one after the other */
    int32_t safe; /* what was safe of it before */
    bool there;   /* and is among them */
};

/* By key, malloc'd. A last line without LF counts too. */
static struct told *read_file(struct world *w, int node)
{
    struct told *told = calloc(w->model.key_count, sizeof *told);
    for (uint32_t key = 0; key < w->model.key_count; key++)
        told[key] = (struct told){NO_VERSION, w->nodes[node].safe[key], false};
    if (disk->names[0] < 0)
        return told;
    const struct herd_buf *bytes = &disk->files[disk->names[0]].bytes;
    const char *at = bytes->at, *stop = at ? at + bytes->len : at;
    while (at < stop) {
        int32_t version = next_version(&at, stop);
        if (version == NO_VERSION)
            continue;
        uint32_t key = w->model.versions[version].key;
        read_back(w, node, version, &told[key].has);
        told[key].there |= version == told[key].safe;
    }
    return told;
}

/* Of each client the journal gives back what its file says, outside the window or not: the clock has its say at the
 * first tick. What reached the disk once is in the file, or something greater, or it was removed or accepted anew by the
 * clock of then: the next journal is without it. */
static void check_read(struct world *w, int node, const struct told *told)
{
    const struct sim_node *n = &w->nodes[node];
    for (uint32_t key = 0; key < w->model.key_count; key++) {
        int32_t has = n->has[key], safe = told[key].safe;
        if (has != told[key].has)
            sim_fail(w, "%s read version %d of client %u from its disk, not %d", n->name, has, key, told[key].has);
        if (safe == NO_VERSION || model_removed(w, node, safe))
            continue;
        if (has != safe && w->model.versions[safe].effective_ns < model_window_begin(w, node))
            model_remove(w, node, safe); /* not read */
        else if (!told[key].there && !follows(n, key, has, safe))
            sim_fail(w, "%s lost what was on its disk (version %d, not %d): %.*s", n->name, has, safe,
                     (int)w->model.versions[safe].len, w->model.texts[safe]);
    }
}

void disk_open(struct world *w, int node)
{
    struct sim_node *n = &w->nodes[node];
    struct herd_diagnostic diagnostic;
    if (!n->journals)
        return;
    enter(w, node);
    disk->trouble = false;
    const struct herd_journal_options options = {
        .node = n->node, .path = n->name, .sync_ns = disk->sync_ns, .compact_lines = disk->compact_lines};
    struct told *told = read_file(w, node); /* before opening: that cuts torn lines off */
    if (herd_journal_open(&n->journal, &options, world_clock(w, node), &diagnostic) < 0)
        sim_fail(w, "%s cannot read its journal: %s", n->name, diagnostic.message);
    model_follow(w, node);
    check_read(w, node, told);
    free(told);
}

void disk_turn(struct world *w, int node)
{
    struct sim_node *n = &w->nodes[node];
    if (!n->journal || rng_one_in(&w->checks, 2))
        return;
    enter(w, node);
    disk->trouble = !w->healed;
    world_enter(w, node);
    herd_journal_run(n->journal, world_clock(w, node));
    world_leave(w);
}

int64_t disk_next_ns(const struct world *w, int node)
{
    return w->nodes[node].journal ? herd_journal_next_ns(w->nodes[node].journal) : INT64_MAX;
}

void disk_crash(struct world *w, int node)
{
    struct sim_node *n = &w->nodes[node];
    if (!n->journal)
        return;
    enter(w, node);
    disk->dead = true; /* what it does to end itself reaches no disk */
    herd_journal_close(n->journal, world_clock(w, node));
    n->journal = NULL;
    disk->dead = false;
    for (int i = 0; i < DISK_FILES; i++)
        disk->files[i].doubt = 0, disk->files[i].spoiled = false; /* the next process hears nothing of it */
    for (int i = 0; i < DISK_FDS; i++)
        if (disk->fds[i].used)
            sim_fail(w, "%s's journal leaves files open", n->name);
    if (rng_one_in(&w->checks, 2))
        return; /* the machine goes on */
    if (rng_one_in(&w->checks, 2))
        memcpy(disk->names, disk->durable, sizeof disk->names);
    memcpy(disk->durable, disk->names, sizeof disk->durable);
    for (int i = 0; i < DISK_FILES; i++) {
        struct sim_file *file = &disk->files[i];
        file->bytes.len = file->synced =
            (size_t)rng_in(&w->checks, (int64_t)file->synced, (int64_t)file->bytes.len);
        if (in_use(i))
            tell("file %d has %zu bytes after the power went", i, file->synced);
    }
}

void disk_check(struct world *w, int node)
{
    struct sim_node *n = &w->nodes[node];
    if (!n->journal)
        return;
    enter(w, node);
    disk->trouble = false;
    struct herd_now now = world_clock(w, node);
    now.steady_ns += 20 * SECOND; /* after a failure it waits a while */
    herd_journal_flush(n->journal, now, 0);
    bool *found = calloc(w->model.key_count, sizeof *found);
    const struct sim_file *file = &disk->files[disk->names[0]];
    const char *at = file->bytes.at, *stop = at ? at + file->bytes.len : at;
    for (const char *lf; at < stop && (lf = memchr(at, '\n', (size_t)(stop - at))) != NULL; at = lf + 1) {
        if (!is_record(at, lf))
            continue;
        int32_t version = model_find(&w->model, (struct herd_span){at, (size_t)(lf - at) - HERD_CHECKSUM_LEN});
        if (version == NO_VERSION)
            continue;
        uint32_t key = w->model.versions[version].key;
        found[key] |= n->has[key] == version;
        if (!w->expire_ns && model_order(&w->model, n->has[key], version) < 0)
            sim_fail(w, "%s wrote down more of client %u than it knows", n->name, key);
    }
    for (uint32_t key = 0; key < w->model.key_count; key++)
        if (!found[key] && n->has[key] != NO_VERSION)
            sim_fail(w, "%s did not write down client %u", n->name, key);
    free(found);
}

bool disk_name_is_safe(const struct world *w, int node)
{
    const struct sim_disk *d = &w->nodes[node].disk;
    return !w->nodes[node].journal || d->sync_ns <= 0 || d->names[0] == d->durable[0];
}

void disk_check_rest(struct world *w, int node)
{
    const struct sim_disk *d = &w->nodes[node].disk;
    if (w->nodes[node].journal && d->files[d->names[0]].spoiled)
        sim_fail(w, "%s trusts a disk that failed", w->nodes[node].name);
    if (!disk_name_is_safe(w, node))
        sim_fail(w, "%s trusts a folder that was not synced", w->nodes[node].name);
}

void disk_free(struct sim_node *n)
{
    for (int i = 0; i < DISK_FILES; i++)
        herd_buf_fini(&n->disk.files[i].bytes);
    free(n->safe);
}
