/* SPDX-License-Identifier: MIT */
/*
 * Runs seeds, on as many processes as wanted, and says what was seen.
 *
 *     sim --seeds 1..20000 --jobs 2       all of them; the last line sums up
 *     sim --seed 4711 --verbose           one, with everything that happens
 *
 * To see what a failing seed is about, it may be run with less; it becomes another, of course, and may pass:
 *
 *     sim --seed 4711 --nodes 3 --ops 20 --faults 5 --without 'crash,no memory,plain,expiry,journal,trust,delete'
 *
 * Kinds of misfortune have the names that --verbose shows.
 *
 * Every hundredth seed is run twice and must go the same way. Exit status 1: some seed failed; the command that
 * runs it again is printed.
 */
#define _GNU_SOURCE
#include "world.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define JOBS_MAX 64

struct job {
    struct figures figures;
    uint64_t seed; /* under way */
};

static _Noreturn void usage(void)
{
    fputs("usage: sim [--seeds A..B] [--seed N] [--jobs N] [--verbose]\n"
          "           [--nodes N] [--ops N] [--faults N] [--without KIND,...]\n",
          stderr);
    exit(2);
}

static uint64_t number(const char *text, char **ret_end)
{
    errno = 0;
    unsigned long long value = strtoull(text, ret_end, 10);
    if (errno || *ret_end == text)
        usage();
    return value;
}

static void do_without(char *kinds)
{
    for (char *kind = strtok(kinds, ","); kind; kind = strtok(NULL, ",")) {
        int fault = fault_number(kind);
        if (fault >= 0)
            sim_options.without |= UINT32_C(1) << fault;
        else if (strcmp(kind, "plain") == 0)
            sim_options.no_plain = true;
        else if (strcmp(kind, "expiry") == 0)
            sim_options.no_expiry = true;
        else if (strcmp(kind, "mix") == 0)
            sim_options.no_mix = true;
        else if (strcmp(kind, "trust") == 0)
            sim_options.no_trust = true;
        else if (strcmp(kind, "delete") == 0)
            sim_options.no_delete = true;
        else if (strcmp(kind, "journal") == 0)
            sim_options.no_journal = true;
        else
            usage();
    }
}

static void run_seeds(struct job *job, uint64_t from, uint64_t to, uint64_t stride, bool verbose)
{
    for (uint64_t seed = from; seed <= to; seed += stride) {
        job->seed = seed;
        uint64_t hash = sim_run(seed, verbose, &job->figures);
        if (seed % 100 == 0 && sim_run(seed, false, &job->figures) != hash) {
            fprintf(stderr, "seed %llu: a second run went another way\n", (unsigned long long)seed);
            _Exit(1);
        }
        if (verbose)
            printf("seed %llu: trace %016llx\n", (unsigned long long)seed, (unsigned long long)hash);
    }
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void sum_up(const struct job *jobs, int count, double wall)
{
    struct figures f = {0};
    for (int i = 0; i < count; i++) {
        const struct figures *g = &jobs[i].figures;
        f.seeds += g->seeds, f.updates += g->updates, f.lines += g->lines, f.links += g->links,
            f.crashes += g->crashes;
        f.cuts += g->cuts, f.faults += g->faults, f.events += g->events, f.syncs += g->syncs, f.checks += g->checks;
        f.plain_lines += g->plain_lines, f.unfinished += g->unfinished, f.forgotten += g->forgotten,
            f.corrected += g->corrected, f.clocks += g->clocks, f.compactions += g->compactions;
        f.allocs_failed += g->allocs_failed, f.virtual_s += g->virtual_s, f.nodes += g->nodes,
            f.replays += g->replays, f.mixed += g->mixed, f.refused += g->refused;
        f.guarded += g->guarded, f.proving += g->proving, f.apart += g->apart, f.denied += g->denied,
            f.too_often += g->too_often, f.proved += g->proved, f.unproved += g->unproved;
        f.deleted += g->deleted, f.by_http += g->by_http, f.areas += g->areas;
    }
    printf("%llu seeds, %llu nodes, %llu updates, %llu reports by HTTP, %llu AT lines, %llu link-ups, %llu "
           "comparisons that found a "
           "difference, "
           "%llu lines of plain neighbours (%llu taken without an end), %llu records forgotten and %llu accepted "
           "anew, %llu herds of nodes with other limits (%llu records refused), "
           "%llu clients deleted, "
           "%llu herds with identities (%llu tokens taken and %llu refused, %llu clients denied, %llu too often), "
           "%llu with proofs, %llu with a node apart, %llu clocks set, %llu faults (%llu "
           "crashes, %llu journals read "
           "back and %llu written anew, %llu cuts, %llu failed allocations), %llu events, %llu stores and %llu "
           "areas checked, "
           "%.1f virtual hours, %.1f s\n",
           (unsigned long long)f.seeds, (unsigned long long)f.nodes, (unsigned long long)f.updates,
           (unsigned long long)f.by_http, (unsigned long long)f.lines, (unsigned long long)f.links,
           (unsigned long long)f.syncs, (unsigned long long)f.plain_lines, (unsigned long long)f.unfinished,
           (unsigned long long)f.forgotten, (unsigned long long)f.corrected, (unsigned long long)f.mixed,
           (unsigned long long)f.refused, (unsigned long long)f.deleted, (unsigned long long)f.guarded,
           (unsigned long long)f.proved, (unsigned long long)f.unproved, (unsigned long long)f.denied,
           (unsigned long long)f.too_often, (unsigned long long)f.proving, (unsigned long long)f.apart,
           (unsigned long long)f.clocks, (unsigned long long)f.faults, (unsigned long long)f.crashes,
           (unsigned long long)f.replays, (unsigned long long)f.compactions, (unsigned long long)f.cuts,
           (unsigned long long)f.allocs_failed, (unsigned long long)f.events, (unsigned long long)f.checks,
           (unsigned long long)f.areas, f.virtual_s / 3600, wall);
}

int main(int argc, char **argv)
{
    uint64_t from = 1, to = 1000;
    int count = 1;
    bool verbose = false;
    char *end;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--verbose") == 0) {
            verbose = true;
        } else if (i + 1 == argc) {
            usage();
        } else if (strcmp(argv[i], "--seed") == 0) {
            from = to = number(argv[++i], &end);
        } else if (strcmp(argv[i], "--jobs") == 0) {
            count = (int)number(argv[++i], &end);
        } else if (strcmp(argv[i], "--nodes") == 0) {
            sim_options.nodes_max = (int)number(argv[++i], &end);
        } else if (strcmp(argv[i], "--ops") == 0) {
            sim_options.ops_max = (uint32_t)number(argv[++i], &end);
        } else if (strcmp(argv[i], "--faults") == 0) {
            sim_options.faults_max = (uint32_t)number(argv[++i], &end);
        } else if (strcmp(argv[i], "--without") == 0) {
            do_without(argv[++i]);
        } else if (strcmp(argv[i], "--seeds") == 0) {
            from = number(argv[++i], &end);
            if (strncmp(end, "..", 2) != 0)
                usage();
            to = number(end + 2, &end);
        } else {
            usage();
        }
    }
    if (count < 1 || count > JOBS_MAX || sim_options.nodes_max < 2)
        usage();
    struct job *jobs =
        mmap(NULL, (size_t)count * sizeof *jobs, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (jobs == MAP_FAILED) {
        perror("sim");
        return 2;
    }
    double start = seconds();
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 0; i < count; i++) {
        pid_t pid = fork();
        if (pid < 0) {
            perror("sim");
            return 2;
        }
        if (pid == 0) {
            run_seeds(&jobs[i], from + (uint64_t)i, to, (uint64_t)count, verbose);
            exit(0);
        }
    }
    bool failed = false;
    for (int status; wait(&status) > 0;) {
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
            continue;
        failed = true;
        if (WIFSIGNALED(status))
            fprintf(stderr, "died of signal %d\n", WTERMSIG(status));
    }
    for (int i = 0; failed && i < count; i++)
        fprintf(stderr, "%s: %s --seed %llu --verbose\n", count > 1 ? "one of these fails" : "again", argv[0],
                (unsigned long long)jobs[i].seed);
    sum_up(jobs, count, seconds() - start);
    return failed;
}
