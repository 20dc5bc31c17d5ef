/* SPDX-License-Identifier: MIT */
/*
 * A herd of real nodes, each with its keeper, and one database that fails in every way. A seed decides.
 *
 *     rows.c     the database: rows, transactions, what fails; what it must hold
 *     herd.c     servers: their life, their links, their keepers
 *     kept.c     misfortune, its end, and what must be true then
 *
 * The promise: at rest the database holds what the herd does, and nothing was dropped but records that it does not take. At
 * any moment: what a server's row says is written, is.
 */
#ifndef SIM_KEPT_H
#define SIM_KEPT_H

#include "../world.h"

#include "keeper.h"

#define SERVERS_MAX 5
#define IDS_MAX     64
#define KEPT_OPS    8
#define LATE_OPS    16
#define PAIRS_MAX   64

struct kept;

/* A record by value. */
struct kept_record {
    bool there;
    uint16_t len[5]; /* server, diff, id, position, time */
    char text[5][64];
    int64_t time_ns;
};

struct kept_row { /* of a writer */
    bool there;
    uint64_t incarnation, sequence;
    int64_t until_ns, at_ns;
};

struct kept_state { /* all that the database holds */
    struct kept_record rows[IDS_MAX];
    struct kept_row writers[SERVERS_MAX];
};

/* Something a server asked of the database. */
struct kept_op {
    enum herd_keeper_effect_kind kind;
    int server;
    uint64_t ticket, incarnation, sequence;
    int64_t at_ns, until_ns;
    bool doubtful;
    bool mute; /* there will be no answer */
    uint32_t count;
    struct kept_record *rows;
};

struct kept_server {
    char name[16];
    struct herd_node *node; /* NULL: dead */
    struct herd_keeper *keeper;
    struct herd_store *disk; /* what its journal has; NULL: none */
    uint64_t seed;
    int64_t wall_off, set_back_ns;
    bool set_back;      /* in this life, or before it began */
    bool emptied;       /* it died and all that it knew */
    int64_t restart_ns; /* dead: when it comes back; INT64_MAX: never */
    int64_t stop_ns;    /* graceful: until when it has patience; 0: it does not end */
    uint64_t failures;  /* before it began to end */
    bool connected, connecting;
    struct kept_op ops[KEPT_OPS];
    size_t op_count;
    bool read_before;
    int64_t empty_ns; /* batches of nothing are counted from then on */
    unsigned empty;
    struct kept_record owed[IDS_MAX]; /* the newest it accepted in this life, or had when that began */
    uint64_t dropped, written;        /* of earlier lives */
    uint64_t forgot;                  /* of this one, when it was looked at last */
};

struct kept_pair { /* a connection between two nodes */
    bool used;
    int server[2];
    struct herd_session *session[2];
    struct herd_buf in[2];
};

struct kept {
    uint64_t seed;
    struct rng load, faults, database, memory;
    int64_t now_ns;
    int count;
    uint32_t ids;
    struct kept_server servers[SERVERS_MAX];
    struct kept_pair pairs[PAIRS_MAX];
    bool cut[SERVERS_MAX][SERVERS_MAX];
    struct kept_state state, old; /* `old`: to be restored */
    bool has_old;
    /* what is wrong with it */
    int64_t away_until, refused_until, trouble_until;
    int64_t overtaken_until;       /* a reading shows what was written behind it */
    uint64_t poisoned;             /* ids */
    struct kept_op late[LATE_OPS]; /* of connections that are gone: carried out all the same */
    size_t late_count;
    uint64_t bad_alone; /* batches of one record that were BAD */
    bool lost;          /* records that no node has any more */
    /* A server went on without what it had known: what its last life accepted, and others know, is written within an hour. */
    bool began_anew;
    /* By server: it died between the database's loss and the row that says so. Its next life finds out an hour later. */
    bool lies[SERVERS_MAX], old_lies[SERVERS_MAX]; /* old: in the copy */
    enum {
        KEPT_SURE,
        KEPT_TOLD,
        KEPT_DOUBTED
    } doubt[SERVERS_MAX]; /* the database forgot, and the server does not know
                                                                       yet, or its row does not say so yet */
    struct herd_keeper_options options;
    int64_t expire_ns;
    uint64_t oom_one_in;
    uint64_t trace, events;
    bool verbose;
};

struct kept_figures {
    uint64_t seeds, batches, rows, forgot, adopted, deaths, late, bad, dropped, oom, retried, checks, steps_max;
    double virtual_s;
};
extern struct kept_figures kept_figures;

_Noreturn void kept_fail(struct kept *k, const char *format, ...) __attribute__((format(printf, 2, 3)));
void kept_say(struct kept *k, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- rows.c ---- */
struct herd_record kept_record(const struct kept_record *record);
void kept_copy(struct kept_record *to, const struct herd_record *from);
uint32_t kept_id(struct herd_span id);
/* Whether the database does not take this record. */
bool kept_poison(const struct kept *k, const struct kept_record *record);
/* Whether it holds this record, or a later one. */
bool kept_holds(const struct kept *k, const struct kept_record *record);
/* Whether a server is done with a record. */
bool kept_written(struct kept *k, int server, const struct kept_record *record);
/* A keeper's effect reaches the database. */
void kept_ask(struct kept *k, int server, const struct herd_keeper_effect *effect);
/* The first of a server's operations is carried out and answered. */
void kept_carry_out(struct kept *k, int server);
void kept_late(struct kept *k);
/* The server's connection is gone, and it is told so; or it dropped it itself. */
void kept_cut(struct kept *k, int server);
void kept_drop(struct kept *k, int server);
void kept_forget(struct kept *k, bool all);
void kept_check_row(struct kept *k, int server);

/* ---- herd.c ---- */
struct herd_now kept_now(const struct kept *k, int server);
void kept_start(struct kept *k, int server);
void kept_die(struct kept *k, int server, bool journal);
/* Lets links carry what they have, and takes all effects. */
void kept_pump(struct kept *k);
/* Takes the effects of a keeper. */
void kept_effects(struct kept *k, int server);
void kept_tick(struct kept *k, int server);
void kept_report(struct kept *k, int server);
int64_t kept_next_ns(const struct kept *k);
void kept_unlink(struct kept *k, struct kept_pair *pair);

#endif
