/* SPDX-License-Identifier: MIT */
/*
 * Misfortune, its end, and what must be true then.
 *
 *     sim-database --seeds 1..1000      all of them; the last line sums up
 *     sim-database --seed 4711 --verbose
 *
 * Every hundredth seed is run twice and must go the same way. Exit status 1: some seed failed.
 */
#include "kept.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void kept_say(struct kept *k, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    printf("%10.3f  ", (double)k->now_ns / 1e9);
    vprintf(format, args);
    putchar('\n');
    va_end(args);
}

void kept_fail(struct kept *k, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fflush(stdout);
    fprintf(stderr, "seed %llu, after %llu events, at %.3f s: ", (unsigned long long)k->seed,
            (unsigned long long)k->events, (double)k->now_ns / 1e9);
    vfprintf(stderr, format, args);
    fprintf(stderr, "\nagain: sim-database --seed %llu --verbose\n", (unsigned long long)k->seed);
    va_end(args);
    exit(1);
}

struct kept_figures kept_figures;

/* ---- time ---- */

static void step(struct kept *k)
{
    k->events++;
    kept_late(k);
    for (int i = 0; i < k->count; i++) {
        struct kept_server *s = &k->servers[i];
        if (!s->node) {
            if (s->restart_ns <= k->now_ns)
                kept_start(k, i);
            continue;
        }
        while (s->op_count > 0 && s->ops[0].at_ns <= k->now_ns)
            kept_carry_out(k, i);
        kept_tick(k, i);
        if (s->stop_ns && (herd_keeper_stopped(s->keeper) || s->stop_ns <= k->now_ns)) {
            struct herd_keeper_stats stats = herd_keeper_stats(s->keeper);
            /* What a row says that was written over a loss is put right within an hour. */
            bool all = herd_keeper_stopped(s->keeper) && stats.failures < s->failures + 2 &&
                       k->doubt[i] == KEPT_SURE && !k->lies[i] && !stats.refused;
            for (uint32_t id = 0; all && id < k->ids; id++)
                if (s->owed[id].there && !kept_written(k, i, &s->owed[id]))
                    kept_fail(k, "%s ends and did not write c%u", s->name, id);
            kept_die(k, i, true);
            s->restart_ns = k->now_ns + rng_in(&k->faults, SECOND, 60 * SECOND);
        }
    }
}

static void run_until(struct kept *k, int64_t end_ns)
{
    for (unsigned still = 0;;) {
        int64_t next_ns = kept_next_ns(k);
        if (next_ns > end_ns)
            break;
        still = next_ns > k->now_ns ? 0 : still + 1;
        if (still > 20000)
            kept_fail(k, "time stands still");
        if (next_ns > k->now_ns)
            k->now_ns = next_ns;
        step(k);
    }
    k->now_ns = end_ns;
}

/* ---- misfortune ---- */

static void set_clock(struct kept *k, int server)
{
    struct kept_server *s = &k->servers[server];
    if (k->expire_ns)
        return;
    int64_t by_ns =
        rng_in(&k->faults, 0, 1) ? rng_in(&k->faults, -50, 50) * SECOND : rng_in(&k->faults, -7200, 7200) * SECOND;
    s->wall_off += by_ns;
    if (by_ns < -30 * SECOND) {
        s->set_back_ns =
            INT64_MAX; /* what was said under way is by another clock; a life is not long enough to wait */
        s->set_back = true;
    }
    if (k->verbose)
        kept_say(k, "%s's clock is set by %lld s", s->name, (long long)(by_ns / SECOND));
}

static void cut_links(struct kept *k, int a, int b, bool cut)
{
    k->cut[a][b] = k->cut[b][a] = cut;
    for (int i = 0; cut && i < PAIRS_MAX; i++) {
        struct kept_pair *pair = &k->pairs[i];
        if (pair->used &&
            ((pair->server[0] == a && pair->server[1] == b) || (pair->server[0] == b && pair->server[1] == a)))
            kept_unlink(k, pair);
    }
    kept_pump(k);
}

static void cut_all(struct kept *k)
{
    for (int i = 0; i < k->count; i++)
        if (k->servers[i].keeper && k->servers[i].connected)
            kept_cut(k, i);
}

static void misfortune(struct kept *k)
{
    int server = (int)rng_below(&k->faults, (uint64_t)k->count),
        other = (int)rng_below(&k->faults, (uint64_t)k->count);
    bool lives = k->servers[server].node != NULL;
    switch (rng_below(&k->faults, 11)) {
    case 0:
        k->away_until = k->now_ns + rng_in(&k->faults, 100 * MS, 90 * SECOND);
        cut_all(k);
        break;
    case 1: k->refused_until = k->now_ns + rng_in(&k->faults, SECOND, 90 * SECOND); break;
    case 2:
    case 3: k->trouble_until = k->now_ns + rng_in(&k->faults, SECOND, 60 * SECOND); break;
    case 4: {
        bool quiet = rng_one_in(&k->faults, 2);
        kept_forget(k, rng_one_in(&k->faults, 3));
        if (k->verbose)
            kept_say(k, "the database forgets%s", quiet ? ", and nobody notices" : "");
        if (!quiet)
            cut_all(k);
        break;
    }
    case 5:
        k->old = k->state;
        k->has_old = true;
        for (int i = 0; i < k->count; i++)
            k->old_lies[i] = k->lies[i] || k->doubt[i] != KEPT_SURE;
        if (k->verbose)
            kept_say(k, "the database is copied");
        break;
    case 6:
        if (lives && !k->servers[server].stop_ns) {
            bool ever = !rng_one_in(&k->faults, 3);
            kept_die(k, server, ever && rng_one_in(&k->faults, 2));
            k->servers[server].restart_ns =
                ever ? k->now_ns + rng_in(&k->faults, 100 * MS, 100 * SECOND) : INT64_MAX;
        }
        break;
    case 7:
        if (lives && !k->servers[server].stop_ns) {
            k->servers[server].stop_ns = k->now_ns + rng_in(&k->faults, SECOND, 20 * SECOND);
            k->servers[server].failures = herd_keeper_stats(k->servers[server].keeper).failures;
            herd_keeper_stop(k->servers[server].keeper, kept_now(k, server));
        }
        break;
    case 8: set_clock(k, server); break;
    case 9: k->overtaken_until = k->now_ns + rng_in(&k->faults, SECOND, 90 * SECOND); break;
    default:
        if (server != other)
            cut_links(k, server, other, !k->cut[server][other]);
    }
}

/* ---- rest ---- */

static bool scanning(const struct kept *k);

/* The first thing that is not as it should be at rest; NULL: nothing. */
static const char *wrong(struct kept *k)
{
    struct herd_node *first = NULL;
    for (int i = 0; i < k->count; i++) {
        struct herd_node *node = k->servers[i].node;
        if (!node)
            continue;
        if (first && herd_store_digest(herd_node_store(node)) != herd_store_digest(herd_node_store(first)))
            return "the herd does not agree";
        first = first ? first : node;
    }
    if (!first)
        return "nobody lives"; /* for a while: who ended gracefully comes back */
    for (uint32_t id = 0; id < k->ids; id++) {
        char text[16];
        struct herd_record record;
        struct kept_record held;
        snprintf(text, sizeof text, "c%u", id);
        const struct kept_record *row = &k->state.rows[id];
        if (!herd_store_get(herd_node_store(first), herd_span_of(text), &record)) {
            if (row->there && !k->lost)
                return "the database has what the herd has not";
            continue;
        }
        kept_copy(&held, &record);
        if (kept_poison(k, &held))
            continue;
        if (!kept_holds(k, &held))
            return "the database lacks what the herd has";
        struct herd_record in_row = kept_record(row);
        if (herd_record_compare(&in_row, &record, k->expire_ns) > 0 && !k->lost)
            return "the database has later than the herd";
    }
    return scanning(k) ? "everything is still being written" : NULL;
}

static uint64_t written(const struct kept *k)
{
    uint64_t all = 0;
    for (int i = 0; i < k->count; i++)
        all += k->servers[i].written + (k->servers[i].keeper ? herd_keeper_stats(k->servers[i].keeper).written : 0);
    return all;
}

static bool scanning(const struct kept *k)
{
    for (int i = 0; i < k->count; i++)
        if (k->servers[i].keeper && herd_keeper_stats(k->servers[i].keeper).pending > 0)
            return true;
    return false;
}

static void heal(struct kept *k)
{
    k->away_until = k->refused_until = k->trouble_until = k->overtaken_until = 0;
    k->oom_one_in = 0;
    int living = 0;
    for (int i = 0; i < k->count; i++) {
        living += k->servers[i].node != NULL;
        if (!k->servers[i].node && k->servers[i].restart_ns != INT64_MAX)
            k->servers[i].restart_ns = k->now_ns;
        for (int j = 0; j < i; j++)
            cut_links(k, i, j, false);
    }
    for (int i = 0; i < k->count && living == 0; i++, living++)
        k->servers[i].restart_ns = k->now_ns;
}

/* How long it may take until all is written. */
static int64_t patience(const struct kept *k)
{
    int64_t most_ns = (k->began_anew ? 4300 : 600) * SECOND;
    for (int i = 0; i < k->count; i++)
        most_ns += k->lies[i] ? 3700 * SECOND : 0;
    return most_ns;
}

static void rest(struct kept *k)
{
    const char *why;
    heal(k);
    const int64_t begin_ns = k->now_ns;
    do {
        run_until(k, k->now_ns + 5 * SECOND);
        why = wrong(k);
    } while (why && k->now_ns < begin_ns + patience(k));
    if (why)
        kept_fail(k, "%s", why);
    /* Others that are next in rank write what is there already; then nothing is written any more. */
    run_until(k, k->now_ns + 8 * k->options.adopt_ns + 60 * SECOND);
    uint64_t before = written(k);
    run_until(k, k->now_ns + 30 * SECOND);
    if ((why = wrong(k)) != NULL)
        kept_fail(k, "later %s", why);
    if (written(k) != before)
        kept_fail(k, "%llu records are written while nothing happens", (unsigned long long)(written(k) - before));
    uint64_t dropped = 0;
    for (int i = 0; i < k->count; i++)
        dropped +=
            k->servers[i].dropped + (k->servers[i].keeper ? herd_keeper_stats(k->servers[i].keeper).dropped : 0);
    if (dropped > k->bad_alone)
        kept_fail(k, "records were dropped that were not bad");
    kept_figures.dropped += dropped;
}

/* ---- a seed ---- */

static void draw(struct kept *k)
{
    static const char *const names[SERVERS_MAX] = {"Riley", "Bailey", "Hill", "Clark", "Jaquez"};
    k->count = (int)rng_in(&k->load, 1, SERVERS_MAX);
    k->ids = (uint32_t)rng_in(&k->load, 1, IDS_MAX);
    k->options.flush_ns = rng_in(&k->load, 50, 3000) * MS;
    k->options.batch_max = (size_t)rng_in(&k->load, 1, rng_one_in(&k->load, 2) ? 5 : 80);
    k->options.adopt_ns = rng_in(&k->load, 12, 20) * SECOND;
    k->expire_ns = rng_one_in(&k->load, 4) ? 24 * 3600 * SECOND : 0;
    k->poisoned = rng_one_in(&k->load, 2) ? rng_next(&k->load) & rng_next(&k->load) & rng_next(&k->load) : 0;
    k->oom_one_in = rng_one_in(&k->load, 4) ? 3 : 0;
    for (int i = 0; i < k->count; i++)
        snprintf(k->servers[i].name, sizeof k->servers[i].name, "%s", names[i]);
}

static void end(struct kept *k)
{
    kept_figures.virtual_s += (double)k->now_ns / 1e9;
    for (int i = 0; i < k->count; i++) {
        if (k->servers[i].node)
            kept_die(k, i, false);
        herd_store_free(k->servers[i].disk);
        k->servers[i].disk = NULL;
    }
    kept_forget(k, true);
    kept_figures.forgot--;
}

/* Returns what tells one course of things from another. */
static uint64_t run(uint64_t seed, bool verbose)
{
    int64_t live = sim_alloc.live;
    struct kept *k = calloc(1, sizeof *k);
    k->seed = seed;
    k->verbose = verbose;
    k->load = rng_stream(seed, 1);
    k->faults = rng_stream(seed, 2);
    k->database = rng_stream(seed, 3);
    sim_alloc.rng = rng_stream(seed, 4);
    sim_alloc.failed = 0;
    draw(k);
    for (int i = 0; i < k->count; i++)
        kept_start(k, i);
    int reports = (int)rng_in(&k->load, 1, 300), faults = (int)rng_in(&k->load, 0, 15);
    while (reports + faults > 0) {
        run_until(k, k->now_ns + rng_in(&k->load, 0, rng_one_in(&k->load, 10) ? 20 * SECOND : 500 * MS));
        int server = (int)rng_below(&k->load, (uint64_t)k->count);
        if (faults > 0 && rng_below(&k->load, (uint64_t)(reports + faults)) < (uint64_t)faults) {
            faults--;
            misfortune(k);
        } else if (reports > 0) {
            reports--;
            if (k->servers[server].node && !k->servers[server].stop_ns)
                kept_report(k, server);
        }
    }
    rest(k);
    kept_figures.oom += sim_alloc.failed;
    kept_figures.seeds++;
    end(k);
    uint64_t hash = k->trace ^ k->events;
    struct kept memory = *k;
    free(k);
    if (sim_alloc.live != live)
        kept_fail(&memory, "%lld blocks of memory are lost", (long long)(sim_alloc.live - live));
    return hash;
}

int main(int argc, char **argv)
{
    unsigned long long from = 1, to = 1000;
    bool verbose = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--verbose") == 0) {
            verbose = true;
        } else if (i + 1 < argc && strcmp(argv[i], "--seed") == 0) {
            from = to = strtoull(argv[++i], NULL, 10);
        } else if (i + 1 >= argc || strcmp(argv[i], "--seeds") != 0 ||
                   sscanf(argv[++i], "%llu..%llu", &from, &to) != 2) {
            fputs("usage: sim-database [--seeds A..B] [--seed N] [--verbose]\n", stderr);
            return 2;
        }
    }
    for (unsigned long long seed = from; seed <= to; seed++) {
        uint64_t hash = run(seed, verbose);
        if (seed % 100 == 0 && run(seed, false) != hash) {
            fprintf(stderr, "seed %llu: a second run went another way\n", seed);
            return 1;
        }
    }
    printf("%llu seeds, %.0f s: %llu batches, %llu rows, %llu marked again; %llu times forgotten, %llu adoptions, "
           "%llu "
           "deaths, %llu late transactions, %llu bad batches, %llu records dropped, %llu times out of memory, %llu "
           "rows checked, "
           "at most %llu steps\n",
           (unsigned long long)kept_figures.seeds, kept_figures.virtual_s, (unsigned long long)kept_figures.batches,
           (unsigned long long)kept_figures.rows, (unsigned long long)kept_figures.retried,
           (unsigned long long)kept_figures.forgot, (unsigned long long)kept_figures.adopted,
           (unsigned long long)kept_figures.deaths, (unsigned long long)kept_figures.late,
           (unsigned long long)kept_figures.bad, (unsigned long long)kept_figures.dropped,
           (unsigned long long)kept_figures.oom, (unsigned long long)kept_figures.checks,
           (unsigned long long)kept_figures.steps_max);
    return 0;
}
